"""Points of the surface, from the mesh to what a network is trained on and read by."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import PoseNet, build
from train.learn.start import begin
from train.learn.targets import ObjectInfo
from train.learn.trainer import Training
from train.objects.crops import ObjectCrops, square_crop, to_crop
from train.objects.data import load_instances
from train.objects.keypoints import surface_points
from train.objects.predict import predict
from train.options import CropConfig, TrainConfig

MODEL = cuboids()[2]  # looks alike after half a turn
CAMERA = Camera(np.array([[300, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)
CROP = CropConfig(size=32)
COUNT = 12
SURFACE = surface_points(MODEL.mesh, COUNT)
TARGET = ObjectInfo(2, MODEL.box, CAMERA, surface=SURFACE)


def checkpoint_of(net: PoseNet, target: ObjectInfo = TARGET) -> Checkpoint:
    return Checkpoint(net, "small", CROP, target, "synthetic", 1, {"steps": 1}, {})


def test_points_lie_on_the_surface_far_from_one_another():
    low, high = MODEL.box
    to_side = np.minimum(SURFACE - low, high - SURFACE).min(axis=1)  # the mesh is its own box
    np.testing.assert_allclose(to_side, 0, atol=1e-6)
    distances = np.linalg.norm(SURFACE[:, None] - SURFACE, axis=2) + 1e9 * np.eye(COUNT)
    # Discs around them, as large as keeps them apart, cover a good part of the surface.
    assert (
        COUNT * np.pi * (distances.min() / 2) ** 2
        > 0.4 * trimesh.Trimesh(MODEL.mesh.vertices, MODEL.mesh.faces).area
    )


def test_more_points_are_the_same_and_others():
    np.testing.assert_array_equal(surface_points(MODEL.mesh, 20)[:COUNT], SURFACE)
    assert surface_points(MODEL.mesh, 0).shape == (0, 3)


def test_targets_are_where_the_points_are_seen_under_every_symmetry(tmp_path: Path, rng):
    write_dataset(tmp_path, cuboids(), random_frames(rng, cuboids(), 3))
    first, *_ = load_instances(read_split(tmp_path, "test"), MODEL)
    crop = square_crop(first.box, CROP)
    crops = ObjectCrops(CROP, SURFACE)
    found = crops.targets(first, crop)
    assert found.shape == (len(MODEL.symmetries), crops.outputs) and crops.outputs == TARGET.outputs
    for symmetry, places in zip(MODEL.symmetries, found, strict=True):
        pose = first.annotation.cam_from_obj @ symmetry
        seen = first.camera.project(apply(pose, TARGET.points))
        np.testing.assert_allclose(places.reshape(-1, 2), to_crop(seen, crop, 32), atol=1e-9)
    without = ObjectCrops(CROP).targets(first, crop)
    np.testing.assert_array_equal(found[:, :16], without)


def test_the_pose_is_of_all_points(rng):
    """Corners that are off count for less with points of the surface beside them."""
    pose = rigid(random_rotation(rng), [0.02, -0.01, 0.6])
    box = (100.0, 60.0, 120.0, 120.0)
    crop = square_crop(box, CROP)
    places = CAMERA.project(apply(pose, TARGET.points))
    places[0] += [4, 0]
    errors = []
    for target in (TARGET, ObjectInfo(2, MODEL.box, CAMERA)):
        read = to_crop(places[: len(target.points)], crop, CROP.size)
        net = build("small", CROP.size, False, target.outputs)
        with torch.no_grad():
            net.predict.weight.zero_()
            net.predict.bias.copy_(torch.from_numpy(read.ravel()))
        crops = np.zeros((1, 32, 32, 3), np.uint8)
        (found,) = predict(checkpoint_of(net, target), crops, [crop], [CAMERA], torch.device("cpu"))
        np.testing.assert_allclose(found.corners, places[:8], atol=1e-3)
        assert found.cam_from_obj is not None
        errors.append(np.linalg.norm(found.cam_from_obj[:3, 3] - pose[:3, 3]))
    assert errors[0] < 0.7 * errors[1]


def test_a_checkpoint_keeps_its_points(tmp_path: Path):
    net = build("small", CROP.size, False, TARGET.outputs)
    checkpoint_of(net).save(tmp_path / "checkpoint.pt")
    np.testing.assert_array_equal(Checkpoint.load(tmp_path).object.surface, SURFACE)


def test_a_start_that_reads_other_points_is_refused(tmp_path: Path):
    plain = ObjectInfo(2, MODEL.box, CAMERA)
    checkpoint_of(build("small", CROP.size, False, plain.outputs), plain).save(
        tmp_path / "checkpoint.pt"
    )
    training = Training("mixed", 2, TARGET, TrainConfig("small"), CROP, 0, tmp_path)
    with pytest.raises(InputError, match=r"crops of object 2, not .* object 2 with 12 surface"):
        begin(training)
