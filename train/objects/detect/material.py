"""What a detector's images are made of, from disk: real training frames and synthetic cut-outs."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.frame import Annotation
from render.mesh.names import title_in
from render.progress import progress
from train.objects.data import DataConfig
from train.objects.detect.images import LEAST_SEEN, Cutout, Pictures, Scene
from train.objects.detect.network import MULTIPLE
from train.objects.split import choose_images
from train.objects.twins.pair import twin_splits
from train.options import DetectorConfig

CUTOUTS = 1500  # of a synthetic dataset, at most: evenly spread ones
LEAST_PX = 12  # of a cut-out's longer side: less is no picture of an object
AROUND = 1.5  # how much larger, or smaller, than in real frames objects are pasted
USUAL = 10  # percent of the real boxes that are left out at both ends: cut off, hidden
UNKNOWN = (0.06, 0.7)  # their size, as a share of the image's, where there are no real frames
ASPECT = 4 / 3  # of images, where there are no real frames


def load_pictures(
    config: DetectorConfig,
    data: DataConfig,
    root: Path | None,
    synthetic: Path,
    seed: int,
    twins: Path | None = None,
) -> Pictures:
    """All that images for one object's detector are made of.

    Args:
        data: objects names the object alone.
        root: the dataset of real frames; None: there are none to train on.
        synthetic: a dataset that `render` made, with masks.
        twins: what `pair` made of the real frames, if it is there: where the frames have no masks
            of their own, the object is cut out of them by those of their twins.

    Raises:
        InputError: an image, a mask or a record is missing or damaged, or nothing shows the object.
    """
    (obj_id,) = data.obj_ids
    images: list[BopImage] = []
    if root is not None:
        images = read_split(root, data.split, choose_images(data, root, "train", seed))
    scenes = [read_scene(image, obj_id, data.min_visib, 2 * config.size) for image in images]
    least = max(data.min_visib, LEAST_SEEN)
    cutouts, real = (
        read_cutouts(synthetic, obj_id, least),
        real_cutouts(images, twins, obj_id, least),
    )
    shown = [
        max(box[2:]) / max(scene.rgb.shape[:2]) for scene in scenes for box in scene.boxes.tolist()
    ]
    longer = UNKNOWN
    if shown:
        low, high = np.percentile(shown, [USUAL, 100 - USUAL]).tolist()
        longer = low / AROUND, min(high * AROUND, 1.0)
    aspect = scenes[0].rgb.shape[1] / scenes[0].rgb.shape[0] if scenes else ASPECT
    sides = (
        (config.size, config.size / aspect) if aspect > 1 else (config.size * aspect, config.size)
    )
    width, height = (MULTIPLE * max(1, round(side / MULTIPLE)) for side in sides)
    return Pictures(scenes, cutouts, (width, height), longer, real)


def read_scene(image: BopImage, obj_id: int, min_visib: float, longest: int) -> Scene:
    """A real frame, its longer side not over `longest` pixels, with the object's visible boxes."""
    rgb = image.read_rgb()
    scale = min(1.0, longest / max(rgb.shape[:2]))
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes: list[Sequence[float]] = []
    unsure: list[Sequence[float]] = []
    for annotation in image.annotations:
        box = annotation.bbox_visib
        if annotation.obj_id != obj_id:
            continue
        if box is None or annotation.visib_fract is None:
            raise InputError(
                f"{image.scene_dir} has no scene_gt_info.json with boxes and visib_fract;"
                " bop_toolkit's calc_gt_info.py makes it from poses, meshes and depth"
            )
        if box[2] <= 0 or box[3] <= 0:
            continue
        (boxes if annotation.visib_fract >= min_visib else unsure).append(box)
    found = (scale * np.array(part, np.float64).reshape(-1, 4) for part in (boxes, unsure))
    return Scene(rgb, *found)


def read_cutouts(synthetic: Path, obj_id: int, min_visib: float) -> list[Cutout]:
    """The object, cut out of the images of a synthetic dataset; those of an edge are left out.

    Raises:
        InputError: it is no such dataset, shows the object nowhere, or has no masks.
    """
    splits = sorted({path.parent.parent.name for path in synthetic.glob("*/*/scene_camera.json")})
    if not splits:
        raise InputError(f"{synthetic} holds no BOP scenes; give a dataset that `render` made")
    title = title_in(synthetic, obj_id)
    shown = [
        (image, gt_id)
        for split in splits
        for image in read_split(synthetic, split)
        for gt_id, annotation in enumerate(image.annotations)
        if annotation.obj_id == obj_id and _is_whole(annotation, image, min_visib)
    ]
    if not shown:
        raise InputError(f"no {title} in {synthetic}; render it with --obj-ids")
    if len(shown) > CUTOUTS:
        shown = [shown[i] for i in np.linspace(0, len(shown) - 1, CUTOUTS).round().astype(int)]
    label = f"cut-outs of {title}"
    return [
        _cut_out(image, _synthetic_mask(image, gt_id))
        for image, gt_id in progress(shown, len(shown), label)
    ]


def real_cutouts(
    images: Sequence[BopImage], twins: Path | None, obj_id: int, min_visib: float
) -> list[Cutout]:
    """The object, cut out of real frames by their masks, or those of their twins; none without."""
    drawn: dict[tuple[int, int], BopImage] = {}
    if twins is not None:
        (first, *_) = twin_splits(twins)
        drawn = {(twin.scene_id, twin.im_id): twin for twin in read_split(twins, first)}
    found = []
    for image in images:
        for gt_id, annotation in enumerate(image.annotations):
            if annotation.obj_id != obj_id or not _is_whole(annotation, image, min_visib):
                continue
            seen = image.read_mask(gt_id, visible=True)
            twin = drawn.get((image.scene_id, image.im_id))
            if seen is None and twin is not None:
                seen = twin.read_mask(gt_id, visible=True)
            if seen is not None and seen.any():
                found.append(_cut_out(image, seen))
    return found


def _is_whole(annotation: Annotation, image: BopImage, min_visib: float) -> bool:
    box, visib = annotation.bbox_visib, annotation.visib_fract
    if box is None or visib is None or visib < min_visib:
        return False
    return max(box[2:]) >= LEAST_PX and min(box[2:]) > 0


def _synthetic_mask(image: BopImage, gt_id: int) -> np.ndarray:
    seen = image.read_mask(gt_id, visible=True)
    if seen is None:
        raise InputError(f"{image.scene_dir} has no mask_visib, which objects are cut out by")
    if not seen.any():
        raise InputError(f"{image.scene_dir}, image {image.im_id}: mask {gt_id} is empty")
    return seen


def _cut_out(image: BopImage, seen: np.ndarray) -> Cutout:
    """What of an image a mask (H, W) shows, with a rim in which it fades where it is resampled."""
    x, y, width, height = cv2.boundingRect(seen.view(np.uint8))
    part = np.s_[y : y + height, x : x + width]
    rgb = np.pad(image.read_rgb()[part], [(1, 1), (1, 1), (0, 0)], mode="edge")
    return Cutout(rgb, np.pad(seen[part].view(np.uint8) * np.uint8(255), 1))
