"""Folders in NYU's layout -> hand frames in memory, ready to be cropped."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from render.config import option
from render.errors import InputError
from render.formats.nyu import JOINTS
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, NyuSplit, read_split
from render.formats.nyu_joints import NYU_JOINTS
from render.progress import progress
from train.hand_options import HandCropConfig
from train.hands.crops import HandFrame, hand_frame

CHUNK = 128  # whole frames in memory at once
TWIN_APART = 0.05  # metres that a twin's joints may be from the real frame's, on average

# (places in the split, their depth images) -> (n, 3) centres of their crops, metres
Locate = Callable[[Sequence[int], Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class HandDataConfig:
    """Which frames of hands are trained on and tested on, all in NYU's layout."""

    dataset: str = option("", "The folder with train and test of real frames; none: NYU_PATH")
    synthetic: str = option(
        "", "A folder whose train/synthdepth_* are synthetic frames; none: the dataset itself"
    )
    twins: str = option(
        "", "A folder whose train/synthdepth_* are the real frames' twins; none: the dataset itself"
    )
    train_frames: int = option(0, "Real frames to train on, spread evenly; 0: all", minimum=0)
    synthetic_frames: int = option(0, "Synthetic frames, spread evenly; 0: all", minimum=0)
    unlabelled: str = option(
        "",
        "Real frames whose joints nobody knows, for methods with unlabelled frames: a folder whose"
        " train/depth_* they are, of the person of the others; joints that it has are not read."
        " none: the frames of dataset that are not trained on",
        later=True,
    )
    unlabelled_frames: int = option(
        0, "Frames without labels, spread evenly; 0: all", minimum=0, later=True
    )
    test_frames: int = option(0, "Test frames, spread evenly; 0: all", minimum=0)
    center: Literal["localiser", "palm"] = option(
        "localiser",
        "What crops are centred on in training; palm: the annotated joint. Test crops never are",
    )
    small_from: int = option(
        2441, "Test frames from this number on show a small hand; 0: none does", minimum=0
    )


@dataclass(frozen=True, eq=False)
class HandSplits:
    """Frames to train on; None are those that a method does not see.

    real: the sensor's images. twins: drawn ones of the same frames. synthetic: drawn ones.
    """

    real: NyuSplit | None = None
    twins: NyuSplit | None = None
    synthetic: NyuSplit | None = None


def find_nyu(name: str, where: str = "hand.dataset") -> Path:
    """The folder of a dataset: a path, or NYU_PATH where none is named.

    Raises:
        InputError: there is no such folder, or none is named and NYU_PATH is not set.
    """
    root = name or os.environ.get("NYU_PATH", "")
    if not root:
        raise InputError(f"{where}: name the folder of the NYU dataset, or set NYU_PATH to it")
    if not Path(root).is_dir():
        source = where if name else "NYU_PATH"
        raise InputError(f"{source}: {root} is no folder; it must hold NYU's train and test")
    return Path(root)


def spread_split(root: Path, split: str, stream: str, count: int) -> NyuSplit:
    """Read a split, or `count` of its frames, spread evenly, where that is not 0."""
    found = read_split(root, split, stream)
    if not count or count >= len(found.numbers):
        return found
    chosen = _evenly(len(found.numbers), count)
    numbers = tuple(found.numbers[i] for i in chosen)
    return NyuSplit(found.folder, found.stream, numbers, found.uvd[chosen])


def _evenly(total: int, count: int) -> np.ndarray:
    """(n,) places of `count` frames among `total`, spread evenly."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


def find_splits(data: HandDataConfig, shares: tuple[float, float, float] = (1, 1, 1)) -> HandSplits:
    """Find the frames to train on, before anything is done with them.

    Synthetic frames and twins are the dataset's own where no folder is named.

    Args:
        shares: of real frames, twins and synthetic frames; those of share 0 are not looked for.
    """

    def folder(name: str, where: str) -> Path:
        return find_nyu(name, where) if name else find_nyu(data.dataset)

    real = twins = synthetic = None
    if shares[0]:
        real = spread_split(find_nyu(data.dataset), "train", SENSOR, data.train_frames)
        twins = twins_of(folder(data.twins, "hand.twins"), real) if shares[1] else None
    if shares[2]:
        root = folder(data.synthetic, "hand.synthetic")
        synthetic = spread_split(root, "train", SYNTHETIC, data.synthetic_frames)
    return HandSplits(real, twins, synthetic)


def find_unlabelled(data: HandDataConfig) -> NyuSplit:
    """Find the frames that are trained on without their joints, which are not read: they are NaN.

    Raises:
        InputError: there is none.
    """
    folder = find_nyu(data.unlabelled or data.dataset, "hand.unlabelled") / "train"
    labelled = find_splits(data, (1, 0, 0)).real
    assert labelled is not None
    same = folder.resolve() == labelled.folder.resolve()
    numbers = unlabelled_numbers(folder, labelled.numbers if same else ())
    if 0 < data.unlabelled_frames < len(numbers):
        numbers = numbers[_evenly(len(numbers), data.unlabelled_frames)]
    uvd = np.full((len(numbers), len(NYU_JOINTS), 3), np.nan)
    return NyuSplit(folder, SENSOR, tuple(numbers.tolist()), uvd)


def unlabelled_numbers(folder: Path, labelled: Sequence[int] = ()) -> np.ndarray:
    """(n,) numbers of the sensor's images in a folder, but for those of labelled frames.

    Raises:
        InputError: there is none.
    """
    names = (path.stem.rsplit("_", 1)[1] for path in folder.glob(f"{SENSOR}_1_*.png"))
    numbers = {int(name) for name in names if name.isdecimal()}.difference(labelled)
    if not numbers:
        raise InputError(
            f"hand.unlabelled: {folder} holds no {SENSOR}_1_*.png beyond the labelled frames; give"
            " a folder that does, or leave the methods with unlabelled frames"
        )
    return np.array(sorted(numbers))


def find_test(data: HandDataConfig) -> NyuSplit:
    """Find the frames to test on."""
    return spread_split(find_nyu(data.dataset), "test", SENSOR, data.test_frames)


def load_frames(
    split: NyuSplit, crop: HandCropConfig, locate: Locate, small_from: int = 0
) -> list[HandFrame]:
    """Read a split's frames, and keep of each what crops around its centre may see.

    Args:
        locate: where the centres come from.
        small_from: number of the first frame that shows a small hand; 0 where none does.

    Raises:
        InputError: an image is damaged.
    """
    joints, frames = split.joints, []
    chunks = [
        range(first, min(first + CHUNK, len(joints))) for first in range(0, len(joints), CHUNK)
    ]
    label = f"{split.folder.name}/{split.stream}, {CHUNK} frames each"
    with ThreadPoolExecutor() as pool:
        for chunk in progress(chunks, len(chunks), label):
            depths = list(pool.map(split.read_depth, chunk))
            for i, depth, center in zip(chunk, depths, locate(chunk, depths), strict=True):
                number = split.numbers[i]
                small = bool(small_from) and number >= small_from
                frames.append(hand_frame(number, depth, center, joints[i], crop, small))
    return frames


def at_palm(split: NyuSplit) -> Locate:
    """Centres from the ground truth: the annotated palm."""
    palms = split.joints[:, JOINTS.index("palm")]
    return lambda chunk, _: palms[list(chunk)]


def at_centers_of(frames: Sequence[HandFrame]) -> Locate:
    """The centres of other frames: a twin's are those of its real frame."""
    return lambda chunk, _: np.array([frames[i].center for i in chunk])


def twins_of(root: Path, real: NyuSplit) -> NyuSplit:
    """The drawn images in `root` that have the numbers of real frames.

    Raises:
        InputError: one is missing, or shows a hand that is posed otherwise.
    """
    split = read_split(root, real.folder.name, SYNTHETIC, real.numbers)
    apart = np.linalg.norm(split.joints - real.joints, axis=-1).mean(axis=1)
    if apart.max(initial=0) > TWIN_APART:
        i = int(apart.argmax())
        raise InputError(
            f"{split.folder}: frame {split.numbers[i]} is no twin of the real one, its joints are"
            f" {1000 * apart[i]:.0f} mm away; give the twins of this dataset"
        )
    return split
