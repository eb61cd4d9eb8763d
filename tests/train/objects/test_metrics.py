import numpy as np
import pytest

from render.camera import Camera
from render.mesh.symmetry import symmetry_transforms
from render.transforms import apply, random_rotation, rigid, rodrigues
from train.objects import metrics
from train.objects.metrics import (
    IDENTITY,
    VSD_TAUS,
    add,
    adi,
    corner_error,
    mspd,
    mssd,
    projection_error,
    rotation_translation_error,
    vsd,
)

CAMERA = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480)
HALF_TURN = {"symmetries_discrete": [[-1, 0, 0, 4, 0, -1, 0, 6, 0, 0, 1, 0, 0, 0, 0, 1]]}
AXIS = {"symmetries_continuous": [{"axis": [0, 0, 1], "offset": [2, 3, 0]}]}


@pytest.fixture
def points(rng):
    return rng.normal(size=(300, 3)) * 0.04


@pytest.fixture
def gt(rng):
    return rigid(random_rotation(rng), np.array([0.05, -0.02, 0.9]))


@pytest.fixture
def est(rng, gt):
    return gt @ rigid(rodrigues(rng.normal(size=3) * 0.3), rng.normal(size=3) * 0.02)


def shifted(gt, shift):
    return rigid(np.eye(3), np.asarray(shift, np.float64)) @ gt


def shifted_in_the_image(gt, du, dv):
    """The affine map after which every point is seen du, dv pixels away."""
    shift = np.eye(3)
    shift[:2, 2] = du, dv
    result = np.eye(4)
    result[:3] = np.linalg.inv(CAMERA.K) @ shift @ CAMERA.K @ gt[:3]
    return result


def test_the_true_pose_has_no_error(gt, points):
    assert add(gt, gt, points) == adi(gt, gt, points) == mssd(gt, gt, points, IDENTITY) == 0
    assert mspd(gt, gt, points, CAMERA, IDENTITY) == 0
    assert projection_error(gt, gt, points, CAMERA) == 0
    assert rotation_translation_error(gt, gt) == (0, 0)


def test_a_shift_is_measured_exactly(gt, points):
    est = shifted(gt, [0.03, 0, -0.04])
    assert add(est, gt, points) == pytest.approx(0.05, rel=1e-12)
    assert mssd(est, gt, points, IDENTITY) == pytest.approx(0.05, rel=1e-12)
    assert rotation_translation_error(est, gt) == (pytest.approx(0, abs=1e-12), pytest.approx(0.05))


def test_a_turn_is_measured_exactly(gt):
    for angle in (1e-7, 0.1, 3.0, np.pi - 1e-7):
        est = gt @ rigid(rodrigues(np.array([0, 0.6, 0.8]) * angle), np.zeros(3))
        assert rotation_translation_error(est, gt)[0] == pytest.approx(angle, abs=1e-9)


def test_a_shift_in_the_image_is_measured_exactly(gt, points):
    est = shifted_in_the_image(gt, 3, -4)
    for error in (projection_error, mspd, corner_error):
        assert error(est, gt, points, CAMERA, IDENTITY) == pytest.approx(5, rel=1e-9)


def test_adi_is_the_mean_of_the_nearest_and_at_most_add(rng, gt, est, points):
    moved, true = apply(est, points), apply(gt, points)
    nearest = np.linalg.norm(true[:, None] - moved[None], axis=2).min(axis=1)
    assert adi(est, gt, points) == pytest.approx(nearest.mean(), rel=1e-12)
    assert adi(est, gt, points) < add(est, gt, points)


@pytest.mark.parametrize("info", [{}, HALF_TURN, AXIS, HALF_TURN | AXIS])
def test_symmetric_errors_are_the_smallest_over_the_symmetries(info, gt, est, points):
    symmetries = symmetry_transforms(info)
    moved = apply(est, points)
    distances = [np.linalg.norm(moved - apply(gt @ s, points), axis=1) for s in symmetries]
    pixels = [
        np.linalg.norm(CAMERA.project(moved) - CAMERA.project(apply(gt @ s, points)), axis=1)
        for s in symmetries
    ]
    assert mssd(est, gt, points, symmetries) == pytest.approx(min(d.max() for d in distances))
    assert mspd(est, gt, points, CAMERA, symmetries) == pytest.approx(min(p.max() for p in pixels))
    for error in (projection_error, corner_error):
        value = error(est, gt, points, CAMERA, symmetries)
        assert value == pytest.approx(min(p.mean() for p in pixels))


@pytest.mark.parametrize("info", [HALF_TURN, AXIS, HALF_TURN | AXIS])
def test_a_symmetric_pose_has_no_symmetric_error(info, gt, points):
    symmetries = symmetry_transforms(info)
    for symmetry in symmetries[1::7]:
        est = gt @ symmetry
        assert add(est, gt, points) > 1e-3
        assert mssd(est, gt, points, symmetries) == pytest.approx(0, abs=1e-15)
        assert mspd(est, gt, points, CAMERA, symmetries) == pytest.approx(0, abs=1e-9)
        assert corner_error(est, gt, points, CAMERA, symmetries) == pytest.approx(0, abs=1e-9)
        angle, distance = rotation_translation_error(est, gt, symmetries)
        assert (angle, distance) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-12))


def test_errors_do_not_depend_on_where_the_camera_is(rng, gt, est, points):
    move = rigid(random_rotation(rng), rng.normal(size=3))
    symmetries = symmetry_transforms(HALF_TURN)
    for error in (add, adi):
        assert error(move @ est, move @ gt, points) == pytest.approx(error(est, gt, points))
    moved = mssd(move @ est, move @ gt, points, symmetries)
    assert moved == pytest.approx(mssd(est, gt, points, symmetries))


def test_work_in_chunks_gives_the_same(monkeypatch, gt, est, points):
    symmetries = symmetry_transforms(HALF_TURN | AXIS)
    whole = mssd(est, gt, points, symmetries), mspd(est, gt, points, CAMERA, symmetries)
    monkeypatch.setattr(metrics, "CHUNK", 1)
    assert whole == pytest.approx(
        (mssd(est, gt, points, symmetries), mspd(est, gt, points, CAMERA, symmetries)), rel=1e-12
    )


def test_a_pose_behind_the_camera_is_infinitely_far_in_the_image(gt, points):
    behind = shifted(gt, [0, 0, -2])
    for error in (projection_error, mspd, corner_error):
        assert error(behind, gt, points, CAMERA, IDENTITY) == np.inf


def disc(center, radius, depth):
    v, u = np.mgrid[:480, :640]
    return np.where((u - center) ** 2 + (v - 242) ** 2 < radius**2, depth, 0.0)


def test_vsd_is_the_share_of_pixels_that_do_not_agree():
    # Two discs that overlap, and no depth seen at all: then everything counts as visible.
    gt, est = disc(300, 60, 0.9), disc(330, 60, 0.9)
    both, either = ((gt > 0) & (est > 0)).sum(), ((gt > 0) | (est > 0)).sum()
    error = vsd(est, gt, np.zeros((480, 640)), CAMERA, diameter=0.1)
    np.testing.assert_allclose(error, np.full(len(VSD_TAUS), 1 - both / either), rtol=1e-12)


def test_vsd_counts_a_pixel_wrong_from_tau_diameters_on():
    gt, est = disc(325, 60, 0.9), disc(325, 60, 0.9 + 0.021)
    error = vsd(est, gt, gt, CAMERA, diameter=0.1)
    # 21 mm in depth are 0.21 to 0.2123 diameters along the rays of this disc.
    np.testing.assert_array_equal(error, [1.0 if tau < 0.21 else 0.0 for tau in VSD_TAUS])


def test_vsd_does_not_ask_for_what_is_occluded():
    gt, est = disc(300, 60, 0.9), disc(330, 60, 0.9)
    # Something nearer hides all but where both are seen.
    test = np.where((gt > 0) & (est > 0), 0.9, 0.5)
    np.testing.assert_array_equal(vsd(est, gt, test, CAMERA, diameter=0.1), np.zeros(len(VSD_TAUS)))
    # 14 mm of doubt are allowed, 16 are not, and then nothing at all is visible.
    for gap, expected in [(0.014, 0.0), (0.016, 1.0)]:
        test = np.full((480, 640), 0.9 - gap)
        np.testing.assert_array_equal(vsd(gt, gt, test, CAMERA, diameter=0.1), expected)
