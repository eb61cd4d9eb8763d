from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.sensor.depth import apply_depth_sensor, cos_incidence
from render.sensor.spec import TimeOfFlight
from tests.depth_maps import KINECT, plane, tilted, wall

OFF = TimeOfFlight(noise=0, least_amplitude=0, mixing_px=0, seed=(1, 2))
FULL = TimeOfFlight(seed=(1, 2))
# So long a lens that every line of sight is the optical axis: what is far is far along z.
LONG = Camera(np.array([[1e6, 0, 159.5], [0, 1e6, 119.5], [0, 0, 1]]), 320, 240)
SKEWED = Camera(np.array([[500.0, 20, 150], [0, 480, 130], [0, 0, 1]]), 320, 240)


def see(depth, sensor, camera=KINECT):
    return apply_depth_sensor(depth, camera.K, sensor)


@pytest.mark.parametrize("camera", [KINECT, SKEWED])
def test_the_cosine_of_incidence_is_that_of_the_planes_normal(camera, rng):
    for _ in range(10):
        normal = rng.normal(size=3) + [0, 0, 1.5]
        depth, cosine = plane(normal, [0, 0, rng.uniform(0.5, 2)], camera)
        assert (depth > 0).any()
        # Beside the horizon a pixel has no neighbour on its plane; float32 blurs what is far.
        sure = (depth > 0) & (depth < 5) & (cosine > 0.02)
        np.testing.assert_allclose(cos_incidence(depth, camera.K)[sure], cosine[sure], atol=0.01)


def test_beside_an_edge_a_pixel_has_the_incidence_of_its_own_surface():
    (near, near_cosine), (far, far_cosine) = tilted(30, 0.8), tilted(-50, 1.8)
    mask = np.zeros(near.shape, bool)
    mask[100:300, 200:400] = True
    cosine = cos_incidence(np.where(mask, near, far), KINECT.K)
    np.testing.assert_allclose(cosine, np.where(mask, near_cosine, far_cosine), atol=0.01)
    alone = cos_incidence(np.where(mask, near, 0).astype(np.float32), KINECT.K)
    np.testing.assert_allclose(alone, np.where(mask, near_cosine, 0), atol=0.01)


def test_with_all_effects_off_every_bit_comes_back():
    depth = tilted(40)[0]
    depth[100:200, 100:200] = 0
    seen = see(depth, OFF)
    np.testing.assert_array_equal(seen, depth)
    assert seen.dtype == np.float32 and not np.shares_memory(seen, depth)


@pytest.mark.parametrize("name", ["noise", "least_amplitude", "mixing_px"])
def test_each_effect_alone_is_seen_and_can_be_switched_off_alone(name):
    depth = tilted(70, 2.5)[0]
    depth[100:200, 100:200] = 0.8
    assert (see(depth, replace(OFF, **{name: getattr(FULL, name)})) != depth).any()
    without = see(depth, replace(FULL, **{name: getattr(OFF, name)}))
    assert (without != see(depth, FULL)).any()


def test_noise_grows_with_the_distance_in_the_dark_and_with_its_square_in_the_light():
    """Lange and Seitz 2001, with an amplitude that falls with the square of the distance."""
    z = np.array([0.5, 1.0, 2.0, 4.0])
    for ambient, power in ((0.0, 1), (1e4, 2)):
        sensor = replace(OFF, noise=0.0013, ambient=ambient)
        sigma = [(see(wall(d, LONG), sensor, LONG) - d).std() for d in z]
        slope, at_1m = np.polyfit(np.log(z), np.log(sigma), 1)
        assert slope == pytest.approx(power, abs=0.02)
        assert np.exp(at_1m) == pytest.approx(0.0013 * np.sqrt(1 + ambient), rel=0.02)


@pytest.mark.parametrize("degrees", [30, 60, 75])
def test_noise_grows_as_less_light_falls_on_a_turned_surface(degrees):
    depth, cosine = tilted(degrees, 1.0, LONG)
    error = see(depth, replace(OFF, noise=0.0013), LONG) - depth
    assert error.std() == pytest.approx(0.0013 / np.sqrt(cosine.mean()), rel=0.02)


def test_noise_lies_along_the_line_of_sight():
    """In the corner of a wide image z changes by less than the distance."""
    wide = Camera(np.array([[100.0, 0, 159.5], [0, 100, 119.5], [0, 0, 1]]), 320, 240)
    length = np.linalg.norm(wide.unproject(np.ones((240, 320))), axis=-1)
    errors = [
        see(wall(1.0, wide), replace(OFF, noise=1e-3, seed=(i,)), wide) - 1 for i in range(80)
    ]
    # Facing wall: incidence cosine 1 / length, distance = length: amplitude 1 / length^3.
    expected = 1e-3 * length**1.5 / length
    ratio = np.std(errors, axis=0) / expected
    assert ratio.mean() == pytest.approx(1, abs=0.01) and ratio.std() < 1.2 / np.sqrt(160)


def test_pixels_that_see_two_surfaces_fly_between_them_and_no_others_do():
    depth = wall(2.0)
    depth[100:300, 200:400] = 1.0
    seen = see(depth, replace(OFF, mixing_px=0.5))
    flying = (seen > 1.001) & (seen < 1.999)
    assert (seen > 0.9999).all() and (seen < 2.0001).all()
    rows, columns = np.nonzero(flying)
    beside_column = np.minimum(np.abs(columns - 199.5), np.abs(columns - 399.5))
    beside_row = np.minimum(np.abs(rows - 99.5), np.abs(rows - 299.5))
    sigma = 0.5 * KINECT.K[0, 0] / FULL.focal_px
    assert np.minimum(beside_column, beside_row).max() < 4 * sigma
    assert flying[150:250, 198:202].all()  # on both sides of the edge
    # The nearer surface returns four times the light, and so counts more where shares are equal.
    assert seen[200, [199, 200]].mean() < 1.5


def test_nothing_is_mixed_with_what_is_not_seen():
    depth = np.zeros((480, 640), np.float32)
    depth[100:300, 200:400] = 1.5
    seen = see(depth, replace(OFF, mixing_px=0.7))
    np.testing.assert_array_equal(seen > 0, depth > 0)
    np.testing.assert_allclose(seen[depth > 0], 1.5, rtol=1e-5)


def test_what_returns_too_little_light_is_not_seen():
    sensor = replace(OFF, least_amplitude=0.02)
    for z in np.linspace(6.5, 7.6, 12):
        assert (see(wall(z, LONG), sensor, LONG) > 0).all() == (1 / z**2 > 0.02)
    depth, cosine = tilted(88, 1.0)
    length = np.linalg.norm(KINECT.unproject(depth), axis=-1)
    amplitude = np.divide(cosine, length**2, out=np.zeros_like(cosine), where=length > 0)
    seen = see(depth, sensor) > 0
    assert not seen[amplitude < 0.018].any()
    assert seen[amplitude > 0.022].all() and seen.any() and (~seen & (depth > 0)).any()


def test_the_same_seed_makes_the_same_depth_and_another_other_noise():
    depth = tilted(30)[0]
    one, same, other = (see(depth, replace(FULL, seed=s)) for s in ((1,), (1,), (2,)))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.9
