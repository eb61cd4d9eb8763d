"""Films of what networks read from the images of a BOP scene."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.bop import BopImage, read_split
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.side_by_side import write_side_by_side
from train.learn.task import Asked
from train.objects.data import DataConfig, choose_images
from train.objects.image import draw_poses, predict_boxes, visible_boxes

FPS = 5  # BOP's test images are some of a video's


def film_folder(
    runs: Mapping[str, Path], folder: Path, asked: Asked, out: Path, device: str
) -> int:
    """`predict --video`: `object_film` of the folder of a BOP scene."""
    if asked.localiser is not None:
        first = next(iter(runs.values()))
        raise InputError(f"--localiser belongs to networks for hands; {first} is not one")
    return object_film(runs, folder, out, device, asked.split_file)


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

    return write_side_by_side(runs, pictures, len(images), out, torch_device, FPS)


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
