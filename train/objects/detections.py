"""A detector's boxes -> those of the instances in test images, one detection an instance."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from render.errors import InputError
from render.formats.bop import BopImage
from render.formats.bop_results import Detection, read_detections
from render.frame import Box
from train.objects.data import Instance

ANNOTATED = ("bbox_visib", "bbox_obj")  # values of data.boxes that are no file of detections


def read_boxes(boxes: str, images: Iterable[BopImage], obj_ids: Collection[int]) -> list[Detection]:
    """What `data.boxes` names a file of: the detections in test images.

    Args:
        obj_ids: the objects that are tested.

    Raises:
        InputError: there is no such file, or see `read_detections`.
    """
    if not Path(boxes).exists():
        raise InputError(f"data.boxes: {boxes}: no such file, nor {' or '.join(ANNOTATED)}")
    sizes = {(image.scene_id, image.im_id): image.camera.size for image in images}
    return read_detections(Path(boxes), sizes, obj_ids)


def with_boxes(instances: Sequence[Instance], detections: Iterable[Detection]) -> list[Instance]:
    """Instances of one object with the boxes and scores of their detections.

    Of an image with m instances the m surest detections of the object count, as of estimates in
    BOP. Each goes to an instance of its own, so that the overlaps are the greatest in sum: with the
    box of the visible part or of the whole object, since detectors are trained for either.

    Args:
        instances: sorted by scene and image.

    Returns:
        Those instances that got a detection; what is left out is the caller's to count as failed.
    """
    found: dict[tuple[int, int, int], list[Detection]] = {}
    for detection in detections:
        key = (detection.scene_id, detection.im_id, detection.obj_id)
        found.setdefault(key, []).append(detection)

    boxed = []
    for (scene_id, im_id), group in groupby(instances, key=lambda i: i.key[:2]):
        targets = list(group)
        candidates = found.get((scene_id, im_id, targets[0].annotation.obj_id), [])
        surest = sorted(candidates, key=lambda d: d.score, reverse=True)[: len(targets)]
        overlaps = np.array([[_overlap(i, d.box) for d in surest] for i in targets])
        for i, j in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            boxed.append(replace(targets[i], box=surest[j].box, box_score=surest[j].score))
    return boxed


def _overlap(instance: Instance, box: Box) -> float:
    shown = instance.annotation.bbox_visib, instance.annotation.bbox_obj
    return max(generalized_iou(own, box) for own in shown if own is not None)


def generalized_iou(one: Box, other: Box) -> float:
    """Overlap of two boxes, 1 where they are the same; below 0, down to -1, the further apart.

    Rezatofighi et al., CVPR 2019. One box at least has a positive size.
    """
    low, size = np.array([one[:2], other[:2]]), np.array([one[2:], other[2:]])
    high = low + size
    shared = np.prod(np.clip(high.min(axis=0) - low.max(axis=0), 0, None))
    either = np.prod(size, axis=1).sum() - shared
    around = np.prod(high.max(axis=0) - low.min(axis=0))
    return float(shared / either - (around - either) / around)
