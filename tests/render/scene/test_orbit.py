"""The way of a camera around a scene."""

from dataclasses import replace

import numpy as np
import pytest

from render.scene.layout import LayoutConfig
from render.scene.orbit import APART_DEG, View, orbit, view_angles
from render.scene.spec import SceneSpec
from render.sensor.config import SensorConfig
from render.transforms import invert
from tests.render.scene.test_settled import BIN, PILE, ROOM, drawer

CONFIG = LayoutConfig()


def way_point(rng: np.random.Generator) -> View:
    return View(*view_angles(CONFIG, rng), rng.uniform(0.5, 0.9), rng.uniform(-0.1, 0.1, 3))


@pytest.mark.parametrize("step", [0.5, 7.0])
def test_frames_are_evenly_apart_and_keep_to_what_way_points_may_be(step):
    for seed in range(20):
        views = orbit(way_point, 100, step, np.random.default_rng(seed))
        turns = np.diff([view.azimuth for view in views])
        np.testing.assert_allclose(np.abs(turns), step)
        assert len(set(np.sign(turns))) == 1
        low, high = CONFIG.elevation_deg
        assert all(low <= v.elevation <= high and 0.5 <= v.depth <= 0.9 for v in views)
        # Smooth: from frame to frame no value goes by more than its whole range in a sixth of the
        # way between two way-points, and speed changes little.
        rise = np.diff([view.elevation for view in views])
        assert np.abs(rise).max() <= 2 * (high - low) * step / APART_DEG
        assert np.abs(np.diff(rise)).max() <= 8 * (high - low) * (step / APART_DEG) ** 2


def test_both_ways_around_are_gone():
    ends = [orbit(way_point, 2, 1.0, np.random.default_rng(i)) for i in range(20)]
    assert {np.sign(b.azimuth - a.azimuth) for a, b in ends} == {-1, 1}


def world(spec: SceneSpec) -> np.ndarray:
    return np.array(spec.cam_from_world)


@pytest.mark.slow
@pytest.mark.parametrize("config", [PILE, BIN, ROOM])
def test_a_film_is_of_one_scene_at_rest_by_one_camera(config):
    config = replace(config, cameras=12, path="orbit", path_deg=5.0)
    sensor = SensorConfig(depth="time-of-flight", k1=(-0.1, 0.1))
    specs = [drawer(config, sensor=sensor).scene(i) for i in range(12)]
    first, *rest = specs
    assert len({spec.sensor.seed for spec in specs}) == 12
    assert len({spec.depth_sensor.seed for spec in specs}) == 12
    for spec in rest:
        for placed, same in zip(spec.objects, first.objects, strict=True):
            assert (placed.obj_id, placed.material) == (same.obj_id, same.material)
            here, there = invert(world(spec)) @ placed.matrix, invert(world(first)) @ same.matrix
            np.testing.assert_allclose(here, there, atol=1e-9)
        assert spec.background == first.background and spec.distortion == first.distortion
        assert replace(spec.sensor, seed=()) == replace(first.sensor, seed=())
        assert replace(spec.depth_sensor, seed=()) == replace(first.depth_sensor, seed=())
    steps = [world(b) @ invert(world(a)) for a, b in zip(specs, rest, strict=False)]
    turned = np.degrees(np.arccos([(np.trace(T[:3, :3]) - 1) / 2 for T in steps]))
    assert turned.min() > 4 and turned.max() < 20
    other = drawer(config, sensor=sensor).scene(12)
    assert other.distortion != first.distortion


@pytest.mark.slow
def test_frames_that_are_no_film_are_what_they_were():
    spec = drawer(PILE).scene(1)
    assert spec.cam_from_world is None and "cam_from_world" not in spec.to_json()
