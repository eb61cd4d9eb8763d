import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill import same_files
from render.dataset import generate as module
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.image_file import write_png
from render.scene.randomize import SceneConfig

RENDER = RenderConfig(frames=12, size=(64, 48), frames_per_scene=4, exact=True)


@pytest.fixture
def photos(tmp_path, rng) -> Path:
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for i in range(6):
        image = rng.integers(0, 255, (60, 80, 3)).astype(np.uint8)
        write_png(tmp_path / "photos" / ("more" if i % 2 else "") / f"{i}.png", image)
    return tmp_path / "photos"


def scene(photos: Path) -> SceneConfig:
    return SceneConfig(layout="upright", objects_per_frame=(1, 2), background=str(photos))


def spoil(photo: Path) -> None:
    content = photo.read_bytes()
    photo.write_bytes(content[:2000] + bytes(len(content) - 2000))  # of the same size


def shown(root: Path) -> list[str]:
    """The image behind each frame, of the scenes that are there."""
    return [
        Path(spec["background"]["path"]).name
        for path in sorted(root.glob("train/*/scene_spec.json"))
        for spec in json.loads(path.read_text()).values()
    ]


def test_all_images_that_cannot_be_read_are_named_before_the_first_frame(photos, tmp_path):
    for name in ("2.png", "more/3.png"):
        spoil(photos / name)
    with pytest.raises(InputError, match=r"^2 images cannot be read: .*2\.png.*3\.png.*delete it"):
        generate(RENDER, scene(photos), tmp_path / "out", seed=0, workers=2)
    assert not (tmp_path / "out").exists()
    for name in ("2.png", "more/3.png"):
        (photos / name).unlink()
    generate(RENDER, scene(photos), tmp_path / "out", seed=0, workers=1)
    assert len(shown(tmp_path / "out")) == 12


def test_what_macos_leaves_beside_images_is_passed_over(photos, tmp_path):
    (photos / "._0.png").write_bytes(b"\0\5\26\7")
    generate(RENDER, scene(photos), tmp_path / "out", seed=0, workers=1)
    assert len(set(shown(tmp_path / "out"))) > 2


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_an_image_that_goes_bad_stops_no_other_frame_and_may_be_deleted(
    photos, tmp_path, monkeypatch, workers, caplog
):
    whole, out = tmp_path / "whole", tmp_path / "out"
    generate(RENDER, scene(photos), whole, seed=0, workers=1)
    before = shown(whole)
    spoil(photos / "2.png")
    with monkeypatch.context() as patch:
        patch.setattr(module, "check_images", lambda *_: None)  # as if it went bad only then
        with pytest.raises(InputError, match=r"2\.png: .*delete it: the same command then goes on"):
            generate(RENDER, scene(photos), out, seed=0, workers=workers)
    untouched = [i for i in range(3) if "2.png" not in before[4 * i : 4 * i + 4]]
    assert sorted(p.name for p in out.glob("train/0*")) == [f"{i:06d}" for i in untouched]

    (photos / "2.png").unlink()
    generate(RENDER, scene(photos), out, seed=0, workers=workers)
    assert "1 of the 6 images that the dataset was begun with are gone (2.png)" in caplog.text
    after = shown(out)
    assert len(after) == 12 and "2.png" not in after
    assert all(a == b for a, b in zip(after, before, strict=True) if b != "2.png")
    for i in untouched:
        assert same_files(out / f"train/{i:06d}", whole / f"train/{i:06d}")


def test_images_that_are_new_or_changed_are_refused(photos, tmp_path, rng):
    out = tmp_path / "out"
    generate(RENDER, scene(photos), out, seed=0, workers=1, part=(1, 3))
    shutil.copyfile(photos / "0.png", photos / "new.png")
    with pytest.raises(InputError, match=r"made with backgrounds = 6 files, .*, not 7 files"):
        generate(RENDER, scene(photos), out, seed=0, workers=1)
    (photos / "new.png").unlink()
    write_png(photos / "0.png", rng.integers(0, 255, (61, 80, 3)).astype(np.uint8))
    with pytest.raises(InputError, match=r"made with backgrounds = 6 files, .*, not 6 files"):
        generate(RENDER, scene(photos), out, seed=0, workers=1)


@pytest.mark.slow
def test_the_same_images_elsewhere_go_on_with_a_dataset(photos, tmp_path, monkeypatch, rng):
    out, moved = tmp_path / "out", tmp_path / "elsewhere" / "pictures"
    monkeypatch.chdir(tmp_path)
    generate(RENDER, scene(Path("photos")), out, seed=0, workers=1, part=(1, 3))
    record = (out / "generation.json").read_bytes()
    generate(RENDER, scene(photos), out, seed=0, workers=1, part=(2, 3))
    moved.parent.mkdir()
    photos.rename(moved)
    generate(RENDER, scene(moved), out, seed=0, workers=2)
    assert (out / "generation.json").read_bytes() == record
    generate(RENDER, scene(moved), tmp_path / "once", seed=0, workers=1)
    assert shown(out) == shown(tmp_path / "once")
    for i in range(3):
        for kind in ("rgb", "depth", "mask"):
            part = f"train/{i:06d}/{kind}"
            assert same_files(out / part, tmp_path / "once" / part)

    write_png(moved / "0.png", rng.integers(0, 255, (61, 80, 3)).astype(np.uint8))
    with pytest.raises(InputError, match=r"made with scene.background = photos, not .*pictures"):
        generate(RENDER, scene(moved), out, seed=0, workers=1)


@pytest.mark.slow
def test_the_same_meshes_elsewhere_go_on_with_a_dataset(tmp_path, monkeypatch):
    source = Path(module.__file__).parents[2] / "assets"
    shutil.copytree(source, tmp_path / "a", ignore=shutil.ignore_patterns("*.toml", "*.py"))
    monkeypatch.chdir(tmp_path)
    render, ranges = replace(RENDER, objects=("a",)), SceneConfig(objects_per_frame=(1, 2))
    generate(render, ranges, tmp_path / "out", seed=0, workers=1, part=(1, 3))
    (tmp_path / "a").rename(tmp_path / "b")
    elsewhere = replace(render, objects=(str(tmp_path / "b"),))
    generate(elsewhere, ranges, tmp_path / "out", seed=0, workers=1)
    generate(elsewhere, ranges, tmp_path / "once", seed=0, workers=1)
    for name in ("train", "models"):
        assert same_files(tmp_path / "out" / name, tmp_path / "once" / name)


@pytest.mark.slow
def test_a_dataset_whose_camera_was_another_is_refused_by_name(tmp_path):
    render = replace(RENDER, size=(128, 72))
    generate(render, SceneConfig(), tmp_path / "out", seed=0, workers=1, part=(1, 3))
    record = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert record["settings"].pop("camera")[4:] == [128, 72]
    (tmp_path / "out" / "generation.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"made before camera counted, which is now \[114"):
        generate(render, SceneConfig(), tmp_path / "out", seed=0, workers=1)
