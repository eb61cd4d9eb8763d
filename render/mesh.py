"""Any mesh file -> a checked mesh in metres; an object model: mesh, diameter, symmetries."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh in metres, ready to draw.

    vertices: (n, 3) float32. faces: (m, 3) int32. normals: (n, 3) float32, unit length.
    colors: (n, 3) uint8. uv: (n, 2) float32, v up as in OpenGL, or None. texture: (h, w, 3) uint8,
    first row on top, or None; the drawn colour is texture times vertex colour.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """A mesh with what BOP's models_info.json says of it.

    diameter: largest distance between two vertices, metres. box: (2, 3) min and max corner, metres.
    symmetries: (s, 4, 4) obj_from_obj transforms that leave the object unchanged, the identity first;
    continuous symmetries are sampled in 64 steps.
    """

    obj_id: int
    mesh: Mesh
    diameter: float
    box: np.ndarray
    symmetries: np.ndarray
    info: dict  # the record as it stands in models_info.json, mm
    source: str  # the file it came from
