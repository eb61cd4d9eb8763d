"""Which images of a dataset are trained on, and which are held out to validate on."""

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from pathlib import Path

from render.dataset.settled_frames import shared_scenes
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.split_file import read_split_file
from render.formats.splits import BOP, find_splits

TRAIN, VAL = "train", "val"
OFF = 0.25  # by how much of the share of images whole scenes may miss it


def train_and_val(root: Path, split: str, val: str) -> dict[str, list[BopImage]]:
    """The images to train on, and under "val" those to validate on, if any.

    Args:
        split: name of the split; "" where the dataset has one alone.
        val: a share of the split in 0..1, the name of another split, or of a split file, whose
            `test` is then validated on.

    Raises:
        InputError: there is no such split, or the share leaves either part empty.
    """
    kinds = find_splits(root)
    bop = [name for name, kind in kinds.items() if kind == BOP]
    if not bop:
        raise InputError(
            f"{root}: holds {', '.join(sorted(set(kinds.values())))}; only scenes of BOP"
            " are converted (`render` without --format)"
        )
    if not split:
        if len(bop) > 1:
            raise InputError(f"{root}: has {', '.join(bop)}; name one with --split")
        split = bop[0]
    elif split not in bop:
        find_splits(root, split)  # says which there are
        raise InputError(f"{root}: split {split} holds {kinds[split]}; give one of BOP's scenes")
    if val.endswith(".json"):
        train, test = read_split_file(val, root, "--val")
        return {TRAIN: read_split(root, split, train), VAL: read_split(root, split, test)}
    images = read_split(root, split)
    try:
        share = float(val)
    except ValueError:
        if val == split:
            raise InputError(f"--val {split}: is what is trained on; name another split") from None
        if val not in bop:
            there = ", ".join(name for name in bop if name != split) or "none"
            raise InputError(
                f"--val {val}: must be a share such as 0.1, a split file such as split.json, or"
                f" another split; there are {there}"
            ) from None
        return {TRAIN: images, VAL: read_split(root, val)}
    if not 0 <= share < 1:
        raise InputError(f"--val {val}: must be at least 0 and below 1")
    if share == 0:
        return {TRAIN: images}
    shown = shared_scenes(root)
    parts = held_out(images, share) if shown is None else settled_held_out(images, share, shown)
    return dict(zip((TRAIN, VAL), parts, strict=True))


def held_out(images: Sequence[BopImage], share: float) -> tuple[list[BopImage], list[BopImage]]:
    """Split images so that few neighbours in time come apart: train, and val with about the share.

    The last scenes, where whole scenes come within OFF of the share; else the last images of every
    scene.

    Args:
        images: sorted by scene and image id.

    Raises:
        InputError: either part would be empty.
    """
    scenes = [list(scene) for _, scene in groupby(images, key=lambda image: image.scene_id)]
    wanted = share * len(images)
    held = [sum(map(len, scenes[-count:])) for count in range(1, len(scenes))]
    nearest = min(held, key=lambda number: abs(number - wanted), default=0)
    if abs(nearest - wanted) <= OFF * wanted:
        first = len(images) - nearest
        return list(images[:first]), list(images[first:])
    train: list[BopImage] = []
    val: list[BopImage] = []
    for scene in scenes:
        seen = len(train) + len(val) + len(scene)
        first = len(scene) - (round(share * seen) - len(val))
        train += scene[:first]
        val += scene[first:]
    if not train or not val:
        raise InputError(
            f"--val {share:g}: of {len(images)} images that leaves none to"
            f" {'validate' if train else 'train'} on"
        )
    return train, val


def settled_held_out(
    images: Sequence[BopImage], share: float, shown: Callable[[tuple[int, int]], Hashable]
) -> tuple[list[BopImage], list[BopImage]]:
    """`held_out` where several images show one settled scene: the last of these scenes, whole, with
    as near to the share of images as they come.

    Args:
        shown: as `shared_scenes` gives it.

    Raises:
        InputError: either part would be empty.
    """
    key = [shown((image.scene_id, image.im_id)) for image in images]
    begins = [i for i in range(len(key)) if i == 0 or key[i] != key[i - 1]]
    cuts = [*begins, len(images)]
    first = min(cuts, key=lambda cut: abs(len(images) - cut - share * len(images)))
    if first in (0, len(images)):
        raise InputError(
            f"--val {share:g}: of {len(images)} images that show {len(begins)} settled scenes"
            " (scene.cameras), each in one part whole, that leaves none to"
            f" {'train' if first == 0 else 'validate'} on"
        )
    return list(images[:first]), list(images[first:])
