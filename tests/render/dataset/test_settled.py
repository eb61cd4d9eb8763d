"""Datasets whose frames share settled scenes: the same bytes whoever makes them."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.kill import same_files
from pipeline import main
from render.dataset.folder import read_record
from render.dataset.generate import generate
from render.dataset.inputs import SceneInputs
from render.dataset.parts import cut
from render.dataset.settled_frames import shared_scenes
from render.dataset.train_val import train_and_val
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import write_models
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec
from render.sensor.config import SensorConfig
from tests.render.dataset.interrupted import interrupt_at_the_third_part
from tests.small_dataset import cuboids

SCENE = SceneConfig(
    layout="bin",
    surroundings="room",
    cameras=3,
    objects_per_frame=(3, 4),
    clutter_per_frame=(1, 2),
    zoom=(0.5, 0.9),
    shadow_chance=1.0,
)


@pytest.fixture(scope="module")
def render(tmp_path_factory) -> RenderConfig:
    """Of two cuboids, whose scenes are cut off by the folders' ends."""
    folder = tmp_path_factory.mktemp("settled") / "meshes"
    write_models(folder, cuboids().values())
    return RenderConfig(
        objects=(str(folder),), frames=8, size=(64, 48), frames_per_scene=5, exact=True
    )


@pytest.fixture(scope="module")
def whole(render, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("settled") / "whole"
    generate(render, SCENE, out, seed=4, workers=1)
    return out


@pytest.mark.slow
def test_two_workers_make_the_same_bytes_as_one(render, whole, tmp_path):
    generate(render, SCENE, tmp_path / "out", seed=4, workers=2)
    assert same_files(tmp_path / "out", whole)


@pytest.mark.slow
def test_an_interrupted_dataset_ends_up_the_same(render, whole, tmp_path):
    out = tmp_path / "out"
    interrupt_at_the_third_part(render, SCENE, out, seed=4, workers=1)
    generate(render, SCENE, out, seed=4, workers=2)
    assert same_files(out, whole)


@pytest.mark.slow
def test_a_frame_drawn_alone_is_the_dataset_s(render, whole):
    """From its id alone, in another process's place: the last frame, no other was drawn before."""
    text = json.loads((whole / "train/000001/scene_spec.json").read_text())["2"]
    spec = SceneSpec.from_json(json.dumps(text))
    inputs = SceneInputs(render, SCENE, SensorConfig(), 4)
    assert inputs.randomizer.scene(7) == spec


@pytest.mark.slow
def test_a_frame_is_drawn_again_to_the_byte(whole, tmp_path):
    frame, out = whole / "train/000001/rgb/000001.png", tmp_path / "again.png"
    result = CliRunner().invoke(main, ["render", "--replay", str(frame), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == frame.read_bytes()


@pytest.mark.slow
def test_validate_finds_no_fault_and_prints_how_deep_things_reach(whole):
    result = CliRunner().invoke(main, ["validate", str(whole)])
    assert result.exit_code == 0, result.output
    *_, survey, line = result.output.splitlines()
    assert survey.endswith("no fault")
    assert line.startswith("on tables, in 8 frames: objects reach at most 0.00 mm into one another")


@pytest.mark.slow
def test_frames_hold_objects_in_a_room_without_gaps(whole):
    images = list(read_split(whole, "train"))
    for image in images:
        assert (image.read_depth() > 0).all()  # walls everywhere
    visible = [a.visib_fract for image in images for a in image.annotations]
    assert np.mean(np.array(visible) > 0.1) > 0.7


@pytest.mark.slow
def test_a_dataset_says_which_physics_it_depends_on_and_which_scenes_it_has(
    whole, render, tmp_path
):
    made = read_record(whole / "generation.json")
    assert {"mujoco-core", "coacd"} <= set(made["versions"])
    scene = made["settings"]["scene"]
    assert (scene["cameras"], scene["surroundings"]) == (3, "room")
    with pytest.raises(InputError, match=r"was made with scene\.cameras = 3, not 2"):
        generate(render, replace(SCENE, cameras=2), whole, seed=4, workers=1)
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    record = json.loads((other / "generation.json").read_text())
    record["versions"]["mujoco-core"] = "3.0.0"
    (other / "generation.json").write_text(json.dumps(record))
    shutil.rmtree(other / "train/000001")
    with pytest.raises(InputError, match=r"versions\.mujoco-core = 3\.0\.0"):
        generate(render, SCENE, other, seed=4, workers=1)


@pytest.mark.slow
def test_frames_are_known_to_share_a_scene_as_their_poses_tell(whole):
    """Objects of one scene lie the same way to one another in all its frames; folders cut it."""
    shown, lying = shared_scenes(whole), []
    for image in read_split(whole, "train"):
        poses = [a.cam_from_obj for a in image.annotations]
        apart = [np.linalg.norm(T[:3, 3] - poses[0][:3, 3]) for T in poses]
        lying.append((shown((image.scene_id, image.im_id)), apart))
    assert [scene for scene, _ in lying] == [0, 0, 0, 1, 1, 1, 2, 2]
    for (scene, one), (next_scene, other) in pairwise(lying):
        same = len(one) == len(other) and np.allclose(one, other, atol=1e-5)
        assert same == (scene == next_scene)


@pytest.mark.slow
def test_whole_settled_scenes_are_held_out_to_validate_on(whole):
    parts = train_and_val(whole, "train", "0.3")
    keys = {name: [(i.scene_id, i.im_id) for i in images] for name, images in parts.items()}
    # Frames 3 to 5 lie in both folders.
    assert keys == {
        "train": [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0)],
        "val": [(1, 1), (1, 2)],
    }
    with pytest.raises(InputError, match=r"--val 0\.1: of 8 images that show 3 settled scenes"):
        train_and_val(whole, "train", "0.1")


def test_a_hand_has_no_room_in_a_pile(render, tmp_path):
    with pytest.raises(InputError, match=r"^render\.hand: a pile has no room"):
        scene = SceneConfig(layout="pile")
        generate(replace(render, hand="bundled"), scene, tmp_path / "out", seed=0, workers=1)


def test_a_scene_is_not_in_two_splits(render, tmp_path):
    with pytest.raises(InputError, match=r"^render\.val: 7 of 10 frames .* scene\.cameras = 3"):
        parted = replace(render, frames=10, val=0.3)
        generate(parted, SCENE, tmp_path / "out", seed=0, workers=1)


@pytest.mark.parametrize(("first", "count", "most"), [(0, 100, 16), (7, 40, 30), (3, 5, 100)])
def test_parts_do_not_share_a_settled_scene(first, count, most):
    parts = list(cut(first, count, most, cameras=25))
    assert [f + i for f, n in parts for i in range(n)] == list(range(first, first + count))
    scenes = [{i // 25 for i in range(f, f + n)} for f, n in parts]
    assert all(not one & other for one, other in pairwise(scenes))


def test_a_settled_scene_of_a_thousand_cameras_is_work_for_many():
    parts = list(cut(0, 1000, 16, cameras=1000))
    assert [n for _, n in parts] == [100] * 10
