import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop import read_split
from render.frame import Annotation
from render.mesh.box import box_corners
from render.transforms import apply, rigid
from tests.small_dataset import CAMERA, annotate, cuboids, random_frames, write_dataset
from tests.small_dataset import smooth_picture as picture
from train.objects.crops import cut, square_crop, training_crop, warp
from train.objects.data import DataConfig, find_dataset, load_instances, load_twins
from train.objects.sources import check_frames
from train.options import CropConfig

MODELS = cuboids()
NOTHING = (-1, -1, -1, -1)


@pytest.fixture(scope="module")
def frames():
    """Images 1, 4, 7, ..., 28; object 2 is missing from 1, hidden in 4 and hardly seen in 7."""
    frames = random_frames(np.random.default_rng(0), MODELS, 10)

    def change(im_id, **changes):
        one, two = frames[im_id].annotations
        frames[im_id] = replace(frames[im_id], annotations=(one, replace(two, **changes)))

    frames[1] = replace(frames[1], annotations=frames[1].annotations[:1])
    change(4, visib_fract=0.0, bbox_visib=NOTHING, bbox_obj=NOTHING)
    change(7, visib_fract=0.09)
    return frames


@pytest.fixture(scope="module")
def root(tmp_path_factory, frames) -> Path:
    return write_dataset(tmp_path_factory.mktemp("instances") / "small", MODELS, frames)


@pytest.fixture(scope="module")
def images(root):
    return read_split(root, "test")


def test_real_frames_are_looked_for_before_long_work(root, tmp_path):
    split = tmp_path / "split.json"
    data = DataConfig(dataset=str(root), split="test", split_file=str(split))
    split.write_text(json.dumps({"train": [[2, 10]], "test": [[2, 13]]}))
    check_frames(data, root, [1, 2], seed=0)
    split.write_text(json.dumps({"train": [[2, 1]], "test": [[2, 999]]}))
    with pytest.raises(InputError) as caught:
        check_frames(data, root, [1, 2], seed=0)
    assert "2 faults: " in str(caught.value)
    assert "no image shows object 2" in str(caught.value) and "image 999" in str(caught.value)

    split.write_text(json.dumps({"train": [[2, 10]], "test": [[2, 13]]}))
    with pytest.raises(InputError, match=r"boxes\.json: no such file"):
        check_frames(replace(data, boxes=str(tmp_path / "boxes.json")), root, [1, 2], seed=0)


def twin_dataset(folder: Path, frames) -> list:
    """Other pictures under the same ids and poses, all of them drawn, as two splits."""
    rng = np.random.default_rng(7)
    halves = np.repeat(np.array([1, 2], np.uint8), CAMERA.width // 2)
    instance = np.tile(halves, (CAMERA.height, 1))
    for split in ("twin0", "twin1"):
        drawn = {i: replace(f, rgb=picture(rng), instance=instance) for i, f in frames.items()}
        write_dataset(folder, MODELS, drawn, split)
    return [image for split in ("twin0", "twin1") for image in read_split(folder, split)]


def test_a_dataset_is_a_folder_or_a_name_under_bop_path(root, monkeypatch):
    monkeypatch.delenv("BOP_PATH", raising=False)
    assert find_dataset(str(root)) == root
    with pytest.raises(InputError, match="BOP_PATH is not set"):
        find_dataset("small")
    monkeypatch.setenv("BOP_PATH", str(root.parent))
    assert find_dataset("small") == root
    with pytest.raises(InputError, match="nor is it in BOP_PATH="):
        find_dataset("large")


# What is cut out of them


def test_instances_are_those_visible_enough_in_the_order_of_their_ids(images):
    keys = [instance.key for instance in load_instances(images, MODELS[2], min_visib=0.1)]
    assert keys == [(2, i, 1) for i in range(10, 29, 3)]
    keys = [instance.key for instance in load_instances(images, MODELS[2], min_visib=0.05)]
    assert keys == [(2, i, 1) for i in range(7, 29, 3)]


def test_what_is_not_visible_at_all_is_no_instance(images):
    """Its boxes are -1, -1, -1, -1 in BOP: a crop there would show nothing of it."""
    keys = [instance.key for instance in load_instances(images, MODELS[2], min_visib=0.0)]
    assert (2, 4, 1) not in keys and (2, 7, 1) in keys


@pytest.mark.parametrize("boxes", ["bbox_visib", "bbox_obj"])
def test_boxes_are_the_annotations(images, frames, boxes):
    for instance in load_instances(images, MODELS[1], boxes):
        assert instance.box == getattr(frames[instance.key[1]].annotations[0], boxes)


def test_corners_are_projected_under_every_symmetry(images):
    for instance in load_instances(images, MODELS[2]):
        pose = instance.annotation.cam_from_obj
        turned = pose @ rigid(np.diag([-1.0, -1, 1]), np.zeros(3))
        corners = box_corners(MODELS[2].box)
        expected = [CAMERA.project(apply(p, corners)) for p in (pose, turned)]
        np.testing.assert_allclose(instance.corners, expected, atol=1e-9)


def test_a_window_is_its_part_of_the_image(images, frames):
    for instance in load_instances(images, MODELS[1]):
        (x, y), (height, width) = instance.corner, instance.window.shape[:2]
        rgb = frames[instance.key[1]].rgb
        np.testing.assert_array_equal(instance.window, rgb[y : y + height, x : x + width])


@pytest.mark.parametrize("size", [32, 128])
def test_a_crop_from_the_window_is_the_crop_from_the_image(images, frames, rng, size):
    """Under the largest training jitter, wherever the crop lies inside the image."""
    config = CropConfig(size=size, angle_deg=30.0, shift=0.1, scale=0.15)
    compared = 0
    for instance in [i for _ in range(6) for i in load_instances(images, MODELS[1])]:
        crop_from_image = training_crop(rng, instance.box, config)
        edges = np.array([[0, 0], [0, size], [size, 0], [size, size]]) - 0.5
        seen = (edges - crop_from_image[:, 2]) @ np.linalg.inv(crop_from_image[:, :2]).T
        if (seen < 1).any() or (seen > np.array(CAMERA.size) - 2).any():
            continue
        compared += 1
        whole = warp(frames[instance.key[1]].rgb, crop_from_image, size)
        difference = whole.astype(int) - cut(instance, crop_from_image, size)
        assert np.abs(difference).max() <= 1  # of rounding
    assert compared > 20


def test_an_infinite_reach_keeps_the_whole_image(images, frames):
    for instance in load_instances(images, MODELS[1], reach=np.inf):
        assert instance.corner == (0, 0)
        np.testing.assert_array_equal(instance.window, frames[instance.key[1]].rgb)


@pytest.mark.parametrize("unknown", ["visib_fract", "bbox_visib", "bbox_obj"])
def test_a_dataset_that_does_not_say_what_is_visible_is_refused(tmp_path, frames, unknown):
    first: Annotation = replace(frames[1].annotations[0], **{unknown: None})
    write_dataset(tmp_path, MODELS, {1: replace(frames[1], annotations=(first,))})
    with pytest.raises(InputError, match=r"no scene_gt_info\.json with boxes and visib_fract"):
        load_instances(read_split(tmp_path, "test"), MODELS[1])


# Twins


def test_twins_are_the_same_windows_of_the_twins_pixels(images, frames, tmp_path):
    twin_images = twin_dataset(tmp_path, frames)
    instances = load_instances(images, MODELS[2])
    for instance, twins in zip(instances, load_twins(twin_images, instances), strict=True):
        sources = [image for image in twin_images if image.im_id == instance.key[1]]
        assert len(twins) == len(sources) == 2
        for twin, source in zip(twins, sources, strict=True):
            (x, y), (height, width) = instance.corner, instance.window.shape[:2]
            expected = source.read_rgb()[y : y + height, x : x + width]
            np.testing.assert_array_equal(twin.window, expected)
            assert twin.key == instance.key and twin.box == instance.box
            assert twin.corner == instance.corner and twin.corners is instance.corners


def test_an_instance_without_a_twin_is_named(images, frames, tmp_path):
    twin_images = twin_dataset(tmp_path, frames)
    left = [image for image in twin_images if image.im_id != 13]
    with pytest.raises(InputError, match="image 13 of scene 2 has no twin"):
        load_twins(left, load_instances(images, MODELS[1]))


def test_twins_at_other_poses_are_refused(images, frames, tmp_path):
    other = random_frames(np.random.default_rng(1), MODELS, 10)
    with pytest.raises(InputError, match="annotation 0 is not the real frame's"):
        load_twins(twin_dataset(tmp_path, other), load_instances(images, MODELS[1]))


def test_twins_of_another_object_are_refused(images, frames, tmp_path):
    """They show the real pixels of this one, and would teach that real is synthetic."""
    undrawn = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    drawn = {i: replace(frame, instance=undrawn) for i, frame in frames.items()}
    write_dataset(tmp_path, MODELS, drawn, "twin0")
    with pytest.raises(InputError, match="twins of other objects than 2"):
        load_twins(read_split(tmp_path, "twin0"), load_instances(images, MODELS[2]))


def test_a_box_half_outside_the_image_has_its_window_inside(tmp_path, rng):
    pose = rigid(np.eye(3), [-0.16, 0.0, 0.3])  # its middle is left of the image
    visible = (0.0, 50.0, 6.0, 25.0)
    annotation = annotate(1, pose, MODELS[1], visib_fract=0.2, bbox_visib=visible)
    (frame,) = random_frames(rng, {}, 1).values()
    write_dataset(tmp_path, MODELS, {1: replace(frame, annotations=(annotation,))})
    for boxes in ("bbox_visib", "bbox_obj"):
        (instance,) = load_instances(read_split(tmp_path, "test"), MODELS[1], boxes)
        assert instance.corner[0] == 0 and instance.window.size
        crop_from_image = square_crop(instance.box, CropConfig(size=32))
        assert cut(instance, crop_from_image, 32).shape == (32, 32, 3)
