"""The scenes of a BOP split: which folders are some, and which records go with one another."""

import json
import shutil

import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import write_scene
from render.frame import Frame
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset


@pytest.fixture
def root(tmp_path, rng):
    """Images 1 and 4 of two objects, in scene 2."""
    return write_dataset(tmp_path / "data", cuboids(), random_frames(rng, cuboids(), 2))


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def write_blank(root, *cameras):
    """A scene of black images by these cameras."""
    frames = [Frame(c, rgb=np.zeros((c.height, c.width, 3), np.uint8)) for c in cameras]
    write_scene(root / "train" / "000001", [(i, frame, None) for i, frame in enumerate(frames)])


def test_each_camera_has_its_own_size(tmp_path):
    small = Camera(CAMERA.K * [[0.5], [0.5], [1]], 80, 60)
    write_blank(tmp_path, CAMERA, small)
    assert [im.camera.size for im in read_split(tmp_path, "train")] == [(160, 120), (80, 60)]


def test_an_image_that_was_scaled_without_its_camera_is_named(tmp_path):
    write_blank(tmp_path, CAMERA, Camera(CAMERA.K, 320, 240), CAMERA)
    line = r"000001\.png has 320x240 pixels, but image 0, of the same cam_K, has 160x120"
    with pytest.raises(InputError, match=line):
        read_split(tmp_path, "train")


def test_records_that_do_not_pair_up_are_refused(root):
    scene = root / "test" / "000002"
    edit(scene / "scene_gt_info.json", lambda c: c["1"].pop())
    with pytest.raises(InputError, match=r"scene_gt_info\.json, image 1"):
        read_split(root, "test")
    edit(scene / "scene_camera.json", lambda c: c.pop("4"))
    with pytest.raises(InputError, match=r"scene_camera\.json: image 4"):
        read_split(root, "test")


def test_an_image_shows_nothing_only_where_the_ground_truth_says_so(root):
    scene = root / "test" / "000002"
    for name in ("scene_gt.json", "scene_gt_info.json"):
        edit(scene / name, lambda c: c.update({"1": []}))
    assert read_split(root, "test")[0].annotations == ()
    for name in ("scene_gt.json", "scene_gt_info.json"):
        edit(scene / name, lambda c: c.pop("1"))
    line = r"scene_gt\.json: image 1, which scene_camera\.json has, is missing; .* an empty list"
    with pytest.raises(InputError, match=line):
        read_split(root, "test")
    assert len(read_split(root, "test", [(2, 4)])) == 1
    assert read_split(root, "test", labelled=False)[0].annotations == ()


def test_two_folders_of_one_scene_are_named(root):
    shutil.copytree(root / "test" / "000002", root / "test" / "2")
    with pytest.raises(InputError, match=r"test/2: scene 2 is there twice, 000002 is it, too"):
        read_split(root, "test")


def test_a_file_is_no_scene_whatever_its_name(root):
    (root / "test" / "000009").touch()
    assert {image.scene_id for image in read_split(root, "test")} == {2}
