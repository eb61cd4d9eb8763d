"""A user's own MANO file -> HandModel. The model is licensed at https://mano.is.tue.mpg.de."""

from pathlib import Path
from typing import Any

import numpy as np

from render.array_file import Wanted, check_arrays, read_npz
from render.errors import InputError
from render.formats.plain_pickle import read_plain_pickle
from render.hand.layout import find_side, find_tips
from render.hand.mano_faults import in_metres, with_left_signs
from render.hand.model import PARENTS, HandModel

COLOR = (214, 164, 138)

_VERTICES = "vertices"
WANTED = {
    "v_template": Wanted((_VERTICES, 3)),
    "f": Wanted(("faces", 3)),
    "J_regressor": Wanted((len(PARENTS), _VERTICES)),
    "kintree_table": Wanted((2, len(PARENTS))),
    "weights": Wanted((_VERTICES, len(PARENTS))),
    "shapedirs": Wanted((_VERTICES, 3, "shapes")),
    "posedirs": Wanted((_VERTICES, 3, 9 * (len(PARENTS) - 1))),
}

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
    pickled = path.suffix.lower() == ".pkl"
    arrays = read_plain_pickle(path) if pickled else read_npz(path, WANTED)
    missing = [name for name in WANTED if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no {', '.join(missing)}; a MANO model was expected")
    _check(path, arrays)
    arrays = arrays | in_metres(path, arrays)

    vertices, faces, regressor, tree, weights, shapedirs, posedirs = (arrays[n] for n in WANTED)
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


def _check(path: Path, arrays: dict[str, Any]) -> None:
    """Raise InputError unless the arrays are those of a hand, each of its shape."""
    check_arrays(arrays, WANTED, str(path))
    count = len(arrays["v_template"])
    if not arrays["f"].size:
        raise InputError(f"{path}: f holds no faces")
    if arrays["f"].min() < 0 or arrays["f"].max() >= count:
        raise InputError(f"{path}: f names vertices that are not there")
    if not (arrays["weights"].sum(axis=1) > 0).all():
        raise InputError(f"{path}: weights are 0 in a row; each vertex belongs to some joint")
