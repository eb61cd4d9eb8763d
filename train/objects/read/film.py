"""Films of what networks read from the images of a BOP scene."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.bop import BopImage, read_split, require_objects
from render.show.video import require_one_size
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.side_by_side import write_side_by_side
from train.learn.targets import ObjectInfo
from train.learn.task import NOTHING_MORE, Asked
from train.objects.data import DataConfig
from train.objects.detect.beside import detector_beside
from train.objects.detect.detector import Detector
from train.objects.read.eye import Eye
from train.objects.read.given import visible_boxes
from train.objects.read.image import Reader, refiner_of
from train.objects.split import choose_images

FPS = 5  # BOP's test images are some of a video's


def film_folder(
    runs: Mapping[str, Path], folder: Path, asked: Asked, out: Path, device: str
) -> int:
    """`predict --video`: `object_film` of the folder of a BOP scene."""
    if asked.localiser is not None:
        first = next(iter(runs.values()))
        raise InputError(f"--localiser belongs to networks for hands; {first} is not one")
    return object_film(runs, folder, out, device, asked)


def object_film(
    runs: Mapping[str, Path],
    scene: Path,
    out: Path,
    device: str = "auto",
    asked: Asked = NOTHING_MORE,
) -> int:
    """Write what networks read from a BOP scene's images, in the order of their ids.

    Crops come from the detector beside a network; without one from the visible boxes of the
    scene's annotations, as those of `predict` do.

    Args:
        runs: name -> run folder, from left to right.
        asked: split_file: only its test images, for frames that networks were trained on prove
            nothing. as_read: poses are not refined, even where a run keeps what refines them.

    Returns:
        The number of frames.

    Raises:
        InputError: the folder is no such scene, its images are of several sizes, or its annotations
            show an object of a run nowhere.
    """
    torch_device, images = choose_device(device), _scene_images(scene, asked.split_file)
    require_one_size({str(image.rgb_path): image.camera.size for image in images})

    def drawn(run: Path, checkpoint: Checkpoint, detector: Detector | None) -> Iterator[np.ndarray]:
        with refiner_of(run, checkpoint, asked.as_read) as refiner:
            eye = Eye(None, None, None)  # a scene's images bring their cameras
            reader = Reader(checkpoint, eye, detector, refiner, torch_device)
            for image in images:
                rgb, boxes = image.read_rgb(), None
                if detector is None:
                    boxes = visible_boxes(image, checkpoint.object.obj_id)
                yield reader.drawn(rgb, image.camera, reader.read(rgb, image.camera, boxes))

    def pictures(run: Path, checkpoint: Checkpoint) -> Iterator[np.ndarray]:
        detector = detector_beside(checkpoint, run, torch_device)
        if detector is None:
            _require_boxes(scene, images, checkpoint.object)  # before anything is written
        return drawn(run, checkpoint, detector)

    return write_side_by_side(runs, pictures, len(images), out, torch_device, FPS)


def _require_boxes(scene: Path, images: Sequence[BopImage], target: ObjectInfo) -> None:
    """Raise InputError if no image has a box to read the object in: the film would show no pose."""
    if any(visible_boxes(image, target.obj_id) for image in images):
        return
    require_objects(images, [target.obj_id])
    if not (scene / "scene_gt_info.json").is_file():
        raise InputError(
            f"{scene} has no scene_gt_info.json, whose bbox_visib say where the object is;"
            " bop_toolkit's calc_gt_info.py makes it from poses, meshes and depth"
        )
    raise InputError(f"{scene}: none of its {len(images)} images shows {target.title} visibly")


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
    images = read_split(split.parent, split.name, keys, labelled=False)
    return [image for image in images if image.scene_id == scene_id]
