"""Splits of right cameras: the same objects at the same moments, a baseline to the left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.formats.bop_records import parse_annotation, read_records
from render.formats.splits import scene_dirs
from render.frame import Annotation
from render.scene.stereo import right_from_left
from render.validate.fault import Faults

SLACK = 1e-9  # metres, and of rotations: records have all digits of their numbers
GT = "scene_gt.json"


def check_stereo(left: Path, right: Path, baseline: float, faults: Faults) -> None:
    """Report what the right cameras' split has otherwise than the left ones', file by file.

    Args:
        left, right: folders of splits, as scenes.
        baseline: metres.
    """
    lefts, rights = ({path.name: path for path in scene_dirs(split)} for split in (left, right))
    for name in sorted(lefts.keys() ^ rights.keys()):
        lacking, other = (right, left) if name in lefts else (left, right)
        faults.add(lacking / name, f"no such scene, but {other.name} has it")
    for name in sorted(lefts.keys() & rights.keys()):
        one, other = lefts[name] / GT, rights[name] / GT
        if faults.has(one) or faults.has(other):
            continue
        with faults.caught(other):
            _check_poses(read_records(one), read_records(other), right_from_left(baseline))


def _check_poses(one: Mapping[int, Any], other: Mapping[int, Any], T: np.ndarray) -> None:
    if one.keys() != other.keys():
        im_id = min(one.keys() ^ other.keys())
        raise InputError(f"image {im_id} is in one of both cameras' splits only")
    for im_id in one:
        seen, again = (_annotations(records[im_id]) for records in (one, other))
        if [a.obj_id for a in seen] != [a.obj_id for a in again]:
            raise InputError(f"image {im_id}: other objects than the left camera sees")
        for gt_id, (a, b) in enumerate(zip(seen, again, strict=True)):
            off = float(np.abs(T @ a.cam_from_obj - b.cam_from_obj).max())
            if off > SLACK:
                raise InputError(
                    f"image {im_id}, gt {gt_id}: {1000 * off:.3g} mm off where it is"
                    f" {-1000 * T[0, 3]:g} mm to the right of the left camera, or turned"
                )


def _annotations(records: Any) -> list[Annotation]:
    """What `check_records` found sound."""
    return [parse_annotation(record, "", 0.0) for record in records]
