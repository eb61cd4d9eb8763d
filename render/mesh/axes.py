"""Which way is up: y in glTF files, z in the world, where tables are flat and objects stand."""

from pathlib import Path

import numpy as np

from render.errors import InputError

UP = ("y", "z")
Y_UP = (".glb", ".gltf")
RECORDS = "models_info.json"


def up_axis(path: Path, up: str | None = None) -> str:
    """ "y" or "z", whichever a mesh file's meshes have up.

    Args:
        up: what the user says. None: y of glTF files, z of others; and z in a folder with a
            models_info.json, whose records are told in the frame that its meshes have.

    Raises:
        InputError: there is no such axis, or records say otherwise.
    """
    if up not in (None, *UP):
        raise InputError(f"--up {up}: no such axis; use one of {', '.join(UP)}")
    if (path.parent / RECORDS).is_file():
        if up == "y":
            raise InputError(
                f"--up y: {path.parent / RECORDS} tells of its meshes as they are, and they would"
                " be turned; leave --up"
            )
        return "z"
    return up or ("y" if path.suffix.lower() in Y_UP else "z")


def with_z_up(vectors: np.ndarray) -> np.ndarray:
    """(n, 3) that have y up, turned by 90 degrees about x: what was up is z."""
    return np.column_stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]])
