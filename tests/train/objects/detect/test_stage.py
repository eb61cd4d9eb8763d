"""What a detector finds in test frames, and what of that is told."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_files import mask_path
from render.image_file import write_png
from tests.small_dataset import cuboids, random_frames, write_dataset
from tests.train.objects.detect.test_checkpoint import detector_file
from tests.train.objects.detect.test_network import TARGET
from train.learn.task import Folders
from train.objects.data import DataConfig
from train.objects.detect.detector import Found
from train.objects.detect.material import (
    UNKNOWN,
    load_pictures,
    read_cutouts,
    read_scene,
    real_cutouts,
)
from train.objects.detect.stage import Shown, recall, train_alone, write_found
from train.objects.evaluate import test_sets as sets_of
from train.options import DetectorConfig, RunConfig

MODEL = cuboids()[1]
CPU = torch.device("cpu")


class Stub:
    """A detector that says of the n-th image what stands at n."""

    def __init__(self, said):
        self.said, self.target = iter(said), TARGET

    def candidates(self, rgb):
        return next(self.said)


@pytest.fixture
def dataset(tmp_path, rng):
    """Five frames of object 1, all to be tested on."""
    return write_dataset(tmp_path / "data", {1: MODEL}, random_frames(rng, {1: MODEL}, 5))


def test_only_what_a_detector_is_sure_of_becomes_a_box_to_test_in(dataset, tmp_path):
    data = DataConfig(dataset=str(dataset), train_fraction=0, objects=(1,))
    (annotated, _) = sets_of(data, dataset, MODEL, 0)
    boxes = [instance.box for instance in annotated.instances]
    x, y, w, h = boxes[1]
    said = [
        [Found(boxes[0], 0.9), Found((0.0, 0.0, 9.0, 9.0), 0.8)],
        [Found((x, y, w, 0.6 * h), 0.9)],  # overlaps by 0.6
        [Found((0.0, 0.0, 5.0, 5.0), 0.95)],  # is sure, and wrong
        [Found(boxes[3], 0.1)],  # is right, and not sure
        [Found((0.0, 0.0, 5.0, 5.0), 0.05)],
    ]
    record = write_found(Stub(said), data, dataset, 0, tmp_path)
    assert record["all"] == {
        "n": 5,
        "recall_50": pytest.approx(60),
        "recall_75": pytest.approx(40),
        "sure": pytest.approx(60),
        "visib_fract": 0.1,
    }
    assert json.loads((tmp_path / "recall.json").read_text()) == record

    visib, own, whole = sets_of(data, dataset, MODEL, 0, tmp_path / "detections.json")
    assert [one.boxes for one in (visib, own, whole)] == ["bbox_visib", "detector", "bbox_obj"]
    keys = [instance.key for instance in visib.instances]
    assert [i.key for i in own.instances] == keys[:3] and [i.key for i in own.boxless] == keys[3:]
    assert [i.box_score for i in own.instances] == [0.9, 0.9, 0.95]
    np.testing.assert_allclose(own.instances[1].box, (x, y, w, 0.6 * h))
    # The same file is a detector's as any other's.
    (others, _) = sets_of(replace(data, boxes=str(tmp_path / "detections.json")), dataset, MODEL, 0)
    assert [i.box for i in others.instances] == [i.box for i in own.instances]


def test_a_detector_that_found_nothing_leaves_all_to_fail(dataset, tmp_path):
    data = DataConfig(dataset=str(dataset), train_fraction=0, objects=(1,))
    write_found(Stub([[Found((0.0, 0.0, 5.0, 5.0), 0.1)]] * 5), data, dataset, 0, tmp_path)
    _, own, _ = sets_of(data, dataset, MODEL, 0, tmp_path / "detections.json")
    assert not own.instances and len(own.boxless) == 5


def test_evaluate_of_a_detector_tells_its_recall(dataset, tmp_path):
    """An untaught one, by the command; the dataset's object is not the one it finds."""
    (tmp_path / "detector").mkdir()
    detector_file(tmp_path / "detector")
    said = ["evaluate", str(tmp_path / "detector"), "--dataset", str(dataset)]
    said += ["--train-fraction", "0", "--out", str(tmp_path / "out"), "--device", "cpu"]
    result = CliRunner().invoke(main, said)
    assert result.exit_code == 0, result.output
    heading, titles, row, _ = result.stdout.splitlines()
    assert heading.startswith(f"{dataset}: detector, ") and titles.split()[:3] == [
        "object", "visib_fract", "n",
    ]  # fmt: skip
    assert row.split() == ["3", ">=", "0.1", "0", "-", "-", "-"]
    refused = CliRunner().invoke(main, [*said, "--set", "data.objects=1"])
    assert refused.exit_code == 2 and "data.objects is another object than" in refused.output
    refused = CliRunner().invoke(main, [*said, "--exemplars", "9", "--synthetic", "x"])
    assert refused.exit_code == 1 and "--exemplars belongs to networks" in refused.output


def test_recall_of_nothing_is_none_and_of_several_counts_each():
    assert recall([]) == {"n": 0, "recall_50": None, "recall_75": None, "sure": None}
    two = [Shown((0.8, 0.0), True), Shown((0.1, 0.55), True)]
    assert recall(two) == {"n": 2, "recall_50": 100.0, "recall_75": 50.0, "sure": 100.0}


def test_pictures_are_of_the_frames_to_train_on_and_of_what_masks_cut_out(dataset):
    data = DataConfig(dataset=str(dataset), train_fraction=0.4, objects=(1,))
    with pytest.raises(InputError, match="000002 has no mask_visib"):
        load_pictures(DetectorConfig(size=96), data, dataset, dataset, 0)
    boxes = {}
    for image in read_split(dataset, "test"):
        x, y, w, h = map(int, image.annotations[0].bbox_visib)
        seen = np.zeros((120, 160), bool)
        seen[y : y + h, x : x + w] = True
        write_png(mask_path(image.scene_dir, image.im_id, 0, visible=True), seen)
        boxes[image.im_id] = (x, y, w, h), image.read_rgb()
    made = load_pictures(DetectorConfig(size=96), data, dataset, dataset, 0)
    assert len(made.scenes) == 2 and made.size == (96, 64)
    for cutout, ((x, y, w, h), rgb) in zip(made.cutouts, boxes.values(), strict=True):
        assert cutout.seen.shape == (h + 2, w + 2)
        assert (cutout.seen[1:-1, 1:-1] == 255).all() and cutout.seen.sum() == 255 * w * h
        np.testing.assert_array_equal(cutout.rgb[1:-1, 1:-1], rgb[y : y + h, x : x + w])
    # What has masks is cut out of real frames, too: here they are the same.
    assert len(made.real) == 2
    assert all(any(np.array_equal(r.rgb, c.rgb) for c in made.cutouts) for r in made.real)
    # Frames are kept at twice the input's size at most, boxes with them.
    frame = read_scene(read_split(dataset, "test")[0], 1, 0.1, longest=80)
    assert frame.rgb.shape == (60, 80, 3)
    np.testing.assert_allclose(2 * frame.boxes[0], boxes[1][0])

    # Without real frames all is procedural, and sizes are anything that is usual.
    alone = load_pictures(DetectorConfig(size=96), data, None, dataset, 0)
    assert not alone.scenes and alone.longer == UNKNOWN and alone.size == (96, 64)


def test_real_frames_without_masks_are_cut_out_by_those_of_their_twins(dataset, tmp_path):
    """Frames that do not show the object have no twins."""
    twins = tmp_path / "twins"
    frames = read_split(dataset, "test")
    shutil.copytree(dataset / "test", twins / "twin0")
    for twin in read_split(twins, "twin0")[1:3]:
        seen = np.zeros((120, 160), bool)
        seen[40:60, 50:80] = True
        write_png(mask_path(twin.scene_dir, twin.im_id, 0, visible=True), seen)
    records = twins / "twin0" / "000002" / "scene_camera.json"
    kept = {key: v for key, v in json.loads(records.read_text()).items() if key in ("4", "7")}
    for name in ("scene_camera", "scene_gt", "scene_gt_info"):
        file = records.with_name(f"{name}.json")
        file.write_text(json.dumps({k: json.loads(file.read_text())[k] for k in kept}))
    found = real_cutouts(frames, twins, 1, 0.1)
    for cutout, frame in zip(found, frames[1:3], strict=True):
        np.testing.assert_array_equal(cutout.rgb[1:-1, 1:-1], frame.read_rgb()[40:60, 50:80])
    assert real_cutouts(frames, None, 1, 0.1) == []


def test_what_cannot_be_cut_out_is_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="no object 4 in"):
        read_cutouts(dataset, 4, 0.1)
    with pytest.raises(InputError, match="holds no BOP scenes"):
        read_cutouts(tmp_path / "nowhere", 1, 0.1)


@pytest.mark.parametrize(
    ("changes", "folders", "message"),
    [
        ({}, {}, "needs --synthetic DIR"),
        ({"objects": (1, 2)}, {"synthetic": "."}, "one object id: --objects 5"),
        ({"train_fraction": 0}, {"synthetic": ".", "twins": "."}, "--twins has no effect without"),
        ({}, {"synthetic": ".", "localiser": "."}, "--localiser has no effect"),
    ],
)
def test_what_a_detector_alone_lacks_or_does_not_take_is_said(tmp_path, changes, folders, message):
    data = replace(DataConfig(objects=(1,)), **changes)
    config = {"data": data, "run": RunConfig(), "detector": DetectorConfig()}
    given = Folders(**{name: tmp_path for name in folders})
    with pytest.raises(InputError, match=message):
        train_alone(config, given, None, tmp_path / "out", 0, CPU)
    hands = config | {"run": RunConfig(target="hand")}
    with pytest.raises(InputError, match="is for objects; hands are found by a localiser"):
        train_alone(hands, given, None, tmp_path / "out", 0, CPU)
