"""Objects by the names that people have for them."""

import json

import pytest
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.json_file import read_json
from render.mesh.mesh import load_models, write_models
from render.mesh.names import ids_of, name_in_file, read_names
from tests.small_dataset import cuboid, cuboids


def meshes(folder, *files):
    """The same mesh under several file names."""
    folder.mkdir(parents=True, exist_ok=True)
    write_models(folder / "one", [cuboids()[1]])
    ply = (folder / "one" / "obj_000001.ply").read_bytes()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(ply)
    return [folder / name for name in files]


def render(out, *arguments):
    size = ["--size", "64x48", "--frames", 2, "--workers", 1, "--out", out]
    result = CliRunner().invoke(main, ["render", *map(str, [*arguments, *size])])
    assert result.exit_code == 0, result.output
    return out


def categories(out):
    record = read_json(out / "train" / "000000" / "scene_gt_coco.json")
    return {category["id"]: category["name"] for category in record["categories"]}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cup.glb", "cup"),
        ("obj_000005.ply", ""),
        ("007.ply", ""),
        ("mean.stl", ""),
        ("002_chef_can/google_16k/textured.obj", "002_chef_can"),
    ],
)
def test_an_object_is_called_as_its_file(tmp_path, file, name):
    assert name_in_file(tmp_path / file, 1) == name


def test_files_of_one_name_are_told_apart_by_their_ids(tmp_path):
    files = meshes(tmp_path, "a/cup.ply", "b/cup.ply", "plate.ply")
    models = load_models(files, "mm")
    assert [model.name for model in models.values()] == ["cup-1", "cup-2", "plate"]


def test_a_dataset_keeps_the_names_and_coco_has_them(tmp_path):
    files = meshes(tmp_path, "cup.ply", "plate.ply")
    arguments = ["--objects", files[0], "--objects", f"{files[0]},{files[1]}", "--unit", "mm"]
    out = render(tmp_path / "out", *arguments)
    table = read_json(out / "models" / "names.json")
    plate = {"name": "plate", "file": "plate.ply"}
    assert table == {"1": {"name": "cup", "file": "cup.ply"}, "2": plate}
    assert read_json(out / "generation.json")["objects"] == table
    assert categories(out) == {1: "cup", 2: "plate"}
    models = load_models([out / "models"])
    assert [model.name for model in models.values()] == ["cup", "plate"]


def test_names_are_given_and_asked_for(tmp_path):
    files = meshes(tmp_path, "obj_000003.ply", "obj_000008.ply")
    arguments = ["--objects", ",".join(map(str, files)), "--unit", "mm"]
    arguments += ["--names", "mug,jug", "--obj-ids", "jug"]
    out = render(tmp_path / "out", *arguments)
    assert categories(out) == {3: "mug", 8: "jug"}
    gt = read_json(out / "train" / "000000" / "scene_gt.json")
    assert {a["obj_id"] for annotations in gt.values() for a in annotations} == {8}
    assert read_json(out / "generation.json")["settings"]["render"]["obj_ids"] == [8]


def test_without_names_a_dataset_has_numbers_and_no_table(tmp_path):
    (file,) = meshes(tmp_path, "obj_000003.ply")
    out = render(tmp_path / "out", "--objects", file, "--unit", "mm")
    assert categories(out) == {3: "3"}
    assert not (out / "models" / "names.json").exists()
    objects = read_json(out / "generation.json")["objects"]
    assert objects == {"3": {"file": "obj_000003.ply"}}


def test_a_dataset_that_was_begun_with_numbers_goes_on_with_numbers(tmp_path):
    """As versions before names left it: its models, and no scene yet."""
    (file,) = meshes(tmp_path, "cup.ply")
    out = render(tmp_path / "out", "--objects", file, "--unit", "mm")
    (out / "models" / "names.json").unlink()
    made = read_json(out / "generation.json")
    del made["objects"]
    (out / "generation.json").write_text(json.dumps(made))
    (out / "train" / "000000").rename(tmp_path / "before")
    render(out, "--objects", file, "--unit", "mm")
    assert categories(out) == {1: "1"}


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"x": "cup"}, "keys must be object ids"),
        ({"1": 5}, "an object with names"),
        ({"1": "5"}, "a name is no number"),
        ({"1": "a,b"}, "a name has no comma"),
        ({"1": " "}, "printable characters"),
        ({"1": "cup", "2": {"name": "cup"}}, "two objects are called cup"),
    ],
)
def test_a_damaged_table_is_refused_in_a_line_that_names_it(tmp_path, table, fault):
    (tmp_path / "names.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match=fault) as caught:
        read_names(tmp_path)
    assert str(tmp_path / "names.json") in str(caught.value)


def test_a_name_that_nobody_has_is_refused_with_the_nearest(tmp_path):
    assert ids_of((5, "cup"), {1: "cup", 5: ""}, "data.objects") == (5, 1)
    with pytest.raises(InputError, match=r"data\.objects: there is no object cupp; did you mean"):
        ids_of(("cupp",), {1: "cup", 5: ""}, "data.objects")


def test_names_must_be_as_many_as_objects(tmp_path):
    write_models(tmp_path / "m", [cuboid(1, (0, 0, 0), (0.1, 0.1, 0.1)), cuboids()[2]])
    arguments = ["render", "--objects", str(tmp_path / "m"), "--names", "cup"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1 and not (tmp_path / "out").exists()
    assert "render.names: 1 names for 2 objects (1 of obj_000001.ply, 2 of" in result.output
