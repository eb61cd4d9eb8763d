"""Which images of a BOP dataset are trained on, and which are tested on."""

import json
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from render.dataset.settled_frames import shared_scenes
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.split_file import read_split_file
from render.json_file import write_text
from train.objects.data import DataConfig, ImageKey

SPLIT = "split.json"  # what a run says of its images, as `data.split_file` takes it


def choose_images(config: DataConfig, root: Path, part: str, seed: int) -> list[ImageKey]:
    """The images to train on (part "train") or to test on ("test").

    With folds, both are cut from the training images: the test images are left alone. Images that
    show one settled scene are in one part, unless a file says otherwise.

    Raises:
        InputError: the share or the file of the split leaves none of what there is, or the file is
            missing or malformed.
    """
    parts = _parts(config, root, seed)
    left_out = config.split_file or any(parts.values())
    if not parts[part] and left_out and not config.folds:
        why = f"data.train_fraction is {config.share:g} of {sum(map(len, parts.values()))}"
        if not config.split_file and shared_scenes(root) is not None:
            why += ", where frames of one settled scene (scene.cameras) stay together"
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
        together = _together(wanted, root)
        order = np.random.default_rng([seed, 15]).permutation(len(together))
        share = config.share
        count = max(1, round(share * len(together))) if share else 0
        train = sorted(key for i in order[:count] for key in together[i])
        test = sorted(key for i in order[count:] for key in together[i])
    if config.folds:
        if config.folds < 2 or not 0 <= config.fold < config.folds:
            raise InputError("data.fold must be below data.folds, and that 2 or more")
        together = _together(train, root)
        if len(together) < min(config.folds, len(train)):
            raise InputError(
                f"data.folds: the {len(train)} frames to train on show {len(together)} settled"
                f" scenes (scene.cameras), too few for {config.folds} folds; render more frames"
            )
        held_out = [key for keys in together[config.fold :: config.folds] for key in keys]
        train, test = [key for key in train if key not in held_out], held_out
    return {"train": train, "test": test}


def _together(keys: Sequence[ImageKey], root: Path) -> list[list[ImageKey]]:
    """Images in the groups that are not parted: those of each settled scene, where some share one,
    and else each alone."""
    shown = shared_scenes(root)
    if shown is None:
        return [[key] for key in keys]
    groups: dict[Hashable, list[ImageKey]] = {}
    for key in keys:
        groups.setdefault(shown(key), []).append(key)
    return list(groups.values())
