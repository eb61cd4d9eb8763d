"""Labels as YOLO's trainers read them: a text file an image, a line an object, and data.yaml.

The format: https://docs.ultralytics.com/datasets/detect/ (and segment/, pose/). A line begins with
the class, from 0; what follows are shares of the image's width and height. There pixel u covers
[u, u + 1], so that its centre, u here, is at u + 1/2.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from render.formats.labels import CORNERS, LabelledImage, ObjectClass, image_name
from render.json_file import write_text
from render.transforms import apply

Kind = Literal["detect", "segment", "pose"]
LABELLED, UNSEEN = 2, 0  # of a keypoint; one that is not in the image cannot be given


class YoloWriter:
    """`labels.Writer`: images/train, labels/train and the same of val."""

    needs_surface = False
    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

    def __init__(self, classes: Sequence[ObjectClass], kind: Kind) -> None:
        self.classes, self.kind = classes, kind
        self.needs_boxes, self.needs_masks = kind == "pose", kind == "segment"

    def image_file(self, part: str, scene_id: int, im_id: int) -> str:
        return f"images/{part}/{image_name(scene_id, im_id)}"

    def add(self, root: Path, part: str, image: LabelledImage) -> None:
        size = np.array(image.camera.size, np.float64)
        lines = []
        for label in image.labels:
            if self.kind == "segment":
                assert label.mask is not None
                numbers = (mask_polygon(label.mask) + 0.5) / size
            else:
                low, high = np.reshape(label.edges, (2, 2)) / size
                numbers = np.concatenate([(low + high) / 2, high - low])
            fields = [f"{number:.6f}" for number in numbers.ravel()]
            if self.kind == "pose":
                points = apply(label.annotation.cam_from_obj, label.of.keypoints)
                fields += _keypoints(points, image)
            lines.append(" ".join([str(label.of.index), *fields]))
        file = root / "labels" / part / f"{Path(image.name).stem}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, "".join(f"{line}\n" for line in lines))

    def finish(self, root: Path, parts: Sequence[str]) -> None:
        """Write data.yaml; without a `path` in it, its folders are those beside it."""
        lines = [f"{part}: images/{part}" for part in parts]
        lines += ["names:", *(f"  {one.index}: {json.dumps(one.name)}" for one in self.classes)]
        if self.kind == "pose":
            # No flip_idx: the mirror image of an object is another object, so nothing is flipped.
            lines += [
                f"kpt_shape: [{len(CORNERS) + 1}, 3]",
                "# box corners, then centre",
            ]
            lines += [f"# {i}: {name}" for i, name in enumerate((*CORNERS, "center"))]
        write_text(root / "data.yaml", "\n".join(lines) + "\n")


def _keypoints(points: np.ndarray, image: LabelledImage) -> list[str]:
    """x, y and the flag of (n, 3) points in the camera frame; 0 0 0 of those not in the image."""
    fields = []
    for point in points:
        share = np.full(2, -1.0)
        if point[2] > 0:
            share = (image.camera.project(point) + 0.5) / image.camera.size
        if ((share >= 0) & (share <= 1)).all():
            fields += [f"{share[0]:.6f}", f"{share[1]:.6f}", str(LABELLED)]
        else:
            fields += ["0", "0", str(UNSEEN)]
    return fields


def mask_polygon(mask: np.ndarray) -> np.ndarray:
    """An (H, W) bool mask as one polygon (n, 2), n > 2, through the centres of its rim's pixels.

    The format has one polygon an object, without holes: those are filled, and parts are joined by
    lines there and back between points of each that are near each other.
    """
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = sorted((c[:, 0].astype(np.float64) for c in contours), key=len, reverse=True)
    polygon = parts[0]
    for part in parts[1:]:
        apart = np.linalg.norm(polygon[:, None] - part[None], axis=2)
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        there = np.vstack([part[j:], part[: j + 1]])  # around it, from j to j
        polygon = np.vstack([polygon[: i + 1], there, polygon[i:]])
    return np.vstack([polygon, np.repeat(polygon[-1:], max(0, 3 - len(polygon)), axis=0)])
