"""The lens from the board's corners in many views: right, and as surely known as it says."""

from dataclasses import replace

import numpy as np
import pytest

from render.capture.calibrate import calibrate, check_focal_length
from render.capture.detect import Seen
from render.capture.lens import Lens
from render.errors import InputError
from tests.render.capture.corners import BOARD, LENS, SHOT, around, seen_from


def test_focal_length_and_its_deviation_are_those_of_the_truth():
    """Over several films the errors are as large as the calibrations say, and below 0.3 %."""
    shares = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        lens = calibrate(seen_from(around(16, rng), rng), BOARD, SHOT.size)
        error = lens.K[0, 0] / LENS.K[0, 0] - 1
        assert abs(error) < 0.003
        assert 0.00005 < lens.focal_std < 0.003
        assert lens.rms_px == pytest.approx(0.1 * np.sqrt(2), rel=0.1)
        np.testing.assert_allclose(lens.K[:2, 2], LENS.K[:2, 2], atol=3)
        shares.append(error / lens.focal_std)
    assert np.sqrt(np.mean(np.square(shares))) < 2


def test_only_coefficients_that_the_views_support_are_fitted(rng):
    plain = replace(LENS, distortion=np.zeros(5))
    lens = calibrate(seen_from(around(16, rng), rng, plain), BOARD, SHOT.size)
    assert not lens.distortion.any()
    bent = replace(LENS, distortion=np.array([0.1, 0, 0, 0, 0]))
    lens = calibrate(seen_from(around(16, rng), rng, bent), BOARD, SHOT.size)
    assert lens.distortion[0] == pytest.approx(0.1, abs=0.01)


def test_corners_that_are_far_off_and_blurred_views_do_not_count(rng):
    poses = around(16, rng)
    clean = seen_from(poses, rng)
    spoilt = []
    for i, view in enumerate(clean):
        pixels = view.pixels.copy()
        if i % 3 == 0:
            pixels[::5] += 4  # half hidden
        if i in (4, 9):
            pixels += 2 * rng.normal(size=pixels.shape)
        spoilt.append(Seen(view.index, view.name, view.ids, pixels, 0.9))
    lens, best = (calibrate(views, BOARD, SHOT.size) for views in (spoilt, clean))
    assert lens.K[0, 0] == pytest.approx(best.K[0, 0], rel=0.001)
    assert lens.views == best.views - 2


def test_views_from_straight_above_do_not_determine_the_focal_length(rng):
    poses = around(16, rng, elevation_deg=(88, 90), distance=(0.6, 0.6))
    try:
        lens = calibrate(seen_from(poses, rng), BOARD, SHOT.size)
    except InputError as error:
        assert "film from lower down" in str(error)
        return
    with pytest.raises(InputError, match=r"known to [\d.]+ % only .* 0\.3 % .* film from lower"):
        check_focal_length(lens, 0.003)


def test_too_few_views_are_refused(rng):
    with pytest.raises(InputError, match=r"too few images .* 3 of the 8"):
        calibrate(seen_from(around(3, rng), rng), BOARD, SHOT.size)


def test_a_known_focal_length_is_not_doubted():
    check_focal_length(Lens(LENS.K, LENS.distortion, SHOT.size), 0.0001)
