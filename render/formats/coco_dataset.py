"""A whole dataset as COCO has it: a file of annotations for train and one for val.

The format: https://cocodataset.org/#format-data. Boxes there cover pixels, u those of [u, u + 1];
keypoints are positions of pixels, as ours.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.formats.coco import coco_image, encode_rle
from render.formats.labels import CORNERS, Label, LabelledImage, ObjectClass, image_name
from render.json_file import write_text
from render.transforms import apply

# Between corners that differ along one axis, from 1 on.
EDGES = [[i + 1, (i | bit) + 1] for bit in (1, 2, 4) for i in range(8) if not i & bit]
OUTSIDE, INSIDE = 1, 2  # of the image; 0 0 0 behind the camera


class CocoWriter:
    """`labels.Writer`: train/, val/, annotations/instances_train.json or keypoints_train.json.

    Masks are uncompressed run lengths. Annotations that count as little visible are left out.
    """

    needs_masks = True
    needs_surface = False
    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

    def __init__(self, classes: Sequence[ObjectClass], keypoints: bool) -> None:
        self.classes, self.needs_boxes = classes, keypoints
        self.images: dict[str, list[str]] = {}
        self.annotations: dict[str, list[str]] = {}

    def image_file(self, part: str, scene_id: int, im_id: int) -> str:
        return f"{part}/{image_name(scene_id, im_id)}"

    def add(self, root: Path, part: str, image: LabelledImage) -> None:
        images = self.images.setdefault(part, [])
        annotations = self.annotations.setdefault(part, [])
        ids = {"scene_id": image.scene_id, "im_id": image.im_id}
        record = coco_image(len(images) + 1, image.name, image.camera)
        images.append(json.dumps(record | ids))
        for label in image.labels:
            about = {"id": len(annotations) + 1, "image_id": len(images)}
            annotations.append(json.dumps(about | self._record(label, image)))

    def finish(self, root: Path, parts: Sequence[str]) -> None:
        name = "keypoints" if self.needs_boxes else "instances"
        categories = [json.dumps(self._category(one)) for one in self.classes]
        for part in parts:
            lists = {"categories": categories, "images": self.images.get(part, [])}
            lists["annotations"] = self.annotations.get(part, [])
            text = ",\n".join(f'"{key}": [\n' + ",\n".join(v) + "\n]" for key, v in lists.items())
            file = root / "annotations" / f"{name}_{part}.json"
            file.parent.mkdir(exist_ok=True)
            write_text(file, '{"info": {}, "licenses": [],\n' + text + "}\n")

    def _category(self, one: ObjectClass) -> dict[str, Any]:
        record = {"id": one.obj_id, "name": one.name, "supercategory": "object"}
        points = {"keypoints": [*CORNERS, "center"], "skeleton": EDGES}
        return record | points if self.needs_boxes else record

    def _record(self, label: Label, image: LabelledImage) -> dict[str, Any]:
        assert label.mask is not None
        record = {
            "category_id": label.of.obj_id,
            "iscrowd": 0,
            "area": int(np.count_nonzero(label.mask)),
            "bbox": list(cv2.boundingRect(label.mask.view(np.uint8))),
            "segmentation": encode_rle(label.mask),
        }
        if not self.needs_boxes:
            return record
        points = apply(label.annotation.cam_from_obj, label.of.keypoints)
        numbers: list[float] = []
        for point in points:
            if point[2] <= 0:
                numbers += [0, 0, 0]
                continue
            pixel = image.camera.project(point)
            inside = (pixel >= -0.5).all() and (pixel <= np.array(image.camera.size) - 0.5).all()
            numbers += [*np.round(pixel, 3).tolist(), INSIDE if inside else OUTSIDE]
        seen = sum(flag > 0 for flag in numbers[2::3])
        return record | {"keypoints": numbers, "num_keypoints": seen}
