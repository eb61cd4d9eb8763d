import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.kill import same_files
from render.dataset import generate as module
from render.dataset.generate import generate
from render.dataset.parts import HIDDEN, cut, part_size
from render.draw.renderer import RenderConfig
from render.scene.randomize import SceneConfig

RENDER = RenderConfig(frames=10, size=(64, 48), frames_per_scene=10, exact=True)
SCENE = SceneConfig(objects_per_frame=(2, 3))
PARTS = Path("train") / f"{HIDDEN}000000"


@pytest.mark.parametrize("size", [(64, 48), (640, 480), (4000, 3000)])
@pytest.mark.parametrize("frames", [1, 7, 60, 1000, 50000])
def test_even_a_single_scene_is_work_for_many(frames, size):
    most = part_size(frames, size)
    assert 1 <= most <= 100
    assert -(-frames // most) >= min(frames, 10) or frames < 20
    parts = list(cut(5, frames, most))
    assert [first + i for first, n in parts for i in range(n)] == list(range(5, 5 + frames))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A scene that was drawn as one part."""
    out = tmp_path_factory.mktemp("parts") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "part_size", lambda frames, size: frames)
        generate(replace(RENDER, hand="bundled"), SCENE, out, seed=0, workers=1)
    return out


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.slow
def test_a_scene_does_not_depend_on_the_parts_or_who_draws_them(whole, tmp_path, workers, caplog):
    caplog.set_level("INFO")
    generate(replace(RENDER, hand="bundled"), SCENE, tmp_path / "out", seed=0, workers=workers)
    assert same_files(tmp_path / "out", whole)
    assert "render, frames: 5 of 10, " in caplog.text


def begun(out: Path, whole: Path, kept: int, monkeypatch) -> None:
    """Leave only so many of a scene's ten parts, as a rendering that was killed does."""
    with monkeypatch.context() as patch:
        patch.setattr("render.dataset.parts.Scene.join", lambda *_: None)
        generate(replace(RENDER, hand="bundled"), SCENE, out, seed=0, workers=1)
    for part in sorted((out / PARTS).iterdir())[kept:]:
        shutil.rmtree(part)


@pytest.mark.slow
def test_parts_that_are_there_are_not_drawn_again(whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    begun(out, whole, 6, monkeypatch)
    kept = out / PARTS / "000003" / "rgb" / "000003.png"
    node = kept.stat().st_ino
    generate(replace(RENDER, hand="bundled"), SCENE, out, seed=0, workers=2)
    assert same_files(out, whole)
    assert (out / "train/000000/rgb/000003.png").stat().st_ino == node


@pytest.mark.slow
def test_a_scene_all_of_whose_parts_are_there_is_joined(whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    begun(out, whole, 10, monkeypatch)
    assert len(list((out / PARTS).iterdir())) == 10
    generate(replace(RENDER, hand="bundled"), SCENE, out, seed=0, workers=2)
    assert same_files(out, whole)


def test_parts_of_a_scene_that_is_there_are_swept(whole, tmp_path):
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    (out / PARTS / "000000").mkdir(parents=True)
    generate(replace(RENDER, hand="bundled"), SCENE, out, seed=0, workers=1)
    assert same_files(out, whole)
