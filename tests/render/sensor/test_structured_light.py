from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from render.camera import Camera
from render.sensor.depth import apply_depth_sensor
from render.sensor.spec import StructuredLight
from render.sensor.structured_light import lit, noise_field
from tests.depth_maps import KINECT, tilted, wall

OFF = StructuredLight(
    disparity_step_px=0,
    disparity_noise_px=0,
    lateral_px=0,
    grain_px=0,
    shadows=False,
    grazing_deg=90,
    seed=(1, 2),
)
FULL = StructuredLight(seed=(1, 2))
REACH = FULL.focal_px * FULL.baseline  # px m: disparity times depth


def see(depth, sensor, camera=KINECT):
    return apply_depth_sensor(depth, camera.K, sensor)


def blocks(rng, camera=KINECT) -> np.ndarray:
    """Walls of several depths before one another, with gaps through which nothing is seen."""
    depth = wall(3.0, camera)
    for _ in range(12):
        u, v = rng.integers(0, camera.width - 60), rng.integers(0, camera.height - 60)
        nearer = depth[v : v + 60, u : u + 60]
        nearer[:] = np.minimum(nearer, rng.uniform(0.6, 2.5))
    depth[:40] = 0
    return depth


def test_a_perfect_camera_gives_back_every_bit_in_an_array_of_its_own(rng):
    depth = blocks(rng)
    for sensor in (None, OFF):
        seen = see(depth, sensor)
        np.testing.assert_array_equal(seen, depth)
        assert seen.dtype == np.float32 and not np.shares_memory(seen, depth)


@pytest.mark.parametrize(
    "name", ["disparity_step_px", "disparity_noise_px", "lateral_px", "shadows", "grazing_deg"]
)
def test_each_effect_alone_is_seen_and_can_be_switched_off_alone(name, rng):
    depth = np.where(blocks(rng) < 3, blocks(rng), tilted(82, 3.0)[0])
    before = depth.copy()
    seen = see(depth, FULL)
    assert (see(depth, replace(OFF, **{name: getattr(FULL, name)})) != depth).any()
    assert (see(depth, replace(FULL, **{name: getattr(OFF, name)})) != seen).any()
    np.testing.assert_array_equal(depth, before)


def test_what_is_switched_off_leaves_the_others_as_they_are(rng):
    """Shadows and edges fall where they fell, and disparities are off by what they were off."""
    depth = blocks(rng)
    full, smooth = see(depth, FULL), see(depth, replace(FULL, disparity_noise_px=0))
    np.testing.assert_array_equal(full == 0, smooth == 0)
    assert (full != smooth).mean() > 0.1
    noisy = see(wall(1.0), replace(FULL, disparity_step_px=0))
    np.testing.assert_array_equal(
        noisy, see(wall(1.0), replace(FULL, disparity_step_px=0, lateral_px=0))
    )


@pytest.mark.parametrize("grain_px", [0.0, 4.5])
def test_axial_noise_grows_with_the_square_of_the_depth(grain_px):
    """Khoshelham and Elberink 2012, equation 10: sigma_z = z^2 sigma_d / (f b)."""
    sensor = replace(OFF, disparity_noise_px=0.0625, grain_px=grain_px)
    z = np.array([0.5, 0.8, 1.2, 2.0, 3.0, 4.0])
    errors = [see(wall(d), sensor) - d for d in z]
    power, at_1m = np.polyfit(np.log(z), np.log([e.std() for e in errors]), 1)
    assert power == pytest.approx(2, abs=0.02)
    assert np.exp(at_1m) == pytest.approx(0.0625 / REACH, rel=0.02)
    # Their own fit to a Kinect: 1.425e-3 m at 1 m.
    assert np.exp(at_1m) == pytest.approx(1.425e-3, rel=0.02)


def test_depth_comes_in_steps_of_an_eighth_of_a_pixel_of_disparity():
    depth = np.linspace(0.5, 4.0, 640 * 480, dtype=np.float32).reshape(480, 640)
    seen = see(depth, replace(OFF, disparity_step_px=0.125))
    steps = np.unique(seen)
    k = np.rint(8 * REACH / steps)
    np.testing.assert_allclose(steps, 8 * REACH / k, rtol=1e-6)
    np.testing.assert_array_equal(np.diff(k), -1)  # every step in the range is taken
    # Around z they are z^2 / (8 f b) apart, 2.84 mm at 1 m, and each value takes the nearest.
    middle = (steps[1:] + steps[:-1]) / 2
    np.testing.assert_allclose(np.diff(steps), middle**2 / (8 * REACH), rtol=1e-3)
    assert np.diff(steps)[middle > 1][0] == pytest.approx(2.84e-3, rel=0.01)
    assert (np.abs(1 / seen - 1 / depth) <= 0.5001 / (8 * REACH)).all()


@pytest.mark.parametrize(("near", "far"), [(0.8, 1.6), (0.5, 0.7), (1.5, 4.0)])
@pytest.mark.parametrize("baseline", [0.075, -0.075])
def test_the_shadow_beside_an_edge_has_its_analytic_width_on_the_side_away_from_the_projector(
    near, far, baseline
):
    depth = wall(far)
    depth[100:300, 300:420] = near
    seen = see(depth, replace(OFF, shadows=True, baseline=baseline))
    width = KINECT.K[0, 0] * abs(baseline) * (1 / near - 1 / far)
    hidden = np.flatnonzero(seen[200] == 0)
    np.testing.assert_array_equal(hidden, np.arange(hidden[0], hidden[-1] + 1))
    assert len(hidden) == pytest.approx(width, abs=1)
    assert (hidden[-1] == 299) if baseline > 0 else (hidden[0] == 420)
    np.testing.assert_array_equal(seen[100:300] == 0, np.tile(seen[200] == 0, (200, 1)))
    assert (seen[:100] == far).all() and (seen[300:] == far).all()


def test_the_shadow_of_something_thin_has_its_width_and_stands_apart_from_it():
    depth = wall(2.0)
    depth[:, 300:310] = 0.8
    hidden = np.flatnonzero(see(depth, replace(OFF, shadows=True))[0] == 0)
    shift = REACH * (1 / 0.8 - 1 / 2.0)
    assert len(hidden) == pytest.approx(10, abs=1)
    assert hidden[0] == pytest.approx(300 - shift, abs=1)


def test_each_point_is_lit_unless_something_nearer_stands_before_it_as_seen_from_the_projector(rng):
    """Against every pair of pixels of a line; where less than a pixel decides, both are right."""
    for _ in range(5):
        depth = blocks(rng)[200:203]
        seen = lit(depth, REACH)
        for line, line_lit in zip(depth.astype(np.float64), seen, strict=True):
            disparity = REACH / line
            place = np.arange(len(line)) - disparity
            apart = np.abs(place[None] - place[:, None])
            nearer = disparity[None] > disparity[:, None] + 2
            assert not line_lit[(nearer & (apart < 0.5)).sum(axis=1) > 0].any()
            assert line_lit[(nearer & (apart < 1.5)).sum(axis=1) == 0].all()


@pytest.mark.parametrize("degrees", [-75, -40, 0, 40, 75])
def test_a_plane_does_not_shadow_itself_however_it_is_turned(degrees):
    depth, _ = tilted(degrees)
    assert lit(depth, REACH).all() and lit(depth, -REACH).all()


def test_what_stands_before_nothing_casts_no_shadow_and_nothing_stays_nothing():
    depth = np.zeros((480, 640), np.float32)
    depth[100:300, 300:420] = 0.8
    seen = see(depth, replace(OFF, shadows=True, disparity_step_px=0.125, disparity_noise_px=0.1))
    np.testing.assert_array_equal(seen > 0, depth > 0)


@pytest.mark.parametrize("sigma", [0.5, 0.8, 2.0])
def test_an_edge_is_seen_off_its_place_by_the_lateral_noise(sigma):
    """Nguyen et al. 2012 measure the standard deviation of the position of a vertical edge."""
    depth = wall(2.0)
    depth[:, :320] = 1.0
    seen = see(depth, replace(OFF, lateral_px=sigma))
    assert set(np.unique(seen)) == {1.0, 2.0}
    near = (seen == 1.0).mean(axis=0)
    expected = norm.cdf((319.5 - np.arange(640)) / sigma)
    spread = np.sqrt(expected * (1 - expected) / 480)
    np.testing.assert_array_less(np.abs(near - expected), 4 * spread + 1e-3)


@pytest.mark.parametrize("limit", [60.0, 75.0, 80.0])
def test_surfaces_are_lost_beyond_the_grazing_angle_of_the_line_of_sight(limit):
    for degrees in (0, 40, 58, 62, 74, 76, 79, 81, 85):
        depth, cosine = tilted(degrees)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        seen = see(depth, replace(OFF, grazing_deg=limit)) > 0
        inside = depth > 0
        assert seen[inside & (angle < limit - 0.1)].all()
        assert not seen[angle > limit + 0.1].any()


def test_a_crop_is_seen_as_the_part_of_the_frame_that_it_shows():
    """Noise and steps are the sensor's; shadows and ragged edges grow with the crop."""
    half = KINECT.crop(np.array([[0.5, 0, 0], [0, 0.5, 0]]), 320, 240)
    crop = KINECT.crop(np.array([[3.0, 0, -600], [0, 3.0, -400]]), 640, 480)
    for camera in (half, crop):
        noisy = see(wall(2.0, camera), replace(OFF, disparity_noise_px=0.0625), camera)
        assert noisy.std() == pytest.approx(4 * 0.0625 / REACH, rel=0.02)
        depth = wall(2.0, camera)
        depth[:, 150:] = 1.0
        hidden = (see(depth, replace(OFF, shadows=True), camera)[0] == 0).sum()
        assert hidden == pytest.approx(camera.K[0, 0] * 0.075 / 2, abs=1)
        near = see(depth, replace(OFF, lateral_px=2.0), camera) == 1.0
        sigma = 2.0 * camera.K[0, 0] / FULL.focal_px
        columns = np.arange(camera.width)
        expected = norm.cdf((columns - 149.5) / sigma)
        spread = np.sqrt(expected * (1 - expected) / camera.height)
        np.testing.assert_array_less(np.abs(near.mean(axis=0) - expected), 4 * spread + 1e-3)


def test_the_same_seed_makes_the_same_depth_and_another_other_noise(rng):
    depth = blocks(rng)
    one, same, other = (see(depth, replace(FULL, seed=s)) for s in ((1,), (1,), (2,)))
    np.testing.assert_array_equal(one, same)
    assert (one != other)[depth > 0].mean() > 0.3


@pytest.mark.parametrize("grain", [0.0, 2.5, 4.5, 7.0])
def test_noise_has_variance_1_at_every_pixel_and_is_alike_over_its_grain(grain):
    rng = np.random.default_rng(3)
    fields_ = np.array([noise_field(rng, (37, 50), grain) for _ in range(3000)])
    np.testing.assert_allclose(fields_.mean(axis=0), 0, atol=5 / np.sqrt(3000))
    np.testing.assert_allclose(fields_.var(axis=0), 1, atol=6 * np.sqrt(2 / 3000))

    def alike(step: int) -> float:
        return float((fields_[:, :, step:] * fields_[:, :, :-step]).mean())

    if grain == 0:
        assert abs(alike(1)) < 0.01
    else:
        assert alike(1) > 0.6 and abs(alike(int(2 * grain) + 2)) < 0.02


@pytest.mark.parametrize("shape", [(480, 640, 1), (640,)])
def test_what_is_no_depth_map_is_refused(shape):
    with pytest.raises(ValueError, match=r"depth must be \(H, W\)"):
        apply_depth_sensor(np.ones(shape, np.float32), KINECT.K, FULL)


def test_an_image_rotated_in_its_plane_is_refused_since_the_projector_is_beside_the_rows():
    turned = Camera(np.array([[500.0, 30, 320], [40, 500, 240], [0, 0, 1]]), 640, 480)
    with pytest.raises(ValueError, match=r"K\[1, 0\] = 0"):
        see(wall(1.0), FULL, turned)


def test_all_of_it_stays_near_the_truth_where_it_sees():
    """Nguyen et al.'s fit to all axial noise of a Kinect, 1.2 mm + 1.9 mm (z - 0.4)^2."""
    for z in (1.0, 1.5, 2.0, 3.0):
        error = see(wall(z), FULL) - z
        assert error.std() == pytest.approx(0.0012 + 0.0019 * (z - 0.4) ** 2, rel=0.2)
        assert abs(error.mean()) < 0.5 * z**2 / (8 * REACH)  # half a step
