"""Whether labels as another program reads them are those of the dataset they were made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.formats.bop import read_split
from render.mesh.box import box_corners
from render.mesh.mesh import load_models
from render.transforms import apply

CLOSE_PX = 0.01  # shares are written with six digits
RIM_PX = 0.51  # polygons go through the centres of pixels
LEAST_IOU = 0.9  # of a mask and its polygon, which has lines from part to part


class Disagrees(Exception):
    """What a reader has is not what the dataset has; how, in words."""


def agree(ok: bool, otherwise: str) -> None:
    """Raises Disagrees unless ok."""
    if not ok:
        raise Disagrees(otherwise)


@dataclass(frozen=True, eq=False)
class Seen:
    """An object in an image, as the dataset has it.

    mask: (H, W) bool, what is visible. edges: (4,) left, top, right, bottom in pixels, pixel u
    being [u, u + 1]. points: (9, 2) pixels, centres at integers: corners of its box, their middle.
    """

    obj_id: int
    mask: np.ndarray
    edges: np.ndarray
    points: np.ndarray


Dataset = Mapping[str, Sequence[Seen]]  # by SSSSSS_IIIIII


def seen_in(root: Path, split: str, least: float, whole: bool = False) -> Dataset:
    """A dataset's objects of which `least` and more is visible, by scenes and images.

    Args:
        whole: edges are those of the whole silhouette, not of what is visible.
    """
    models, found = load_models([root / "models"]), {}
    for image in read_split(root, split):
        objects = []
        for gt_id, annotation in enumerate(image.annotations):
            mask, silhouette = (image.read_mask(gt_id, visible) for visible in (True, False))
            assert mask is not None and silhouette is not None
            if not mask.any() or (annotation.visib_fract or 0) < least:
                continue
            x, y, width, height = cv2.boundingRect((silhouette if whole else mask).view(np.uint8))
            corners = box_corners(models[annotation.obj_id].box)
            points = apply(annotation.cam_from_obj, np.vstack([corners, corners.mean(axis=0)]))
            edges = np.array([x, y, x + width, y + height])
            objects.append(Seen(annotation.obj_id, mask, edges, image.camera.project(points)))
        found[f"{image.scene_id:06d}_{image.im_id:06d}"] = objects
    return found


def check_yolo(
    read: Mapping[str, np.ndarray], expected: Dataset, classes: Mapping[int, str]
) -> str:
    """Compare what ultralytics_reader.py left with the dataset.

    Args:
        classes: names by object id, in their order.

    Returns:
        What agreed, in words.

    Raises:
        Disagrees: something does not.
    """
    agree(list(read["names"]) == list(classes.values()), f"names {list(read['names'])}")
    names = [key.removesuffix(".cls") for key in read if key.endswith(".cls")]
    agree(sorted(name.split("/")[1] for name in names) == sorted(expected), "other images")
    boxes, points, overlaps = [0.0], [0.0], []
    for name in names:
        objects, size = expected[name.split("/")[1]], read[f"{name}.size"]
        found = [list(classes)[int(i)] for i in read[f"{name}.cls"].ravel()]
        agree(found == [one.obj_id for one in objects], f"{name}: objects {found}")
        for i, one in enumerate(objects):
            center, sides = read[f"{name}.bboxes"][i].reshape(2, 2) * size
            edges = np.concatenate([center - sides / 2, center + sides / 2])
            boxes.append(np.abs(edges - one.edges).max())
            if f"{name}.masks" in read:
                overlaps.append(_overlap(read[f"{name}.masks"][i] > 0, one.mask, name))
            if f"{name}.keypoints" in read:
                points.append(_points_off(read[f"{name}.keypoints"][i], one, size, name))
    said = f"boxes within {max(boxes):.1g} px"
    agree(max(boxes) < (RIM_PX if overlaps else CLOSE_PX), said)
    if len(points) > 1:
        said += f", keypoints within {max(points):.1g} px"
        agree(max(points) < CLOSE_PX, said)
    if overlaps:
        least, median = min(overlaps), np.median(overlaps)
        said += f", no pixel of a mask missing, IoU {least:.3f} at least, {median:.3f} in median"
        agree(least > LEAST_IOU, said)
    return f"names, classes, {said}"


def _points_off(read: np.ndarray, one: Seen, size: np.ndarray, name: str) -> float:
    """Pixels that (9, 3) keypoints are off: those in the image, which are flagged."""
    shares = (one.points + 0.5) / size
    inside = ((shares >= 0) & (shares <= 1)).all(axis=1)
    agree(np.array_equal(read[:, 2] > 0, inside), f"{name}: flags of keypoints {read[:, 2]}")
    return float(np.abs((read[:, :2] - shares) * size)[inside].max(initial=0))


def _overlap(found: np.ndarray, mask: np.ndarray, name: str) -> float:
    """Intersection over union with a mask whose holes are filled; all of it must be found."""
    rims, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), rims, -1, 1, cv2.FILLED) > 0
    agree(bool(found[mask].all()), f"{name}: {(mask & ~found).sum()} pixels of a mask are missing")
    return float((found & filled).sum() / (found | filled).sum())


def check_coco(files: Sequence[Path], expected: Dataset, kinds: Sequence[str]) -> str:
    """Compare what pycocotools reads of files that share the dataset's images; see `check_yolo`.

    Args:
        kinds: of what its evaluation compares: bbox, segm, keypoints.

    Raises:
        AssertionError: two ids are one, or an area is not its mask's.
    """
    from tests.render.formats.coco_reader import precision_of_itself, read_coco

    names: list[str] = []
    for file in files:
        coco = read_coco(file)
        for i, image in coco.imgs.items():
            path = Path(image["file_name"])  # 000001_000002.png, or train/000001/rgb/000002.png
            name = path.stem if "_" in path.stem else f"{path.parts[-3]}_{path.stem}"
            agree(name in expected, f"{file.name}: {name} is no image")
            names.append(name)
            records: list[dict[str, Any]] = coco.imgToAnns[i]
            found = [record["category_id"] for record in records]
            agree(found == [one.obj_id for one in expected[name]], f"{name}: objects {found}")
            for record, one in zip(records, expected[name], strict=True):
                agree(np.array_equal(coco.annToMask(record), one.mask), f"{name}: another mask")
                x, y, width, height = box = record["bbox"]
                agree(
                    np.array_equal([x, y, x + width, y + height], one.edges), f"{name}: box {box}"
                )
                if "keypoints" in kinds:
                    read = np.reshape(record["keypoints"], (9, 3))
                    off = np.abs(read[:, :2] - one.points)[read[:, 2] > 0].max(initial=0)
                    agree(off < CLOSE_PX, f"{name}: keypoints {off:.2g} px off")
        for kind in kinds:
            score = precision_of_itself(coco, kind)
            agree(score > 1 - 1e-9, f"{file.name}: AP {score} of {kind} as its own results")
    agree(sorted(names) == sorted(expected), "not each image once")
    keypoints = ", keypoints" if "keypoints" in kinds else ""
    return f"ids, areas, boxes, masks to the pixel{keypoints}; AP 1 ({', '.join(kinds)})"
