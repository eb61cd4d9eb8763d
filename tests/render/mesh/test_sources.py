import shutil
from pathlib import Path

import numpy as np
import pytest

from render.errors import InputError
from render.mesh.mesh import load_models
from tests.mesh_samples import make_lump


def lump(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    make_lump(np.random.default_rng(seed)).export(path)
    return path


def test_ycbs_folders_are_an_object_each(tmp_path):
    for i, name in enumerate(("002_master_chef_can", "003_cracker_box")):
        for part in ("google_16k", "google_64k"):
            lump(tmp_path / name / part / "textured.obj", i)
        lump(tmp_path / name / "google_16k" / "nontextured.ply")
        lump(tmp_path / name / "clouds" / "merged_cloud.ply")
    (tmp_path / "empty").mkdir()
    models = load_models([tmp_path])
    assert [Path(m.source).relative_to(tmp_path).parts for m in models.values()] == [
        ("002_master_chef_can", "google_16k", "textured.obj"),
        ("003_cracker_box", "google_16k", "textured.obj"),
    ]


def test_a_subfolder_of_several_meshes_is_refused_by_name(tmp_path):
    for name in ("a.ply", "b.ply"):
        lump(tmp_path / "cup" / name)
    with pytest.raises(InputError, match=r"cup: holds 2 meshes \(a\.ply, b\.ply\).*give that"):
        load_models([tmp_path])


def test_what_macos_leaves_beside_meshes_is_passed_over(tmp_path):
    lump(tmp_path / "a.ply")
    (tmp_path / "._a.ply").write_bytes(b"\0\5\26\7")
    assert [Path(m.source).name for m in load_models([tmp_path]).values()] == ["a.ply"]


def test_archives_are_not_looked_into(tmp_path):
    archive = shutil.make_archive(
        str(tmp_path / "meshes"), "zip", lump(tmp_path / "x/a.ply").parent
    )
    shutil.rmtree(tmp_path / "x")
    with pytest.raises(InputError, match=rf"no mesh files .*; unpack {Path(archive).name} first"):
        load_models([tmp_path])


def test_all_meshes_that_cannot_be_used_are_named(tmp_path):
    lump(tmp_path / "a.ply")
    for name in ("b.ply", "c.obj"):
        (tmp_path / name).write_text("ply\n")
    with pytest.raises(InputError, match=r"^2 objects cannot be used: .*b\.ply.*; .*c\.obj"):
        load_models([tmp_path])
