"""Which real frames a network has seen, told by what they show, wherever their dataset lies now."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from render.dataset.settled_frames import shared_scenes
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.mesh.names import title_in
from train.objects.data import DataConfig, ImageKey
from train.objects.split import choose_images

DIGITS = 6  # of numbers that are compared


def marks_of(images: Sequence[BopImage]) -> tuple[str, ...]:
    """A word for each frame: of its camera and of every pose in it, which no other frame shares."""
    return tuple(sorted(map(_mark, images)))


def training_marks(data: DataConfig, root: Path, seed: int) -> tuple[str, ...]:
    """The words for the frames that `data` says to train on."""
    return marks_of(read_split(root, data.split, choose_images(data, root, "train", seed)))


def parts_by_sight(
    data: DataConfig, root: Path, obj_id: int, seen: Collection[str]
) -> dict[str, list[ImageKey]]:
    """A split's images that show an object: under "train" those that a network has seen, under
    "test" all others, but for those that show one settled scene with a frame it has seen.

    Args:
        seen: the words for the frames that it has seen.

    Raises:
        InputError: none of them shows the object, or it has seen them all.
    """
    images = [
        image
        for image in read_split(root, data.split)
        if any(annotation.obj_id == obj_id for annotation in image.annotations)
    ]
    parts: dict[str, list[ImageKey]] = {"train": [], "test": []}
    known = {(image.scene_id, image.im_id) for image in images if _mark(image) in seen}
    shown = shared_scenes(root)
    scenes = {shown(key) for key in known} if shown is not None else ()
    for image in images:
        key = image.scene_id, image.im_id
        seen_before = key in known or (shown is not None and shown(key) in scenes)
        parts["train" if seen_before else "test"].append(key)
    if not images:
        raise InputError(f"no frame of {root / data.split} shows {title_in(root, obj_id)}")
    if not parts["test"]:
        raise InputError(
            f"the network has seen all {len(images)} frames of {root / data.split} that show"
            f" {title_in(root, obj_id)}, and a test on them says nothing; give another dataset, or"
            " name frames by --split-file"
        )
    return parts


def _mark(image: BopImage) -> str:
    made = hashlib.blake2b(f"{image.scene_id} {image.im_id}".encode(), digest_size=8)
    for matrix in (image.camera.K, *(a.cam_from_obj for a in image.annotations)):
        made.update((np.round(matrix, DIGITS) + 0.0).tobytes())  # + 0.0: no -0
    return made.hexdigest()
