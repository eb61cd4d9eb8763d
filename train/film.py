"""Films of what networks read from the frames of a folder, one network beside another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch

from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.nyu import CAMERA
from render.formats.nyu_dataset import SENSOR
from render.hand.motion import FPS
from render.progress import progress
from render.show.overlay import label, sheet
from render.show.video import check_video, write_video
from train.hands.crops import hand_frame
from train.hands.image import draw_joints, gray_depth, read_sensor
from train.hands.localiser import Localiser
from train.hands.predict import predict_joints
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.targets import HandInfo
from train.objects.data import DataConfig, choose_images
from train.objects.predict import draw_poses, predict_boxes, visible_boxes

CHUNK = 64  # depth images in memory at once
AROUND = 0.15  # metres to each side of the hand's centres that are shown
BEHIND = 0.15  # metres that mid-grey is behind the hand, which so is bright
HEIGHT = 480  # pixels of a hand's picture
THICKNESS = 2  # pixels of a skeleton's lines

OBJECT_FPS = 5  # BOP's test images are some of a video's

T = TypeVar("T")


def predict_film(
    runs: Sequence[Path],
    folder: Path,
    localiser: Path | None,
    video: Path,
    device: str,
    split_file: str | None = None,
) -> str:
    """`predict --video`: what runs of one kind read from the frames of a folder, side by side.

    Args:
        runs: run folders; each picture bears the name of its own.
        folder: for hands depth PNGs as NYU's, for an object the folder of a BOP scene.
        localiser: hands: the run of the network that finds the palm; None takes the centre of mass.
        split_file: of an object's images only those to test on, as `data.split_file` names them.

    Returns:
        A line that says what was written.

    Raises:
        InputError: a run or the folder cannot be used, or they do not fit one another.
    """
    check_video(video)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: --video needs a folder of frames; a video has neither NYU's depth nor the"
            " boxes of an object"
        )
    checkpoints = [Checkpoint.load_finished(run) for run in runs]
    hands = [isinstance(checkpoint.target, HandInfo) for checkpoint in checkpoints]
    if len(set(hands)) > 1:
        other = runs[hands.index(not hands[0])]
        raise InputError(f"{runs[0]} and {other}: one reads hands, the other an object")
    named = {run.resolve().name: run for run in runs}
    if len(named) < len(runs):
        listed = ", ".join(map(str, runs))
        raise InputError(f"{listed}: give runs of different names, which the film shows")
    if hands[0]:
        if split_file is not None:
            raise InputError(f"--split-file belongs to networks for objects; {runs[0]} is not one")
        count = hand_film(named, depth_frames(folder), video, localiser, device)
    else:
        if localiser is not None:
            raise InputError(f"--localiser belongs to networks for hands; {runs[0]} is not one")
        count = object_film(named, folder, video, device, split_file)
    return f"{video}: {count} frames of {folder}"


def hand_film(
    runs: Mapping[str, Path],
    frames: Sequence[Path],
    out: Path,
    localiser: Path | None = None,
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
    finder = Checkpoint.load_finished(localiser, torch_device) if localiser else None
    locate = Localiser(finder, torch_device).locate
    found = [locate([read_sensor(path) for path in part]) for part in _chunks(frames)]
    centers = np.concatenate(found)  # (n, 3)
    z, window = float(np.median(centers[:, 2])) + BEHIND, _window(centers)
    scale = HEIGHT / (window[0].stop - window[0].start)
    corner = np.array([window[1].start, window[0].start])

    def depths_and_joints(checkpoint: Checkpoint) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part, places in zip(_chunks(frames), found, strict=True):
            depths, unknown = [read_sensor(path) for path in part], np.zeros((14, 3))
            seen = [
                hand_frame(0, depth, center, unknown, checkpoint.crop)
                for depth, center in zip(depths, places, strict=True)
            ]
            joints = predict_joints(checkpoint, seen, torch_device)
            yield from zip(depths, joints, strict=True)

    def pictures(checkpoint: Checkpoint) -> Iterator[np.ndarray]:
        for depth, joints in depths_and_joints(checkpoint):
            picture = gray_depth(depth[window], z)
            size = round(scale * picture.shape[1]), HEIGHT
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
            # Pixels' centres are at integers before and after.
            pixels = scale * (CAMERA.project(joints) - corner + 0.5) - 0.5
            yield draw_joints(picture, pixels, THICKNESS)

    return _write(runs, pictures, len(frames), out, torch_device, FPS)


def object_film(
    runs: Mapping[str, Path],
    scene: Path,
    out: Path,
    device: str = "auto",
    split_file: str | None = None,
) -> int:
    """Write what networks read from a BOP scene's images, in the order of their ids.

    Crops come from the visible boxes of the scene's annotations, as those of `predict` do.

    Args:
        runs: name -> run folder, from left to right.
        split_file: only its test images: frames that networks were trained on prove nothing.

    Returns:
        The number of frames.
    """
    torch_device, images = choose_device(device), _scene_images(scene, split_file)

    def pictures(checkpoint: Checkpoint) -> Iterator[np.ndarray]:
        target = checkpoint.object
        for image in images:
            rgb, boxes = image.read_rgb(), visible_boxes(image, target.obj_id)
            poses = predict_boxes(checkpoint, rgb, boxes, image.camera, torch_device)
            yield draw_poses(rgb, poses, target.box, image.camera)

    return _write(runs, pictures, len(images), out, torch_device, OBJECT_FPS)


def depth_frames(folder: Path) -> list[Path]:
    """The sensor's images in a folder as NYU's, or else all its PNG files, in order.

    Raises:
        InputError: there is none.
    """
    found = sorted(folder.glob(f"{SENSOR}_1_*.png")) or sorted(folder.glob("*.png"))
    if not found:
        raise InputError(f"{folder}: no depth PNG; a film of hands needs a folder of them")
    return found


def _write(
    runs: Mapping[str, Path],
    pictures: Callable[[Checkpoint], Iterator[np.ndarray]],
    count: int,
    out: Path,
    device: torch.device,
    fps: int,
) -> int:
    """The runs' pictures of each frame side by side, under their names."""
    streams = [pictures(Checkpoint.load_finished(run, device)) for run in runs.values()]
    together = (
        sheet([[_named(panel, name) for panel, name in zip(panels, runs, strict=True)]])
        for panels in zip(*streams, strict=True)
    )
    return write_video(out, progress(together, count, f"{out.name}, frames"), fps)


def _named(panel: np.ndarray, name: str) -> np.ndarray:
    return label(panel, name, max(16, len(panel) // 16))


def _window(centers: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of an image in which hands around (n, 3) centres are seen."""
    reach = AROUND * np.diag(CAMERA.K)[:2] / centers[:, 2:]
    pixels = CAMERA.project(centers)
    ends = [(pixels - reach).min(axis=0), (pixels + reach).max(axis=0)]
    (left, top), (right, bottom) = np.clip(np.round(ends), 0, CAMERA.size).astype(int)
    return slice(top, bottom), slice(left, right)


def _scene_images(scene: Path, split_file: str | None) -> list[BopImage]:
    split = scene.resolve().parent
    if not ((scene / "scene_camera.json").is_file() and scene.resolve().name.isdecimal()):
        raise InputError(f"{scene} is no BOP scene: no scene_camera.json in a folder of digits")
    scene_id = int(scene.resolve().name)
    keys = None
    if split_file is not None:
        test = choose_images(DataConfig(split_file=split_file), split.parent, "test", 0)
        keys = sorted(key for key in test if key[0] == scene_id)
        if not keys:
            raise InputError(f"{split_file} names no test image of scene {scene_id}")
    images = read_split(split.parent, split.name, keys)
    return [image for image in images if image.scene_id == scene_id]


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]
