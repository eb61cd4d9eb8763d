"""What lies beside BOP's own files of a scene: points and COCO annotations, which follow from them.

scene_gt_points.json tells where box corners are seen, scene_gt_coco.json has the visible masks once
more. Of a dataset that `render` made they must be just what its writer makes of the other files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.errors import InputError
from render.formats.bop_records import read_records
from render.formats.coco import COCO, encode_rle
from render.json_file import read_json
from render.mesh.box import box_corners
from render.transforms import apply
from render.validate.fault import Faults
from render.validate.frame import FrameCheck

POINTS = "scene_gt_points.json"
PIXEL_SLACK = 0.01  # of points, which are written to a thousandth
BoxOf = Callable[[int], np.ndarray | None]


class Beside:
    """The files of a scene, checked image by image; those that are not there are passed over."""

    def __init__(self, scene_dir: Path, faults: Faults) -> None:
        """Report what cannot be read, unless something was found in it before."""
        self._points: Mapping[int, Any] | None = None
        self._objects: dict[int, list[dict]] | None = None
        path = scene_dir / POINTS
        if path.is_file() and not faults.has(path):
            with faults.caught(path):
                self._points = read_records(path)
        path = scene_dir / COCO
        if path.is_file() and not faults.has(path):
            with faults.caught(path):
                self._objects = _by_image(read_json(path))

    def check(self, frame: FrameCheck, box_of: BoxOf) -> None:
        """Report what of an image is otherwise.

        Args:
            frame: after its `run`.
            box_of: obj_id -> (2, 3) corners of its box, metres; None where nobody knows.
        """
        if self._points is not None:
            path = frame.scene_dir / POINTS
            with frame.faults.caught(path):
                self._check_points(frame, self._points.get(frame.im_id), box_of)
        if self._objects is not None and not frame.slack.count:
            path = frame.scene_dir / COCO
            with frame.faults.caught(path):
                _check_objects(frame, self._objects.get(frame.im_id, []), box_of)

    def _check_points(self, frame: FrameCheck, records: Any, box_of: BoxOf) -> None:
        where = f"image {frame.im_id}"
        if not isinstance(records, list) or len(records) != len(frame.instances):
            raise InputError(f"{where}: expected a list of {len(frame.instances)} records")
        for gt_id, instance in enumerate(frame.instances):
            box = None if instance.obj_id is None else box_of(instance.obj_id)
            pose, camera = instance.cam_from_obj, frame.camera
            if box is None or pose is None or camera is None or gt_id in frame.wrong_pose:
                continue
            corners = apply(pose, box_corners(box))
            before = camera.before(corners)
            said = _corners(records[gt_id], before, f"{where}, gt {gt_id}")
            off = np.abs(said - camera.project(corners[before])).max(initial=0)
            if not off <= PIXEL_SLACK:
                raise InputError(f"{where}, gt {gt_id}: box_corners are up to {off:.3g} px off")


def _corners(record: Any, before: np.ndarray, where: str) -> np.ndarray:
    """(n, 2) pixels of those of eight corners that lie before the camera."""
    listed = record.get("box_corners") if isinstance(record, dict) else None
    if not isinstance(listed, list) or [corner is not None for corner in listed] != before.tolist():
        raise InputError(f"{where}: box_corners must be 8 of [u, v], null where behind the camera")
    try:
        return np.array([c for c in listed if c is not None], np.float64).reshape(before.sum(), 2)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: box_corners must be numbers") from None


def _by_image(content: Mapping[str, Any]) -> dict[int, list[dict]]:
    """Image id -> its annotations, in their order."""
    for part in ("categories", "images", "annotations"):
        records = content.get(part)
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise InputError(f"{part} must be a list of objects")
    found: dict[int, list[dict]] = {}
    for record in content["annotations"]:
        im_id = record.get("image_id")
        if type(im_id) is not int:
            raise InputError(f"annotation {record.get('id')!r}: image_id must be a whole number")
        found.setdefault(im_id, []).append(record)
    return found


def _check_objects(frame: FrameCheck, records: list[dict], box_of: BoxOf) -> None:
    """COCO's annotations of an image against its masks."""
    visible, whole = frame.pixels.visible, frame.pixels.whole
    if any(mask is None for mask in (*visible, *whole)) or frame.wrong_visible:
        return
    seen = [i for i, mask in enumerate(visible) if mask is not None and mask.any()]
    if len(records) != len(seen):
        raise InputError(
            f"image {frame.im_id}: {len(records)} annotations, {len(seen)} are visible"
        )
    for gt_id, record in zip(seen, records, strict=True):
        mask, silhouette, obj_id = visible[gt_id], whole[gt_id], frame.instances[gt_id].obj_id
        assert mask is not None and silhouette is not None
        expected: dict[str, Any] = {"area": int(mask.sum()), "segmentation": encode_rle(mask)}
        if gt_id not in frame.wrong_whole:
            expected["bbox"] = list(cv2.boundingRect(silhouette.view(np.uint8)))
        if gt_id not in frame.wrong_pose and obj_id is not None and box_of(obj_id) is not None:
            expected["category_id"] = obj_id
        wrong = [key for key, value in expected.items() if record.get(key) != value]
        if wrong:
            raise InputError(
                f"image {frame.im_id}, gt {gt_id}: {', '.join(wrong)} of its annotation"
                f" {record.get('id')!r} are not as the masks and scene_gt.json say"
            )
