import numpy as np
import pytest

from train.objects.crops import (
    detector_crop,
    from_crop,
    square_crop,
    to_crop,
    training_crop,
    warp,
)
from train.options import CropConfig


def test_the_boxs_centre_falls_on_the_crops_centre(rng):
    crop_from_image = square_crop((10, 20, 30, 50), CropConfig(), angle=0.3, scale=1.1)
    center = crop_from_image @ [25, 45, 1]
    np.testing.assert_allclose(center, (64 - 1) / 2)


def test_the_crop_spans_margin_times_the_longer_side():
    crop_from_image = square_crop((0, 0, 40, 80), CropConfig(size=64, margin=1.25))
    assert np.linalg.det(crop_from_image[:, :2]) == pytest.approx((64 / 100) ** 2)


def test_from_crop_undoes_to_crop(rng):
    crop_from_image = training_crop(rng, (100, 50, 60, 40), CropConfig())
    points = rng.uniform(0, 300, (8, 2))
    relative = to_crop(points, crop_from_image, 64)
    np.testing.assert_allclose(from_crop(relative, crop_from_image, 64), points, atol=1e-9)


@pytest.mark.parametrize("side", [24, 64, 200])
def test_warp_moves_a_linear_ramp_as_to_crop_moves_points(rng, side):
    """A ramp survives any linear resampling exactly, so its values tell where a pixel came from."""
    v, u = np.mgrid[:240, :320]
    image = np.stack([u * 0.5 + 20, v * 0.5 + 20, u * 0 + 7], axis=-1)
    crop_from_image = training_crop(rng, (140, 100, side, side), CropConfig(angle_deg=20))
    crop = warp(image.astype(np.uint8), crop_from_image, 64).astype(np.float64)

    pixels = np.array([[10, 12], [31, 31], [50, 20]])
    linear = crop_from_image[:, :2]
    came_from = (pixels - crop_from_image[:, 2]) @ np.linalg.inv(linear).T
    seen = crop[pixels[:, 1], pixels[:, 0], :2]
    np.testing.assert_allclose(seen, came_from * 0.5 + 20, atol=1.0)  # uint8 rounds twice


def test_a_shrinking_crop_does_not_alias():
    """A one-pixel checkerboard is grey when seen from afar."""
    v, u = np.mgrid[:400, :400]
    board = np.repeat(((u + v) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = warp(board, square_crop((100, 100, 170, 170), CropConfig(angle_deg=0)), 64)
    assert np.abs(crop.astype(int) - 127).max() < 90
    assert np.abs(crop.astype(int) - 127).mean() < 30


def test_a_test_crop_depends_on_seed_and_instance_only():
    box, config = (10, 20, 30, 40), CropConfig()
    first = detector_crop(3, (2, 17, 0), box, config)
    np.testing.assert_array_equal(first, detector_crop(3, (2, 17, 0), box, config))
    assert not np.array_equal(first, detector_crop(3, (2, 17, 1), box, config))
    assert not np.array_equal(first, detector_crop(4, (2, 17, 0), box, config))


def test_without_jitter_a_test_crop_is_the_plain_square():
    config = CropConfig(test_shift=0, test_scale=0)
    box = (10, 20, 30, 40)
    np.testing.assert_array_equal(
        detector_crop(0, (1, 2, 3), box, config), square_crop(box, config)
    )
