from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from render.config import fill, load_preset
from render.sensor.color import apply_color_sensor
from render.sensor.config import SensorConfig, draw_color_sensor
from render.sensor.spec import ColorSensor


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


def frozen(rgb: np.ndarray, sensor: ColorSensor) -> np.ndarray:
    """The camera as it was when the presets' results were made: no photosites, motion, JPEG."""
    image = rgb.astype(np.float32) / 255
    if sensor.blur_px > 0:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    image *= np.float32(sensor.gain) * np.asarray(sensor.white_balance, np.float32)
    if sensor.gamma != 1:
        image = np.clip(image, 0, 1) ** np.float32(sensor.gamma)
    if sensor.noise > 0:
        rng = np.random.default_rng(sensor.seed)
        image += np.float32(sensor.noise) * rng.standard_normal(image.shape, np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("preset", ["demo", "lmo", "simulated-real"])
def test_images_of_the_presets_stay_as_they_are_to_the_byte(preset, picture, rng):
    config = fill(SensorConfig, load_preset(preset).get("sensor", {}), "sensor")
    for _ in range(20):
        sensor = draw_color_sensor(config, rng)
        np.testing.assert_array_equal(apply_color_sensor(picture, sensor), frozen(picture, sensor))


def test_the_presets_draw_the_cameras_that_they_drew_when_their_results_were_made(rng):
    config = SensorConfig(gain=(0.5, 2.0), white_balance=0.3)
    sensor, again = draw_color_sensor(config, np.random.default_rng(8)), np.random.default_rng(8)
    assert sensor.gain == again.uniform(0.5, 2.0)
    assert sensor.white_balance == tuple(1 + 0.3 * again.uniform(-1, 1, 3))
    assert sensor.gamma == again.uniform(*config.gamma)
    assert sensor.blur_px == again.uniform(*config.blur_px)
    assert sensor.noise == again.uniform(*config.noise)
    assert sensor.seed == tuple(again.integers(2**31, size=2))


EVERYTHING = ColorSensor(
    gain=0.9,
    white_balance=(0.8, 1.0, 1.1),
    gamma=1.2,
    blur_px=1.0,
    noise=0.02,
    seed=(3,),
    motion_px=(3.0, 1.0),
    full_well_e=5000.0,
    read_noise_e=10.0,
    bayer=True,
    jpeg_quality=80,
)


@pytest.mark.parametrize(
    "name", [field.name for field in fields(ColorSensor) if field.name != "seed"]
)
def test_each_effect_alone_is_seen_and_switched_off_by_its_default(name, picture):
    off = getattr(ColorSensor(), name)
    assert getattr(EVERYTHING, name) != off
    seen = apply_color_sensor(picture, EVERYTHING)
    assert (apply_color_sensor(picture, replace(EVERYTHING, **{name: off})) != seen).any()
    alone = ColorSensor(**{name: getattr(EVERYTHING, name)}, seed=(3,))
    changed = (apply_color_sensor(picture, alone) != picture).any()
    assert changed == (name != "read_noise_e")  # which needs a full well


@pytest.mark.parametrize("bayer", [False, True])
@pytest.mark.parametrize("read_noise_e", [0.0, 30.0])
def test_variance_grows_with_the_light_as_emva_1288_says(read_noise_e, bayer):
    """Before the interpolation of colours, which averages: only where it leaves values alone."""
    full_well, levels = 2000.0, np.array([25, 64, 128, 191, 230])
    sensor = ColorSensor(
        full_well_e=full_well, read_noise_e=read_noise_e, bayer=bayer, seed=(1,), gain=0.8
    )
    variances = []
    for level in levels:
        seen = apply_color_sensor(flat([level] * 3, 256), sensor)[..., 1].astype(np.float64)
        own = seen[2:-2:2, 3:-2:2] if bayer else seen  # the green photosites of red rows
        assert abs(own.mean() / (0.8 * level) - 1) < 0.01
        variances.append((own.var() - 1 / 12) / 255**2)  # without what rounding adds
    slope, floor = np.polyfit(0.8 * levels / 255, variances, 1)
    assert slope == pytest.approx(1 / full_well, rel=0.06)
    assert floor == pytest.approx((read_noise_e / full_well) ** 2, abs=1e-5)


def test_a_full_photosite_is_white_however_much_more_light_there_is():
    sensor = ColorSensor(gain=4.0, full_well_e=1e9, white_balance=(0.5, 0.75, 1.0))
    seen = apply_color_sensor(flat((200, 200, 200)), sensor)
    np.testing.assert_array_equal(seen, flat((128, 191, 255)))


def test_a_mosaic_keeps_flat_colours_and_greys_but_not_coloured_detail(picture):
    seen = apply_color_sensor(flat((200, 90, 30)), ColorSensor(bayer=True))
    np.testing.assert_array_equal(seen, flat((200, 90, 30)))

    stripes = flat((0, 0, 0))
    stripes[:, ::2] = 255
    seen = apply_color_sensor(stripes, ColorSensor(bayer=True))[4:-4, 4:-4].astype(int)
    assert np.ptp(seen, axis=-1).max() == 255  # false colours: red falls on white columns only


def test_a_mosaic_has_red_in_the_corner_blue_across_and_green_between():
    for channel, sites in enumerate(([(0, 0)], [(0, 1), (1, 0)], [(1, 1)])):
        for v, u in ((0, 0), (0, 1), (1, 0), (1, 1)):
            image = flat((0, 0, 0), 12)
            image[4 + v, 4 + u, channel] = 240
            seen = apply_color_sensor(image, ColorSensor(bayer=True))
            expected = 240 if (v, u) in sites else 0
            assert seen[4 + v, 4 + u, channel] == expected


@pytest.mark.parametrize("motion_px", [(6.0, 0.0), (0.0, 4.5), (3.0, -4.0)])
def test_motion_smears_a_point_along_its_path(motion_px):
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    seen = apply_color_sensor(image, ColorSensor(motion_px=motion_px, gain=4.0))[..., 0] / 4 / 255
    assert seen.sum() == pytest.approx(1, abs=0.03)
    v, u = np.mgrid[:41, :41] - 20.0
    spread = np.array([[(seen * a * b).sum() for a in (u, v)] for b in (u, v)]) / seen.sum()
    # A path of length L has the variance L^2 / 12; interpolation adds up to a quarter.
    np.testing.assert_allclose(spread, np.outer(motion_px, motion_px) / 12, atol=0.3)


def test_jpeg_is_what_a_file_of_that_quality_holds(picture, tmp_path):
    smooth = cv2.GaussianBlur(picture, (0, 0), 3)
    errors = []
    for quality in (30, 95):
        seen = apply_color_sensor(smooth, ColorSensor(jpeg_quality=quality))
        path = str(tmp_path / "seen.jpg")
        cv2.imwrite(path, smooth[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        np.testing.assert_array_equal(seen, cv2.imread(path)[..., ::-1])
        errors.append(np.abs(seen.astype(int) - smooth).mean())
    assert errors[0] > 2 * errors[1] > 0
