"""What stands before and behind an object is never the object itself."""

import json
import logging

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.image_file import read_rgb
from render.json_file import read_json
from render.mesh.mesh import write_models
from render.scene.distractors import FIRST, load_distractors
from render.scene.props import SOLIDS, TABLES
from render.scene.randomize import Randomizer, SceneConfig
from tests.small_dataset import cuboid, cuboids

FULL = {"layout": "crop", "occluder_chance": 1.0, "distractor_chance": 1.0}


def others_of(spec):
    return {placed.obj_id for placed in spec.objects if not placed.annotated}


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path):
    """Another mesh, and the object itself."""
    write_models(tmp_path / "others", [cuboids()[1], cuboid(7, (0, 0, 0), (0.05, 0.04, 0.03))])
    return tmp_path / "others"


def test_before_a_lone_object_stand_plain_solids_smaller_than_it():
    model = cuboids()[1]
    draw = Randomizer(SceneConfig(**FULL), {1: model}, (64, 64), seed=0)
    seen = set()
    for i in range(40):
        spec = draw.scene(i)
        assert spec.objects[0].annotated and spec.objects[0].obj_id == 1
        seen |= others_of(spec)
        for placed in spec.objects[1:]:
            assert max(placed.stretch) <= 0.75 * model.diameter
    assert seen <= set(SOLIDS) and len(seen) > 10


def test_among_several_objects_the_others_are_all_there_is():
    draw = Randomizer(SceneConfig(**FULL), cuboids(), (64, 64), seed=0)
    for i in range(20):
        spec = draw.scene(i)
        assert others_of(spec) == {1, 2} - {spec.objects[0].obj_id}


@pytest.mark.parametrize("layout", ["crop", "tabletop"])
def test_meshes_of_a_folder_stand_about_but_for_the_object_itself(folder, layout, caplog):
    with caplog.at_level(logging.INFO):
        meshes = load_distractors([str(folder)], [cuboids()[1]])
    assert set(meshes) == {FIRST - 7}
    assert "is object 1 itself" in caplog.text
    config = SceneConfig(**{**FULL, "layout": layout})
    draw = Randomizer(config, {1: cuboids()[1]}, (64, 64), seed=0, distractors=meshes)
    seen = set().union(*(others_of(draw.scene(i)) for i in range(20)))
    assert FIRST - 7 in seen and seen <= {FIRST - 7, *SOLIDS, *TABLES}


def test_a_folder_of_the_object_alone_is_refused(folder):
    with pytest.raises(InputError, match="holds the objects themselves alone"):
        load_distractors([str(folder / "obj_000001.ply")], [cuboids()[1]])


def test_a_dataset_of_a_lone_mesh_before_itself_is_not_gone_on_with(tmp_path, folder):
    mesh, out = folder / "obj_000001.ply", tmp_path / "out"
    arguments = ["render", "--preset", "crops", "--objects", mesh, "--unit", "mm", "--workers", 1]
    arguments += ["--frames", 2, "--size", "32x32", "--out", out]
    assert call(*arguments).exit_code == 0
    record = read_json(out / "generation.json")
    assert record["settings"].pop("distractors") == "solids"
    (out / "generation.json").write_text(json.dumps(record))
    result = call(*arguments)
    assert result.exit_code == 1
    assert "was made before distractors counted, which is now solids" in result.output


def test_frames_with_distractors_are_drawn_again_bit_for_bit(tmp_path, folder):
    out, again = tmp_path / "out", tmp_path / "again.png"
    arguments = ["render", "--preset", "crops", "--objects", folder / "obj_000007.ply"]
    arguments += ["--unit", "mm", "--workers", 1, "--frames", 2, "--size", "48x48", "--out", out]
    arguments += ["--set", "scene.occluder_chance=1", "--set", f"scene.distractors={folder}"]
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    frame = out / "train" / "000000" / "rgb" / "000001.png"
    result = call("render", "--replay", frame, "--out", again)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(read_rgb(again), read_rgb(frame))
    # Told by content: from where they were moved to, the dataset is gone on with.
    moved = folder.rename(tmp_path / "moved")
    arguments = [str(a).replace(str(folder), str(moved)) for a in arguments]
    assert call(*arguments).exit_code == 0
    (moved / "obj_000001.ply").unlink()
    result = call("render", "--replay", frame, "--out", again)
    assert result.exit_code == 1 and "Error: scene.distractors" in result.output
