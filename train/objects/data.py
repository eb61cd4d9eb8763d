"""A BOP dataset -> object instances in memory, ready to be cropped."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from render.camera import Camera
from render.config import option
from render.dataset.folder import RECORD, read_record
from render.draw.renderer import VAL
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.frame import Annotation, Box
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.mesh.names import ids_in
from render.transforms import apply

ImageKey = tuple[int, int]  # scene id, image id
TRAIN_FRACTION = 0.15  # where nothing else says what is trained on
REACH = 2.5  # side of what is kept around a box, over its longer side


@dataclass(frozen=True)
class DataConfig:
    """Which real frames are trained on, and which are tested on."""

    dataset: str = option("lmo", "A BOP dataset: a folder, or its name under BOP_PATH")
    split: str = option(
        "test", "Name of the split's folder in the dataset, such as test or train_pbr"
    )
    split_file: str = option(
        "", "JSON with lists of [scene, image] under train and test; beside the dataset or a path"
    )
    unlabelled: str = option(
        "",
        "Real frames whose poses nobody knows, for methods with unlabelled frames: a folder of"
        " pictures by the camera of the others, or a split's folder of BOP scenes; none: the images"
        " that split_file has under unlabelled, whose poses are not read",
        later=True,
    )
    train_fraction: float | None = option(
        None,
        "Share of frames to train on where no split file is given, one at least; 0: none, for tests"
        " on all, 1: all. none: 0.15, and in `evaluate` those that the network has seen",
        minimum=0,
        maximum=1,
        none_as=TRAIN_FRACTION,
    )
    objects: tuple[int | str, ...] = option(
        (), "Objects, by ids or names, each gets a network of its own; none: all of the dataset"
    )
    symmetry: Literal["file", "propose", "none"] = option(
        "file",
        "Which turns of an object look alike. file: those of models_info.json, and in `evaluate`"
        " what the network was trained with; propose: where that has none, those that leave shape"
        " and colours of the mesh; none: no turn does, whatever the file says",
        later=True,
    )
    min_visib: float = option(
        0.1,
        "Skip instances of which a smaller share is visible; 0: none, 1: all that anything hides",
        minimum=0,
        maximum=1,
    )
    boxes: str = option(
        "bbox_visib",
        "Where test crops come from: bbox_visib, bbox_obj (gives centre and scale of hidden parts"
        " away), or a file of detections in BOP's default-detection JSON",
    )
    folds: int = option(
        0,
        "To choose parameters: folds that training frames are cut into; 0: test on the test frames",
        minimum=0,
    )
    fold: int = option(0, "With folds: the fold that is tested on instead of the test frames")

    @property
    def obj_ids(self) -> tuple[int, ...]:
        """The objects, after `with_ids`."""
        return tuple(int(i) for i in self.objects)

    @property
    def share(self) -> float:
        """Of the frames that are trained on, where no split file says which."""
        return TRAIN_FRACTION if self.train_fraction is None else self.train_fraction

    @property
    def says_nothing(self) -> bool:
        """Whether nothing says which frames are tested on."""
        return not self.split_file and self.train_fraction is None and not self.folds


@dataclass(frozen=True, eq=False)
class Instance:
    """One annotated object in one image.

    key: scene id, image id, gt id. window: (h, w, 3) uint8, the part of the image that crops may
    need; its first pixel is `corner` (x, y) of the image. camera: of the whole image. box: the one
    crops come from, image pixels. poses: (s, 4, 4) cam_from_obj under each of the object's s
    symmetries. corners: (s, 8, 2) image positions of the box corners under them. box_score: of the
    detection that the box is; 1 if it is annotated.
    """

    key: tuple[int, int, int]
    window: np.ndarray
    corner: tuple[int, int]
    camera: Camera
    box: Box
    annotation: Annotation
    poses: np.ndarray
    corners: np.ndarray
    box_score: float = 1.0


def find_dataset(name: str, option: str = "data.dataset") -> Path:
    """The folder of a BOP dataset: a path, or a name under BOP_PATH; `option` names it so."""
    if Path(name).is_dir():
        return Path(name)
    root = os.environ.get("BOP_PATH")
    if root and (Path(root) / name).is_dir():
        return Path(root) / name
    where = f"nor is it in BOP_PATH={root}" if root else "and BOP_PATH is not set"
    raise InputError(
        f"{option}: {name} is no folder, {where};"
        " name the dataset's folder, or set BOP_PATH to the folder that holds it"
    )


def with_ids(data: DataConfig, root: Path) -> DataConfig:
    """The data with ids in place of the names that the dataset's models have.

    Raises:
        InputError: no object has such a name.
    """
    return replace(data, objects=ids_in(root / "models", data.objects, "data.objects"))


def load_instances(
    images: Sequence[BopImage],
    model: ObjectModel,
    boxes: str = "bbox_visib",
    min_visib: float = 0.1,
    reach: float = REACH,
) -> list[Instance]:
    """Cut every instance of an object out of the images, sorted by scene, image and gt id.

    Args:
        boxes: the annotation's box that crops come from, "bbox_visib" or "bbox_obj".
        min_visib: skip less visible instances; what is not visible at all is always skipped.
        reach: side of the kept window over the box's longer side; infinite keeps the whole image.

    Raises:
        InputError: the dataset does not say what is visible, or an image is missing or damaged.
    """
    instances = []
    for image in images:
        chosen = [
            (gt_id, annotation)
            for gt_id, annotation in enumerate(image.annotations)
            if annotation.obj_id == model.obj_id and _is_seen(image, annotation, min_visib)
        ]
        rgb = image.read_rgb() if chosen else None
        for gt_id, annotation in chosen:
            assert rgb is not None
            box = getattr(annotation, boxes)
            instances.append(_instance(image, gt_id, rgb, box, annotation, model, reach))
    return instances


def load_synthetic(folder: Path, model: ObjectModel, min_visib: float) -> list[Instance]:
    """`load_instances` of every split of a dataset that `render` made, but for its split val.

    Raises:
        InputError: it is no such dataset, or shows the object nowhere.
    """
    splits = sorted({path.parent.parent.name for path in folder.glob("*/*/scene_camera.json")})
    if (folder / RECORD).is_file() and read_record(folder / RECORD)["settings"].get("render"):
        made = read_record(folder / RECORD)["settings"]["render"]
        splits = [name for name in splits if not (made.get("val") and name == VAL)]
    if not splits:
        raise InputError(f"{folder} holds no BOP scenes; give a dataset that `render` made")
    images = [image for split in splits for image in read_split(folder, split)]
    instances = load_instances(images, model, min_visib=min_visib)
    if not instances:
        raise InputError(f"no {model.title} in {folder}; render it with --obj-ids")
    return instances


def load_twins(
    twin_images: Sequence[BopImage], instances: Sequence[Instance]
) -> list[list[Instance]]:
    """For each instance its synthetic twins: the same key and window, other pixels.

    Raises:
        InputError: an instance has no twin, or the twins are those of other poses or objects.
    """
    by_key: dict[ImageKey, list[BopImage]] = {}
    for image in twin_images:
        by_key.setdefault((image.scene_id, image.im_id), []).append(image)
    cache = {key: [image.read_rgb() for image in found] for key, found in by_key.items()}
    twins = []
    for instance in instances:
        x, y = instance.corner
        height, width = instance.window.shape[:2]
        pictures = cache.get(instance.key[:2], [])
        if not pictures:
            scene_id, im_id, _ = instance.key
            raise InputError(f"image {im_id} of scene {scene_id} has no twin; run `pair` again")
        _check_twins(by_key[instance.key[:2]], instance)
        twins.append(
            [
                replace(instance, window=picture[y : y + height, x : x + width].copy())
                for picture in pictures
            ]
        )
    drawn = (
        image.read_mask(instance.key[2], visible=True)
        for instance in instances
        for image in by_key[instance.key[:2]]
    )
    if instances and not any(mask is not None and mask.any() for mask in drawn):
        raise InputError(
            f"{twin_images[0].scene_dir.parents[1]} holds twins of other objects than"
            f" {instances[0].annotation.obj_id}; run `pair` with this one"
        )
    return twins


def unannotated(image: BopImage, rgb: np.ndarray, box: Box, model: ObjectModel) -> Instance:
    """An instance of which only the place in an image (H, W, 3) uint8 is known: its pose and its
    corners are NaN."""
    pose = Annotation(model.obj_id, np.full((4, 4), np.nan))
    return _instance(image, 0, rgb, box, pose, model, REACH)


def _instance(
    image: BopImage,
    gt_id: int,
    rgb: np.ndarray,
    box: Box,
    annotation: Annotation,
    model: ObjectModel,
    reach: float,
) -> Instance:
    x, y, width, height = box
    half = reach * max(width, height, 1) / 2
    center, size = (x + width / 2, y + height / 2), image.camera.size
    left, top = (int(max(c - half, 0)) for c in center)
    right, bottom = (int(min(c + half, s)) + 1 for c, s in zip(center, size, strict=True))
    symmetric = annotation.cam_from_obj @ model.symmetries  # (s, 4, 4)
    return Instance(
        key=(image.scene_id, image.im_id, gt_id),
        window=rgb[top:bottom, left:right].copy(),
        corner=(left, top),
        camera=image.camera,
        box=box,
        annotation=annotation,
        poses=symmetric,
        corners=image.camera.project(apply(symmetric, box_corners(model.box))),
    )


def _is_seen(image: BopImage, annotation: Annotation, min_visib: float) -> bool:
    """Whether enough of an object is visible."""
    fract, box = annotation.visib_fract, annotation.bbox_visib
    if fract is None or box is None or annotation.bbox_obj is None:
        raise InputError(
            f"{image.scene_dir} has no scene_gt_info.json with boxes and visib_fract; bop_toolkit's"
            " calc_gt_info.py makes it from poses, meshes and depth"
        )
    return fract >= min_visib and box[2] >= 0  # BOP's box of nothing is -1, -1, -1, -1


def _check_twins(twins: Sequence[BopImage], instance: Instance) -> None:
    """Refuse images that share an instance's ids, but not its object and pose."""
    gt_id, true = instance.key[2], instance.annotation
    for twin in twins:
        found = twin.annotations[gt_id] if gt_id < len(twin.annotations) else None
        same = found is not None and found.obj_id == true.obj_id
        if found is None or not same or not np.allclose(found.cam_from_obj, true.cam_from_obj):
            raise InputError(
                f"{twin.scene_dir}, image {twin.im_id}: annotation {gt_id} is not the real"
                " frame's; give the twins that `pair` made of this dataset"
            )
