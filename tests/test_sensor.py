import numpy as np
import pytest

from render.scene import ColorSensor
from render.sensor import apply_color_sensor


def flat(color, size=64) -> np.ndarray:
    return np.broadcast_to(np.array(color, np.uint8), (size, size, 3)).copy()


@pytest.fixture
def picture(rng) -> np.ndarray:
    return rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_a_perfect_camera_gives_back_the_pixels_in_an_array_of_its_own(picture):
    seen = apply_color_sensor(picture, ColorSensor(seed=(1, 2)))
    np.testing.assert_array_equal(seen, picture)
    assert not np.shares_memory(seen, picture)


@pytest.mark.parametrize("gamma", [0.7, 1.4])
def test_every_value_goes_through_gain_white_balance_and_gamma(gamma):
    values = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    sensor = ColorSensor(gain=1.3, white_balance=(0.8, 1.0, 1.2), gamma=gamma)
    exact = 255 * np.clip(values / 255 * 1.3 * np.array([0.8, 1.0, 1.2]), 0, 1) ** gamma
    seen = apply_color_sensor(values, sensor)
    np.testing.assert_allclose(seen, exact, atol=0.5 + 1e-3)  # rounded to the nearest level


def test_half_the_gain_halves_every_level():
    values = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 3, axis=2)
    seen = apply_color_sensor(values, ColorSensor(gain=0.5))
    np.testing.assert_array_equal(seen, values // 2)


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_noise_has_its_standard_deviation_about_the_value_itself(noise):
    seen = apply_color_sensor(flat((128, 100, 150), 256), ColorSensor(noise=noise, seed=(5,)))
    error = seen - np.array([128.0, 100, 150])
    expected = np.hypot(255 * noise, np.sqrt(1 / 12))  # and what rounding adds
    n = error[..., 0].size
    for channel in np.moveaxis(error, -1, 0):
        assert abs(channel.std() / expected - 1) < 4 / np.sqrt(2 * n)
        assert abs(channel.mean()) < 4 * expected / np.sqrt(n)


def test_noise_is_white_even_behind_a_blurred_lens():
    sensor = ColorSensor(noise=0.05, blur_px=2.0, seed=(6,))
    error = apply_color_sensor(flat((128, 128, 128), 256), sensor) - 128.0
    shifted = [(error[1:], error[:-1]), (error[:, 1:], error[:, :-1])]
    shifted += [(error[..., 0], error[..., 1]), (error[..., 1], error[..., 2])]
    for a, b in shifted:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


def test_the_same_seed_makes_the_same_noise_and_another_other_noise(picture):
    before = picture.copy()
    seen = [apply_color_sensor(picture, ColorSensor(noise=0.1, seed=s)) for s in ((1,), (1,), (2,))]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).mean() > 0.8
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_blur_turns_an_edge_into_a_gaussian_step(sigma):
    image = flat((0, 0, 0), 41)
    image[:, 20:] = 255
    seen = apply_color_sensor(image, ColorSensor(blur_px=sigma))
    weights = np.exp(-(np.arange(-20, 21) ** 2) / (2 * sigma**2))
    exact = 255 * np.cumsum(weights / weights.sum())
    np.testing.assert_allclose(seen[20, :, 0], exact, atol=0.7)
    assert (seen == seen[:1, :, :1]).all()


def test_blur_and_gamma_leave_black_and_white_alone():
    sensor = ColorSensor(blur_px=1.5, gamma=1.7)
    for level in (0, 255):
        np.testing.assert_array_equal(apply_color_sensor(flat([level] * 3), sensor), level)
