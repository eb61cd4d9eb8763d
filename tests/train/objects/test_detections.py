from dataclasses import replace

import numpy as np
import pytest

from render.formats.bop import read_split
from render.formats.bop_results import Detection
from render.transforms import rigid
from tests.small_dataset import annotate, cuboids, random_frames, write_dataset
from train.objects.data import load_instances
from train.objects.detections import generalized_iou, with_boxes

MODEL = cuboids()[1]
PLACES = (-0.15, 0.0, 0.15)  # of three instances, metres to the right


@pytest.fixture
def instances(tmp_path, rng):
    """Images 1 and 4 of three instances beside each other."""
    frames = random_frames(rng, {1: MODEL}, 2)
    for im_id, frame in frames.items():
        poses = [rigid(np.eye(3), [x, 0, 0.7]) for x in PLACES]
        shown = tuple(annotate(1, pose, MODEL) for pose in poses)
        frames[im_id] = replace(frame, annotations=shown)
    write_dataset(tmp_path, {1: MODEL}, frames)
    return load_instances(read_split(tmp_path, "test"), MODEL)


def detect(instance, score, shift=0.0):
    x, y, width, height = instance.box
    return Detection(*instance.key[:2], 1, score, (x + shift, y, width, height))


def test_every_instance_gets_its_own_detection_in_whatever_order(instances, rng):
    scores = dict(zip((i.key for i in instances), (0.2, 0.9, 0.5, 0.7, 0.1, 0.3), strict=True))
    detections = [detect(i, scores[i.key], shift=3) for i in instances]
    for _ in range(5):
        found = with_boxes(instances, rng.permutation(np.array(detections, object)))
        assert [i.key for i in found] == [i.key for i in instances]
        for one, before in zip(found, instances, strict=True):
            assert one.box == detect(before, 0, shift=3).box
            assert one.box_score == scores[one.key]


def test_only_as_many_detections_as_instances_count_and_the_surest_of_them(instances):
    first, second, third = instances[:3]
    doubled = [detect(first, 0.9), detect(first, 0.8, shift=1), detect(second, 0.7)]
    found = with_boxes(instances[:3], [detect(third, 0.6), *doubled])
    assert sorted(i.box_score for i in found) == [0.7, 0.8, 0.9]
    # What is left over goes to the instance that is left.
    assert {i.key: i.box for i in found}[second.key] == second.box


def test_an_instance_without_a_detection_is_left_out(instances):
    found = with_boxes(instances, [detect(instances[2], 0.9), detect(instances[0], 0.2)])
    assert [i.key for i in found] == [instances[0].key, instances[2].key]
    assert with_boxes(instances, []) == []


def test_detections_of_other_objects_and_images_are_no_ones(instances):
    detection = detect(instances[0], 0.9)
    others = [replace(detection, obj_id=2), replace(detection, im_id=9)]
    assert with_boxes(instances, others) == []


def test_a_detection_may_be_of_the_whole_object_or_of_its_visible_part(instances):
    """The right one shows only its left tenth: its whole box is nearer to the one beside it."""
    left, right = instances[0], instances[1]
    x, y, width, height = right.annotation.bbox_obj
    part = (x, y, width / 10, height)
    right = replace(right, annotation=replace(right.annotation, bbox_visib=part))
    for box in (part, (x, y, width, height)):
        seen = Detection(*right.key[:2], 1, 0.5, box)
        found = with_boxes([left, right], [seen])
        assert [(i.key, i.box) for i in found] == [(right.key, box)]


def test_generalized_iou_of_known_boxes():
    box = (10.0, 20.0, 30.0, 40.0)
    assert generalized_iou(box, box) == 1
    assert generalized_iou((0, 0, 2, 2), (1, 0, 2, 2)) == pytest.approx(1 / 3)
    # Apart by their own width: nothing shared, a third of what is around them covered by none.
    assert generalized_iou((0, 0, 2, 2), (4, 0, 2, 2)) == pytest.approx(-1 / 3)
    far, further = (generalized_iou(box, (x, 20.0, 30.0, 40.0)) for x in (100.0, 1e6))
    assert -1 < further < far < 0
    assert generalized_iou((5, 5, 0, 0), (0, 0, 10, 10)) == 0
