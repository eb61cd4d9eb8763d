"""Films of what networks read from depth images of a hand."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from render.errors import InputError
from render.formats.nyu import CAMERA
from render.formats.nyu_dataset import SENSOR
from render.hand.motion import FPS
from train.hands.crops import hand_frame
from train.hands.image import draw_joints, gray_depth, read_sensor, refiner_of
from train.hands.localiser import Localiser
from train.hands.predict import predict_joints
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.side_by_side import write_side_by_side
from train.learn.task import NOTHING_MORE, Asked

CHUNK = 64  # depth images in memory at once
AROUND = 0.15  # metres to each side of the hand's centres that are shown
BEHIND = 0.15  # metres that mid-grey is behind the hand, which so is bright
HEIGHT = 480  # pixels of a hand's picture
THICKNESS = 2  # pixels of a skeleton's lines

T = TypeVar("T")


def film_folder(
    runs: Mapping[str, Path], folder: Path, asked: Asked, out: Path, device: str
) -> int:
    """`predict --video`: `hand_film` of a folder of depth PNGs as NYU's."""
    if asked.split_file:
        first = next(iter(runs.values()))
        raise InputError(f"--split-file belongs to networks for objects; {first} is not one")
    return hand_film(runs, depth_frames(folder), out, asked, device)


def hand_film(
    runs: Mapping[str, Path],
    frames: Sequence[Path],
    out: Path,
    asked: Asked = NOTHING_MORE,
    device: str = "auto",
) -> int:
    """Write what networks read from depth images (640x480, NYU's coding), in their order.

    All see the same crops; the film shows the part of the image in which the hand moves.

    Args:
        runs: name -> run folder, from left to right.

    Returns:
        The number of frames.
    """
    torch_device = choose_device(device)
    locate = Localiser.of_run(asked.localiser, torch_device).locate
    found = [locate([read_sensor(path) for path in part]) for part in _chunks(frames)]
    centers = np.concatenate(found)  # (n, 3)
    z, window = float(np.median(centers[:, 2])) + BEHIND, _window(centers)
    scale = HEIGHT / (window[0].stop - window[0].start)
    corner = np.array([window[1].start, window[0].start])

    def depths_and_joints(
        run: Path, checkpoint: Checkpoint
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        refiner = refiner_of(run, checkpoint, asked)
        for part, places in zip(_chunks(frames), found, strict=True):
            depths, unknown = [read_sensor(path) for path in part], np.zeros((14, 3))
            seen = [
                hand_frame(0, depth, center, unknown, checkpoint.crop)
                for depth, center in zip(depths, places, strict=True)
            ]
            joints = predict_joints(checkpoint, seen, torch_device)
            if refiner is not None:
                joints = refiner.refine(joints, places, depths.__getitem__)
            yield from zip(depths, joints, strict=True)

    def pictures(run: Path, checkpoint: Checkpoint) -> Iterator[np.ndarray]:
        for depth, joints in depths_and_joints(run, checkpoint):
            picture = gray_depth(depth[window], z)
            size = round(scale * picture.shape[1]), HEIGHT
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
            # Pixels' centres are at integers before and after.
            pixels = scale * (CAMERA.project(joints) - corner + 0.5) - 0.5
            yield draw_joints(picture, pixels, THICKNESS)

    return write_side_by_side(runs, pictures, len(frames), out, torch_device, FPS)


def depth_frames(folder: Path) -> list[Path]:
    """The sensor's images in a folder as NYU's, or else all its PNG files, in order.

    Raises:
        InputError: there is none.
    """
    found = sorted(folder.glob(f"{SENSOR}_1_*.png")) or sorted(folder.glob("*.png"))
    if not found:
        raise InputError(f"{folder}: no depth PNG; a film of hands needs a folder of them")
    return found


def _window(centers: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of an image in which hands around (n, 3) centres are seen."""
    reach = AROUND * np.diag(CAMERA.K)[:2] / centers[:, 2:]
    pixels = CAMERA.project(centers)
    ends = [(pixels - reach).min(axis=0), (pixels + reach).max(axis=0)]
    (left, top), (right, bottom) = np.clip(np.round(ends), 0, CAMERA.size).astype(int)
    return slice(top, bottom), slice(left, right)


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]
