import cv2
import numpy as np
import pytest

from train.objects.augment import MILD, STRONG, augment


@pytest.fixture
def images(rng):
    """Colourful and not smooth: (6, 24, 24, 3) in [-0.5, 0.5]."""
    return rng.uniform(-0.5, 0.5, (6, 24, 24, 3)).astype(np.float32)


def draw(images, strength, seed=3):
    return augment(images, np.random.default_rng(seed), strength)


@pytest.mark.parametrize("strength", [MILD, STRONG])
def test_images_stay_in_range_and_are_not_written_into(images, strength):
    before = images.copy()
    changed = draw(10 * images, strength)
    assert changed.dtype == np.float32 and changed.shape == images.shape
    assert -1 <= changed.min() < changed.max() <= 1
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("strength", [MILD, STRONG])
def test_what_an_image_becomes_does_not_depend_on_the_others(images, strength):
    others = images.copy()
    others[[0, 2, 3, 4, 5]] *= -0.3
    np.testing.assert_array_equal(draw(images, strength)[1], draw(others, strength)[1])


def test_both_images_of_a_pair_get_the_same_blur_gains_and_noise(images):
    """All that is done is linear but for the mean that contrast is about, and the clipping: what
    was added to one image and taken from its pair has gone from their mean, under equal draws."""
    bump = np.zeros_like(images)
    bump[:, 8:16, 8:16] = 0.01
    bump[:, :8, :8] = -0.01  # the mean stays
    mean = (draw(0.2 * images + bump, STRONG) + draw(0.2 * images - bump, STRONG)) / 2
    np.testing.assert_allclose(mean, draw(0.2 * images, STRONG), atol=2e-6)


def test_some_images_are_grey_some_blurred_some_sharpened_and_most_are_neither(rng):
    n = 600
    image = cv2.GaussianBlur(rng.uniform(-1, 1, (32, 32, 3)).astype(np.float32), (0, 0), 1.0) / 2
    changed = draw(np.repeat(image[None], n, axis=0), STRONG)
    grey = np.ptp(changed, axis=3).max(axis=(1, 2)) < 1e-5
    assert 0 < grey.mean() < 0.05  # 5 %, of which the channel gains colour a half again

    def roughness(x):
        edges = np.abs(np.diff(x, axis=-2)).mean(axis=(-3, -2, -1))
        return edges / x.std(axis=(-3, -2, -1))  # of contrast and gains it does not depend

    ratio = roughness(changed) / roughness(image)
    assert 0.3 < (ratio < 0.95).mean() < 0.5  # blurred: 40 %
    assert 0.1 < (ratio > 1.05).mean() < 0.7  # sharpened, 20 %, or noisy, 50 %
