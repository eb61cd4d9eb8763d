"""Real frames whose poses are not read: a list of a split file, or a folder of pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from render.capture.lens import Lens, Straightener, write_lens
from render.errors import InputError
from render.formats.bop import read_split
from render.image_file import read_rgb, write_png
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.learn.batches import Batches
from train.objects.crops import ObjectCrops
from train.objects.data import DataConfig
from train.objects.detect.detector import Found
from train.objects.read.eye import LENS
from train.objects.unlabelled.frames import find_object, unlabelled_images
from train.options import CropConfig

SPLIT = {"train": [[2, 1], [2, 4]], "test": [[2, 7]], "unlabelled": [[2, 10], [2, 13]]}
BENT = Lens(CAMERA.K * [[1.1], [1.1], [1]], np.array([0.1, -0.2, 0, 0, 0.0]), CAMERA.size)


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "real"
    write_dataset(root, cuboids(), random_frames(np.random.default_rng(4), cuboids(), 5))
    (root / "split.json").write_text(json.dumps(SPLIT))
    return root


def data(root: Path, **changes) -> DataConfig:
    return DataConfig(dataset=str(root), split_file="split.json", objects=(1,), **changes)


def pictures(root: Path, folder: Path, numbers=(10, 13)) -> Path:
    folder.mkdir()
    for number in numbers:
        shutil.copy(root / "test" / "000002" / "rgb" / f"{number:06d}.png", folder)
    return folder


def test_of_a_list_of_the_split_file_nothing_but_pixels_and_camera_is_known(root, tmp_path):
    masks = root / "test" / "000002" / "mask_visib"
    masks.mkdir()
    write_png(masks / "000010_000000.png", np.zeros((CAMERA.height, CAMERA.width), np.uint8))
    labelled = read_split(root, "test", [(2, 10), (2, 13)])
    for file in masks.parent.glob("scene_gt*.json"):  # nor need the dataset say anything
        records = json.loads(file.read_text())
        file.write_text(json.dumps({i: one for i, one in records.items() if i not in ("10", "13")}))
    found = unlabelled_images(data(root), root, tmp_path, 0)
    assert [(i.scene_id, i.im_id) for i in found] == [(2, 10), (2, 13)]
    assert labelled[0].read_mask(0, visible=True) is not None
    for image, known in zip(found, labelled, strict=True):
        assert known.annotations and image.annotations == ()
        assert image.read_mask(0, visible=True) is None
        np.testing.assert_array_equal(image.read_rgb(), known.read_rgb())
        np.testing.assert_array_equal(image.camera.K, known.camera.K)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_frame_that_is_trained_or_tested_on_is_not_unlabelled(root, tmp_path, part):
    own = SPLIT[part][0]
    (root / "split.json").write_text(json.dumps({**SPLIT, "unlabelled": [own]}))
    with pytest.raises(InputError, match=f"1 images under unlabelled and under {part}, such as"):
        unlabelled_images(data(root), root, tmp_path, 0)


def test_a_split_file_without_a_list_of_them_is_refused(root, tmp_path):
    (root / "split.json").write_text(json.dumps({n: SPLIT[n] for n in ("train", "test")}))
    with pytest.raises(InputError, match=r"data\.split_file.*unlabelled"):
        unlabelled_images(data(root), root, tmp_path, 0)


def test_without_list_and_folder_the_option_is_named(root, tmp_path):
    with pytest.raises(InputError, match=r"data\.unlabelled: .* need a folder of pictures"):
        unlabelled_images(DataConfig(dataset=str(root)), root, tmp_path, 0)


def test_pictures_of_a_folder_have_the_camera_of_the_real_frames(root, tmp_path):
    folder = pictures(root, tmp_path / "photos")
    found = unlabelled_images(data(root, unlabelled=str(folder)), root, tmp_path / "run", 0)
    files = sorted(folder.iterdir())
    assert len(found) == 2
    for image, file in zip(found, files, strict=True):
        np.testing.assert_array_equal(image.read_rgb(), read_rgb(file))
        np.testing.assert_array_equal(image.camera.K, CAMERA.K)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.png")}
    unlabelled_images(data(root, unlabelled=str(folder)), root, tmp_path / "run", 0)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.png")}


def test_pictures_are_straightened_as_those_of_the_lens_that_took_the_real_frames(root, tmp_path):
    write_lens(root / "test" / "000002" / LENS, BENT, Straightener(BENT).camera)
    folder = pictures(root, tmp_path / "photos")
    found = unlabelled_images(data(root, unlabelled=str(folder)), root, tmp_path / "run", 0)
    straight = Straightener(BENT)
    for image, file in zip(found, sorted(folder.iterdir()), strict=True):
        np.testing.assert_array_equal(image.read_rgb(), straight(read_rgb(file)))
        np.testing.assert_allclose(image.camera.K, straight.camera.K)


def test_scenes_of_a_folder_have_cameras_of_their_own(root, tmp_path):
    other = tmp_path / "other"
    write_dataset(other, cuboids(), random_frames(np.random.default_rng(5), cuboids(), 2))
    file = other / "test" / "000002" / "scene_camera.json"
    records = json.loads(file.read_text())
    for record in records.values():
        record["cam_K"][0] = 170.0
    file.write_text(json.dumps(records))
    asked = data(root, unlabelled=str(other / "test"))
    found = unlabelled_images(asked, root, tmp_path / "run", 0)
    assert [image.camera.K[0, 0] for image in found] == [170.0, 170.0]


def test_a_frame_to_test_on_is_not_taken_from_a_folder(root, tmp_path):
    asked = data(root, unlabelled=str(root / "test"))
    with pytest.raises(InputError, match=r"000007\.png is one of the frames to test on"):
        unlabelled_images(asked, root, tmp_path / "run", 0)


def test_pictures_of_another_size_are_refused_by_name(root, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    write_png(folder / "a.png", np.zeros((50, 70, 3), np.uint8))
    asked = data(root, unlabelled=str(folder))
    with pytest.raises(InputError, match=r"a\.png is 70x50 and its camera unknown"):
        unlabelled_images(asked, root, tmp_path / "run", 0)


def test_a_folder_that_is_not_there_is_named(root, tmp_path):
    with pytest.raises(InputError, match=r"data\.unlabelled: .*gone is no folder"):
        unlabelled_images(data(root, unlabelled=str(tmp_path / "gone")), root, tmp_path, 0)


# For an adversary


class Detector:
    """Sure of one place in every image, or in all but the first."""

    def __init__(self, scores=(0.9, 0.9)) -> None:
        self.scores = iter(scores)

    def find(self, rgb: np.ndarray) -> Found:
        return Found((20.0, 10.0, 30.0, 40.0), next(self.scores))


def test_the_object_is_cut_out_where_it_was_found_and_nowhere_else(root, tmp_path):
    images, model = unlabelled_images(data(root), root, tmp_path, 0), cuboids()[2]
    one, other = find_object(images, Detector(), model)
    assert (one.key[:2], other.key[:2]) == ((2, 10), (2, 13))
    assert one.box == (20.0, 10.0, 30.0, 40.0)
    (x, y), (height, width) = one.corner, one.window.shape[:2]
    assert x < 20 < 50 < x + width and y < 10 < 50 < y + height
    whole = images[0].read_rgb()[y : y + height, x : x + width]
    np.testing.assert_array_equal(one.window, whole)
    assert np.isnan(one.corners).all() and np.isnan(one.annotation.cam_from_obj).all()
    (sure,) = find_object(images, Detector((0.1, 0.9)), model)
    assert sure.key == other.key
    with pytest.raises(InputError, match=r"data\.unlabelled: .* found in none of 2 frames"):
        find_object(images, Detector((0.1, 0.1)), model)


def test_an_adversary_is_shown_the_same_whatever_the_dataset_says_of_poses(root, tmp_path):
    """With others in its files the same is drawn from, and the same images come, to the bit."""
    other = Path(shutil.copytree(root, tmp_path / "other"))
    file = other / "test" / "000002" / "scene_gt.json"
    records = json.loads(file.read_text())
    for i in ("10", "13"):
        records[i] = [{**one, "cam_t_m2c": [0.0, 0.0, 700.0]} for one in records[i]]
    file.write_text(json.dumps(records))
    made = []
    for folder in (root, other):
        images = unlabelled_images(data(folder), folder, tmp_path / "run", 0)
        found = find_object(images, Detector(), cuboids()[2])
        crops = ObjectCrops(CropConfig(size=32))
        given = found, [[one] for one in found], found, "mapping_adversary", 16, crops, 1
        made.append(Batches(*given, unlabelled=found))
    assert made[0].fingerprint() == made[1].fingerprint()
    one, two = (batches.batch(3).unlabelled for batches in made)
    assert len(one) == 4 and (one == two).all() and one.isfinite().all()
