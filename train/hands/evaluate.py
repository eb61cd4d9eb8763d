"""Networks and test frames of hands -> predictions in NYU's format, results.json, table, curve."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.formats.nyu import uvd_from_joints, write_joints
from render.formats.nyu_dataset import SENSOR, NyuSplit
from render.json_file import write_text
from train.hands.crops import HandFrame
from train.hands.data import HandDataConfig, find_nyu, load_frames, spread_split
from train.hands.localiser import PALM, Localiser, mass_centers
from train.hands.predict import predict_joints
from train.hands.score import format_table, joint_errors, plot_curves, summarize
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.options import HandCropConfig


@dataclass(frozen=True, eq=False)
class HandTest:
    """Test frames, their crops centred without the ground truth.

    split: which frames. mass: (n, 3) metres, the centres of mass that their centres started from.
    """

    split: NyuSplit
    frames: list[HandFrame]
    mass: np.ndarray


def load_test(data: HandDataConfig, crop: HandCropConfig, localiser: Localiser) -> HandTest:
    """Read the test frames and find the hands in them."""
    split = spread_split(find_nyu(data.dataset), "test", SENSOR, data.test_frames)
    mass: list[np.ndarray] = []

    def locate(_: Sequence[int], depths: Sequence[np.ndarray]) -> np.ndarray:
        mass.append(mass_centers(depths))
        return localiser.refine(depths, mass[-1])

    frames = load_frames(split, crop, locate, data.small_from)
    return HandTest(split, frames, np.concatenate(mass))


def evaluate_hand(
    checkpoint: Checkpoint, test: HandTest, device: torch.device, file: Path
) -> np.ndarray:
    """Read every test frame; leaves the predictions in `file`, a line a frame.

    Returns:
        (n, 14, 3) predicted uvd: px, px, mm.
    """
    uvd = uvd_from_joints(predict_joints(checkpoint, test.frames, device))
    write_joints(file, uvd)
    return uvd


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
    text = f"{_centers_text(test)}\n\n{format_table(metrics)}"
    return _write(record, f"{heading}\n{text}" if heading else text, out)


def evaluate_hand_run(
    data: HandDataConfig, run: Path, localiser: Path | None, out: Path, device: str
) -> str:
    """`evaluate`: one trained network on NYU's test frames, or those of a folder laid out alike.

    Args:
        run: of a network that reads joints, or of a localiser: then its centres are measured.
        localiser: the run of the network that finds the palm; None centres crops on the centre of
            mass.

    Returns:
        The table, after writing predictions, results.json, results.txt and curve.png to `out`.
    """
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    is_localiser = checkpoint.hand == PALM
    finder = Checkpoint.load_finished(localiser, torch_device) if localiser else None
    finder = checkpoint if is_localiser else finder
    test = load_test(data, checkpoint.crop, Localiser(finder, torch_device))
    out.mkdir(parents=True, exist_ok=True)
    about = {"dataset": str(test.split.folder.parent), "methods": [checkpoint.method]}
    if is_localiser:
        return _write({**about, "center": center_metrics(test)}, _centers_text(test), out)
    file = out / f"{checkpoint.method}.txt"
    predictions = {checkpoint.method: evaluate_hand(checkpoint, test, torch_device, file)}
    return write_hand_results(predictions, test, about, out)


def _centers_text(test: HandTest) -> str:
    centers = center_metrics(test)
    return (
        f"{test.split.folder}: {len(test.frames)} test frames\n"
        f"centres {centers['center_mm']:.1f} mm from the palm on average, 95 % within"
        f" {centers['center_mm_95']:.1f} mm; centres of mass {centers['center_of_mass_mm']:.1f} mm"
    )


def _write(record: Mapping[str, Any], text: str, out: Path) -> str:
    write_text(out / "results.json", json.dumps(record, indent=2) + "\n")
    write_text(out / "results.txt", text + "\n")
    return text
