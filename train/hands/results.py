"""Predictions of test frames of hands -> results.json, table and curves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from render.formats.nyu import uvd_from_joints
from render.formats.nyu_dataset import NyuSplit
from render.json_file import write_text
from train.hands.crops import HandFrame
from train.hands.score import format_table, joint_errors, plot_curves, summarize


@dataclass(frozen=True, eq=False)
class HandTest:
    """Test frames, their crops centred without the ground truth.

    split: which frames. mass: (n, 3) metres, the centres of mass that their centres started from.
    """

    split: NyuSplit
    frames: list[HandFrame]
    mass: np.ndarray


def center_metrics(test: HandTest) -> dict[str, float]:
    """How far crops are centred from the annotated palm, mm; and how far their start was."""
    palms = test.split.joints[:, -1]
    found = np.array([frame.center for frame in test.frames])
    error, before = (1000 * np.linalg.norm(c - palms, axis=1) for c in (found, test.mass))
    return {
        "center_mm": float(error.mean()),
        "center_mm_median": float(np.median(error)),
        "center_mm_95": float(np.percentile(error, 95)),
        "center_of_mass_mm": float(before.mean()),
    }


def write_hand_results(
    predictions: Mapping[str, np.ndarray],
    test: HandTest,
    about: Mapping[str, Any],
    out: Path,
    heading: str = "",
) -> str:
    """Write results.json, results.txt and curve.png; returns the text, `heading` before it.

    Args:
        predictions: method -> (n, 14, 3) uvd.
        about: what results.json says first: dataset, seed, methods.
    """
    true = uvd_from_joints(test.split.joints)
    errors = {method: joint_errors(uvd, true) for method, uvd in predictions.items()}
    metrics = {method: summarize(of_method) for method, of_method in errors.items()}
    record = {**about, "center": center_metrics(test)}
    record |= {"objects": {"hand": metrics}, "mean": metrics}
    small = np.array([frame.small for frame in test.frames])
    if small.any() and not small.all():
        record["subsets"] = {
            name: {method: summarize(e[part]) for method, e in errors.items()}
            for name, part in (("large hand", ~small), ("small hand", small))
        }
    out.mkdir(parents=True, exist_ok=True)
    plot_curves(errors, out / "curve.png")
    text = f"{centers_text(test)}\n\n{format_table(metrics)}"
    return write_record(record, f"{heading}\n{text}" if heading else text, out)


def centers_text(test: HandTest) -> str:
    centers = center_metrics(test)
    return (
        f"{test.split.folder}: {len(test.frames)} test frames\n"
        f"centres {centers['center_mm']:.1f} mm from the palm on average, 95 % within"
        f" {centers['center_mm_95']:.1f} mm; centres of mass {centers['center_of_mass_mm']:.1f} mm"
    )


def write_record(record: Mapping[str, Any], text: str, out: Path) -> str:
    """Write results.json and results.txt; returns the text."""
    write_text(out / "results.json", json.dumps(record, indent=2) + "\n")
    write_text(out / "results.txt", text + "\n")
    return text
