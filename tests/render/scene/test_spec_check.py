"""Specs that were read from damaged files; test_spec.py has good ones."""

import json

import numpy as np
import pytest

from render.environment.spec import Environment
from render.errors import InputError
from render.hand.file import load_hand
from render.scene.background import draw_behind
from render.scene.spec import (
    Background,
    Light,
    Material,
    Placed,
    Posture,
    SceneSpec,
    rows,
)
from render.sensor.color import apply_color_sensor
from render.sensor.depth import apply_depth_sensor
from render.sensor.spec import ColorSensor, StructuredLight, TimeOfFlight
from tests.plain_damage import ANYTHING, changed, places

HAND = load_hand("bundled")
AT = np.array([[1, 0, 0, 0.1], [0, 0.6, -0.8, 0], [0, 0.8, 0.6, 0.7], [0, 0, 0, 1]])
POSTURE = Posture.of(np.zeros((16, 3)), np.zeros(HAND.shape_size))
FULL = SceneSpec(
    K=((50.0, 0.0, 16.0), (0.0, 50.0, 12.0), (0.0, 0.0, 1.0)),
    size=(32, 24),
    objects=(
        Placed(1, rows(AT), Material((1.0, 0.5, 0.2), 0.3, 20.0), (1.0, 1.1, 0.9), False),
        Placed(2, rows(AT), posture=POSTURE),
    ),
    lights=(Light("spot", (0.0, 0.0, 1.0), shadow=True), Light("point", (0.0, 1.0, 0.0))),
    background=Background("noise", (0.1, 0.2, 0.3), seed=(1, 2)),
    sensor=ColorSensor(
        1.1, (1.0, 0.9, 1.1), 0.9, 0.5, 0.01, (3, 4), (1.0, 2.0), 9e3, 5.0, True, 80
    ),
    depth_sensor=StructuredLight(seed=(5,)),
    near=0.005,
)
LIT = SceneSpec(
    FULL.K,
    (32, 24),
    (Placed(1, rows(AT), Material(roughness=0.3, metallic=1.0)),),
    background=Background("environment"),
    environment=Environment("sky", seed=(5,)),
    depth_sensor=TimeOfFlight(),
)
SPECS = (FULL, SceneSpec(FULL.K, (32, 24), depth_sensor=TimeOfFlight(seed=(1,))), LIT)
IDS = ["full", "short", "lit"]


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_spec_is_read_as_it_was_written(spec):
    read = SceneSpec.from_plain(json.loads(spec.to_json()), "x")
    assert read == spec and read.to_json() == spec.to_json()


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_whatever_stands_at_a_place_a_spec_is_read_and_seen_or_refused(spec):
    plain = json.loads(spec.to_json())
    # The numbers of a posture and of a pose are all of a kind.
    some = [p for p in places(plain) if not ({"pose", "shape", "cam_from_obj"} & {*p[:-1]})]
    refused = seen = 0
    for place in some:
        for new in ANYTHING:
            try:
                read = SceneSpec.from_plain(changed(plain, place, new), "file, image 3")
            except InputError as error:
                refused += 1
                message = str(error)
                assert message.startswith("file, image 3"), message
                assert "\n" not in message and len(message) < 600
                continue
            seen += 1
            if place[0] in ("sensor", "depth_sensor", "background", "K", "environment"):
                see(read)
    assert refused > 10 * seen / 2 and seen > 50


def see(spec: SceneSpec) -> None:
    width, height = spec.size
    draw_behind(spec)
    rgb = np.full((height, width, 3), 100, np.uint8)
    assert apply_color_sensor(rgb, spec.sensor).shape == rgb.shape
    depth = np.full((height, width), 0.7, np.float32)
    found = apply_depth_sensor(depth, np.array(spec.K), spec.depth_sensor)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "place, new, words",
    [
        (("objects", 0, "cam_from_obj", 0, 0), 2.0, "objects[0].cam_from_obj must be a rotation"),
        (("objects", 1, "posture", "pose", 3), [1], "posture.pose must be 16 x 3 finite numbers"),
        (("lights", 0, "kind"), "sun", "lights[0].kind must be one of directional, point, spot"),
        (("lights",), [json.loads(FULL.to_json())["lights"][0]] * 9, "list of 0 to 8 items"),
        (("background", "kind"), "image", "background.path must be a text"),
        (("background", "seed"), [-1], "background.seed[0] must be a whole number"),
        (("sensor", "jpeg_quality"), 101, "sensor.jpeg_quality must be a whole number from 0 to"),
        (("depth_sensor", "kind"), "lidar", "depth_sensor.kind must be one of"),
        (("size",), [100_000, 1], "size must be a whole number from 1 to 16384"),
        (("size",), [16_000, 16_000], "size must be of at most 64 megapixels"),
        (("K", 0, 0), 0, "K: K must be invertible"),
        (("gloss",), 1, "'gloss' is not known; there are K, size, objects"),
    ],
)
def test_a_fault_is_named_by_its_place(place, new, words):
    with pytest.raises(InputError) as caught:
        SceneSpec.from_plain(changed(json.loads(FULL.to_json()), place, new), "x")
    assert words in str(caught.value)


def test_what_is_missing_is_named_or_usual():
    plain = json.loads(FULL.to_json())
    for name in ("K", "size", "objects", "lights", "background", "sensor"):
        with pytest.raises(InputError, match=f"x: {name} is missing"):
            SceneSpec.from_plain(changed(plain, (name,), None, remove=True), "x")
    for name in ("near", "depth_sensor", "ambient"):
        read = SceneSpec.from_plain(changed(plain, (name,), None, remove=True), "x")
        assert getattr(read, name) == getattr(SceneSpec(FULL.K, FULL.size), name)
