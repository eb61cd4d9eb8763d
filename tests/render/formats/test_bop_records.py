import json
from dataclasses import replace
from pathlib import Path

import pytest

from render.errors import InputError
from render.formats.bop import read_split
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.objects.crops import cut, detector_crop, training_crop
from train.objects.data import load_instances
from train.options import CropConfig

MODEL = cuboids()[1]
NOTHING = (-1, -1, -1, -1)


@pytest.fixture
def with_boxes(tmp_path, rng):
    """Write image 1, 160x120, with the boxes of its annotation changed, and read the dataset."""

    def write(**boxes):
        frames = random_frames(rng, {1: MODEL}, 1)
        annotation = replace(frames[1].annotations[0], **boxes)
        root = write_dataset(
            tmp_path / "data", {1: MODEL}, {1: replace(frames[1], annotations=(annotation,))}
        )
        return read_split(root, "test")

    return write


@pytest.mark.parametrize("key", ["bbox_visib", "bbox_obj"])
@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, 2**31, 12), "larger than 16000 pixels, 100 times its image of 160x120"),
        ((0, 0, 12, 1e300), "larger than 16000 pixels"),
        ((160, 0, 12, 12), "lies outside its image of 160x120 pixels"),
        ((0, 120, 12, 12), "lies outside its image"),
        ((-12, 0, 12, 12), "lies outside its image"),
        ((2**33, 2**33, 12, 12), "lies outside its image"),
        ((5, 5, -3, 12), "a negative width or height"),
        ((0.4, 0.3, 0.1, 0.25), "smaller than a pixel; a box is x, y, width, height in pixels"),
    ],
)
def test_a_box_that_cannot_be_of_its_image_is_named(with_boxes, key, box, message):
    with pytest.raises(InputError) as caught:
        with_boxes(**{key: box})
    file = Path("test") / "000002" / "scene_gt_info.json"
    assert f"{file}, image 1, gt 0: {key} {list(box)} " in str(caught.value)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 0, 0),  # one pixel, in BOP's max - min
        (159, 119, 0, 0),
        (159, 119, 500, 500),
        (-499, -499, 500, 500),
        (-8000, -8000, 16000, 16000),
    ],
)
def test_a_box_that_may_be_of_its_image_is_read_and_cropped(with_boxes, rng, box):
    """Down to a pixel in a corner, up to a hundred times the image."""
    images = with_boxes(bbox_visib=box, bbox_obj=box)
    (instance,) = load_instances(images, MODEL)
    assert instance.box == box
    config = CropConfig(size=16)
    for crop in (training_crop(rng, box, config), detector_crop(0, instance.key, box, config)):
        assert cut(instance, crop, 16).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("visib", "whole", "is_apart"),
    [
        ((60, 40, 80, 65), (60, 40, 20, 25), True),  # x0, y0, x1, y1
        ((100, 40, 20, 25), (60, 40, 20, 25), True),
        ((48, 40, 20, 25), (60, 40, 20, 25), False),
        ((60, 40, 10, 11), (60, 40, 2, 2), False),
        ((60, 40, 0, 0), (40, 30, 60, 60), False),
    ],
)
def test_the_visible_part_is_within_the_whole_but_for_what_masks_and_poses_differ(
    with_boxes, visib, whole, is_apart
):
    if not is_apart:
        assert with_boxes(bbox_visib=visib, bbox_obj=whole)
        return
    with pytest.raises(InputError, match=r"image 1, gt 0: bbox_visib .* lies outside bbox_obj"):
        with_boxes(bbox_visib=visib, bbox_obj=whole)


@pytest.mark.parametrize("fraction", [-0.0004, 1.0004])
def test_a_share_that_was_rounded_is_read(with_boxes, fraction):
    assert with_boxes(visib_fract=fraction)[0].annotations[0].visib_fract == fraction


def test_what_is_not_visible_may_lie_outside_its_image(with_boxes):
    (image,) = with_boxes(bbox_visib=NOTHING, bbox_obj=(400, 10, 30, 30), visib_fract=0.0)
    assert image.annotations[0].bbox_obj == (400, 10, 30, 30)
    with_boxes(bbox_visib=NOTHING, bbox_obj=NOTHING, visib_fract=0.0)
    with pytest.raises(InputError, match=r"bbox_obj .* larger than 16000 pixels"):
        with_boxes(bbox_visib=NOTHING, bbox_obj=(400, 10, 2**31, 30), visib_fract=0.0)


def test_a_box_on_disk_may_hold_no_infinity(with_boxes, tmp_path):
    with_boxes()
    file = tmp_path / "data" / "test" / "000002" / "scene_gt_info.json"
    records = json.loads(file.read_text())
    records["1"][0]["bbox_visib"] = [0, 0, float("inf"), 4]
    file.write_text(json.dumps(records))
    with pytest.raises(InputError, match="bbox_visib must be 4 finite numbers"):
        read_split(tmp_path / "data", "test")
