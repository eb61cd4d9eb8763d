import json

import numpy as np
import pytest
import trimesh
from scipy.spatial.distance import pdist

from render.errors import InputError
from render.mesh.mesh import (
    Mesh,
    diameter,
    load_mesh,
    load_models,
    models_info_record,
    write_models,
    write_ply,
)
from tests.mesh_samples import make_lump, refusal


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    return make_lump(rng)


def test_the_unit_is_metres_but_millimetres_beside_a_models_info(lump, tmp_path):
    lump.apply_scale(10)
    lump.export(tmp_path / "a.ply")
    sizes = {
        unit: np.ptp(load_mesh(tmp_path / "a.ply", unit).vertices) for unit in ("m", "cm", "mm")
    }
    assert sizes["m"] == pytest.approx(100 * sizes["cm"], rel=1e-6)
    assert sizes["m"] == pytest.approx(1000 * sizes["mm"], rel=1e-6)
    assert np.ptp(load_mesh(tmp_path / "a.ply").vertices) == sizes["m"]
    (tmp_path / "models_info.json").write_text("{}")
    assert np.ptp(load_mesh(tmp_path / "a.ply").vertices) == sizes["mm"]
    assert "m, cm, mm" in refusal(load_mesh, tmp_path / "a.ply", "inch")


def test_written_ply_is_read_back(lump, tmp_path, rng):
    n = len(lump.vertices)
    normals = np.asarray(lump.vertex_normals, np.float32)
    colors = rng.integers(0, 256, (n, 3), dtype=np.uint8)
    white = np.full((n, 3), 255, np.uint8)
    uv = rng.random((n, 2), dtype=np.float32)
    texture = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    geometry = (lump.vertices.astype(np.float32), lump.faces.astype(np.int32), normals)
    for mesh in (
        Mesh(*geometry, colors),
        Mesh(*geometry, white, uv, texture),
        Mesh(*geometry, colors, uv, texture),
    ):
        write_ply(tmp_path / "a.ply", mesh)
        back = load_mesh(tmp_path / "a.ply", unit="mm")
        np.testing.assert_allclose(back.vertices, mesh.vertices, rtol=2e-7)
        np.testing.assert_allclose(back.normals, mesh.normals, atol=1e-6)
        for name in ("faces", "colors", "uv", "texture"):
            np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))


def test_written_ply_means_the_same_to_trimesh(lump, tmp_path):
    colors = lump.visual.vertex_colors[:, :3]
    normals = np.asarray(lump.vertex_normals, np.float32)
    vertices = lump.vertices.astype(np.float32)
    write_ply(tmp_path / "a.ply", Mesh(vertices, lump.faces, normals, colors))
    other = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(other.vertices, 1000 * lump.vertices, rtol=1e-6)
    np.testing.assert_allclose(other.vertex_normals, normals, atol=1e-6)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3], colors)


def test_ids_come_from_names_and_the_others_get_what_is_left(lump, tmp_path):
    for name in ("b.stl", "obj_000002.ply", "a.off", "notes.txt"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("not a mesh")
        else:
            lump.export(tmp_path / name)
    models = load_models([tmp_path])
    named = {obj_id: model.source.rsplit("/", 1)[1] for obj_id, model in models.items()}
    assert named == {1: "a.off", 2: "obj_000002.ply", 3: "b.stl"}
    assert list(load_models([tmp_path / "b.stl"])) == [1]
    assert list(load_models([tmp_path], obj_ids=[3, 2])) == [2, 3]


def test_a_model_without_a_record_gets_it_from_its_mesh(lump, tmp_path):
    lump.export(tmp_path / "a.ply")
    (model,) = load_models([tmp_path]).values()
    assert model.diameter == pytest.approx(pdist(lump.vertices).max(), abs=1e-7)
    np.testing.assert_allclose(model.box, lump.bounds, atol=2e-7)
    np.testing.assert_array_equal(model.symmetries, [np.eye(4)])
    assert model.info == models_info_record(model.mesh)


def test_written_models_are_read_back(lump, tmp_path):
    lump.export(tmp_path / "a.ply")
    (model,) = load_models([tmp_path]).values()
    write_models(tmp_path / "models", [model])
    (back,) = load_models([tmp_path / "models"]).values()
    assert back.info == model.info
    np.testing.assert_allclose(back.mesh.vertices, model.mesh.vertices, rtol=2e-7)
    np.testing.assert_array_equal(back.mesh.colors, model.mesh.colors)


def test_lmo_models_keep_their_records(lmo):
    models = load_models([lmo / "models"])
    records = json.loads((lmo / "models" / "models_info.json").read_text())
    assert {str(obj_id): model.info for obj_id, model in models.items()} == records
    for model in models.values():
        assert diameter(model.mesh.vertices) == pytest.approx(model.diameter, abs=2e-6)


def test_sources_that_cannot_be_used_are_named(lump, tmp_path):
    assert "nowhere" in refusal(load_models, [tmp_path / "nowhere"])
    assert "no mesh files" in refusal(load_models, [tmp_path])
    lump.export(tmp_path / "obj_000007.ply")
    assert "no object 3" in (message := refusal(load_models, [tmp_path], obj_ids=[3]))
    assert message.endswith("present are 7")
    lump.export(tmp_path / "obj_000007.stl")
    assert "object 7 stands for" in refusal(load_models, [tmp_path])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object"),
        ('{"1": 3}', "record 1 must be an object"),
        ('{"1": {"diameter": "large"}}', "record 1.diameter must be a finite number"),
        ('{"1": {"diameter": NaN}}', "record 1.diameter must be a finite number"),
        ('{"1": {"size_y": 1e999}}', "record 1.size_y must be a finite number"),
        (f'{{"1": {{"min_z": {"9" * 400}}}}}', "record 1.min_z must be a finite number"),
        ('{"1": {"symmetries_discrete": [[NaN' + ", 0" * 15 + "]]}}", "16 finite numbers"),
        ('{"1": {"symmetries_continuous": [{"axis": [0, 0, 1]}]}}', "offset is missing"),
        ('{"1": {"diameter": 15}}', "wrong --unit"),
        ('{"1": {"min_x": 500}}', "wrong --unit"),
        ('{"1": {"symmetries_discrete": [[1, 2]]}}', "[0] must be 16 finite numbers"),
        (
            '{"1": {"symmetries_continuous": [{"axis": [0, 0, 0], "offset": [0, 0, 0]}]}}',
            "direction",
        ),
    ],
)
def test_a_record_that_does_not_fit_its_mesh_is_refused(lump, tmp_path, record, reason):
    lump.apply_scale(1000)
    lump.export(tmp_path / "obj_000001.ply")
    (tmp_path / "models_info.json").write_text(record)
    message = refusal(load_models, [tmp_path])
    assert reason in message and len(message) < 500


def test_the_diameter_is_the_largest_distance(rng):
    for points in (
        rng.normal(size=(1500, 3)),
        rng.normal(size=(1500, 3)) * [1, 1, 0],  # flat
        rng.normal(size=(1500, 1)) * [1.0, 2.0, 3.0],  # on a line
        np.eye(3),
    ):
        assert diameter(points) == pytest.approx(pdist(points).max(), rel=1e-9)


def test_object_zero_is_refused_for_it_stands_for_no_object(tmp_path):
    write_ply(tmp_path / "obj_000000.ply", load_models(["assets"], obj_ids=[1])[1].mesh)
    with pytest.raises(InputError, match=r"obj_000000\.ply: object ids begin at 1"):
        load_models([tmp_path], unit="mm")
