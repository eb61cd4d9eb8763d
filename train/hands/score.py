"""Hand poses and their ground truth -> joint errors, by the rules of the NYU benchmark.

Joint errors are Euclidean distances in mm after lifting (u, v, d) from the image. A frame counts as
right below a threshold if its worst joint is: the success curve of Taylor et al., CVPR 2012.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.formats.nyu import JOINTS, read_joints, xyz_from_uvd
from render.whole_file import check_file, whole_file

Metrics = dict[str, Any]

THRESHOLDS_MM = np.arange(81)
PLOT_ENDINGS = (".png", ".pdf", ".svg")
LINE_STYLES = ("-", "--", ":", "-.")  # the next one each time that the ten colours are used up


def joint_errors(est_uvd: np.ndarray, gt_uvd: np.ndarray) -> np.ndarray:
    """Distances between estimated and true joints: two (n, 14, 3) of px, px, mm -> (n, 14) mm."""
    if est_uvd.shape != gt_uvd.shape:
        raise ValueError(f"shapes must agree, got {est_uvd.shape} and {gt_uvd.shape}")
    return np.linalg.norm(xyz_from_uvd(est_uvd) - xyz_from_uvd(gt_uvd), axis=-1)


def success_curve(errors: np.ndarray, thresholds_mm: np.ndarray = THRESHOLDS_MM) -> np.ndarray:
    """Percentage of frames whose worst joint is below each threshold: (n, 14) mm -> (t,)."""
    worst = np.sort(errors.max(axis=1))
    return 100 * np.searchsorted(worst, thresholds_mm, side="left") / len(worst)


def summarize(errors: np.ndarray) -> Metrics:
    """Metrics of (n, 14) joint errors in mm, keyed as in results.json; shares are percentages.

    joint_mm and joint_mm_median are over all joints of all frames alike.
    """
    below_20, below_40 = success_curve(errors, np.array([20, 40])).tolist()
    return {
        "joint_mm": float(errors.mean()),
        "joint_mm_median": float(np.median(errors)),
        "frames_worst_joint_below_20mm": below_20,
        "frames_worst_joint_below_40mm": below_40,
        "per_joint_mm": dict(zip(JOINTS, errors.mean(axis=0).tolist(), strict=True)),
        "n": len(errors),
    }


def score_files(
    predictions: Sequence[Path], labels: Path, as_json: bool = False, plot: Path | None = None
) -> str:
    """Score files of predicted joints against one of true joints.

    Args:
        plot: where to draw the success curves of all predictions.

    Returns:
        A table with a column for each file, or as JSON {file: `summarize`'s metrics}.

    Raises:
        InputError: a file is missing or malformed, the numbers of frames differ, or the plot's
            file name has no ending that can be drawn.
    """
    if plot is not None:
        check_file(plot)
    gt_uvd = read_joints(labels)
    errors = {}
    for path, name in zip(predictions, _short_names(predictions), strict=True):
        est_uvd = read_joints(path)
        if len(est_uvd) != len(gt_uvd):
            raise InputError(
                f"{path}: ends at line {len(est_uvd)}, but {labels} has {len(gt_uvd)} lines;"
                " both need one line for each frame"
            )
        errors[name] = joint_errors(est_uvd, gt_uvd)

    if plot is not None:
        plot_curves(errors, plot)
    metrics = {name: summarize(errors[name]) for name in errors}
    return json.dumps(metrics, indent=2) if as_json else format_table(metrics)


def format_table(metrics: Mapping[str, Metrics]) -> str:
    """`summarize`'s metrics of each file for the terminal: a column a file, a line a metric."""
    rows = {
        "": list(metrics),
        "mean joint error, mm": [f"{m['joint_mm']:.3f}" for m in metrics.values()],
        "median joint error, mm": [f"{m['joint_mm_median']:.3f}" for m in metrics.values()],
    }
    for limit in (20, 40):
        key = f"frames_worst_joint_below_{limit}mm"
        rows[f"frames, worst joint < {limit} mm, %"] = [f"{m[key]:.2f}" for m in metrics.values()]
    for joint in JOINTS:
        cells = [f"{m['per_joint_mm'][joint]:.2f}" for m in metrics.values()]
        rows[f"{joint}, mean mm"] = cells
    rows["frames"] = [str(m["n"]) for m in metrics.values()]

    title_width = max(map(len, rows))
    widths = [max(8, len(name)) for name in metrics]
    return "\n".join(
        "  ".join([title.ljust(title_width), *map(str.rjust, cells, widths)])
        for title, cells in rows.items()
    )


def plot_curves(errors: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw the success curve of each (n, 14) errors in mm; the file's ending says the format.

    Raises:
        InputError: the ending is none that can be drawn.
    """
    from matplotlib.figure import Figure  # without pyplot: it draws by Agg and needs no display

    if path.suffix.lower() not in PLOT_ENDINGS:
        raise InputError(f"--plot: {path} must end in one of {', '.join(PLOT_ENDINGS)}")
    figure = Figure(figsize=(7, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for i, (name, of_file) in enumerate(errors.items()):
        style = LINE_STYLES[i // 10 % len(LINE_STYLES)]
        # The number leads: matplotlib hides a label that starts with an underscore.
        text = f"{of_file.mean():.2f} mm  {name}".replace("$", r"\$")
        # Unclipped and above the frame, so that a curve at 0 or 100 % is seen as well.
        curve = axes.plot(THRESHOLDS_MM, success_curve(of_file), style, linewidth=1.8, label=text)
        curve[0].set(clip_on=False, zorder=3)
    axes.set(
        xlabel="Threshold on the frame's worst joint error (mm)",
        ylabel="Frames below the threshold (%)",
        xlim=(0, THRESHOLDS_MM[-1]),
        ylim=(0, 100),
        xticks=range(0, 81, 10),
        yticks=range(0, 101, 10),
    )
    axes.grid(alpha=0.35)
    axes.legend(loc="lower right", title="Mean joint error", framealpha=0.95)
    with whole_file(path) as partial:
        figure.savefig(partial)


def _short_names(paths: Sequence[Path]) -> list[str]:
    """File names without ending; as they were given where two files would be called the same."""
    stems = {path.stem for path in paths}
    return [p.stem if len(stems) == len(set(paths)) else str(p) for p in paths]
