"""What a feature of a mesh format is: files that have it, and what a reader must make of them."""

from dataclasses import dataclass, field

import numpy as np

RED = (200, 30, 40)
PLAIN = (178, 178, 178)  # what has no colour at all

# The shape of every feature: a tetrahedron, 0.1 m large, without any symmetry.
VERTICES = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.08, 0], [0, 0, 0.06]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
# Texture coordinates of its vertices, v up, so that no face has its middle on a texel's edge.
UV = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.4]])


@dataclass(frozen=True, eq=False)
class Feature:
    """One thing that a mesh file may hold.

    files: name -> content; the first is the mesh. colors: what a viewer shows at the middle of each
    face, before any light: one RGB for all, or (m, 3). triangles: (m, 3, 3) metres, z up, in any
    order. normals: (m, 3, 3) at their corners; None are those that shading smoothly
    gives. refused: a word that the refusal must hold, where no reader can read it right.
    """

    format: str
    name: str
    files: dict[str, bytes]
    colors: np.ndarray | tuple[int, int, int] = PLAIN
    triangles: np.ndarray = field(default_factory=lambda: VERTICES[FACES])
    normals: np.ndarray | None = None
    refused: str = ""

    @property
    def face_colors(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.colors), (len(self.triangles), 3))

    @property
    def corner_normals(self) -> np.ndarray:
        return smooth_normals(self.triangles) if self.normals is None else self.normals


def flat_normals(triangles: np.ndarray) -> np.ndarray:
    """(m, 3, 3): each corner has its face's normal."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.repeat((normals / np.linalg.norm(normals, axis=1)[:, None])[:, None], 3, axis=1)


def smooth_normals(triangles: np.ndarray) -> np.ndarray:
    """(m, 3, 3): at each corner the mean of the faces that meet there, weighted by their angle."""
    sums: dict[tuple[float, ...], np.ndarray] = {}
    keys = [[tuple(np.round(corner, 9) + 0.0) for corner in triangle] for triangle in triangles]
    for triangle, names, flat in zip(triangles, keys, flat_normals(triangles), strict=True):
        for i in range(3):
            a, b = triangle[(i + 1) % 3] - triangle[i], triangle[(i + 2) % 3] - triangle[i]
            angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            sums[names[i]] = sums.get(names[i], np.zeros(3)) + angle * flat[i]
    normals = np.array([[sums[name] for name in names] for names in keys])
    return normals / np.linalg.norm(normals, axis=2, keepdims=True)
