"""Fit a hand to all of NYU's test labels: how well, how fast, how much by over-fitting.

    NYU_PATH=/folder/of/nyu python benchmarks/hand_fit.py

Per subject: residuals of the 14 evaluated joints, frames a second with and without the fit of the
subject, the share of angles at a limit, and the error at 4 joints that the fit of a frame did not
see, over random quadruples of joints. For those, what a subject's frames share was fitted on one
half of the subject's frames, all joints known, and the errors are measured on the other half.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from render.formats.nyu import CAMERA, JOINTS, read_joints
from render.formats.nyu_joints import EVALUATED, LABEL_CAMERA, TEST_SUBJECTS, lift_labels
from render.hand.file import load_hand
from render.hand.fit import HandFit, fit_hands, fit_subject
from render.hand.model import HandModel
from render.hand.nyu_points import nyu_points
from render.hand.points import Placement, PointKinematics
from render.hand.pose import hand_angles
from render.hand.subject import Subject

LEFT_OUT = 4


@dataclass(frozen=True)
class Row:
    """Figures of one subject."""

    residual_mm: np.ndarray  # (N, 14)
    fits_s: float
    with_subject_s: float
    at_limit: float
    left_out_mm: dict[tuple[str, ...], np.ndarray]


@click.command()
@click.option("--nyu", "folder", envvar="NYU_PATH", type=Path, required=True)
@click.option("--hand", default="bundled", help="As `render.hand.file.load_hand` takes it.")
@click.option("--quadruples", default=20, help="Of joints left out.")
@click.option("--every", default=10, help="Frames between those that joints are left out of.")
@click.option("--seed", default=0, help="Of the quadruples.")
def main(folder: Path, hand: str, quadruples: int, every: int, seed: int) -> None:
    """Print the tables."""
    model, labels = load_hand(hand), read_joints(folder / "nyu_test_groundtruth_label.txt")
    rng = np.random.default_rng(seed)
    chosen = [
        tuple(EVALUATED[i] for i in sorted(rng.choice(len(EVALUATED), LEFT_OUT, replace=False)))
        for _ in range(quadruples)
    ]
    rows = [measure(model, lift_labels(labels[s]), chosen, every) for s in TEST_SUBJECTS]
    click.echo(summary(rows))
    click.echo(per_joint(rows))
    click.echo(per_quadruple(rows))

    for camera in (LABEL_CAMERA, CAMERA):
        residuals = [
            fit_hands(model, lift_labels(labels[s], camera), nyu_points(model)).residual_mm
            for s in TEST_SUBJECTS
        ]
        medians = "  ".join(f"{np.median(r):.4f} (mean {r.mean():.4f})" for r in residuals)
        click.echo(f"labels lifted with fx {camera.K[0, 0]}: median mm of subjects 1, 2: {medians}")


def measure(
    model: HandModel, points_m: np.ndarray, chosen: list[tuple[str, ...]], every: int
) -> Row:
    """Fit one subject."""
    points, hand = nyu_points(model), hand_angles(model)
    began = time.perf_counter()
    subject = fit_subject(model, points_m, points)
    known = time.perf_counter()
    fit = fit_hands(model, points_m, points, subject)
    ended = time.perf_counter()

    halves = np.array_split(np.arange(len(points_m)), 2)
    learnt = [fit_subject(model, points_m[half], points) for half in halves]
    left_out: dict[tuple[str, ...], np.ndarray] = {}
    for names in chosen:
        errors = [
            left_out_errors(model, learnt[i], points_m[halves[1 - i][::every]], names)
            for i in (0, 1)
        ]
        left_out[names] = np.concatenate(errors)
    at_limit = (fit.angles <= hand.lower + 1e-9) | (fit.angles >= hand.upper - 1e-9)
    return Row(
        fit.residual_mm,
        len(points_m) / (ended - known),
        len(points_m) / (ended - began),
        float(at_limit.mean()),
        left_out,
    )


def left_out_errors(
    model: HandModel, subject: Subject, points_m: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """(N, 4) mm between the joints of these names and where the fit of the other ten has them."""
    out = np.isin(EVALUATED, names)
    kept = subject.points.subset(tuple(np.array(EVALUATED)[~out]))
    fit = fit_hands(model, points_m[:, ~out], kept, subject)
    found = joints_of(model, subject, fit)
    return 1000 * np.linalg.norm((found - points_m)[:, out], axis=2)


def joints_of(model: HandModel, subject: Subject, fit: HandFit) -> np.ndarray:
    """(N, 14, 3) where fitted hands have all of a subject's joints, metres."""
    moving = PointKinematics(model, hand_angles(model), subject.points, subject.shape)
    R, t = fit.cam_from_hand[:, :3, :3], fit.cam_from_hand[:, :3, 3]
    return moving.locate(Placement(R, R @ moving.joints[0] + t, fit.angles))


def summary(rows: list[Row]) -> str:
    """One column a subject."""
    lines = {
        "frames": [len(r.residual_mm) for r in rows],
        "median joint residual, mm": [np.median(r.residual_mm) for r in rows],
        "mean joint residual, mm": [r.residual_mm.mean() for r in rows],
        "frames with mean below 6 mm, %": [
            100 * (r.residual_mm.mean(axis=1) < 6).mean() for r in rows
        ],
        "mean residual of the 95 % frame, mm": [
            np.percentile(r.residual_mm.mean(axis=1), 95) for r in rows
        ],
        "angles at a limit, %": [100 * r.at_limit for r in rows],
        "4 joints left out: median, mm": [np.median(_all_left_out(r)) for r in rows],
        "4 joints left out: mean, mm": [_all_left_out(r).mean() for r in rows],
        "frames/s": [r.fits_s for r in rows],
        "frames/s, fit of the subject included": [r.with_subject_s for r in rows],
    }
    return _table("subject", ["1", "2"], lines)


def per_joint(rows: list[Row]) -> str:
    """Median residual of every joint."""
    medians = np.array([np.median(r.residual_mm, axis=0) for r in rows]).T
    return _table("median residual, mm", ["1", "2"], dict(zip(JOINTS, medians, strict=True)))


def per_quadruple(rows: list[Row]) -> str:
    """Median error of every quadruple left out."""
    plain = dict(zip(EVALUATED, JOINTS, strict=True))
    lines = {
        ", ".join(plain[name] for name in names): [np.median(r.left_out_mm[names]) for r in rows]
        for names in rows[0].left_out_mm
    }
    return _table("left out, median error, mm", ["1", "2"], lines)


def _all_left_out(row: Row) -> np.ndarray:
    return np.concatenate([errors.ravel() for errors in row.left_out_mm.values()])


def _table(title: str, columns: list[str], lines: dict) -> str:
    width = max(len(title), *map(len, lines)) + 2
    head = title.ljust(width) + "".join(c.rjust(9) for c in columns)
    body = [
        name.ljust(width)
        + "".join(f"{x:9d}" if isinstance(x, int) else f"{x:9.2f}" for x in values)
        for name, values in lines.items()
    ]
    return "\n".join([head, *body, ""])


if __name__ == "__main__":
    main()
