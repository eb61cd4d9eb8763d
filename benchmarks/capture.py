"""Capture films whose truth is known: errors of focal length, board and object, and the times.

    python benchmarks/capture.py --films 6 [--mesh FILE]

Each film shows a bundled object, or that of the mesh, that was put on its printed outline by hand,
through another lens, with distortion, noise, blur by motion and light that changes; as H.264. The
errors are of all frames that were kept, in the median and the worst: of the board's pose, and of
the object's in the camera, beside what is aimed at; pixels are how far the corners of a box are
drawn from where a frame shows them. An object that a turn leaves as it is has the smallest error
over its turns.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from render.capture.board import Board, read_board
from render.capture.capture_object import capture_object
from render.capture.config import CaptureConfig
from render.capture.lens import Lens
from render.capture.placed.place import resting_pose
from render.capture.placed.symmetry import turn_pose
from render.capture.print_board import print_board
from render.capture.views import BoardView, board_views
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.transforms import apply, rigid, rodrigues, rotation_angle
from tests.render.capture.film import Shot, make_film, write_film

ASSETS = ROOT / "assets"
AIM_DEG, AIM_MM, AIM_SHARE, AIM_PX, AIM_FOCAL = 0.5, 1.0, 0.002, 1.0, 0.3


@dataclass(frozen=True)
class Errors:
    """Of poses in the camera, one a frame: degrees, mm, mm above the aim, box corners in pixels."""

    degrees: np.ndarray
    mm: np.ndarray
    over_mm: np.ndarray
    pixels: np.ndarray

    def __str__(self) -> str:
        parts = [
            f"{np.median(values):.2f}/{values.max():.2f} {unit}"
            for values, unit in ((self.degrees, "deg"), (self.mm, "mm"), (self.pixels, "px"))
        ]
        reached = (self.degrees <= AIM_DEG) & (self.over_mm <= 0) & (self.pixels <= AIM_PX)
        return f"{'  '.join(parts)}  {100 * reached.mean():.0f} % as aimed"


@click.command()
@click.option("--films", default=6, help="How many, each with another lens and way round.")
@click.option("--frames", default=90, help="Of a film.")
@click.option("--size", default="960x540", help="Of a frame.")
@click.option("--first", default=0, help="Seed of the first film.")
@click.option(
    "--mesh", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="In place of ours."
)
def main(films: int, frames: int, size: str, first: int, mesh: Path | None) -> None:
    """Print a block of lines for each film."""
    width, height = map(int, size.split("x"))
    print(
        f"aims: {AIM_DEG} degrees, {AIM_MM:g} mm + {100 * AIM_SHARE:g} % of the distance,"
        f" {AIM_PX:g} px, focal length {AIM_FOCAL} %; errors are median/worst of a film"
    )
    for seed in range(first, first + films):
        with tempfile.TemporaryDirectory() as folder:
            try:
                shown = mesh or ASSETS / f"obj_{1 + seed % 3:06d}.ply"
                _measure(Path(folder), shown, seed, frames, (width, height))
            except InputError as error:
                print(f"film {seed}: refused: {error}", flush=True)


def _measure(folder: Path, mesh: Path, seed: int, frames: int, size: tuple[int, int]) -> None:
    (model,) = load_models([mesh]).values()
    board, rng = print_outline(folder, mesh), np.random.default_rng(seed)
    shot = any_shot(rng, size)
    film = make_film(board, frames, rng, shot, model.mesh, put_by_hand(model, rng))
    write_film(folder / "film.mp4", film.frames)
    start = time.monotonic()
    views, lens, left_out = board_views(folder / "film.mp4", board, CaptureConfig())
    seen = time.monotonic()
    focal = 100 * (lens.K[0, 0] / film.K[0, 0] - 1)
    print(
        f"film {seed}: {mesh.name}, {len(views)} of {frames} frames kept, {len(left_out)} left out"
        f"\n  focal length  {focal:+.3f} % (said to be +- {100 * lens.focal_std:.3f} %)"
        f"{'' if abs(focal) <= AIM_FOCAL else '  MISSED'}"
    )
    pairs = [(view, film.cam_from_board[_number(view)]) for view in views]
    corners = np.concatenate([board.outline, board.outline + [0, 0, 0.1]])
    same = np.eye(4)[None]
    lenses = Lens(film.K, film.distortion, film.size), lens
    poses = [(v, v.cam_from_board, t) for v, t in pairs]
    print(f"  board         {_errors(poses, corners, same, lenses)}")
    capture_object(views, lens, board, mesh, folder / "real", CaptureConfig())
    done = time.monotonic()
    found = [i for i in read_split(folder / "real", "real") if i.scene_id == 1]
    assert film.board_from_obj is not None
    poses = [
        (view, image.annotations[0].cam_from_obj, true @ film.board_from_obj)
        for (view, true), image in zip(pairs, found, strict=True)
    ]
    print(f"  object        {_errors(poses, box_corners(model.box), _turns(model), lenses)}")
    print(f"  time          {seen - start:.0f} s board, {done - seen:.0f} s object", flush=True)


def print_outline(folder: Path, mesh: Path) -> Board:
    """The board on which an outline of the mesh is printed; its files are left in the folder."""
    layout: dict[str, str | float | None] = {"paper": "a4", "squares": None}
    print_board(
        folder / "board.pdf", {**layout, "square_mm": None, "blank": None}, mesh, 0, None, None
    )
    return read_board(folder / "board.toml")


def any_shot(rng: np.random.Generator, size: tuple[int, int]) -> Shot:
    """A film by some telephone: its lens, and where its principal point lies."""
    return Shot(
        size,
        focal_share=float(rng.uniform(0.72, 0.95)),
        distortion=[
            *(rng.uniform(-0.05, 0.15), rng.uniform(-0.3, 0.0)),
            *(rng.uniform(-0.001, 0.001), rng.uniform(-0.001, 0.001), rng.uniform(0, 0.15)),
        ],
        center_off=tuple(rng.uniform(-0.012, 0.012, 2)),
    )


def put_by_hand(model: ObjectModel, rng: np.random.Generator) -> np.ndarray:
    """board_from_obj of an object that a hand put on its outline."""
    at = np.append(rng.uniform(-0.004, 0.004, 2), 0)
    return turn_pose(resting_pose(model, 0).board_from_obj, rng.uniform(-6, 6), at)


def _turns(model: ObjectModel) -> np.ndarray:
    """(s, 4, 4) symmetries, continuous ones in steps of 0.1 degrees."""
    if not model.info.get("symmetries_continuous"):
        return model.symmetries
    steps = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    return np.array([rigid(rodrigues(np.array([0, 0, step])), np.zeros(3)) for step in steps])


def _number(view: BoardView) -> int:
    return int(view.name.split()[1])


def _errors(
    poses: list[tuple[BoardView, np.ndarray, np.ndarray]],
    points: np.ndarray,
    same: np.ndarray,
    lenses: tuple[Lens, Lens],
) -> Errors:
    """Errors of (view, pose found, true pose); same: (s, 4, 4) of the symmetries; lenses: the true
    one and the calibrated one."""
    true_lens, lens = lenses
    rows = []
    for view, found, true in poses:
        turned = found @ same
        angles = np.degrees(rotation_angle(turned[:, :3, :3], true[:3, :3]))
        best = turned[int(np.argmin(angles))]
        mm = 1000 * np.linalg.norm(best[:3, 3] - true[:3, 3])
        aim = AIM_MM + AIM_SHARE * 1000 * np.linalg.norm(true[:3, 3])
        filmed = true_lens.project(apply(true, points))
        here = cv2.undistortPoints(filmed, lens.K, lens.distortion, P=view.camera.K)[:, 0]
        there = view.camera.project(apply(best, points))
        rows.append((angles.min(), mm, mm - aim, np.linalg.norm(there - here, axis=1).max()))
    return Errors(*np.array(rows).T)


if __name__ == "__main__":
    main()
