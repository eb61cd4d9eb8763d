"""Datasets whose surfaces show a user's pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import assets
from benchmarks.kill import same_files
from pipeline import main
from render.dataset import generate as module
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.image_file import write_png
from render.scene.randomize import SceneConfig

RENDER = RenderConfig(frames=4, size=(64, 48), frames_per_scene=2, exact=True)


@pytest.fixture
def pictures(tmp_path, rng) -> Path:
    (tmp_path / "pictures" / "more").mkdir(parents=True)
    for i in range(4):
        image = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
        write_png(tmp_path / "pictures" / ("more" if i % 2 else "") / f"{i}.png", image)
    return tmp_path / "pictures"


def scene(pictures: Path) -> SceneConfig:
    return SceneConfig(textures=str(pictures), object_textures=0.5)


def spoil(picture: Path) -> None:
    content = picture.read_bytes()
    picture.write_bytes(content[:200] + bytes(len(content) - 200))  # of the same size


@pytest.mark.slow
def test_any_workers_and_a_restart_make_the_same_bytes(pictures, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    generate(RENDER, scene(pictures), one, seed=1, workers=1)
    generate(RENDER, scene(pictures), two, seed=1, workers=1, part=(2, 2))
    generate(RENDER, scene(pictures), two, seed=1, workers=2)
    assert same_files(one, two)
    specs = json.loads((one / "train/000000/scene_spec.json").read_text())
    shown = [o["material"].get("texture") for spec in specs.values() for o in spec["objects"]]
    assert {t["path"] for t in shown if t} <= set(map(str, pictures.rglob("*.png")))
    assert None in shown and any(shown)


def test_a_frame_is_drawn_again_from_elsewhere(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate(replace(RENDER, frames=1), scene(Path("pictures")), tmp_path / "out", 1, 1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    frame = tmp_path / "out/train/000000/rgb/000000.png"
    command = ["render", "--replay", str(frame), "--out", str(tmp_path / "again.png")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()

    for picture in pictures.rglob("*.png"):
        picture.unlink()
    (tmp_path / "again.png").unlink()
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert ".png: no such file" in result.output and not (tmp_path / "again.png").exists()


def test_pictures_that_cannot_be_read_are_named_before_the_first_frame(
    pictures, tmp_path, monkeypatch
):
    for name in ("2.png", "more/3.png"):
        spoil(pictures / name)
    with pytest.raises(InputError, match=r"^2 images cannot be read: .*2\.png.*3\.png.*delete it"):
        generate(RENDER, scene(pictures), tmp_path / "out", seed=0, workers=1)
    assert not (tmp_path / "out").exists()
    # As if they went bad only then.
    monkeypatch.setattr(module, "check_images", lambda *_: None)
    with pytest.raises(InputError, match=r"[23]\.png: ") as caught:
        generate(RENDER, scene(pictures), tmp_path / "out", seed=0, workers=1)
    assert "\n" not in str(caught.value)


def test_a_dataset_does_not_go_on_with_other_pictures(pictures, tmp_path):
    out = tmp_path / "out"
    generate(replace(RENDER, frames=2), scene(pictures), out, seed=0, workers=1)
    (pictures / "0.png").unlink()
    with pytest.raises(InputError, match=r"out was made with textures = 4 files, .* not 3 files, "):
        generate(replace(RENDER, frames=2), scene(pictures), out, seed=0, workers=1)


@pytest.mark.parametrize("name", ["textures", "object_textures"])
def test_pyrender_refuses_textures(pictures, tmp_path, name):
    asked = replace(SceneConfig(), **{name: getattr(scene(pictures), name)})
    with pytest.raises(InputError, match=rf"^scene\.{name}: pyrender does not draw that here"):
        generate(replace(RENDER, renderer="pyrender"), asked, tmp_path / "out", 0, 1)


def test_pictures_that_no_crop_would_show_are_refused(pictures, tmp_path):
    """One mesh stands among plain solids, several among one another."""
    crops = replace(scene(pictures), layout="crop", object_textures=0.0, occluder_chance=1.0)
    with pytest.raises(InputError, match=r"scene\.textures has no effect on crops of several"):
        generate(RENDER, crops, tmp_path / "several", seed=1, workers=1)
    assert not (tmp_path / "several").exists()
    with pytest.raises(InputError, match=r"nor in scene\.layout=upright"):
        generate(RENDER, replace(crops, layout="upright"), tmp_path / "upright", 1, workers=1)
    one = replace(RENDER, obj_ids=(1,), objects=(str(assets.FOLDER / "obj_000001.ply"),))
    generate(one, crops, tmp_path / "one", seed=1, workers=1)
    specs = json.loads((tmp_path / "one/train/000000/scene_spec.json").read_text())
    assert any("texture" in o["material"] for spec in specs.values() for o in spec["objects"])
