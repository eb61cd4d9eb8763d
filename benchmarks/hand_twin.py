"""Fit and draw the twin of a real NYU depth frame, and lay both side by side.

    NYU_PATH=/folder/of/nyu python benchmarks/hand_twin.py --out twin.png

Prints the median depth difference where both see a hand, and the intersection over union of the two
masks, both inside a cube of 300 mm around the labelled palm; and how far from the label joints are
that were disturbed, and then refined by the frame (`train.hands.refine`).
"""

import sys
from pathlib import Path

import click
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from render.draw.rasterizer import Rasterizer
from render.formats.nyu import read_depth, read_joints
from render.formats.nyu_joints import LABEL_CAMERA, TEST_SUBJECTS, lift_labels
from render.hand.file import load_hand
from render.hand.fit import HandFit, fit_hands, fit_subject
from render.hand.model import HandModel
from render.hand.nyu_points import nyu_points
from render.image_file import write_png
from render.scene.spec import Placed, Posture, SceneSpec, rows
from render.show.overlay import label, sheet
from train.hands.refine import HandRefiner, camera_joints

CUBE = 0.3  # metres
PALM = 13  # of the evaluated joints
ZOOM = 3
DISTURBED_MM, TRIALS = (0, 5, 8, 12, 16), 20  # of every joint, in random directions


@click.command()
@click.option("--nyu", "folder", envvar="NYU_PATH", type=Path, required=True)
@click.option("--hand", default="bundled", help="As `render.hand.file.load_hand` takes it.")
@click.option("--frame", default=1, help="From 1, as files are numbered.")
@click.option("--out", type=Path, help="Picture: sensor, twin, where they differ.")
def main(folder: Path, hand: str, frame: int, out: Path | None) -> None:
    """Print the figures, and write the picture."""
    model = load_hand(hand)
    points_m = lift_labels(read_joints(folder / "nyu_test_groundtruth_label.txt"))
    person = next(points_m[s] for s in TEST_SUBJECTS if frame - 1 in range(len(points_m))[s])
    subject = fit_subject(model, person, nyu_points(model))
    fit = fit_hands(model, points_m[frame - 1 : frame], nyu_points(model), subject)

    real = read_depth(folder / "test" / f"depth_1_{frame:07d}.png")
    twin = draw_twin(model, fit)
    palm = points_m[frame - 1, PALM]
    masks = [in_cube(depth, palm) for depth in (real, twin)]
    both, either = masks[0] & masks[1], masks[0] | masks[1]
    off_mm = 1000 * (twin - real)[both]
    click.echo(
        f"frame {frame}: mean joint residual {fit.residual_mm.mean():.2f} mm; twin - sensor: median"
        f" {np.median(off_mm):.2f} mm, median of the absolute {np.median(np.abs(off_mm)):.2f} mm;"
        f" IoU of the masks {both.sum() / either.sum():.3f}"
    )
    refiner = HandRefiner(hand, model, subject, CUBE / 2)
    show_refined(refiner, camera_joints(points_m[frame - 1]), real)
    if out is not None:
        pixels = LABEL_CAMERA.project(points_m[frame - 1])
        write_png(out, picture(real, twin, masks, palm[2], pixels))


def show_refined(refiner: HandRefiner, true: np.ndarray, depth: np.ndarray) -> None:
    """Print the errors of joints before and after, (14, 3) metres: the label's own, and others."""
    for disturbed_mm in DISTURBED_MM:
        ways = np.random.default_rng(0).normal(size=(TRIALS, *true.shape))
        ways *= disturbed_mm / 1000 / np.linalg.norm(ways, axis=-1, keepdims=True)
        centers = np.repeat(true[None, PALM], TRIALS, axis=0)
        found = refiner.refine(true + ways, centers, lambda _: depth)
        away_mm = 1000 * np.linalg.norm(found - true, axis=-1).mean()
        click.echo(f"joints {disturbed_mm} mm off: refined {away_mm:.1f} mm off")


def draw_twin(model: HandModel, fit: HandFit) -> np.ndarray:
    """(480, 640) metres, the depth of the first fitted hand in the labels' own camera."""
    placed = Placed(1, rows(fit.cam_from_hand[0]), posture=Posture.of(fit.pose[0], fit.shape))
    spec = SceneSpec(rows(LABEL_CAMERA.K), LABEL_CAMERA.size, (placed,))
    with Rasterizer({1: model}) as rasterizer:
        depth = rasterizer.render([spec])[0].depth
    assert depth is not None  # what is rendered always has one
    return depth


def in_cube(depth: np.ndarray, center: np.ndarray) -> np.ndarray:
    """(H, W) bool: where depth holds a point inside the cube around a (3,) point."""
    inside = np.abs(LABEL_CAMERA.unproject(depth) - center) <= CUBE / 2
    return (depth > 0) & inside.all(axis=2)


def picture(
    real: np.ndarray, twin: np.ndarray, masks: list[np.ndarray], z: float, pixels: np.ndarray
) -> np.ndarray:
    """Sensor, twin, and over the union: green where both are, red and blue where one is alone."""
    v, u = np.nonzero(masks[0] | masks[1])
    window = np.s_[v.min() - 8 : v.max() + 9, u.min() - 8 : u.max() + 9]
    off_mm = 1000 * (twin - real)
    panels = []
    for depth, mask in zip((real, twin), masks, strict=True):
        near = np.where(mask, 255 * np.clip(0.5 - (depth - z) / CUBE, 0, 1), 0)
        panels.append(np.repeat(near[..., None], 3, axis=2).astype(np.uint8))
    apart = np.clip(128 + 6 * off_mm, 40, 255)[..., None] * np.array([0.6, 1.0, 0.6])
    apart = np.where((masks[0] & masks[1])[..., None], apart, 0).astype(np.uint8)
    apart[masks[0] & ~masks[1]] = 220, 40, 40
    apart[masks[1] & ~masks[0]] = 40, 80, 220
    panels.append(apart)

    zoomed = []
    for panel in panels:
        large = cv2.resize(panel[window], None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
        for x, y in (pixels - [window[1].start, window[0].start] + 0.5) * ZOOM:
            cv2.circle(large, (round(float(x)), round(float(y))), 3, (255, 220, 0), -1, cv2.LINE_AA)
        zoomed.append(large)
    titles = ("sensor", "twin", "twin deeper: lighter; sensor only: red; twin only: blue")
    return sheet([[label(p, title) for p, title in zip(zoomed, titles, strict=True)]])


if __name__ == "__main__":
    main()
