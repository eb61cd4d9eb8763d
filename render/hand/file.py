"""A hand model by name or from a file: the bundled one, a rigged glTF hand, a MANO file."""

from pathlib import Path

import numpy as np

import assets
from render.errors import InputError
from render.hand.gltf import read_gltf_hand
from render.hand.mano import read_mano
from render.hand.model import FINGERS, HandModel, mirrored

BUNDLED = {"bundled": "right", "bundled-left": "left"}
REACH_M = (0.05, 0.3)  # from the wrist to the tip of the middle finger, of any hand
MIDDLE = FINGERS.index("middle")
READERS = {".glb": read_gltf_hand, ".gltf": read_gltf_hand, ".pkl": read_mano, ".npz": read_mano}


def load_hand(source: str | Path) -> HandModel:
    """Load a hand model.

    Args:
        source: "bundled" (a right hand), "bundled-left", or a file: .glb or .gltf with a skin whose
            joints are named as WebXR's, a MANO .pkl (nothing in it is executed), or .npz with
            MANO's arrays.

    Raises:
        InputError: the file is missing, damaged, or not a hand of these kinds and of a hand's size.
    """
    if source in BUNDLED:
        right = _read_bundled(assets.FOLDER / "hand.npz")
        return right if BUNDLED[str(source)] == right.side else mirrored(right)
    path = Path(source)
    if path.suffix.lower() not in READERS:
        known = ", ".join((*BUNDLED, *READERS))
        raise InputError(f"{source}: no hand of that name or format; use one of {known}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; a hand model was expected")
    hand = READERS[path.suffix.lower()](path)
    reach = float(np.linalg.norm(hand.vertices[hand.tips[MIDDLE]] - hand.joints[0]))
    if not REACH_M[0] <= reach <= REACH_M[1]:
        raise InputError(
            f"{path}: its hand is {reach:.3g} m from wrist to middle fingertip; {REACH_M[0]:g} to"
            f" {REACH_M[1]:g} was expected: export it in metres"
        )
    return hand


def _read_bundled(path: Path) -> HandModel:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for name, array in arrays.items():
        if array.dtype == np.float32:
            arrays[name] = array.astype(np.float64)
    arrays["weights"] /= arrays["weights"].sum(axis=1, keepdims=True)
    return HandModel(name="bundled", side="right", **arrays)
