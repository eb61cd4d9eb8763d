"""A user's own MANO file -> HandModel. The model is licensed at https://mano.is.tue.mpg.de."""

from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.formats.plain_pickle import read_plain_pickle
from render.hand.layout import find_side, find_tips
from render.hand.mano_faults import in_metres, with_left_signs
from render.hand.model import PARENTS, HandModel

COLOR = (214, 164, 138)

# Fingertip vertices of its mesh, in the order of FINGERS, as those who evaluate MANO pick them.
VERTICES, TIPS = 778, (317, 444, 673, 556, 745)


def read_mano(path: Path) -> HandModel:
    """Read a MANO model: .pkl as it is distributed, or .npz with the same arrays.

    Zero pose is the template, a flat hand: the mean pose of the file is not added. A file in cm or
    mm is scaled, and the sign that is wrong in the left hand as distributed is mended; both are
    said. Which hand it is, is told by its geometry, not by the file's name.

    Raises:
        InputError: the file is damaged, names a class that is no array, or lacks an array, or one
            has an unexpected shape; or it is no hand's size in any unit.
    """
    arrays = read_plain_pickle(path) if path.suffix.lower() == ".pkl" else _read_npz(path)
    wanted = ("v_template", "f", "J_regressor", "kintree_table", "weights", "shapedirs", "posedirs")
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no {', '.join(missing)}; a MANO model was expected")
    _check(path, arrays)
    arrays = arrays | in_metres(path, arrays)

    vertices, faces, regressor, tree, weights, shapedirs, posedirs = (arrays[n] for n in wanted)
    joints = regressor @ vertices
    parents = np.where(np.arange(len(joints)) > 0, tree[0].astype(np.int64), -1)
    if tuple(parents) != PARENTS:
        raise InputError(f"{path}: its joints are not MANO's 16 in MANO's order")
    weights = weights / weights.sum(axis=1, keepdims=True)
    known = len(vertices) == VERTICES
    try:
        tips = np.array(TIPS) if known else find_tips(vertices, joints, weights)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    side = find_side(joints, vertices[tips])
    if side == "left":
        shapedirs = with_left_signs(path, vertices, shapedirs)
    return HandModel(
        name=path.stem,
        side=side,
        vertices=vertices.astype(np.float64),
        faces=faces.astype(np.int32),
        joints=joints,
        parents=parents,
        weights=weights,
        tips=tips,
        shape_directions=shapedirs.astype(np.float64),
        joint_directions=np.einsum("jv,vcs->jcs", regressor, shapedirs),
        pose_directions=posedirs.astype(np.float64),
        colors=np.tile(np.array(COLOR, np.uint8), (len(vertices), 1)),
    )


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path) as file:  # pickled objects in it are refused
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged one
        raise InputError(f"{path}: not an .npz of plain arrays ({error})") from None


def _check(path: Path, arrays: dict[str, Any]) -> None:
    count, joints = len(np.atleast_1d(arrays["v_template"])), len(PARENTS)
    expected = {
        "v_template": (count, 3),
        "f": (None, 3),
        "J_regressor": (joints, count),
        "kintree_table": (2, joints),
        "weights": (count, joints),
        "shapedirs": (count, 3, None),
        "posedirs": (count, 3, 9 * (joints - 1)),
    }
    for name, shape in expected.items():
        got = getattr(arrays[name], "shape", None)
        if (
            got is None
            or len(got) != len(shape)
            or any(b is not None and a != b for a, b in zip(got, shape, strict=True))
        ):
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise InputError(f"{path}: {name} has shape {got}; ({wanted}) was expected")
        if arrays[name].dtype.kind not in "iuf" or not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds values that are not finite numbers")
    faces, weights = arrays["f"], arrays["weights"]
    if faces.min(initial=0) < 0 or (len(faces) and faces.max() >= count):
        raise InputError(f"{path}: f names vertices that are not there")
    if not len(faces) or (weights.sum(axis=1) <= 0).any():
        name = "f" if not len(faces) else "weights"
        raise InputError(f"{path}: {name} leaves vertices without a face or joint to belong to")
