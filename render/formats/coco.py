"""COCO annotations of a BOP scene: scene_gt_coco.json, as bop_toolkit's calc_gt_coco.py makes it.

The format: https://cocodataset.org/#format-data, with uncompressed run-length masks.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.frame import Frame
from render.image_file import MAX_PIXELS
from render.json_file import write_text

COCO = "scene_gt_coco.json"
BARELY_VISIBLE = 0.1  # visib_fract below which bop_toolkit tells an evaluation to ignore an object


def encode_rle(mask: np.ndarray) -> dict[str, list[int]]:
    """An (H, W) bool mask as COCO's uncompressed run lengths.

    Returns:
        counts: lengths of runs down the columns, of zeros first (0 long if the mask starts with a
        one). size: [H, W].
    """
    left, _, width, _ = cv2.boundingRect(mask.view(np.uint8))
    before = left * len(mask)  # zeros
    flat = np.pad(mask[:, left : left + width].ravel(order="F"), 1)
    changes = before + np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(changes, prepend=0, append=mask.size).tolist()
    return {"counts": counts if counts[-1] else counts[:-1], "size": list(mask.shape)}


def decode_rle(record: Any, where: str) -> np.ndarray:
    """Undo `encode_rle`: (H, W) bool.

    Raises:
        InputError: the record is malformed, or its runs are not as long as the mask.
    """
    size, counts = _whole(record, "size"), _whole(record, "counts")
    if len(size) != 2 or not 0 < size[0] * size[1] <= MAX_PIXELS:
        raise InputError(f"{where}: size must be the height and width of a mask")
    if sum(counts) != size[0] * size[1]:
        raise InputError(f"{where}: counts must be run lengths of {size[0]} x {size[1]} pixels")
    ones = np.arange(len(counts)) % 2 == 1
    return np.ascontiguousarray(np.repeat(ones, counts).reshape(size, order="F"))


def _whole(record: Any, key: str) -> list[int]:
    """A list of whole numbers that are not negative; empty if it is none."""
    values = record.get(key) if isinstance(record, dict) else None
    sound = isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)
    return values if sound and values else []


def coco_image(im_id: int, file_name: str, camera: Camera) -> dict[str, Any]:
    """An image's record; file_name is relative to the scene's folder."""
    size = {"width": camera.width, "height": camera.height}
    return {"id": im_id, "file_name": file_name, **size}


def coco_annotations(
    im_id: int, frame: Frame, silhouettes: np.ndarray, first_id: int
) -> list[dict[str, Any]]:
    """Records of an image's visible objects, numbered from first_id.

    Args:
        frame: measured, with instance ids.
        silhouettes: (n, H, W) bool, each annotation's whole silhouette within the image.

    Returns:
        A record an object: the visible mask and its area; the box of the whole silhouette, x, y,
        width, height in pixels. Unlike the boxes of scene_gt_info.json it ends at the image's edge,
        and counts its last column and row.
    """
    if frame.instance is None:
        raise ValueError("COCO annotations need a frame with instance ids")
    records: list[dict[str, Any]] = []
    for i, (annotation, silhouette) in enumerate(zip(frame.annotations, silhouettes, strict=True)):
        visible = frame.instance == i + 1
        area = int(np.count_nonzero(visible))
        if not area:
            continue
        records.append(
            {
                "id": first_id + len(records),
                "image_id": im_id,
                "category_id": annotation.obj_id,
                "iscrowd": 0,
                "ignore": (annotation.visib_fract or 0.0) < BARELY_VISIBLE,
                "area": area,
                "bbox": list(cv2.boundingRect(silhouette.view(np.uint8))),
                "segmentation": encode_rle(visible),
                "width": frame.camera.width,
                "height": frame.camera.height,
            }
        )
    return records


def coco_categories(names: Mapping[int, str]) -> list[dict[str, Any]]:
    """COCO's categories of objects, by their names or ids."""
    return [{"id": i, "name": names[i] or str(i), "supercategory": "object"} for i in sorted(names)]


def write_coco(
    path: Path,
    images: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]],
    names: Mapping[int, str],
) -> None:
    """Write a scene's records, one a line.

    Args:
        names: of the categories, by object id; where one is empty the id is its name.
    """
    categories = coco_categories(names)
    parts = {"categories": categories, "images": images, "annotations": annotations}
    lists = (f'"{name}": [\n{_lines(records)}\n]' for name, records in parts.items())
    write_text(path, '{"info": {}, "licenses": [],\n' + ",\n".join(lists) + "}\n")


def _lines(records: Sequence[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(record) for record in records)
