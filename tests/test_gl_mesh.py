import numpy as np

from render.gl_mesh import spatial_order


def test_spatial_order_keeps_every_triangle(rng):
    vertices = rng.normal(size=(50, 3))
    faces = rng.integers(0, 40, (80, 3))  # ten vertices are in no face
    order, new_faces = spatial_order(vertices, faces)
    as_set = np.sort(vertices[faces].reshape(80, 9).round(12), axis=0)
    np.testing.assert_array_equal(
        np.unique(as_set[:, 0]),
        np.unique(vertices[order][new_faces].reshape(80, 9)[:, 0].round(12)),
    )
    assert sorted(map(tuple, order[new_faces])) == sorted(map(tuple, faces))
    assert list(new_faces.ravel()[np.unique(new_faces, return_index=True)[1]]) == list(
        range(len(order))
    )
