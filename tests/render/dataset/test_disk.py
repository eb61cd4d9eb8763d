"""What the file system does to `render` in the midst of it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill import same_files
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.image_file import write_png
from render.scene.randomize import SceneConfig
from tests.mesh_samples import make_lump

ROOT = Path(__file__).resolve().parents[3]
RENDER = RenderConfig(frames=8, size=(96, 72), frames_per_scene=1)
SCENE = SceneConfig()


@pytest.fixture
def meshes(tmp_path, rng) -> str:
    (tmp_path / "meshes").mkdir()
    for name in ("a.ply", "b.ply"):
        make_lump(rng).export(tmp_path / "meshes" / name)
    return str(tmp_path / "meshes")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only the superuser may mount a file system, and not in every container")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_a_full_disk_is_one_line_and_costs_nothing_finished(workers, meshes, small_disk, tmp_path):
    render = replace(RENDER, objects=(meshes,))
    generate(render, SCENE, tmp_path / "whole", seed=0, workers=1)
    out = small_disk / "out"
    with pytest.raises(InputError) as caught:
        generate(render, SCENE, out, seed=0, workers=workers)
    line = str(caught.value)
    assert line.startswith(f"{out}/train/0000") and "\n" not in line
    assert "cannot be written (No space left on device)" in line

    finished = sorted((out / "train").glob("0*"))  # a part may be left, to go on from
    assert 1 < len(finished) < 8
    assert all(same_files(scene, tmp_path / "whole/train" / scene.name) for scene in finished)
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    generate(render, SCENE, out, seed=0, workers=workers)
    assert same_files(out, tmp_path / "whole")


def test_a_full_disk_at_the_very_beginning_leaves_what_can_be_begun(meshes, small_disk, tmp_path):
    render = replace(RENDER, objects=(meshes,), frames=1)
    generate(render, SCENE, tmp_path / "whole", seed=0, workers=1)
    (small_disk / "filler").write_bytes(bytes(244 * 1024))
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        generate(render, SCENE, small_disk / "out", seed=0, workers=1)
    (small_disk / "filler").unlink()
    generate(render, SCENE, small_disk / "out", seed=0, workers=1)
    assert same_files(small_disk / "out", tmp_path / "whole")


@pytest.mark.slow
def test_what_stops_a_worker_reaches_the_user_as_one_line_and_exit_code_1(meshes, tmp_path):
    """Files may grow to 40 kB, which the meshes do not need and 320x240 pixels do."""
    command = f"{sys.executable} {ROOT}/pipeline.py render --frames 4 --size 320x240 --workers 2"
    command += f" --set render.frames_per_scene=2 --objects {meshes} --out {tmp_path}/out"
    limited = ["bash", "-c", f"ulimit -f 40; exec {command}"]
    result = subprocess.run(limited, capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout == ""
    *said, line = result.stderr.splitlines()
    assert all("read in metres" in other for other in said)
    assert line.startswith(f"Error: {tmp_path}/out/train/00000")
    assert "cannot be written (File too large)" in line
    assert not list((tmp_path / "out").glob(".*"))
    assert not list((tmp_path / "out" / "train").iterdir())


def test_a_background_that_is_damaged_meanwhile_is_named(meshes, tmp_path, rng):
    """As long as its size stays, only the workers that read it can tell."""
    photo = tmp_path / "photos" / "photo.png"
    photo.parent.mkdir()
    write_png(photo, rng.integers(0, 255, (90, 90, 3)).astype(np.uint8))
    render, scene = replace(RENDER, objects=(meshes,)), replace(SCENE, background=str(photo.parent))
    out = tmp_path / "out"
    generate(render, scene, out, seed=0, workers=1, part=(1, 8))
    before = (out / "train/000000/rgb/000000.png").read_bytes()
    content = photo.read_bytes()
    photo.write_bytes(content[:2000] + bytes(len(content) - 2000))
    with pytest.raises(InputError, match=f"^{photo}: "):
        generate(render, scene, out, seed=0, workers=2)
    assert [p.name for p in (out / "train").iterdir()] == ["000000"]
    assert (out / "train/000000/rgb/000000.png").read_bytes() == before


def test_a_mesh_or_all_backgrounds_that_vanish_are_refused_by_name(meshes, tmp_path, rng):
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        picture = rng.integers(0, 255, (90, 90, 3)).astype(np.uint8)
        write_png(tmp_path / "photos" / name, picture)
    render = replace(RENDER, objects=(meshes,))
    scene = replace(SCENE, background=str(tmp_path / "photos"))
    out = tmp_path / "out"
    generate(render, scene, out, seed=0, workers=1, part=(1, 8))

    def refusal() -> str:
        with pytest.raises(InputError) as caught:
            generate(render, scene, out, seed=0, workers=1)
        return str(caught.value)

    mesh = Path(meshes, "b.ply")
    mesh.rename(tmp_path / "b.ply")
    assert "made with meshes.2 = " in refusal()
    (tmp_path / "b.ply").rename(mesh)
    (tmp_path / "photos" / "b.png").unlink()
    (tmp_path / "photos" / "a.png").unlink()
    assert f"scene.background: {tmp_path / 'photos'} is no folder with" in refusal()
