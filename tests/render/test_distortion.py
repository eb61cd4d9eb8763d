"""The lens of OpenCV's five coefficients: as cv2 projects, and back."""

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.distortion import derivative, distort, farthest_ray, reach, straight_rays, undistort

K, SIZE = np.array([[572.0, 0, 325], [0, 573, 242], [0, 0, 1]]), (640, 480)
LENSES = {
    "barrel": (-0.35, 0.12, 0.0, 0.0, -0.01),
    "cushion": (0.25, 0.05, 0.0, 0.0, 0.0),
    "off centre": (-0.2, 0.05, 0.004, -0.006, 0.0),
}


@pytest.mark.parametrize("name", LENSES)
def test_points_are_seen_where_opencv_projects_them(name, rng):
    points = np.column_stack([rng.uniform(-0.5, 0.5, (200, 2)), rng.uniform(0.9, 3, 200)])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, np.array(LENSES[name]))
    seen = Camera(K, *SIZE, LENSES[name]).project(points)
    np.testing.assert_allclose(seen, expected.reshape(-1, 2), atol=1e-9)


@pytest.mark.parametrize("name", LENSES)
def test_every_pixel_of_an_image_is_the_ray_that_is_seen_there(name):
    v, u = np.mgrid[:480:7, :640:7].astype(float)
    pixels = np.stack([u, v], axis=-1)
    rays = straight_rays(pixels, K, LENSES[name])
    points = np.concatenate([rays, np.ones((*u.shape, 1))], axis=-1)
    np.testing.assert_allclose(Camera(K, *SIZE, LENSES[name]).project(points), pixels, atol=1e-6)


@pytest.mark.parametrize("name", LENSES)
def test_its_derivative_is_that_of_small_steps(name, rng):
    xy, step = rng.uniform(-0.6, 0.6, (50, 2)), 1e-6
    (a, b, c), lens = derivative(xy, LENSES[name]), LENSES[name]
    along = [(distort(xy + e, lens) - distort(xy - e, lens)) / (2 * step) for e in step * np.eye(2)]
    np.testing.assert_allclose(along, [np.stack([a, b], -1), np.stack([b, c], -1)], atol=1e-8)


def test_a_lens_ends_where_it_folds_and_shows_nothing_beyond():
    """r (1 - r^2 / 10) is largest at the root of 10 / 3."""
    lens = (-0.1, 0.0, 0.0, 0.0, 0.0)
    fold = np.sqrt(10 / 3)
    assert reach(lens) == pytest.approx(fold, abs=0.02)
    edge = reach(lens) * (1 - reach(lens) ** 2 / 10)
    rays = undistort(np.array([[edge - 0.01, 0.0], [edge + 0.01, 0.0], [0.0, 2.1]]), lens)
    assert rays[0, 0] < fold and np.isnan(rays[1:]).all()
    assert np.isinf(farthest_ray(np.diag([100.0, 100, 1]), SIZE, lens))
    assert not Camera(K, *SIZE, lens).before(np.array([[2.0, 0, 1], [0, 0, -1]])).any()


def test_a_point_of_a_depth_image_projects_to_its_pixel():
    camera = Camera(K, *SIZE, LENSES["barrel"])
    points = camera.unproject(np.full((480, 640), 2.0))
    v, u = np.mgrid[:480, :640]
    np.testing.assert_allclose(camera.project(points), np.stack([u, v], axis=-1), atol=1e-6)


def test_a_camera_with_a_lens_neither_crops_nor_draws():
    camera = Camera(K, *SIZE, LENSES["barrel"])
    for use in (lambda: camera.crop(np.eye(2, 3), 9, 9), lambda: camera.clip_from_cam(0.1, 1)):
        with pytest.raises(ValueError, match="is no pinhole"):
            use()
