"""COCO annotations of a BOP scene: scene_gt_coco.json, as bop_toolkit's calc_gt_coco.py makes it.

The format: https://cocodataset.org/#format-data, with uncompressed run-length masks.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from render.bop_records import write_text
from render.camera import Camera
from render.frame import Frame

BARELY_VISIBLE = 0.1  # visib_fract below which bop_toolkit tells an evaluation to ignore an object


def encode_rle(mask: np.ndarray) -> dict[str, list[int]]:
    """An (H, W) bool mask as COCO's uncompressed run lengths.

    Returns:
        counts: lengths of runs down the columns, of zeros first (0 long if the mask starts with a
        one). size: [H, W].
    """
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {"counts": [0, *counts] if flat[0] else counts, "size": list(mask.shape)}


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
        area = int(visible.sum())
        if not area:
            continue
        columns, rows = (np.flatnonzero(silhouette.any(axis=axis)) for axis in (0, 1))
        x, y = int(columns[0]), int(rows[0])
        records.append(
            {
                "id": first_id + len(records),
                "image_id": im_id,
                "category_id": annotation.obj_id,
                "iscrowd": 0,
                "ignore": (annotation.visib_fract or 0.0) < BARELY_VISIBLE,
                "area": area,
                "bbox": [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1],
                "segmentation": encode_rle(visible),
                "width": frame.camera.width,
                "height": frame.camera.height,
            }
        )
    return records


def write_coco(
    path: Path,
    images: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]],
    obj_ids: Collection[int],
) -> None:
    """Write a scene's records, one a line; obj_ids are the categories."""
    categories = [{"id": i, "name": str(i), "supercategory": "object"} for i in sorted(obj_ids)]
    parts = {"categories": categories, "images": images, "annotations": annotations}
    lists = (f'"{name}": [\n{_lines(records)}\n]' for name, records in parts.items())
    write_text(path, '{"info": {}, "licenses": [],\n' + ",\n".join(lists) + "}\n")


def _lines(records: Sequence[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(record) for record in records)
