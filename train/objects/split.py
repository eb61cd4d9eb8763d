"""Which images of a BOP dataset are trained on, and which are tested on."""

import json
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.bop import read_split
from render.formats.split_file import read_split_file
from render.json_file import write_text
from train.objects.data import DataConfig, ImageKey

SPLIT = "split.json"  # what a run says of its images, as `data.split_file` takes it


def choose_images(config: DataConfig, root: Path, part: str, seed: int) -> list[ImageKey]:
    """The images to train on (part "train") or to test on ("test").

    With folds, both are cut from the training images: the test images are left alone.

    Raises:
        InputError: the share or the file of the split leaves none of what there is, or the file is
            missing or malformed.
    """
    parts = _parts(config, root, seed)
    left_out = config.split_file or any(parts.values())
    if not parts[part] and left_out and not config.folds:
        why = f"data.train_fraction is {config.share:g} of {sum(map(len, parts.values()))}"
        if config.split_file:
            why = f"data.split_file: {config.split_file} names none under {part}"
        raise InputError(f"no image to {part} on: {why}")
    return parts[part]


def write_split(config: DataConfig, root: Path, seed: int, file: Path) -> None:
    """Write which images are trained and tested on, as `data.split_file` takes it."""
    write_text(file, json.dumps(_parts(config, root, seed)) + "\n")


def _parts(config: DataConfig, root: Path, seed: int) -> dict[str, list[ImageKey]]:
    """The images under "train" and under "test"; there may be none."""
    if config.split_file:
        train, test = read_split_file(config.split_file, root, "data.split_file")
    else:
        images = read_split(root, config.split)
        wanted = [
            (image.scene_id, image.im_id)
            for image in images
            if not config.objects or any(a.obj_id in config.obj_ids for a in image.annotations)
        ]
        order = np.random.default_rng([seed, 15]).permutation(len(wanted))
        share = config.share
        count = max(1, round(share * len(wanted))) if share else 0
        train = sorted(wanted[i] for i in order[:count])
        test = sorted(wanted[i] for i in order[count:])
    if config.folds:
        if config.folds < 2 or not 0 <= config.fold < config.folds:
            raise InputError("data.fold must be below data.folds, and that 2 or more")
        held_out = train[config.fold :: config.folds]
        train, test = [key for key in train if key not in held_out], held_out
    return {"train": train, "test": test}
