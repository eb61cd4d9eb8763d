"""Images with maps of normalised object coordinates, in the layout of NOCS's real dataset.

H. Wang et al., "Normalized Object Coordinate Space for Category-Level 6D Object Pose and Size
Estimation", CVPR 2019; its readers: https://github.com/hughw19/NOCS_CVPR2019 (dataset.py). A point
of an object is there 0.5 + (point - middle of its box) / diagonal of its box, along the mesh's own
axes. What its readers do to files is undone here: they take 1 - blue for z.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.labels import LabelledImage, ObjectClass
from render.image_file import write_png
from render.json_file import write_text

NOTHING = 255  # in masks, where there is no object; white in maps of coordinates
MOST = 18  # objects of an image: its reader takes fewer than 20 values of a mask
DEEPEST_MM = 65535
FOLDERS = {"train": "train", "val": "test"}


class NocsWriter:
    """`labels.Writer`: real/train/scene_NNNNNN/NNNNNN_color.png, beside it _coord.png, _mask.png,
    _meta.txt and, if the dataset has depth, _depth.png; and the same of real/test."""

    needs_boxes = needs_masks = needs_surface = True
    suffixes: tuple[str, ...] = (".png",)

    def __init__(self, classes: Sequence[ObjectClass]) -> None:
        self.classes = classes
        called: dict[str, ObjectClass] = {}
        for one in classes:
            if "/" in one.name:
                raise InputError(
                    f"{one.name}: NOCS has a file of an object's name; take / out of it"
                )
            twin = called.setdefault(model_name(one).lower(), one)
            if twin is not one:
                raise InputError(
                    f"objects {twin.obj_id} and {one.obj_id}, {twin.name} and {one.name}, are both"
                    f" {model_name(one)} in NOCS's files, which have _ for blanks; call one"
                    " otherwise in models/names.json or models_info.json"
                )

    def image_file(self, part: str, scene_id: int, im_id: int) -> str:
        return f"real/{FOLDERS[part]}/scene_{scene_id:06d}/{im_id:06d}_color"

    def add(self, root: Path, part: str, image: LabelledImage) -> None:
        if len(image.labels) > MOST:
            raise InputError(
                f"{image.file}: {len(image.labels)} objects; NOCS's reader takes {MOST}"
            )
        coord, mask = nocs_maps(image)
        stem = str(root / image.file).removesuffix("_color.png")
        write_png(Path(f"{stem}_coord.png"), coord)
        write_png(Path(f"{stem}_mask.png"), np.repeat(mask[..., None], 3, axis=2))
        if image.depth is not None:
            depth_mm = np.rint(1000 * image.depth)
            if depth_mm.max() > DEEPEST_MM:
                raise InputError(f"{image.file}: depth beyond {DEEPEST_MM / 1000:g} m, NOCS's most")
            write_png(Path(f"{stem}_depth.png"), depth_mm.astype(np.uint16))
        lines = [
            f"{number} {label.of.index + 1} {model_name(label.of)}\n"
            for number, label in enumerate(image.labels, start=1)
        ]
        write_text(Path(f"{stem}_meta.txt"), "".join(lines))

    def finish(self, root: Path, parts: Sequence[str]) -> None:
        """Write the sides of every object's box, metres, where the readers look for scales."""
        for part in parts:
            folder = root / "obj_models" / f"real_{FOLDERS[part]}"
            folder.mkdir(parents=True)
            for one in self.classes:
                assert one.box is not None
                sides = " ".join(f"{side:.6f}" for side in one.box[1] - one.box[0])
                write_text(folder / f"{model_name(one)}.txt", sides + "\n")


def model_name(of: ObjectClass) -> str:
    """What files call an object: its name without blanks, by which the reader would part it."""
    return "_".join(of.name.split())


def nocs_maps(image: LabelledImage) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 red x, green y, blue 1 - z, and (H, W) uint8 numbers of the labels from 1."""
    assert image.coordinates is not None
    shape = image.coordinates.shape
    coord, mask = np.full(shape, NOTHING, np.uint8), np.full(shape[:2], NOTHING, np.uint8)
    for number, label in enumerate(image.labels, start=1):
        assert label.mask is not None and label.of.box is not None
        middle, diagonal = label.of.box.mean(axis=0), np.linalg.norm(np.ptp(label.of.box, axis=0))
        xyz = 0.5 + (image.coordinates[label.mask] - middle) / diagonal
        xyz[:, 2] = 1 - xyz[:, 2]
        coord[label.mask] = np.rint(255 * np.clip(xyz, 0, 1)).astype(np.uint8)
        mask[label.mask] = number
    return coord, mask
