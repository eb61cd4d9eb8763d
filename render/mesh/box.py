"""Bounding boxes along the axes."""

import numpy as np

from render.mesh.mesh import Mesh


def box_corners(box: np.ndarray) -> np.ndarray:
    """The 8 corners of a (2, 3) min-max box: (8, 3), z fastest."""
    return np.stack(np.meshgrid(*box.T, indexing="ij"), axis=-1).reshape(8, 3)


def mesh_corners(*meshes: Mesh) -> np.ndarray:
    """The 8 corners of the bounds of meshes in their own frame: (8, 3) metres."""
    low = np.min([mesh.vertices.min(axis=0) for mesh in meshes], axis=0)
    high = np.max([mesh.vertices.max(axis=0) for mesh in meshes], axis=0)
    bounds = np.stack([low, high]).astype(np.float64)
    return np.stack(np.meshgrid(*bounds.T), axis=-1).reshape(8, 3)
