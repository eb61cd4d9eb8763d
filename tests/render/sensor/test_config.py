from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.sensor.config import SensorConfig, draw_sensors
from render.sensor.spec import ColorSensor, StructuredLight, TimeOfFlight

KINDS = {"perfect": type(None), "structured-light": StructuredLight, "time-of-flight": TimeOfFlight}


def drawn(config: SensorConfig, count: int = 200):
    return [draw_sensors(config, np.random.default_rng([i])) for i in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_depth_camera_is_the_one_asked_for_and_leaves_the_colour_as_it_is(kind):
    plain, asked = drawn(SensorConfig()), drawn(SensorConfig(depth=kind))
    assert {type(depth) for _, depth in asked} == {KINDS[kind]}
    assert [color for color, _ in asked] == [color for color, _ in plain]


@pytest.mark.parametrize("kind", ["structured-light", "time-of-flight"])
def test_perfect_colour_leaves_the_depth_camera_as_it_is(kind):
    config = SensorConfig(depth=kind)
    perfect = drawn(replace(config, color="perfect"))
    assert {color for color, _ in perfect} == {ColorSensor()}
    assert [depth for _, depth in perfect] == [depth for _, depth in drawn(config)]


def test_every_range_is_filled_and_kept_to():
    config = SensorConfig(
        motion_px=(1.0, 4.0), full_well_e=(2e3, 9e3), read_noise_e=(2.0, 8.0), jpeg_quality=(60, 64)
    )
    ranges = {"lateral_px": (0.5, 0.8), "disparity_noise_px": (0.02, 0.0625)}
    ranges["grazing_deg"] = (75.0, 85.0)
    colors, lights = zip(*drawn(replace(config, depth="structured-light")), strict=True)
    _, flights = zip(*drawn(replace(config, depth="time-of-flight")), strict=True)
    checks = [(lights, name, low, high) for name, (low, high) in ranges.items()]
    checks += [(flights, "noise", 0.001, 0.002), (flights, "mixing_px", 0.3, 0.7)]
    checks += [(colors, "full_well_e", 2e3, 9e3), (colors, "read_noise_e", 2.0, 8.0)]
    for sensors, name, low, high in checks:
        values = [getattr(sensor, name) for sensor in sensors]
        assert low <= min(values) < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < max(values) <= high, name
    assert {color.jpeg_quality for color in colors} == {60, 61, 62, 63, 64}
    lengths = np.hypot(*np.transpose([color.motion_px for color in colors]))
    assert lengths.min() >= 1.0 and lengths.max() <= 4.0 and np.ptp(lengths) > 2.8
    assert len({sensor.seed for sensor in (*colors, *lights)}) == 400


def test_a_focal_length_is_the_kinds_own_unless_it_is_given():
    for kind, focal in (("structured-light", 586.0), ("time-of-flight", 365.5)):
        config = SensorConfig(depth=kind)
        assert drawn(config, 1)[0][1].focal_px == focal
        assert drawn(replace(config, depth_focal_px=500.0), 1)[0][1].focal_px == 500.0


def test_a_projector_in_the_cameras_place_is_refused():
    with pytest.raises(InputError, match=r"^sensor\.baseline: "):
        SensorConfig(baseline=0.0)
