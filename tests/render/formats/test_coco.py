import numpy as np
import pytest

from render.camera import Camera
from render.formats.bop_writer import measure, write_scene
from render.formats.coco import coco_annotations, encode_rle
from render.frame import Annotation, Frame
from render.transforms import random_rotation, rigid
from tests.render.formats.coco_reader import decode_rle, precision_of_itself, read_coco

CAMERA = Camera(np.array([[50.5, 0, 19.25], [0, 51, 14.5], [0, 0, 1]]), 40, 30)


def make_frame(rng):
    """Two blocks, the second before the first and all over a third; silhouettes on the canvas."""
    canvas = np.zeros((3, 90, 120), bool)
    canvas[0, 20:50, 50:70] = True  # its upper part lies outside the image
    canvas[1, 45:60, 60:75] = True
    canvas[2, 50:55, 62:70] = True  # hidden
    instance = np.zeros((30, 40), np.uint8)
    instance[0:20, 10:30] = 1
    instance[15:30, 20:35] = 2
    poses = [rigid(random_rotation(rng), [0, 0, 0.5]) for _ in range(3)]
    annotations = tuple(Annotation(i + 3, pose) for i, pose in enumerate(poses))
    return measure(Frame(CAMERA, annotations, instance=instance), canvas), canvas


@pytest.mark.parametrize("fill", [0.0, 0.3, 0.7, 1.0])
def test_run_lengths_give_back_the_mask(rng, fill):
    mask = rng.random((31, 17)) < fill
    rle = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)
    assert all(count > 0 for count in rle["counts"][1:])


def test_run_lengths_are_those_of_bop_toolkit_by_hand():
    mask = np.array([[1, 0, 1], [1, 0, 0]], bool)
    assert encode_rle(mask) == {"counts": [0, 2, 2, 1, 1], "size": [2, 3]}


def test_an_annotation_has_the_visible_mask_and_the_box_of_the_whole_within_the_image(rng):
    frame, canvas = make_frame(rng)
    first, second = coco_annotations(7, frame, canvas[:, 30:60, 40:80], first_id=5)
    np.testing.assert_array_equal(decode_rle(first["segmentation"]), frame.instance == 1)
    assert first["area"] == (frame.instance == 1).sum()
    assert first["bbox"] == [10, 0, 20, 20]  # calc_gt_coco.py counts the last column and row
    assert second["bbox"] == [20, 15, 15, 15]
    assert [first["id"], second["id"]] == [5, 6]
    assert [first["category_id"], second["category_id"]] == [3, 4]  # the hidden one has no record


def test_objects_less_than_a_tenth_visible_are_to_be_ignored(rng):
    frame, canvas = make_frame(rng)
    frame.instance[frame.instance == 1] = 2
    frame.instance[0, 10] = 1  # 1 pixel of 600
    hardly, wholly = coco_annotations(
        0, measure(frame, canvas), canvas[:, 30:60, 40:80], first_id=1
    )
    assert (hardly["ignore"], wholly["ignore"]) == (True, False)


def test_a_scene_has_one_coco_file_with_ids_that_count_on(rng, tmp_path):
    write_scene(tmp_path, [(im_id, *make_frame(rng)) for im_id in (4, 11)], depth_scale=None)
    coco = read_coco(tmp_path / "scene_gt_coco.json")
    assert list(coco.imgs) == [4, 11] and coco.imgs[4]["file_name"] == "rgb/000004.png"
    assert list(coco.anns) == [1, 2, 3, 4]
    assert [record["image_id"] for record in coco.anns.values()] == [4, 4, 11, 11]
    assert list(coco.cats) == [3, 4]
    for kind in ("bbox", "segm"):
        assert precision_of_itself(coco, kind) == pytest.approx(1, abs=1e-9)
