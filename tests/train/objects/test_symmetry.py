"""Which symmetries of an object count, and that networks and tests agree on them."""

import logging

import numpy as np
import pytest
import torch

from render.image_file import image_size
from render.mesh.symmetry import symmetry_transforms
from tests.small_dataset import CAMERA, HALF_TURN, cuboid, cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects.data import DataConfig
from train.objects.evaluate import evaluate_run
from train.objects.symmetry import FILE, load_object
from train.options import CropConfig, ExemplarConfig, RunConfig

BRICK = {3: cuboid(3, (-0.04, -0.03, -0.02), (0.04, 0.03, 0.02))}  # four turns, none in its record
CROP = CropConfig(size=32)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    models = {**BRICK, 2: cuboids()[2]}
    frames = random_frames(np.random.default_rng(5), models, 4)
    return write_dataset(tmp_path_factory.mktemp("symmetry") / "data", models, frames)


@pytest.mark.parametrize(
    ("obj_id", "symmetry", "count"),
    [(3, "file", 1), (3, "propose", 4), (3, "none", 1), (2, "propose", 2), (2, "none", 1)],
)
def test_what_counts(root, obj_id, symmetry, count):
    model, proposed = load_object(DataConfig(symmetry=symmetry), root, obj_id)
    assert len(model.symmetries) == count
    assert (proposed is not None) == (obj_id == 3 and symmetry == "propose")


def test_what_was_found_is_said_and_shown(root, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        load_object(DataConfig(symmetry="propose"), root, 3, tmp_path)
    (line,) = [line for line in caplog.messages if line.startswith("object 3")]
    assert "1/2 turn about x" in line and "--symmetry none" in line
    assert image_size(tmp_path / FILE)[0] > 4 * 200  # as it is, and three turns
    with caplog.at_level(logging.INFO):
        caplog.clear()
        load_object(DataConfig(symmetry="propose"), root, 3, tmp_path)
    assert not caplog.messages


def test_a_network_keeps_what_it_was_trained_with(tmp_path):
    net = build("small", CROP.size, with_mapping=False)
    said = {"symmetries_discrete": [HALF_TURN]}
    target = ObjectInfo(3, BRICK[3].box, CAMERA, said)
    saved = Checkpoint(net, "small", CROP, target, "real", 1, {"steps": 1}, {})
    saved.save(tmp_path / "checkpoint.pt")
    assert Checkpoint.load(tmp_path).object.symmetries == said
    assert target.settings == {"object": 3, "symmetries": said}


@pytest.mark.parametrize(("symmetry", "count"), [("file", 4), ("none", 1)])
def test_evaluate_takes_them_from_the_network_unless_told_otherwise(
    root, tmp_path, monkeypatch, symmetry, count
):
    _, proposed = load_object(DataConfig(symmetry="propose"), root, 3)
    assert len(symmetry_transforms(proposed)) == 4
    torch.manual_seed(3)  # whose network reads poses
    net = build("small", CROP.size, with_mapping=False)
    target = ObjectInfo(3, BRICK[3].box, CAMERA, proposed)
    Checkpoint(net, "small", CROP, target, "real", 1, {"steps": 1}, {}).save(
        tmp_path / "checkpoint.pt"
    )
    used = []
    measure = __import__("train.objects.evaluate", fromlist=["pose_errors"]).pose_errors

    def spy(pose, truth, model, camera):
        used.append(len(model.symmetries))
        return measure(pose, truth, model, camera)

    monkeypatch.setattr("train.objects.evaluate.pose_errors", spy)
    data = DataConfig(dataset=str(root), train_fraction=0.0, symmetry=symmetry)
    config = {"run": RunConfig(), "data": data, "exemplar": ExemplarConfig(), "crop": CROP}
    evaluate_run(config, tmp_path, None, tmp_path / "out", 0, "cpu")
    assert set(used) == {count}
