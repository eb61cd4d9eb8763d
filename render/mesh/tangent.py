"""Which way texture coordinates run over a mesh: the axes of its map of normals.

After M. Mikkelsen, "Simulation of wrinkled surfaces revisited", 2008 (MikkTSpace), which glTF 2.0
names, but that no vertex is split: where coordinates are mirrored there is no tangent.
"""

import numpy as np


def vertex_tangents(
    vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, uv: np.ndarray
) -> np.ndarray:
    """Unit vectors in each vertex's tangent plane along growing u.

    Args:
        vertices, normals: (n, 3). faces: (m, 3). uv: (n, 2).

    Returns:
        (n, 3) float32: means of the faces' weighted by angle; zero where coordinates run over some
        of a vertex's faces in the other sense, or over none.
    """
    corners, coordinates = vertices[faces].astype(np.float64), uv[faces].astype(np.float64)
    a, b = (corners[:, i] - corners[:, 0] for i in (1, 2))
    (ua, va), (ub, vb) = ((coordinates[:, i] - coordinates[:, 0]).T for i in (1, 2))
    sense = np.sign(ua * vb - ub * va)
    along = (vb[:, None] * a - va[:, None] * b) * sense[:, None]

    summed, count = np.zeros((len(vertices), 3)), len(vertices)
    for i in range(3):
        vertex = faces[:, i]
        normal = normals[vertex].astype(np.float64)
        ahead, behind = (
            _unit(_level(corners[:, k] - corners[:, i], normal)) for k in ((i + 1) % 3, i - 1)
        )
        angle = np.arccos(np.clip(np.einsum("mc,mc->m", ahead, behind), -1, 1))
        weighted = _unit(_level(along, normal)) * angle[:, None]
        summed += np.stack([np.bincount(vertex, w, count) for w in weighted.T], axis=1)
    straight, mirrored = np.zeros((2, count), bool)
    straight[faces[sense > 0]] = True
    mirrored[faces[sense < 0]] = True
    summed[straight == mirrored] = 0
    return _unit(summed).astype(np.float32)


def _level(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """What of (m, 3) vectors lies in the planes of these unit normals."""
    return vectors - np.einsum("mc,mc->m", vectors, normals)[:, None] * normals


def _unit(vectors: np.ndarray) -> np.ndarray:
    """(m, 3) vectors at length 1; those of none stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 1e-30, length, 1)
