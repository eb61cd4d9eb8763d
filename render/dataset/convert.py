"""`convert`: a BOP dataset, ours or another's, in the format of another program."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from render.config import option, to_dict
from render.dataset.see_poses import PoseView
from render.dataset.train_val import train_and_val
from render.errors import InputError
from render.formats.bop import BopImage, require_objects
from render.formats.bop_records import NO_BOX
from render.formats.coco_dataset import CocoWriter
from render.formats.dope import DopeWriter, cuboid
from render.formats.labels import Edges, Label, LabelledImage, ObjectClass, Writer, class_names
from render.formats.nocs import NocsWriter
from render.formats.yolo import YoloWriter
from render.frame import Annotation
from render.hand.guest import HAND_ID
from render.image_file import orientation, write_png
from render.json_file import write_text
from render.mesh.mesh import load_models
from render.mesh.names import ids_in, read_names
from render.progress import progress
from render.whole_file import whole_folder

FORMATS: dict[str, Callable[[Sequence[ObjectClass]], Writer]] = {
    "yolo": lambda classes: YoloWriter(classes, "detect"),
    "yolo-seg": lambda classes: YoloWriter(classes, "segment"),
    "yolo-pose": lambda classes: YoloWriter(classes, "pose"),
    "coco": lambda classes: CocoWriter(classes, keypoints=False),
    "coco-keypoints": lambda classes: CocoWriter(classes, keypoints=True),
    "dope": lambda classes: DopeWriter(classes),
    "nocs": lambda classes: NocsWriter(classes),
}
SPLIT_FILE, SHARE = "split.json", "0.1"  # what is validated on where nothing is said


@dataclass(frozen=True)
class ConvertConfig:
    """What of a dataset is converted."""

    split: str = option("", "Name of the split; needed where there are several")
    val: str = option(
        "",
        "What to validate on: a share of the images, the last scenes or the last images of each, 0"
        " for none; the name of another split; or a split file, by which both parts are taken."
        " Empty: the dataset's split.json, which `capture` writes, or 0.1",
    )
    objects: tuple[int | str, ...] = option(
        (), "Objects, by ids or names; none: all that are annotated"
    )
    min_visib: float = option(
        0.1,
        "Objects of which a smaller share is visible are not labelled; 0: all that is visible",
        minimum=0,
        maximum=1,
    )


def convert(root: Path, to: str, out: Path, config: ConvertConfig) -> str:
    """Write a BOP dataset in another format, whole or not at all.

    Args:
        root: the dataset's folder.
        to: a key of FORMATS.

    Returns:
        A line of what there is in `out`, and one of what was left out.

    Raises:
        InputError: something is missing or contradicts itself, or there is something at `out`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; remove it, or give another --out")
    val = config.val or (SPLIT_FILE if (root / SPLIT_FILE).is_file() else SHARE)
    parts = train_and_val(root, config.split, val)
    images = [image for part in parts.values() for image in part]
    classes = _classes(root, to, _objects(root, config, images))
    writer, counts = FORMATS[to](list(classes.values())), Counter[str]()
    view = PoseView(root / "models", wanted=writer.needs_surface)
    with whole_folder(out) as folder, view:
        labels = _Labels(classes, config.min_visib, writer, view)
        for part, image in progress(_each(parts), len(images), "images"):
            labelled = labels.of(image, part)
            if labelled is None:
                continue
            labelled = _copy(image, labelled, folder, writer.suffixes)
            writer.add(folder, part, labelled)
            counts += Counter({part: 1, f"{part} labels": len(labelled.labels)})
        for part in parts:
            if not counts[f"{part} labels"]:
                raise InputError(f"{root}: no object is visible enough in the images of {part}")
        writer.finish(folder, tuple(parts))
        about = {"dataset": root.resolve().name, "format": to} | to_dict(config)
        write_text(folder / "conversion.json", _record(about, classes.values(), writer, to))
    said = [f"{part} {counts[part]} images, {counts[f'{part} labels']} objects" for part in parts]
    return "\n".join([f"{out}: {to}, {'; '.join(said)}", *labels.left_out()])


class _Labels:
    """What is labelled in an image, and how much was left out so far."""

    def __init__(
        self, classes: dict[int, ObjectClass], min_visib: float, writer: Writer, view: PoseView
    ) -> None:
        self.classes, self.min_visib = classes, min_visib
        self.writer, self.view = writer, view
        self.hidden = self.dropped = 0

    def of(self, image: BopImage, part: str) -> LabelledImage | None:
        """None for an image whose objects are all left out: it is no example of their absence."""
        labels, hidden = [], 0
        seen = self._seen(image)
        for gt_id, annotation in enumerate(seen):
            if annotation.obj_id not in self.classes or not annotation.visib_fract:
                continue
            mask = self._mask(image, gt_id) if self.writer.needs_masks else None
            none_left = annotation.bbox_visib == NO_BOX or (mask is not None and not mask.any())
            if annotation.visib_fract < self.min_visib or none_left:
                hidden += 1
                continue
            edges = edges_of(annotation, image.camera.size)
            labels.append(Label(self.classes[annotation.obj_id], annotation, edges, mask))
        self.hidden += hidden
        if hidden and not labels:
            self.dropped += 1
            return None
        file = self.writer.image_file(part, image.scene_id, image.im_id)
        found = LabelledImage(file, image.scene_id, image.im_id, image.camera, tuple(labels))
        if not self.writer.needs_surface:
            return found
        coordinates = self.view.coordinates(image)
        return replace(found, coordinates=coordinates, depth=image.read_depth())

    def left_out(self) -> list[str]:
        """A line on it, if there is any."""
        if not self.hidden:
            return []
        images = f", and {self.dropped} images that show nothing else" if self.dropped else ""
        share = f"of which less than {self.min_visib:g} is visible"
        return [f"left out: {self.hidden} objects {share}{images}"]

    def _seen(self, image: BopImage) -> Sequence[Annotation]:
        """Annotations with visib_fract and bbox_visib, drawn where the dataset does not say."""
        known = all(
            a.visib_fract is not None and a.bbox_visib is not None for a in image.annotations
        )
        return image.annotations if known else self.view.measured(image)

    def _mask(self, image: BopImage, gt_id: int) -> np.ndarray:
        mask = image.read_mask(gt_id, visible=True)
        if mask is None:
            return self.view.visible(image, gt_id)
        return mask & self.view.in_front(image, gt_id) if self.writer.needs_surface else mask


def edges_of(annotation: Annotation, size: tuple[int, int]) -> Edges:
    """Where a visible box begins and ends: BOP's is max - min of the pixels that it holds."""
    assert annotation.bbox_visib is not None
    x, y, width, height = annotation.bbox_visib
    right, bottom = min(x + width + 1, size[0]), min(y + height + 1, size[1])
    return max(x, 0), max(y, 0), right, bottom


def _each(parts: dict[str, list[BopImage]]) -> Iterator[tuple[str, BopImage]]:
    return ((part, image) for part, images in parts.items() for image in images)


def _objects(root: Path, config: ConvertConfig, images: Sequence[BopImage]) -> list[int]:
    """Those asked for, or all that are annotated."""
    if config.objects:
        obj_ids = ids_in(root / "models", config.objects, "--objects")
        require_objects(images, obj_ids)
        return sorted(set(obj_ids))
    found = sorted({annotation.obj_id for image in images for annotation in image.annotations})
    if not found:
        raise InputError(f"{root}: nothing is annotated in its images")
    return found


def _classes(root: Path, to: str, obj_ids: list[int]) -> dict[int, ObjectClass]:
    """Each object as the new dataset calls it, with its box where the format needs one."""
    known = {HAND_ID: "hand", **read_names(root / "models")}
    names = class_names(root / "models", obj_ids, known)
    classes = {j: ObjectClass(i, j, names[j]) for i, j in enumerate(obj_ids)}
    if not FORMATS[to]([]).needs_boxes:
        return classes
    if HAND_ID in classes:
        raise InputError(
            f"{root}: object {HAND_ID} is a hand, which bends and has no box to give to {to};"
            " name the objects with --objects"
        )
    models = load_models([root / "models"], obj_ids=obj_ids)
    return {j: replace(one, box=models[j].box) for j, one in classes.items()}


def _copy(
    image: BopImage, labelled: LabelledImage, folder: Path, suffixes: Sequence[str]
) -> LabelledImage:
    """Copy an image as it is, or as PNG where a reader would not take it or would not turn it.

    Returns:
        The labelled image with the copy's file.
    """
    (folder / labelled.file).parent.mkdir(parents=True, exist_ok=True)
    rgb, source = image.read_rgb(), image.rgb_path  # read whole: a damaged one is refused here
    suffix = source.suffix.lower()
    if suffix in suffixes and _is_upright(source):
        shutil.copyfile(source, folder / f"{labelled.file}{suffix}")
    else:
        suffix = ".png"
        write_png(folder / f"{labelled.file}{suffix}", rgb)
    return replace(labelled, file=f"{labelled.file}{suffix}")


def _is_upright(path: Path) -> bool:
    """Whether a sound image is shown as its pixels lie, with or without heed to EXIF."""
    with Image.open(path) as image:
        if image.format == "PNG" and "exif" not in image.info:  # to look for it would decode all
            return True
        return orientation(image) == 1


def _record(about: dict[str, Any], classes: Iterable[ObjectClass], writer: Writer, to: str) -> str:
    """conversion.json: where the dataset came from, and its objects."""
    objects = []
    for one in classes:
        record: dict[str, Any] = {"class": one.index, "obj_id": one.obj_id, "name": one.name}
        if writer.needs_boxes:
            points = cuboid(one) if to == "dope" else one.keypoints
            record["keypoints_m"] = points.tolist()
        objects.append(record)
    return json.dumps(about | {"objects": objects}, indent=1) + "\n"
