"""What is said of meshes whose unit nothing says, and of those that must have another."""

import logging

import pytest
import trimesh

from render.mesh.mesh import load_models
from tests.mesh_samples import refusal


def write_box(path, *sides):
    path.parent.mkdir(exist_ok=True)
    trimesh.creation.box(extents=sides).export(path)
    return path


def said(caplog, *args, **options):
    caplog.clear()
    with caplog.at_level(logging.INFO, "render.mesh.unit"):
        load_models(*args, **options)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize("suffix", ["stl", "obj", "ply", "off"])
def test_a_size_in_metres_that_nothing_gave_is_said_once(suffix, tmp_path, caplog):
    small = write_box(tmp_path / f"small.{suffix}", 0.1, 0.1234, 0.04)
    line = f"{small}: 0.123 m across, read in metres; --unit says otherwise"
    assert said(caplog, [small]) == [("INFO", line)]
    assert said(caplog, [small]) == []
    large = write_box(tmp_path / f"cm.{suffix}", 10, 6, 4)  # a hand-held object in cm
    line = f"{large}: 10 m across, read in metres; --unit says otherwise"
    assert said(caplog, [large]) == [("WARNING", line)]


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_nothing_is_said_where_the_unit_is_known(suffix, tmp_path, caplog):
    plain = write_box(tmp_path / "a.stl", 1.2, 1, 1)
    assert said(caplog, [plain], unit="m") == []
    assert said(caplog, [write_box(tmp_path / suffix / f"a.{suffix}", 1.2, 1, 1)]) == []
    (tmp_path / "models_info.json").write_text("{}")
    assert said(caplog, [plain]) == []
    assert said(caplog, ["assets"]) == []


def test_of_a_folder_the_smallest_and_the_largest_are_said(tmp_path, caplog):
    for name, side in (("a", 0.05), ("b", 0.2), ("c", 4.0)):
        write_box(tmp_path / f"{name}.stl", side, side, side)
    other = write_box(tmp_path / "other" / "d.ply", 0.3, 0.1, 0.1)
    end = "read in metres; --unit says otherwise"
    assert said(caplog, [tmp_path, other]) == [
        ("WARNING", f"{tmp_path}: 3 meshes: 0.05 to 4 m across (c.stl), {end}"),
        ("INFO", f"{other}: 0.3 m across, {end}"),
    ]


def test_commands_without_a_unit_are_told_of_models_info(tmp_path):
    """`pair`, `train` and `run` read the meshes of a BOP dataset, and have no --unit."""
    mm = write_box(tmp_path / "obj_000001.ply", 100, 60, 40)
    line = refusal(load_models, [tmp_path])
    assert "100 m across when read in m" in line
    assert line.endswith(
        "give --unit mm, or put a models_info.json beside it, as BOP has it; {} in it is enough"
    )
    (tmp_path / "models_info.json").write_text("{}")
    assert load_models([tmp_path])[1].diameter == pytest.approx(0.12329, abs=1e-5)

    write_box(mm, 0.1, 0.06, 0.04)
    line = refusal(load_models, [tmp_path])
    assert line.endswith("give --unit m, or, of a BOP dataset, bring its meshes to mm")
