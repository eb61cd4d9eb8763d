import numpy as np

from render.draw.gl_mesh import spatial_order


def test_spatial_order_keeps_every_triangle_and_numbers_vertices_by_first_use(rng):
    vertices = rng.normal(size=(50, 3))
    faces = rng.integers(0, 40, (80, 3))  # ten vertices are in no face
    order, new_faces = spatial_order(vertices, faces)
    assert sorted(map(tuple, order[new_faces])) == sorted(map(tuple, faces))
    used, first_use = np.unique(new_faces, return_index=True)
    np.testing.assert_array_equal(used, np.arange(len(order)))
    assert (np.diff(first_use) > 0).all()


def test_spatial_order_brings_neighbours_together(rng):
    vertices = rng.uniform(size=(4000, 1, 3)) + 0.01 * rng.normal(size=(4000, 3, 3))
    faces = np.arange(12000).reshape(4000, 3)
    order, new_faces = spatial_order(vertices.reshape(-1, 3), faces)
    centers = vertices.reshape(-1, 3)[order][new_faces].mean(axis=1)
    step = np.linalg.norm(np.diff(centers, axis=0), axis=1).mean()
    assert step < 0.2 * np.linalg.norm(np.diff(vertices[:, 0], axis=0), axis=1).mean()
