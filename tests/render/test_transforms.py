import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import kstest

from render.transforms import (
    apply,
    invert,
    look_at,
    random_rotation,
    rigid,
    rodrigues,
    rotation_angle,
)


def random_transform(rng):
    return rigid(random_rotation(rng), rng.normal(size=3))


def random_transforms(rng, *batch):
    """(*batch, 4, 4) random transforms."""
    count = int(np.prod(batch))
    return np.array([random_transform(rng) for _ in range(count)]).reshape(*batch, 4, 4)


def random_axis(rng):
    axis = rng.normal(size=3)
    return axis / np.linalg.norm(axis)


def cross_matrix(w):
    """(3, 3) matrix of the cross product with w."""
    return np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])


def test_rigid_puts_rotation_and_translation_where_they_belong():
    R = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    dst_from_src = rigid(R, np.array([1, 2, 3]))
    assert dst_from_src.dtype == np.float64
    np.testing.assert_array_equal(dst_from_src, expected)


@pytest.mark.parametrize(("R", "t"), [((4, 4), 3), ((3, 3), 4), ((2, 3, 3), 3)])
def test_rigid_refuses_other_shapes(R, t):
    with pytest.raises(ValueError, match=r"R must be \(3, 3\) and t \(3,\), got"):
        rigid(np.zeros(R), np.zeros(t))


def test_invert_undoes_the_transform(rng):
    dst_from_src = random_transforms(rng, 2, 5)
    identity = np.broadcast_to(np.eye(4), (2, 5, 4, 4))
    np.testing.assert_allclose(invert(dst_from_src) @ dst_from_src, identity, atol=1e-14)
    np.testing.assert_allclose(dst_from_src @ invert(dst_from_src), identity, atol=1e-14)


def test_invert_agrees_with_the_general_inverse_and_leaves_its_argument_alone(rng):
    cam_from_obj = random_transform(rng)
    before = cam_from_obj.copy()
    np.testing.assert_allclose(invert(cam_from_obj), np.linalg.inv(cam_from_obj), atol=1e-14)
    np.testing.assert_array_equal(cam_from_obj, before)


def test_apply_is_the_product_with_homogeneous_points(rng):
    dst_from_src = random_transforms(rng, 2, 3)
    points = rng.normal(size=(2, 3, 7, 3))
    homogeneous = np.concatenate([points, np.ones((2, 3, 7, 1))], axis=-1)
    expected = np.einsum("...ij,...nj->...ni", dst_from_src, homogeneous)[..., :3]
    np.testing.assert_allclose(apply(dst_from_src, points), expected, atol=1e-14)


def test_apply_moves_shared_points_by_every_transform_of_a_batch(rng):
    dst_from_src = random_transforms(rng, 4)
    points = rng.normal(size=(7, 3))
    moved = apply(dst_from_src, points)
    assert moved.shape == (4, 7, 3)
    for transform, expected in zip(dst_from_src, moved, strict=True):
        np.testing.assert_allclose(apply(transform, points), expected, atol=1e-15)


def test_apply_twice_is_applying_the_product(rng):
    c_from_b, b_from_a = random_transforms(rng, 2)
    points = rng.normal(size=(9, 3))
    expected = apply(c_from_b @ b_from_a, points)
    np.testing.assert_allclose(apply(c_from_b, apply(b_from_a, points)), expected, atol=1e-14)


def test_rodrigues_is_the_exponential_of_the_cross_product_matrix(rng):
    for angle in (0.0, 1e-12, 1e-6, 0.5, np.pi - 1e-9, np.pi, 3 * np.pi):
        rotvec = angle * random_axis(rng)
        np.testing.assert_allclose(rodrigues(rotvec), expm(cross_matrix(rotvec)), atol=2e-14)


def test_rodrigues_turns_counter_clockwise_about_the_axis():
    np.testing.assert_allclose(
        rodrigues(np.array([0, 0, np.pi / 2])), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15
    )


def test_rodrigues_keeps_batch_dimensions(rng):
    rotvecs = rng.normal(size=(2, 3, 3))
    matrices = rodrigues(rotvecs)
    assert matrices.shape == (2, 3, 3, 3)
    np.testing.assert_array_equal(matrices[1, 2], rodrigues(rotvecs[1, 2]))
    assert rodrigues(np.zeros((0, 3))).shape == (0, 3, 3)


def test_random_rotation_is_uniform_over_all_rotations(rng):
    rotations = np.array([random_rotation(rng) for _ in range(2000)])
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(1, 2),
        np.broadcast_to(np.eye(3), rotations.shape),
        atol=1e-14,
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-14)

    # Haar measure: P(angle <= a) = (a - sin a) / pi, and any coordinate of a turned unit vector is
    # uniform on [-1, 1] (Archimedes).
    angles = rotation_angle(np.eye(3), rotations)
    assert kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > 0.01
    for i, j in np.ndindex(3, 3):
        assert kstest(rotations[:, i, j], "uniform", args=(-1, 2)).pvalue > 0.01


def test_random_rotation_repeats_with_its_seed():
    first, second = (random_rotation(np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "angle", [0, 1e-12, 1e-9, 1e-5, 0.3, np.pi / 2, np.pi - 1e-5, np.pi - 1e-9, np.pi]
)
def test_rotation_angle_is_exact_near_zero_and_near_pi_alike(rng, angle):
    for _ in range(50):
        R_a = random_rotation(rng)
        R_b = R_a @ rodrigues(angle * random_axis(rng))
        assert rotation_angle(R_a, R_b) == pytest.approx(angle, abs=3e-15)


def test_rotation_angle_is_an_invariant_metric(rng):
    R_a, R_b, R_c, R = random_transforms(rng, 4, 50)[..., :3, :3]
    angle = rotation_angle(R_a, R_b)
    np.testing.assert_allclose(rotation_angle(R_b, R_a), angle, atol=1e-14)
    np.testing.assert_allclose(rotation_angle(R @ R_a, R @ R_b), angle, atol=1e-14)
    np.testing.assert_allclose(rotation_angle(R_a @ R, R_b @ R), angle, atol=1e-14)
    assert (rotation_angle(R_a, R_c) <= angle + rotation_angle(R_b, R_c) + 1e-14).all()


def test_rotation_angle_compares_one_rotation_with_many(rng):
    angles = np.linspace(0, 3, 6).reshape(2, 3)
    R = random_rotation(rng)
    others = R @ rodrigues(angles[..., None] * random_axis(rng))
    np.testing.assert_allclose(rotation_angle(R, others), angles, atol=1e-14)


def test_look_at_sees_the_target_ahead_and_up_above(rng):
    for _ in range(20):
        eye, target, up = rng.normal(size=(3, 3))
        cam_from_world = look_at(eye, target, up)

        R = cam_from_world[:3, :3]
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
        assert np.linalg.det(R) == pytest.approx(1)
        np.testing.assert_array_equal(cam_from_world[3], [0, 0, 0, 1])

        np.testing.assert_allclose(apply(cam_from_world, eye[None]), [[0, 0, 0]], atol=1e-14)
        ahead = np.array([[0, 0, np.linalg.norm(target - eye)]])
        np.testing.assert_allclose(apply(cam_from_world, target[None]), ahead, atol=1e-14)
        up_in_cam = R @ up
        assert abs(up_in_cam[0]) < 1e-14
        assert up_in_cam[1] < 0  # y points down in the image


def test_look_at_from_the_south_has_east_on_the_right():
    world_from_cam = invert(look_at(np.array([0, -2, 0]), np.zeros(3), np.array([0, 0, 1])))
    expected = np.array([[1, 0, 0, 0], [0, 0, 1, -2], [0, -1, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(world_from_cam, expected, atol=1e-15)


@pytest.mark.parametrize("eye", [(1, 2, 3), (1, 2, 5), (1, 2, -5)])
def test_look_at_refuses_a_view_along_up_and_none_at_all(eye):
    with pytest.raises(ValueError, match="look_at needs eye apart from target"):
        look_at(np.array(eye), np.array([1, 2, 3]), np.array([0, 0, 1]))
