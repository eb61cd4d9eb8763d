"""Which way is up: glTF files have y up, the world z."""

import numpy as np
import pytest
import trimesh

from render.mesh.mesh import load_mesh, load_models
from tests.mesh_samples import make_lump, refusal

# By hand: what was up, y, is z; what was in front, z, is towards -y; x stays.
TURN = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    return make_lump(rng)


@pytest.mark.parametrize(
    ("suffix", "up", "turned"),
    [
        ("glb", None, True),
        ("glb", "y", True),
        ("glb", "z", False),
        ("ply", None, False),
        ("ply", "z", False),
        ("ply", "y", True),
        ("obj", None, False),
        ("stl", "y", True),
    ],
)
def test_gltf_is_turned_and_others_where_asked(suffix, up, turned, lump, tmp_path):
    path = tmp_path / f"a.{suffix}"
    lump.export(path)
    mesh, plain = load_mesh(path, up=up), load_mesh(path, up="z")
    R = TURN if turned else np.eye(3)
    np.testing.assert_array_equal(mesh.vertices, plain.vertices @ R.T)
    np.testing.assert_array_equal(mesh.normals, plain.normals @ R.T)
    np.testing.assert_array_equal(mesh.faces, plain.faces)
    np.testing.assert_array_equal(mesh.colors, plain.colors)
    np.testing.assert_allclose(plain.vertices[plain.faces], lump.triangles, atol=1e-7)
    volume = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume
    assert volume == pytest.approx(lump.volume, rel=1e-5)  # turned, not mirrored


def test_records_fix_the_frame_of_their_meshes(lump, tmp_path):
    lump.apply_scale(1000)
    lump.export(tmp_path / "obj_000001.glb")
    (tmp_path / "models_info.json").write_text("{}")
    (model,) = load_models([tmp_path]).values()
    np.testing.assert_allclose(model.mesh.vertices, lump.vertices / 1000, atol=1e-7)
    line = refusal(load_models, [tmp_path], up="y")
    assert line.startswith("--up y: ") and "models_info.json" in line
    assert list(load_models([tmp_path], up="z")) == [1]


def test_another_axis_is_refused(lump, tmp_path):
    lump.export(tmp_path / "a.ply")
    assert refusal(load_mesh, tmp_path / "a.ply", up="x") == "--up x: no such axis; use one of y, z"


def test_diameter_and_box_are_those_of_the_turned_mesh(tmp_path):
    trimesh.creation.box((0.1, 0.3, 0.2)).export(tmp_path / "a.glb")
    (model,) = load_models([tmp_path / "a.glb"]).values()
    np.testing.assert_allclose(model.box, [[-0.05, -0.1, -0.15], [0.05, 0.1, 0.15]], atol=1e-7)
