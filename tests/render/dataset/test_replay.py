import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import assets
from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.image_file import read_rgb
from render.scene.randomize import SceneConfig

RENDER = RenderConfig(frames=4, size=(96, 72), frames_per_scene=3)


PHOTO = SceneConfig(environment="any", background="environment", shadow_chance=0.7)


@pytest.fixture(scope="module", params=["plain", "antialias", "photo"])
def dataset(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("replay") / "made"
    scene = PHOTO if request.param == "photo" else SceneConfig()
    generate(replace(RENDER, antialias=request.param != "plain"), scene, out, seed=3, workers=1)
    return out


def replay(frame: Path, out: Path):
    return CliRunner().invoke(main, ["render", "--replay", str(frame), "--out", str(out)])


@pytest.mark.parametrize("name", ["000000/rgb/000002.png", "000001/rgb/000000.png"])
def test_a_frame_drawn_again_has_the_same_bytes(name, dataset, tmp_path):
    frame, out = dataset / "train" / name, tmp_path / "again.png"
    result = replay(frame, out)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(read_rgb(out), read_rgb(frame))
    assert out.read_bytes() == frame.read_bytes()


def test_a_lost_frame_can_be_drawn_again(dataset, tmp_path):
    root = Path(shutil.copytree(dataset, tmp_path / "copy"))
    frame = root / "train" / "000000" / "rgb" / "000001.png"
    before = frame.read_bytes()
    frame.unlink()
    assert replay(frame, frame).exit_code == 0
    assert frame.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("train/000000/rgb/000009.png", "no image 9"),
        ("train/000007/rgb/000000.png", "scene_spec.json: no such file"),
        ("train/000000/depth/000000.png", "DATASET/SPLIT/SCENE/rgb/IIIIII.png"),
        ("../../../x.png", "DATASET/SPLIT/SCENE/rgb/IIIIII.png"),
        ("deeper/train/000000/rgb/000000.png", "generation.json: no such file"),
    ],
)
def test_what_is_no_frame_is_refused_in_a_line(name, what, dataset, tmp_path):
    result = replay(dataset / name, tmp_path / "out.png")
    assert result.exit_code == 1 and what in result.output and "Traceback" not in result.output
    assert not (tmp_path / "out.png").exists()


def test_a_frame_lit_by_a_panorama_is_drawn_again_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "hdris").mkdir()
    light = np.random.default_rng(0).random((16, 32, 3), np.float32)
    cv2.imwrite(str(tmp_path / "hdris" / "a.hdr"), light)
    monkeypatch.chdir(tmp_path)
    scene = replace(PHOTO, environment="hdris")
    generate(replace(RENDER, frames=1, exact=True), scene, tmp_path / "out", seed=3, workers=1)
    frame = tmp_path / "out" / "train" / "000000" / "rgb" / "000000.png"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = replay(frame, tmp_path / "again.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()


@pytest.mark.slow
def test_a_frame_is_drawn_with_the_datasets_own_models_where_others_are_gone_or_changed(
    tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    shutil.copytree(assets.FOLDER, tmp_path / "meshes", ignore=shutil.ignore_patterns("presets"))
    monkeypatch.chdir(tmp_path)
    render = RenderConfig(("meshes",), frames=2, size=(96, 72), exact=True, unit="mm")
    generate(render, SceneConfig(), tmp_path / "out", seed=0, workers=1)
    frame = tmp_path / "out" / "train" / "000000" / "rgb" / "000001.png"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert replay(frame, tmp_path / "again.png").exit_code == 0
    assert "out/models, which are rounded" in caplog.text
    assert "meshes: no such file" in caplog.text
    np.testing.assert_array_equal(read_rgb(tmp_path / "again.png"), read_rgb(frame))

    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "meshes").glob("obj_*.ply"):
        content = path.read_bytes()
        path.write_bytes(content[:-13] + content[-26:-13])  # the last face is the one before it
    caplog.clear()
    assert replay(frame, tmp_path / "again.png").exit_code == 0
    assert "is another there now" in caplog.text
    np.testing.assert_array_equal(read_rgb(tmp_path / "again.png"), read_rgb(frame))


def test_a_dataset_that_was_not_rendered_from_specs_is_refused(dataset, tmp_path):
    root = Path(shutil.copytree(dataset, tmp_path / "twins"))
    (root / "generation.json").write_text(json.dumps({"settings": {"pair": {}}}))
    result = replay(root / "train" / "000000" / "rgb" / "000000.png", tmp_path / "out.png")
    assert result.exit_code == 1 and "was not made by `render`" in result.output
