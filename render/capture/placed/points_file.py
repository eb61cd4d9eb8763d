"""The file in which a person says where frames show points of the object.

    [points]                      # of the mesh, in its file's own unit and axes
    bow = [78.4, 0.0, 21.0]
    [frames."frame 12"]           # a film's frame, counted from 0, or a photograph's name
    bow = [512.3, 240.8]          # pixels of the frame as it was filmed, from the top left

With `straight = true` at its top the pixels are those of the undistorted frames.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from render import plain
from render.capture.lens import Lens
from render.capture.placed.points import Clicked, Sighting, check_points
from render.capture.views import BoardView
from render.errors import InputError
from render.input_file import read_text
from render.mesh.axes import up_axis, with_z_up
from render.mesh.mesh import ObjectModel
from render.mesh.unit import UNITS, unit_of

MOST = 200  # points, frames
SHOWN = 6  # names in a message


def read_points(
    path: Path,
    views: Sequence[BoardView],
    lens: Lens,
    model: ObjectModel,
    obj_from_file: Callable[[np.ndarray], np.ndarray],
) -> Clicked:
    """Read a points file.

    Args:
        obj_from_file: see `file_axes`.

    Raises:
        InputError: it is missing or damaged, names a frame or point that is not there, or its
            points cannot give a pose.
    """
    straight, points, frames = _parse(path)
    placed = {name: obj_from_file(np.array(point, np.float64)) for name, point in points.items()}
    by_name = {view.name: view for view in views}
    sightings = []
    for frame, seen in frames.items():
        view = by_name.get(frame) or by_name.get(f"frame {frame}")
        if view is None:
            there = ", ".join(list(by_name)[:SHOWN])
            raise InputError(
                f"{path}: frame {plain.shown(frame)} is not among the {len(views)} that were kept"
                f" ({there}, ...)"
            )
        for name, px in seen.items():
            if name not in placed:
                raise InputError(f"{path}: frame {frame}: no point {plain.shown(name)} in [points]")
            at = np.array(px, np.float64)
            at = at if straight else _straightened(at, view, lens)
            sightings.append(Sighting(name, view, at))
    clicked = Clicked(placed, tuple(sightings))
    check_points(clicked, model, str(path))
    return clicked


def write_points(
    path: Path,
    points: Mapping[str, Sequence[float]],
    frames: Mapping[str, Mapping[str, Sequence[float]]],
) -> None:
    """Write a points file of undistorted frames; the arguments are its two tables."""
    from render.json_file import write_text

    lines = ["straight = true  # pixels of the undistorted frames", "", "[points]"]
    lines += [f"{json.dumps(name)} = {_numbers(point)}" for name, point in points.items()]
    for frame, seen in frames.items():
        lines += ["", f"[frames.{json.dumps(frame)}]"]
        lines += [f"{json.dumps(name)} = {_numbers(px)}" for name, px in seen.items()]
    write_text(path, "\n".join(lines) + "\n")


def file_axes(
    mesh_file: Path, unit: str | None, up: str | None
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """What turns (..., 3) points of a mesh file into the object's frame, metres; and back."""
    scale = UNITS[unit_of(mesh_file, unit)]
    turned = up_axis(mesh_file, up) == "y"

    def obj_from_file(points: np.ndarray) -> np.ndarray:
        points = scale * np.asarray(points, np.float64)
        return with_z_up(points) if turned else points

    matrix = obj_from_file(np.eye(3)).T

    def file_from_obj(points: np.ndarray) -> np.ndarray:
        moved: np.ndarray = np.asarray(points, np.float64) @ np.linalg.inv(matrix).T
        return moved

    return obj_from_file, file_from_obj


def _parse(path: Path) -> tuple[bool, dict, dict]:
    try:
        content = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no TOML file of points: {plain.clipped(error)}") from None
    unknown = sorted(set(content) - {"straight", "points", "frames"})
    if unknown:
        raise InputError(f"{path}: {plain.shown(unknown[0])} is none of straight, points, frames")
    straight = plain.boolean(content.get("straight", False), f"{path}: straight")
    return straight, _table(content, "points", 3, path), {
        frame: _table(content["frames"], frame, 2, path)
        for frame in _tables(content.get("frames"), path)
    }  # fmt: skip


def _tables(frames: object, path: Path) -> Sequence[str]:
    if not isinstance(frames, dict) or not 0 < len(frames) <= MOST:
        raise InputError(f'{path}: needs a table [frames."NAME"] for each frame')
    return list(frames)


def _table(content: Mapping, key: str, length: int, path: Path) -> dict[str, list[float]]:
    """Name -> numbers, of a table of the file."""
    table = content.get(key)
    if not isinstance(table, dict) or not 0 < len(table) <= MOST:
        raise InputError(f"{path}: needs a table {key} of named points")
    check = plain.flat(length)
    return {name: check(value, f"{path}: {key}: {name}") for name, value in table.items()}


def _straightened(px: np.ndarray, view: BoardView, lens: Lens) -> np.ndarray:
    """(2,) pixels of a frame as it was filmed -> of the undistorted one."""
    K = view.camera.K
    straight: np.ndarray = cv2.undistortPoints(
        px.reshape(1, 1, 2), lens.K, lens.distortion, None, None, K
    )
    return straight.reshape(2)


def _numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{float(v):.6g}' for v in values)}]"
