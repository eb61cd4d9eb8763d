"""A network is tested on every frame that it has not seen, wherever the dataset lies."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from render.dataset.generate import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.json_file import read_json
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.learn.task import Folders
from train.learn.trainer import Training
from train.objects.data import DataConfig
from train.objects.evaluate import evaluate_run, measured_model
from train.objects.seen import marks_of, training_marks
from train.objects.task import ObjectTask
from train.options import CropConfig, ExemplarConfig, RunConfig, TrainConfig

MODELS, CROP = cuboids(), CropConfig(size=32)
FRAMES = ("a", "b")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Nine frames of two objects."""
    frames = random_frames(np.random.default_rng(2), MODELS, 9)
    return write_dataset(tmp_path_factory.mktemp("seen") / "data", MODELS, frames)


def network(folder, seen):
    target = ObjectInfo(2, MODELS[2].box, CAMERA)
    net = build("small", CROP.size, with_mapping=False)
    saved = Checkpoint(net, "small", CROP, target, "real", 1, {"steps": 1}, {}, None, seen)
    folder.mkdir(parents=True)
    saved.save(folder / "checkpoint.pt")
    return folder


def evaluate(root, run, out, refine=0, **data):
    config = {"run": RunConfig(refine=refine), "data": DataConfig(dataset=str(root), **data)}
    config |= {"exemplar": ExemplarConfig(), "crop": CROP}
    text = evaluate_run(config, run, None, out, 0, "cpu")
    return text.splitlines()[0], read_json(out / "split.json")


def test_all_frames_of_a_dataset_that_a_network_never_saw_are_tested_on(root, tmp_path):
    run = network(tmp_path / "run", ())
    heading, split = evaluate(root, run, tmp_path / "out")
    assert "9 test instances of object 2, in all 9 frames, none of which it has seen" in heading
    assert len(split["test"]) == 9 and not split["train"]


def test_what_it_was_trained_on_is_left_out_though_the_dataset_was_moved(root, tmp_path):
    trained = DataConfig(dataset=str(root), train_fraction=0.4)
    run = network(tmp_path / "run", training_marks(trained, root, seed=7))
    moved = tmp_path / "moved"
    moved.symlink_to(root)
    heading, split = evaluate(moved, run, tmp_path / "out")
    assert "in the 5 of 9 frames that it has not seen" in heading
    seen = [i for i in read_split(root, "test") if [i.scene_id, i.im_id] in split["train"]]
    assert marks_of(seen) == training_marks(trained, root, seed=7)


@pytest.mark.parametrize("seen", [(), None])
def test_what_the_user_says_counts_whatever_was_seen(root, tmp_path, seen):
    run = network(tmp_path / "run", seen)
    _, split = evaluate(root, run, tmp_path / "out", train_fraction=0.4)
    assert len(split["test"]) == 5


def test_of_an_old_network_the_usual_share_is_left_out(root, tmp_path):
    heading, split = evaluate(root, network(tmp_path / "run", None), tmp_path / "out")
    assert len(split["test"]) == 8 and heading.endswith("8 test instances of object 2")


def test_an_object_is_called_by_its_name_though_the_meshes_to_measure_on_have_none(root, tmp_path):
    named = shutil.copytree(root, tmp_path / "named")
    shutil.copytree(named / "models", named / "models_eval")
    (named / "models" / "names.json").write_text('{"2": "boat"}')
    heading, _ = evaluate(named, network(tmp_path / "run", None), tmp_path / "out")
    assert heading.endswith("8 test instances of boat")
    assert read_json(tmp_path / "out" / "results.json")["names"] == {"2": "boat"}
    assert measured_model(named, 2).name == "boat"


def test_a_network_that_has_seen_all_is_not_tested(root, tmp_path):
    run = network(tmp_path / "run", marks_of(read_split(root, "test")))
    with pytest.raises(InputError, match="has seen all 9 frames"):
        evaluate(root, run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_for_another_object_of_the_same_number_is_not_tested(root, tmp_path):
    run, net = tmp_path / "run", build("small", CROP.size, with_mapping=False)
    run.mkdir()
    target = ObjectInfo(2, MODELS[1].box, CAMERA)
    saved = Checkpoint(net, "small", CROP, target, "real", 1, {"steps": 1}, {})
    saved.save(run / "checkpoint.pt")
    with pytest.raises(InputError, match="is for another object 2 than that of"):
        evaluate(root, run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_colours_are_not_taken_from_frames_that_are_tested_on(root, tmp_path):
    with pytest.raises(InputError, match=r"run\.refine takes an object's colours from frames"):
        evaluate(root, network(tmp_path / "run", ()), tmp_path / "out", refine=2)
    assert not (tmp_path / "out").exists()


def test_every_frame_has_a_word_of_its_own_that_its_poses_give(root):
    images = read_split(root, "test")
    assert len(set(marks_of(images))) == 9
    (gt, *rest) = images[0].annotations
    pose = gt.cam_from_obj.copy()
    pose[0, 3] += 1e-5
    other = replace(images[0], annotations=(replace(gt, cam_from_obj=pose), *rest))
    assert marks_of([other]) != marks_of(images[:1])


@pytest.mark.parametrize(
    ("method", "around", "expected"),
    [("synthetic", False, ()), ("synthetic", True, FRAMES), ("mixed", False, FRAMES)],
)
def test_synthetic_networks_see_frames_only_where_images_show_of_them(method, around, expected):
    target = ObjectInfo(2, MODELS[2].box, CAMERA)
    first = Training(method, 1, target, TrainConfig(), CROP, 0, None, FRAMES, around)
    assert first.seen() == expected
    assert replace(first, frames=None).seen() is None


def test_what_the_start_has_seen_is_seen(tmp_path):
    target, run = ObjectInfo(2, MODELS[2].box, CAMERA), network(tmp_path / "run", ("c",))
    going_on = Training("mixed", 1, target, TrainConfig(), CROP, 0, run, FRAMES)
    assert going_on.seen() == ("a", "b", "c")
    assert json.loads(json.dumps(Checkpoint.load(run).seen)) == ["c"]


@pytest.mark.parametrize(("shown", "frames"), [(True, None), (False, ())])
def test_of_synthetic_images_alone_nobody_knows_which_frames_they_show(
    root, tmp_path, shown, frames
):
    """A preset's split file lists frames of its real dataset, not of the rendered one."""
    config = {"run": RunConfig(real_views=shown, real_background=shown), "crop": CROP}
    config |= {"data": DataConfig(dataset="nowhere", split_file="split.json", objects=(2,))}
    config |= {"train": TrainConfig(), "render": RenderConfig()}
    task = ObjectTask(config, tmp_path, seed=0)
    material = task.material("synthetic", Folders(synthetic=root), torch.device("cpu"))
    assert material.frames == frames and material.inputs.synthetic
