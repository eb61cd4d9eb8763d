"""The images of a BOP frame, read and measured: sizes, counts, boxes, silhouettes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.formats.bop_files import depth_path, mask_path, rgb_path
from render.formats.bop_records import beyond
from render.formats.bop_writer import NOTHING_VISIBLE, bounding_box
from render.formats.flow import FOLDERS, flow_path, read_flow
from render.formats.surface import nocs_path, normals_path, read_nocs, read_normals
from render.image_file import read_gray16, read_mask, read_rgb
from render.sensor.config import DEFAULT_SENSOR, SensorConfig
from render.validate.fault import Faults

READERS: Mapping[str, Callable[[Path], np.ndarray]] = {
    "rgb": read_rgb,
    "gray": read_rgb,
    "depth": read_gray16,
    "mask": read_mask,
    "mask_visib": read_mask,
    "normals": read_normals,
    "nocs": read_nocs,
    **dict.fromkeys(FOLDERS.values(), read_flow),
}
FEW_PIXELS = 10


@dataclass(frozen=True)
class Slack:
    """What boxes, counts and masks of one image may differ by.

    bop_toolkit makes counts and masks in two renderings of different size, so they may differ by
    some pixels at the contour, and lets visible masks overlap where objects are within 15 mm of
    the same surface. Our own come from the same pixels and differ by none.

    box_px: pixels. count: share of the pixels. overlap: share of the smaller visible mask. sensor:
    what the depth was seen with. film: whether the images of a scene are a film. baseline: metres
    from a split's cameras to those of its right split, 0 where there is none.
    """

    box_px: int
    count: float
    overlap: float
    sensor: SensorConfig = DEFAULT_SENSOR
    film: bool = False
    baseline: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether depth, masks and all else of an image are of the same pixels."""
        return not self.count and self.sensor.depth == "perfect"


OURS, OTHERS = Slack(0, 0.0, 0.0), Slack(2, 0.02, 0.2)


@dataclass(frozen=True, eq=False)
class ImagePixels:
    """The pixels of an image that could be read and fit the others; None stands for the rest.

    size: (width, height), None if nothing could be read. depth: (H, W) uint16 as it stands in the
    file. whole, visible: one (H, W) bool mask an annotation. normals, nocs: (H, W, 3) float32, as
    surface.py of render/formats has them. forward, backward: (H, W, 2) float32 flow, as flow.py.
    """

    size: tuple[int, int] | None
    depth: np.ndarray | None
    whole: Sequence[np.ndarray | None]
    visible: Sequence[np.ndarray | None]
    normals: np.ndarray | None = None
    nocs: np.ndarray | None = None
    forward: np.ndarray | None = None
    backward: np.ndarray | None = None

    def flow(self, way: str) -> np.ndarray | None:
        """`forward` or `backward`."""
        return self.forward if way == "forward" else self.backward


def image_paths(
    scene_dir: Path, im_id: int, count: int, present: Sequence[str]
) -> dict[str, list[Path]]:
    """Kind of image -> where those of an image with `count` annotations should be.

    Args:
        present: the kinds there are: of READERS.
    """
    every = {
        "rgb": [rgb_path(scene_dir, im_id)],
        "gray": [rgb_path(scene_dir, im_id)],
        "depth": [depth_path(scene_dir, im_id)],
        "mask": [mask_path(scene_dir, im_id, i, visible=False) for i in range(count)],
        "mask_visib": [mask_path(scene_dir, im_id, i, visible=True) for i in range(count)],
        "normals": [normals_path(scene_dir, im_id)],
        "nocs": [nocs_path(scene_dir, im_id)],
        **{FOLDERS[way]: [flow_path(scene_dir, im_id, way)] for way in FOLDERS},
    }
    return {kind: paths for kind, paths in every.items() if kind in present}


def read_pixels(
    paths: Mapping[str, Sequence[Path]],
    count: int,
    sensor_size: tuple[int, int] | None,
    faults: Faults,
) -> ImagePixels:
    """Read all images of a frame; report those that are missing, damaged or of another size.

    The size that most of them have is taken for right; that of camera.json has one vote, and
    decides a draw.

    Args:
        paths: from `image_paths`, for `count` annotations.
    """
    images: dict[Path, np.ndarray] = {}
    for kind, path in ((kind, path) for kind, some in paths.items() for path in some):
        with faults.caught(path):
            images[path] = READERS[kind](path)

    sizes = {path: (image.shape[1], image.shape[0]) for path, image in images.items()}
    votes = Counter(([] if sensor_size is None else [sensor_size]) + list(sizes.values()))
    size = votes.most_common(1)[0][0] if votes else None
    for path, (width, height) in sizes.items():
        if size is not None and (width, height) != size:
            right = "{}x{}".format(*size)
            faults.add(path, f"{width}x{height} pixels, but the image's size is {right} elsewhere")
            del images[path]

    def those_of(kind: str) -> list[np.ndarray | None]:
        return [images.get(path) for path in paths[kind]] if kind in paths else [None] * count

    def that_of(kind: str) -> np.ndarray | None:
        return images.get(paths[kind][0]) if kind in paths else None

    masks = those_of("mask"), those_of("mask_visib")
    flows = [that_of(kind) for kind in FOLDERS.values()]
    return ImagePixels(size, that_of("depth"), *masks, that_of("normals"), that_of("nocs"), *flows)


def full_mask_differences(
    info: Mapping[str, Any], mask: np.ndarray, depth: np.ndarray | None, slack: Slack
) -> list[str]:
    """What scene_gt_info.json says otherwise than a full mask, (H, W) bool.

    A mask that is cut by the image's border is a part only of what bbox_obj and px_count_all cover.
    """
    wrong, count, box = [], int(mask.sum()), bounding_box(mask)
    cut = any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) or not count
    said = info.get("px_count_all", count)
    if said < count * (1 - slack.count) or (not cut and said > count * (1 + slack.count)):
        wrong.append(f"px_count_all is {said}, the mask has {count}")

    # Some datasets give the box of an object of which nothing is visible, others four times -1.
    said = info.get("bbox_obj", box)
    if NOTHING_VISIBLE not in (said, box):
        off = beyond(box, said) if cut else max(beyond(box, said), beyond(said, box))
        if off > slack.box_px:
            wrong.append(f"bbox_obj is {list(said)}, the mask's box {list(box)}")
    elif said != box and count and info.get("px_count_visib", 0):
        wrong.append(f"bbox_obj is {list(said)}, the mask's box {list(box)}")

    if depth is not None and "px_count_valid" in info:
        said, valid = info["px_count_valid"], int((depth[mask] > 0).sum())
        if abs(said - valid) > slack.count * count:
            wrong.append(f"px_count_valid is {said}, the mask has {valid} with depth")
    return wrong


def visible_mask_differences(info: Mapping[str, Any], mask: np.ndarray, slack: Slack) -> list[str]:
    """What scene_gt_info.json says otherwise than a visible mask, (H, W) bool."""
    wrong, count, box = [], int(mask.sum()), bounding_box(mask)
    said = info.get("px_count_visib", count)
    if abs(said - count) > slack.count * count:
        wrong.append(f"px_count_visib is {said}, the visible mask has {count}")

    said = info.get("bbox_visib", box)
    one_empty = (said == NOTHING_VISIBLE) != (box == NOTHING_VISIBLE)
    if one_empty or max(beyond(box, said), beyond(said, box)) > slack.box_px:
        wrong.append(f"bbox_visib is {list(said)}, the visible mask's box {list(box)}")
    return wrong


def contour_iou(given: np.ndarray, drawn: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks, pixels beside the other's contour forgiven.

    Renderers that sample pixels elsewhere differ there, which counts for much in a small mask. So
    do a few pixels: masks that differ by no more than FEW_PIXELS are taken for equal.
    """
    x, y, width, height = cv2.boundingRect((given | drawn).view(np.uint8))
    part = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    a, b = given[part], drawn[part]
    off = int(np.count_nonzero(a & ~_grown(b)) + np.count_nonzero(b & ~_grown(a)))
    return 1.0 if off <= FEW_PIXELS else 1 - off / int(np.count_nonzero(a | b))


def _grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
