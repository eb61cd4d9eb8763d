"""How well `capture` finds bundled objects on a board, in films whose truth is known.

python benchmarks/capture_object.py --objects 1 2 3 --seeds 3 --views 40

The board's pose is given with an error as a film's has it; the object was put on its outline with
a few degrees and millimetres to spare, in every other film half a turn off. Errors are those of
board_from_obj; the last column is the median distance, over frames and the mesh's vertices, from
where they are seen to where the pose has them. Films are 640x480.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from render.camera import Camera
from render.capture.board_sheet import make_board
from render.capture.placed.drawing import open_drawer
from render.capture.placed.fit import fit_object
from render.capture.placed.place import resting_pose
from render.capture.placed.symmetry import turn_pose
from render.capture.views import BoardView
from render.errors import InputError
from render.mesh.mesh import ObjectModel, load_models
from render.transforms import apply, rigid, rodrigues, rotation_angle
from tests.render.capture.film import Shot, make_film

BOARD_DEG, BOARD_MM = 0.05, 0.3  # standard deviation of a board's pose, each axis


def take(model: ObjectModel, count: int, seed: int) -> tuple[list[BoardView], np.ndarray]:
    """Views of an object on a board, and board_from_obj."""
    rng = np.random.default_rng([seed, model.obj_id])
    at = np.append(rng.uniform(-0.005, 0.005, 2), 0)
    yaw = rng.uniform(-6, 6) + 180 * (seed % 2)
    truth = turn_pose(resting_pose(model, 0).board_from_obj, yaw, at)
    shot = Shot(size=(640, 480), distortion=(0, 0, 0, 0, 0), parts=2, shake=2.0)
    film = make_film(make_board(blank=(5, 5)), count, rng, shot, model.mesh, truth)
    camera = Camera(film.K, *shot.size)
    views = []
    for i, (rgb, pose) in enumerate(zip(film.frames, film.cam_from_board, strict=True)):
        off = rigid(
            rodrigues(rng.normal(0, np.radians(BOARD_DEG), 3)), rng.normal(0, BOARD_MM / 1000, 3)
        )
        views.append(BoardView(f"frame {i}", rgb, camera, off @ pose, 0.3, 0.3, 1.0))
    return views, truth


def errors(
    found: np.ndarray, truth: np.ndarray, model: ObjectModel, views: list[BoardView]
) -> tuple[float, float, float]:
    """Degrees, mm and px; the smallest over the symmetries, of which a turn between steps is free.

    The turn of a solid of revolution about its axis counts nothing: degrees are the axis'.
    """
    same = truth @ model.symmetries
    turns = rotation_angle(found[None, :3, :3], same[:, :3, :3])
    best = same[int(np.argmin(turns))]
    angle = float(np.degrees(turns.min()))
    for named in model.info.get("symmetries_continuous", ()):
        axis = np.array(named["axis"], np.float64)
        a, b = found[:3, :3] @ axis, best[:3, :3] @ axis
        angle = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
    middle = model.box.mean(axis=0)[None]
    shift = np.linalg.norm(apply(found, middle) - apply(best, middle))
    vertices = model.mesh.vertices[::20].astype(np.float64)
    px = [
        v.camera.project(apply(v.cam_from_board @ found, vertices))
        - v.camera.project(apply(v.cam_from_board @ best, vertices))
        for v in views
    ]
    return angle, 1000 * float(shift), float(np.median(np.linalg.norm(px, axis=-1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--views", type=int, default=40)
    asked = parser.parse_args()
    models = load_models(["assets"], obj_ids=asked.objects)
    print("object  seed  degrees     mm     px    IoU  contour px  size off  seconds")
    for model in models.values():
        for seed in range(asked.seeds):
            views, truth = take(model, asked.views, seed)
            start = time.perf_counter()
            try:
                with open_drawer(model) as drawer:
                    fitted = fit_object(drawer, views, resting_pose(model, 0).board_from_obj)
            except InputError as error:
                print(f"{model.obj_id:6d} {seed:5d}  {error}")
                continue
            seconds = time.perf_counter() - start
            turn, shift, px = errors(fitted.board_from_obj, truth, model, views)
            said = fitted.aligned
            print(
                f"{model.obj_id:6d} {seed:5d} {turn:8.2f} {shift:6.2f} {px:6.2f}"
                f" {np.nanmedian(fitted.iou):6.3f} {said.rms_px:11.2f}"
                f" {np.expm1(said.standing.grown):9.2%} {seconds:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
