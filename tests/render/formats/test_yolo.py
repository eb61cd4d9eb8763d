"""YOLO's text files, read here by the format's own words, give back what went in."""

import cv2
import numpy as np
import pytest

from render.formats.labels import LabelledImage
from render.formats.yolo import YoloWriter, mask_polygon
from render.transforms import apply, rigid
from tests.render.formats.labelled import CLASSES, label, labelled_image
from tests.small_dataset import CAMERA

SIZE = np.array(CAMERA.size)


def written(kind, image, root):
    """The lines of an image's file as lists of numbers."""
    writer = YoloWriter(CLASSES, kind)
    writer.add(root, "train", image)
    writer.finish(root, ("train",))
    text = (root / "labels" / "train" / image.name).with_suffix(".txt").read_text()
    return [list(map(float, line.split())) for line in text.splitlines()]


def polygon_mask(shares):
    """As ultralytics fills a polygon: corners to whole pixels, then OpenCV, rim and all."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillPoly(mask, [(np.reshape(shares, (-1, 2)) * SIZE).astype(np.int32)], 1)
    return mask.view(bool)


def test_boxes_back_in_pixels_are_those_of_the_masks(rng, tmp_path):
    image = labelled_image(rng)
    lines = written("detect", image, tmp_path)
    assert [line[0] for line in lines] == [0, 1, 0]
    for line, one in zip(lines, image.labels, strict=True):
        center, size = np.reshape(line[1:], (2, 2)) * SIZE
        columns, rows = np.nonzero(one.mask.any(axis=0))[0], np.nonzero(one.mask.any(axis=1))[0]
        expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        found = np.concatenate([center - size / 2, center + size / 2])
        np.testing.assert_allclose(found, expected, atol=2e-4)
    assert min(min(line) for line in lines) >= 0


def test_polygons_fill_the_masks_to_the_pixel(rng, tmp_path):
    image = labelled_image(rng)
    for line, one in zip(written("segment", image, tmp_path), image.labels, strict=True):
        np.testing.assert_array_equal(polygon_mask(line[1:]), one.mask)


def test_a_mask_in_parts_becomes_one_polygon_and_its_holes_are_filled():
    mask = np.zeros((120, 160), bool)
    mask[10:60, 10:60] = True
    mask[20:30, 20:30] = False
    parts = mask.copy()
    parts[10:60, 80:90] = parts[100, 100] = True
    found = polygon_mask((mask_polygon(parts) + 0.5) / SIZE)
    filled = parts.copy()
    filled[20:30, 20:30] = True
    assert (found >= filled).all()
    assert (found & ~filled).sum() <= 21 + 50  # a line from part to part
    single = np.zeros((120, 160), bool)
    single[5, 7] = True
    assert mask_polygon(single).tolist() == [[7, 5]] * 3


def test_keypoints_are_the_projected_corners_and_centre_or_said_not_to_be_there(rng, tmp_path):
    image = labelled_image(rng)
    lines = written("pose", image, tmp_path)
    flags = set()
    for line, one in zip(lines, image.labels, strict=True):
        found = np.reshape(line[5:], (9, 3))
        points = apply(one.annotation.cam_from_obj, one.of.keypoints)
        pixels = CAMERA.project(points)
        inside = ((pixels >= -0.5) & (pixels <= SIZE - 0.5)).all(axis=1)
        np.testing.assert_array_equal(found[:, 2], np.where(inside, 2, 0))
        np.testing.assert_allclose(found[inside, :2] * SIZE - 0.5, pixels[inside], atol=1e-3)
        assert not found[~inside].any()
        flags |= set(found[:, 2])
    assert flags == {0, 2}
    np.testing.assert_allclose(CLASSES[0].keypoints[8], CLASSES[0].keypoints[:8].mean(axis=0))


def test_corners_behind_the_camera_are_not_there(rng, tmp_path):
    ahead = label(CLASSES[0], rigid(np.eye(3), [0, 0, 0.5]))
    near = LabelledImage("a.png", 1, 1, CAMERA, (ahead,))
    ahead.annotation.cam_from_obj[2, 3] = -0.02  # z of the corners: -0.02 and 0.03
    (line,) = written("pose", near, tmp_path)
    assert (np.reshape(line[5:], (9, 3))[[0, 2, 4, 6], 2] == 0).all()


@pytest.mark.parametrize("kind", ["detect", "segment", "pose"])
def test_the_yaml_names_folders_beside_it_and_classes_in_order(kind, rng, tmp_path):
    writer = YoloWriter(CLASSES, kind)
    writer.finish(tmp_path, ("train", "val"))
    lines = (tmp_path / "data.yaml").read_text().splitlines()
    assert lines[:5] == [
        "train: images/train", "val: images/val", "names:", '  0: "thing 1"', '  1: "thing 2"',
    ]  # fmt: skip
    assert ("kpt_shape: [9, 3]" in lines) == (kind == "pose")
    assert not any("flip_idx" in line for line in lines)
    assert writer.image_file("val", 1, 3) == "images/val/000001_000003"
