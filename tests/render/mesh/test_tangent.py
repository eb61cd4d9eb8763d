"""Tangents of meshes, beside what they are by definition."""

import numpy as np
import pytest

from render.mesh.tangent import vertex_tangents
from render.transforms import random_rotation

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("mirrored", [False, True])
def test_on_a_plane_they_are_the_way_in_which_u_grows(mirrored, rng):
    """Whatever the axes of the coordinates, which need not be square to one another."""
    R = random_rotation(rng)
    uv_from_xy = rng.normal(size=(2, 2))
    if (np.linalg.det(uv_from_xy) < 0) != mirrored:
        uv_from_xy = uv_from_xy[::-1]
    grows = np.linalg.inv(uv_from_xy)[:, 0]  # along it v stays
    expected = R @ [*(grows / np.linalg.norm(grows)), 0]
    normals = np.tile(R[:, 2], (4, 1))
    found = vertex_tangents(SQUARE @ R.T, normals, FACES, SQUARE[:, :2] @ uv_from_xy.T)
    np.testing.assert_allclose(found, [expected] * 4, atol=1e-6)


def test_on_a_cylinder_they_go_around_it_at_each_vertex():
    """Not along the facets that meet there, of which they are the mean."""
    angles = np.linspace(0, 2 * np.pi, 13)
    around = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
    vertices = np.concatenate([around, around + [0, 0, 1]])
    i = np.arange(12)
    faces = np.concatenate([np.stack([i, i + 1, i + 14], 1), np.stack([i, i + 14, i + 13], 1)])
    uv = np.column_stack([np.tile(angles, 2), vertices[:, 2]])
    found = vertex_tangents(vertices, np.tile(around, (2, 1)), faces, uv)
    expected = np.column_stack([-np.sin(angles), np.cos(angles), 0 * angles])
    np.testing.assert_allclose(found, np.tile(expected, (2, 1)), atol=1e-6)


def test_where_coordinates_turn_over_or_stand_still_there_is_none():
    """Two faces share an edge; the second is mirrored, or all in one point of the texture."""
    normals = np.tile([0.0, 0, 1], (4, 1))
    folded = np.array([[0, 0], [1, 0], [0, 1], [1, 0]], float)
    found = vertex_tangents(SQUARE, normals, FACES, folded)
    assert (found[[0, 2]] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(found[[1, 3]], axis=1), 1)
    assert (vertex_tangents(SQUARE, normals, FACES, np.ones((4, 2))) == 0).all()
