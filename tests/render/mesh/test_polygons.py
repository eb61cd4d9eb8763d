import time

import numpy as np
import pytest

from render.mesh.polygons import triangulate


def area(points: np.ndarray) -> float:
    return np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2


def test_many_concave_polygons_are_cut_in_no_more_time_than_they_take(rng):
    """Arrowheads, which their fans would leave: triangles of the same area, wound alike."""
    arrow = np.array([[0, 1, 0], [-1, -1, 0], [0, 0, 0], [1, -1, 0]])[[1, 2, 3, 0]]
    count = 20_000
    vertices = np.concatenate([arrow + [3 * i, 0, 0] for i in range(count)])
    begun = time.process_time()
    triangles, polygon = triangulate(vertices, np.arange(4 * count), np.full(count, 4))
    assert time.process_time() - begun < 10
    np.testing.assert_array_equal(polygon, np.repeat(np.arange(count), 2))
    np.testing.assert_array_equal(triangles // 4, np.repeat(polygon[:, None], 3, axis=1))
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    across = np.cross(b - a, c - a)[:, 2] / 2
    assert (across > 0).all()
    assert across.sum() == pytest.approx(count * area(arrow))


def test_a_polygon_of_a_thousand_corners_is_cut(rng):
    """A comb around a circle, no corner of which sees all others."""
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    radius = 1 + 0.5 * np.sin(50 * angles)
    points = np.column_stack([radius * np.cos(angles), radius * np.sin(angles), 0 * angles])
    triangles, _ = triangulate(points, np.arange(1000), np.array([1000]))
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    across = np.cross(b - a, c - a)[:, 2] / 2
    assert across.min() > -1e-12 and across.sum() == pytest.approx(area(points))


@pytest.mark.slow
def test_what_is_no_polygon_of_many_corners_is_refused_in_seconds(rng):
    begun = time.process_time()
    with pytest.raises(ValueError, match="no simple one"):
        triangulate(rng.random((3000, 3)), np.arange(3000), np.array([3000]))
    assert time.process_time() - begun < 30
