"""Frames whose dataset was damaged are drawn again, or refused in a line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.dataset.generate import generate
from render.dataset.replay import replay_frame
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.image_file import read_rgb
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from tests.plain_damage import ANYTHING, changed, places

RENDER = RenderConfig(frames=1, size=(48, 36), hand="bundled", obj_ids=(1, 2))
FRAME = "train/000000/rgb/000000.png"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("replay") / "made"
    config = replace(RENDER, exact=True)
    generate(config, SceneConfig(), out, seed=3, workers=1, sensor=SensorConfig())
    return out


def outcome(dataset: Path, out: Path) -> str | None:
    """The line that a frame was refused with; None if it was drawn."""
    try:
        replay_frame(dataset / FRAME, out)
    except InputError as error:
        return str(error)
    assert read_rgb(out).shape == (36, 48, 3)
    return None


@pytest.mark.parametrize("name", ["train/000000/scene_spec.json", "generation.json"])
@pytest.mark.slow
def test_whatever_stands_at_a_place_a_frame_is_drawn_or_refused(name, dataset, tmp_path, rng):
    file = dataset / name
    before = file.read_text()
    plain = json.loads(before)
    some = [
        place
        for place in places(plain)
        if not {"scene", "sensor", "hand_scene", "versions", "simd"} & {*place[1:2], place[0]}
        or "spec" in name
    ]
    refused = []
    try:
        for i in rng.choice(len(some), 60):
            new = ANYTHING[rng.integers(len(ANYTHING))]
            file.write_text(json.dumps(changed(plain, some[i], new, remove=rng.random() < 0.2)))
            refused.append(outcome(dataset, tmp_path / "x.png"))
    finally:
        file.write_text(before)
    for line in filter(None, refused):
        assert "\n" not in line and len(line) < 700
        assert Path(name).name in line or "made" in line
    assert sum(line is not None for line in refused) > 20
    assert outcome(dataset, tmp_path / "x.png") is None
    np.testing.assert_array_equal(read_rgb(tmp_path / "x.png"), read_rgb(dataset / FRAME))


@pytest.mark.parametrize(
    "content, words",
    [
        ("[]", "expected a JSON object"),
        ("{}", "was not made by `render`"),
        ('{"settings": 3}', "settings must be an object with names, got 3"),
        ('{"settings": {"render": []}}', "settings.render must be an object with names, got []"),
        ('{"settings": {"render": {"size": 7}}}', "settings.render.size must be a size such as"),
        ('{"settings": {"render": {"shape": 7}}}', "there is no option settings.render.shape"),
        ('{"settings": {"render": {}, "meshes": {"1": 2}}}', "meshes['1'] must be a text, got 2"),
    ],
)
def test_a_damaged_record_is_refused_by_name(content, words, dataset, tmp_path):
    file = dataset / "generation.json"
    before = file.read_text()
    file.write_text(content)
    try:
        line = outcome(dataset, tmp_path / "x.png")
    finally:
        file.write_text(before)
    assert line is not None and line.startswith(f"{file}: ") and words in line
