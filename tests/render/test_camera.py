from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from render.camera import Camera, gl_from_cam

LINEMOD_K = np.array([[572.4114, 0, 325.2611], [0, 573.57043, 242.04899], [0, 0, 1]])


@pytest.fixture
def camera() -> Camera:
    return Camera(LINEMOD_K, 640, 480)


def random_crop(rng):
    """(2, 3) shift, scale and in-plane rotation of pixel positions."""
    angle, scale = rng.uniform(-np.pi, np.pi), rng.uniform(0.2, 3)
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([scale * R, rng.uniform(-200, 200, 2)])


def random_points(rng, count=100):
    """(count, 3) points in front of the camera, metres."""
    return rng.uniform([-1, -1, 0.3], [1, 1, 3], (count, 3))


def test_project_follows_the_pinhole_formula(camera, rng):
    x, y, z = points = random_points(rng).T
    expected = [572.4114 * x / z + 325.2611, 573.57043 * y / z + 242.04899]
    np.testing.assert_allclose(camera.project(points.T), np.transpose(expected), rtol=1e-13)
    np.testing.assert_allclose(camera.project([0, 0, 2]), [325.2611, 242.04899], rtol=1e-15)


def test_unproject_inverts_project(camera, rng):
    depth = rng.uniform(0.3, 3, (480, 640)).astype(np.float32)
    points = camera.unproject(depth)

    v, u = np.mgrid[:480, :640]
    np.testing.assert_allclose(camera.project(points), np.stack([u, v], axis=-1), atol=1e-10)
    np.testing.assert_allclose(points[..., 2], depth, rtol=1e-14)


def test_unproject_through_a_rotated_crop_finds_the_same_plane(camera, rng):
    """A tilted plane's depth, written down in each crop, lifts to points of that plane."""
    normal, offset = np.array([0.2, -0.3, 0.9]), 1.0
    crop = camera.crop(random_crop(rng), 50, 40)
    v, u = np.mgrid[:40, :50]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(crop.K).T
    points = crop.unproject(offset / (rays @ normal))
    np.testing.assert_allclose(points @ normal, offset, rtol=1e-12)


def test_nothing_seen_unprojects_to_the_origin(camera):
    np.testing.assert_array_equal(camera.unproject(np.zeros((480, 640))), np.zeros((480, 640, 3)))


def test_unproject_refuses_a_depth_map_of_another_size(camera):
    with pytest.raises(ValueError, match=r"depth must be \(480, 640\), got \(640, 480\)"):
        camera.unproject(np.zeros((640, 480)))


def test_a_crop_projects_to_the_affine_map_of_the_projection(camera, rng):
    for _ in range(20):
        crop_from_image = random_crop(rng)
        crop = camera.crop(crop_from_image, 128, 96)
        assert crop.size == (128, 96)

        points = random_points(rng)
        pixels = camera.project(points)
        expected = pixels @ crop_from_image[:, :2].T + crop_from_image[:, 2]
        np.testing.assert_allclose(crop.project(points), expected, atol=1e-9)


def test_crops_compose(camera, rng):
    first, second = random_crop(rng), random_crop(rng)
    both = (np.vstack([second, [0, 0, 1]]) @ np.vstack([first, [0, 0, 1]]))[:2]
    nested = camera.crop(first, 200, 200).crop(second, 64, 64)
    np.testing.assert_allclose(nested.K, camera.crop(both, 64, 64).K, rtol=1e-12, atol=1e-9)


def test_a_crop_to_the_whole_image_changes_nothing(camera):
    np.testing.assert_array_equal(camera.crop(np.eye(2, 3), 640, 480).K, camera.K)


def clip_to_ndc(camera, points, near=0.1, far=10.0):
    """(n, 3) normalised device coordinates of (n, 3) points, as OpenGL computes them."""
    clip = np.column_stack([points, np.ones(len(points))]) @ camera.clip_from_cam(near, far).T
    return clip[:, :3] / clip[:, 3:]


def test_pixel_centres_fall_on_opengl_sample_centres(camera, rng):
    """OpenGL's window coordinates are (ndc + 1) / 2 * size; it samples a pixel at +0.5."""
    crop = camera.crop(random_crop(rng), 50, 40)
    depth = rng.uniform(0.3, 3, (40, 50))
    points = crop.unproject(depth).reshape(-1, 3)
    window = (clip_to_ndc(crop, points)[:, :2] + 1) / 2 * crop.size

    v, u = np.mgrid[:40, :50]
    centers = np.column_stack([u.ravel(), v.ravel()]) + 0.5
    np.testing.assert_allclose(window, centers, atol=1e-10)


def test_depth_runs_from_the_near_plane_to_the_far_plane(camera):
    z = np.array([0.1, 0.2, 1.0, 5.0, 10.0])
    ndc = clip_to_ndc(camera, np.column_stack([0 * z, 0 * z, z]))[:, 2]
    np.testing.assert_allclose(ndc[[0, -1]], [-1, 1], atol=1e-14)
    assert (np.diff(ndc) > 0).all()
    # OpenGL's perspective depth is affine in 1/z, which is what makes it linear on screen.
    slope = np.diff(ndc) / np.diff(1 / z)
    np.testing.assert_allclose(slope, slope[0], rtol=1e-12)


@pytest.mark.parametrize(("near", "far"), [(0, 1), (-1, 1), (1, 1), (2, 1)])
def test_clipping_planes_out_of_order_are_refused(camera, near, far):
    with pytest.raises(ValueError, match=f"need 0 < near < far, got {near} and {far}"):
        camera.clip_from_cam(near, far)


def test_gl_from_cam_is_a_half_turn_about_x():
    np.testing.assert_array_equal(gl_from_cam() @ gl_from_cam(), np.eye(4))
    np.testing.assert_array_equal(gl_from_cam() @ [1, 2, 3, 1], [1, -2, -3, 1])


@pytest.mark.parametrize(
    ("K", "rule"),
    [
        (np.eye(4), r"K must be \(3, 3\), got \(4, 4\)"),
        (np.eye(3)[:2], r"K must be \(3, 3\), got \(2, 3\)"),
        (np.diag([500, 500, 2.0]), "last row 0 0 1"),
        ([[500, 0, 0], [0, 500, 0], [0, 1e-3, 1]], "last row 0 0 1"),
        ([[500, 0, np.nan], [0, 500, 0], [0, 0, 1]], "K must be finite"),
        ([[np.inf, 0, 0], [0, 500, 0], [0, 0, 1]], "K must be finite"),
        (np.diag([500, 0, 1.0]), "K must be invertible"),
        ([[1, 2, 0], [2, 4, 0], [0, 0, 1]], "K must be invertible"),
    ],
)
def test_a_bad_K_is_refused(K, rule):
    with pytest.raises(ValueError, match=rule):
        Camera(K, 640, 480)


@pytest.mark.parametrize(
    ("cx", "cy", "inside"),
    [
        (319.5, 239.5, True),
        (-0.4, 479.4, True),
        (639.5, 479.5, False),  # the middle of 1280 x 960
        (320, -0.5, False),
        (-1, 240, False),
    ],
)
def test_the_principal_point_lies_in_the_image_or_not(cx, cy, inside):
    assert Camera([[500, 0, cx], [0, 500, cy], [0, 0, 1]], 640, 480).looks_into_image is inside


@pytest.mark.parametrize("size", [(0, 480), (640, 0), (-1, 480)])
def test_an_empty_image_is_refused(size):
    with pytest.raises(ValueError, match="image size must be positive"):
        Camera(LINEMOD_K, *size)


def test_a_camera_cannot_change_and_does_not_share_its_K():
    K = LINEMOD_K.copy()
    camera = Camera(K, 640, 480)
    K[0, 0] = 0
    assert camera.K[0, 0] == LINEMOD_K[0, 0]
    with pytest.raises(ValueError, match="read-only"):
        camera.K[0, 0] = 0
    with pytest.raises(FrozenInstanceError):
        camera.width = 320  # type: ignore[misc]
