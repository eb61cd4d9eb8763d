"""The benchmark that has other programs' readers read what is written for them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import Disagrees, Seen, check_coco, check_yolo
from benchmarks.readers import row, table, ultralytics_of
from render.formats.coco_dataset import CocoWriter
from render.transforms import apply
from tests.render.formats.labelled import CLASSES, labelled_image
from tests.small_dataset import CAMERA

NAMES = {one.obj_id: one.name for one in CLASSES}
SIZE = np.array(CAMERA.size)


@pytest.fixture
def image(rng):
    return labelled_image(rng, "000002_000007.png")


@pytest.fixture
def expected(image):
    """The dataset of one image."""
    seen = []
    for one in image.labels:
        points = CAMERA.project(apply(one.annotation.cam_from_obj, one.of.keypoints))
        seen.append(Seen(one.of.obj_id, one.mask, np.array(one.edges), points))
    return {"000002_000007": seen}


@pytest.fixture
def read(expected):
    """What a reader has that agrees."""
    (seen,) = expected.values()
    shares = np.array([(one.points + 0.5) / SIZE for one in seen])
    inside = ((shares >= 0) & (shares <= 1)).all(axis=2, keepdims=True)
    edges = np.array([one.edges for one in seen]).reshape(-1, 2, 2) / SIZE
    read = {
        "size": SIZE,
        "cls": np.array([[one.obj_id - 1] for one in seen], np.float32),
        "bboxes": np.concatenate([edges.mean(axis=1), edges[:, 1] - edges[:, 0]], axis=1),
        "keypoints": np.concatenate([np.where(inside, shares, 0), 2.0 * inside], axis=2),
        "masks": np.array([one.mask for one in seen], np.uint8),
    }
    content = {f"train/000002_000007.{key}": value for key, value in read.items()}
    return content | {"names": np.array(list(NAMES.values()))}


def test_what_agrees_is_said(read, expected):
    said = check_yolo(read, expected, NAMES)
    assert said.startswith("names, classes, boxes within ") and ", keypoints within " in said
    assert said.endswith("no pixel of a mask missing, IoU 1.000 at least, 1.000 in median")


@pytest.mark.parametrize(
    ("key", "change", "why"),
    [
        ("bboxes", lambda boxes: boxes + [0.6 / SIZE[0], 0, 0, 0], "boxes within 0.6 px"),
        ("cls", lambda classes: classes[::-1] % 1, r"objects \[1, 1, 1\]"),
        ("keypoints", lambda points: points * [1, 1, 0], "flags of keypoints"),
        ("keypoints", lambda points: points * [1.001, 1, 1], "keypoints within 0.1 px"),
        ("masks", lambda masks: np.roll(masks, 1, axis=1), "pixels of a mask are missing"),
        ("masks", np.ones_like, "no pixel of a mask missing, IoU 0.0"),
    ],
)
def test_a_reader_that_has_something_else_disagrees(key, change, why, read, expected):
    key = f"train/000002_000007.{key}"
    with pytest.raises(Disagrees, match=why):
        check_yolo(read | {key: change(read[key])}, expected, NAMES)
    with pytest.raises(Disagrees, match="other images"):
        check_yolo(read, expected | {"000002_000008": []}, NAMES)
    with pytest.raises(Disagrees, match="names"):
        check_yolo(read, expected, {1: "thing 1"})


def test_cocos_files_agree_until_a_mask_is_another(image, expected, tmp_path):
    writer = CocoWriter(CLASSES, keypoints=True)
    writer.add(tmp_path, "train", image)
    writer.finish(tmp_path, ("train",))
    files = list((tmp_path / "annotations").iterdir())
    said = check_coco(files, expected, ["bbox", "segm", "keypoints"])
    assert said.endswith("AP 1 (bbox, segm, keypoints)")
    expected["000002_000007"][1].mask[0, 0] = True
    with pytest.raises(Disagrees, match="000002_000007: another mask"):
        check_coco(files, expected, [])
    with pytest.raises(Disagrees, match="is no image"):
        check_coco(files, {}, [])


def test_disagreement_is_a_line_of_the_table_and_a_missing_reader_is_told_of():
    def check():
        raise Disagrees("boxes within 3 px")

    found = row("yolo", "ultralytics 8", {"a": [None, None]}, check)
    assert found.wrong and table([found]).endswith(" 1      2  DISAGREES: boxes within 3 px")
    assert ultralytics_of(None)[1] == "no environment with it is given (--python)"
    assert "No module named 'ultralytics'" in ultralytics_of(Path(sys.executable))[1]
