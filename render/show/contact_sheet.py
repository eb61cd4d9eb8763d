"""Contact sheets of BOP datasets, for a person to look at."""

import colorsys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_records import read_records
from render.frame import Annotation
from render.mesh.box import box_corners
from render.show.overlay import Color, draw_box, draw_contour, draw_depth, label, sheet
from render.transforms import apply

COLUMNS = 6
TILE = 320  # width of a frame on the sheet, pixels


def contact_sheet(dataset: Path, split: str | None, frames: int) -> np.ndarray:
    """Frames of a dataset, spread evenly over it: (H, W, 3) uint8.

    Each is drawn with the 3D box and the contour of the visible mask of every annotated object, a
    colour an object id, and with its depth below it; what the dataset lacks is left out.

    Args:
        split: look at this split only; None looks at all.

    Raises:
        InputError: there is no such dataset or split, or a file of it is damaged.
    """
    splits = [split] if split else find_splits(dataset)
    images = [image for name in splits for image in read_split(dataset, name)]
    picked = [images[i] for i in _evenly(len(images), frames)]
    boxes = _boxes(dataset / "models" / "models_info.json")

    rows = []
    for start in range(0, len(picked), COLUMNS):
        part = picked[start : start + COLUMNS]
        rows.append([_tile(image, boxes) for image in part])
        depths = [(image, image.read_depth()) for image in part]
        rows.append([_small(draw_depth(depth)) for _, depth in depths if depth is not None])
    return sheet([row for row in rows if row])


def find_splits(dataset: Path) -> list[str]:
    """The splits of a BOP dataset; InputError where there is none."""
    splits = sorted({path.parent.parent.name for path in dataset.glob("*/*/scene_camera.json")})
    if not splits:
        raise InputError(f"{dataset}: no BOP dataset, which has SPLIT/SCENE/scene_camera.json")
    return splits


def _boxes(models_info: Path) -> dict[int, np.ndarray]:
    """Object id -> (2, 3) corners of its box, metres; empty where the dataset has no models."""
    if not models_info.is_file():
        return {}
    boxes = {}
    for obj_id, record in read_records(models_info).items():
        try:
            low, size = (
                np.array([record[f"{key}_{axis}"] for axis in "xyz"], np.float64) / 1000
                for key in ("min", "size")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{models_info}: object {obj_id} is damaged ({error})") from None
        boxes[obj_id] = np.stack([low, low + size])
    return boxes


def _tile(image: BopImage, boxes: Mapping[int, np.ndarray]) -> np.ndarray:
    rgb = image.read_rgb()
    for gt_id, annotation in enumerate(image.annotations):
        color = _color(annotation.obj_id)
        mask = image.read_mask(gt_id, visible=True)
        if mask is not None:
            rgb = draw_contour(rgb, mask, color, _thickness(rgb))
        corners = _corners(annotation, boxes, image.camera)
        if corners is not None:
            rgb = draw_box(rgb, corners, color)
    fractions = [a.visib_fract for a in image.annotations if a.visib_fract is not None]
    least = f"  visible {min(fractions):.0%} to {max(fractions):.0%}" if fractions else ""
    title = f"{image.scene_dir.parent.name}/{image.scene_id:06d}/{image.im_id:06d}{least}"
    return label(_small(rgb), title)


def _corners(
    annotation: Annotation, boxes: Mapping[int, np.ndarray], camera: Camera
) -> np.ndarray | None:
    """The object's box in the image, (8, 2) pixels; None if it is unknown or not all in front."""
    if annotation.obj_id not in boxes:
        return None
    corners = apply(annotation.cam_from_obj, box_corners(boxes[annotation.obj_id]))
    return camera.project(corners) if corners[:, 2].min() > 0 else None


def _color(obj_id: int) -> Color:
    """Neighbouring ids far apart on the colour wheel."""
    red, green, blue = colorsys.hsv_to_rgb(obj_id * 0.618 % 1, 0.85, 1.0)
    return int(255 * red), int(255 * green), int(255 * blue)


def _thickness(rgb: np.ndarray) -> int:
    """Of a line that is one pixel wide on the sheet."""
    return max(1, round(rgb.shape[1] / TILE))


def _small(rgb: np.ndarray) -> np.ndarray:
    """At most as wide as a tile."""
    height, width = rgb.shape[:2]
    if width <= TILE:
        return rgb
    size = TILE, max(1, round(height * TILE / width))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` indices, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int)).tolist()
