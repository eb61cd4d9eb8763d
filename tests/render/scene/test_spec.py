import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from render.scene.spec import Background, Light, Material, Placed, Posture, SceneSpec, rows
from render.sensor.spec import ColorSensor, DepthSensor, StructuredLight, TimeOfFlight


def random_float(rng) -> float:
    """Any finite double, drawn by its bits: tiny, huge, subnormal, of either sign."""
    while True:
        value = float(rng.integers(2**64, dtype=np.uint64).view(np.float64))
        if math.isfinite(value):
            return value


def vector(rng, count=3):
    return tuple(random_float(rng) for _ in range(count))


def matrix(rng, height, width):
    return tuple(vector(rng, width) for _ in range(height))


def random_placed(rng) -> Placed:
    return Placed(
        obj_id=int(rng.integers(1, 100)),
        cam_from_obj=matrix(rng, 4, 4),
        material=Material(vector(rng), random_float(rng), random_float(rng)),
        stretch=vector(rng),
        annotated=bool(rng.integers(2)),
        posture=Posture(matrix(rng, 16, 3), vector(rng, 12)) if rng.integers(2) else None,
    )


def random_background(rng) -> Background:
    return Background(
        kind="image",
        color=vector(rng),
        path='a "quoted" näme/\\0001.png' if rng.integers(2) else None,
        crop_from_image=matrix(rng, 2, 3) if rng.integers(2) else None,
        seed=tuple(int(x) for x in rng.integers(2**63, size=rng.integers(4))),
    )


def random_depth_sensor(rng) -> DepthSensor | None:
    noise, seed = random_float(rng), tuple(rng.integers(2**31, size=2).tolist())
    sensors = (None, StructuredLight(lateral_px=noise, seed=seed), TimeOfFlight(noise=noise))
    return sensors[rng.integers(3)]


def random_spec(rng) -> SceneSpec:
    return SceneSpec(
        K=matrix(rng, 3, 3),
        size=(int(rng.integers(1, 5000)), int(rng.integers(1, 5000))),
        objects=tuple(random_placed(rng) for _ in range(rng.integers(4))),
        ambient=vector(rng),
        lights=tuple(Light("point", vector(rng), vector(rng)) for _ in range(rng.integers(4))),
        background=random_background(rng),
        sensor=ColorSensor(
            random_float(rng), vector(rng), random_float(rng), random_float(rng), 0.0, (1, 2**63)
        ),
        depth_sensor=random_depth_sensor(rng),
    )


def test_json_gives_back_an_equal_spec_bit_for_bit(rng):
    for _ in range(200):
        spec = random_spec(rng)
        text = spec.to_json()
        again = SceneSpec.from_json(text)
        assert again == spec
        # Equality takes -0.0 for 0.0 and 1 for 1.0; the representation does not.
        assert repr(again) == repr(spec)
        assert again.to_json() == text


def test_json_tells_minus_zero_and_an_int_from_a_float():
    spec = SceneSpec(K=((-0.0, 1, 1.0),), size=(1, 1), ambient=(5e-324, 0.1, 2**53 + 2.0))
    assert repr(SceneSpec.from_json(spec.to_json())) == repr(spec)


def test_json_is_one_line_of_plain_json(rng):
    text = random_spec(rng).to_json()
    assert "\n" not in text
    assert isinstance(json.loads(text), dict)


def test_a_minimal_spec_has_its_defaults_after_json():
    spec = SceneSpec(K=rows(np.eye(3)), size=(4, 3))
    assert SceneSpec.from_json(spec.to_json()) == spec


def test_rows_hold_a_matrix_exactly_as_python_floats(rng):
    cam_from_obj = rng.normal(size=(4, 4))
    nested = rows(cam_from_obj)
    np.testing.assert_array_equal(np.array(nested), cam_from_obj)
    assert {type(x) for row in nested for x in row} == {float}
    np.testing.assert_array_equal(Placed(1, nested).matrix, cam_from_obj)


def test_the_camera_of_a_spec_is_its_K_and_size():
    K = np.array([[500.5, 0, 320], [0, 501, 240], [0, 0, 1]])
    camera = SceneSpec(K=rows(K), size=(640, 480)).camera
    np.testing.assert_array_equal(camera.K, K)
    assert camera.size == (640, 480)


def test_a_spec_cannot_change_and_can_be_a_key(rng):
    spec = random_spec(rng)
    with pytest.raises(FrozenInstanceError):
        spec.size = (1, 1)  # type: ignore[misc]
    assert {spec: 1}[SceneSpec.from_json(spec.to_json())] == 1
