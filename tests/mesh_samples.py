"""A mesh to write in every format, and how a refusal is caught."""

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from render.errors import InputError
from render.mesh.mesh import Mesh


def make_lump(rng: np.random.Generator) -> trimesh.Trimesh:
    """A closed lump about 14 cm large without any symmetry, a random colour at each vertex."""
    sphere = trimesh.creation.icosphere(subdivisions=2)
    stretched = sphere.vertices * [0.05, 0.07, 0.04] + 0.01 * rng.random((1, 3))
    vertices = stretched * (1 + 0.2 * rng.random((len(sphere.vertices), 1)))
    lump = trimesh.Trimesh(vertices, sphere.faces, process=False)
    lump.visual = ColorVisuals(lump, vertex_colors=rng.integers(0, 256, (len(vertices), 3)))
    return lump


def refusal(call, *args, **kwargs) -> str:
    """The one line of the InputError that this call raises."""
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def mesh_of(solid: trimesh.Trimesh) -> Mesh:
    """One of trimesh's solids, in one grey."""
    return Mesh(
        vertices=solid.vertices.astype(np.float32),
        faces=solid.faces.astype(np.int32),
        normals=solid.vertex_normals.astype(np.float32),
        colors=np.full((len(solid.vertices), 3), 200, np.uint8),
    )
