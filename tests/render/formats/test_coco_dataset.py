"""COCO's files of a whole dataset, read by its own reader."""

import numpy as np
import pytest

from render.formats.coco_dataset import EDGES, CocoWriter
from render.transforms import apply
from tests.render.formats.coco_reader import KEYS, precision_of_itself, read_coco
from tests.render.formats.labelled import CLASSES, labelled_image
from tests.small_dataset import CAMERA


def written(keypoints, images, root):
    writer = CocoWriter(CLASSES, keypoints)
    for part, image in images:
        writer.add(root, part, image)
    writer.finish(root, ("train", "val"))
    name = "keypoints" if keypoints else "instances"
    return [read_coco(root / "annotations" / f"{name}_{part}.json") for part in ("train", "val")]


def test_masks_boxes_and_areas_come_back_and_ids_begin_anew_in_each_part(rng, tmp_path):
    images = [(p, labelled_image(rng, f"{p}{i}.png")) for p in ("train", "val") for i in range(2)]
    for part, coco in zip(("train", "val"), written(False, images, tmp_path), strict=True):
        expected = [image for p, image in images if p == part]
        assert [i["file_name"] for i in coco.imgs.values()] == [f"{part}0.png", f"{part}1.png"]
        assert list(coco.imgs) == [1, 2]
        assert {(i["width"], i["height"], i["scene_id"], i["im_id"]) for i in coco.imgs.values()} \
            == {(160, 120, 2, 7)}  # fmt: skip
        assert list(coco.anns) == [1, 2, 3, 4, 5, 6]
        labels = [(i, one) for i, image in enumerate(expected, 1) for one in image.labels]
        for record, (image_id, one) in zip(coco.anns.values(), labels, strict=True):
            assert record["image_id"] == image_id and record["category_id"] == one.of.obj_id
            np.testing.assert_array_equal(coco.annToMask(record), one.mask)
            left, top, right, bottom = one.edges
            assert record["bbox"] == [left, top, right - left, bottom - top]
            assert record["iscrowd"] == 0
        assert list(coco.cats.values()) == [
            {"id": 1, "name": "thing 1", "supercategory": "object"},
            {"id": 2, "name": "thing 2", "supercategory": "object"},
        ]


@pytest.mark.parametrize("kind", KEYS)
def test_its_evaluation_gives_annotations_as_results_all_points(kind, rng, tmp_path):
    images = [("train", labelled_image(rng, f"{i}.png")) for i in range(3)]
    coco, _ = written(kind == "keypoints", images, tmp_path)
    assert precision_of_itself(coco, kind) == pytest.approx(1, abs=1e-9)


def test_keypoints_are_the_projection_and_those_outside_are_flagged(rng, tmp_path):
    image = labelled_image(rng)
    coco, empty = written(True, [("train", image)], tmp_path)
    assert empty.anns == {}
    flags = set()
    for record, one in zip(coco.anns.values(), image.labels, strict=True):
        found = np.reshape(record["keypoints"], (9, 3))
        pixels = CAMERA.project(apply(one.annotation.cam_from_obj, one.of.keypoints))
        np.testing.assert_allclose(found[:, :2], pixels, atol=6e-4)
        inside = ((pixels >= -0.5) & (pixels <= np.array(CAMERA.size) - 0.5)).all(axis=1)
        np.testing.assert_array_equal(found[:, 2], np.where(inside, 2, 1))
        assert record["num_keypoints"] == 9
        flags |= set(found[:, 2])
    assert flags == {1, 2}


def test_the_skeleton_is_the_twelve_edges_of_the_box(tmp_path):
    coco, _ = written(True, [], tmp_path)
    category = coco.cats[1]
    assert category["skeleton"] == EDGES and len(EDGES) == 12
    corners = CLASSES[0].keypoints
    for i, j in EDGES:
        assert np.count_nonzero(corners[i - 1] != corners[j - 1]) == 1
    low = CLASSES[0].box[0]
    for name, point in zip(category["keypoints"][:8], corners, strict=False):
        ends = ["min" if value == bound else "max" for value, bound in zip(point, low, strict=True)]
        assert name == "_".join(f"{end}{axis}" for end, axis in zip(ends, "xyz", strict=True))
