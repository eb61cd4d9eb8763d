"""Real frames whose poses nobody knows, or nobody shall read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.dataset.folder import begin_dataset
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_writer import write_scene
from render.formats.split_file import read_unlabelled
from render.frame import Frame
from render.image_file import read_rgb
from render.mesh.mesh import ObjectModel
from render.progress import progress
from render.whole_file import whole_folder
from train.objects.data import DataConfig, Instance, unannotated
from train.objects.detect.detector import Detector
from train.objects.read.eye import LENS, Eye
from train.objects.read.frames import picture_files
from train.objects.split import choose_images

FOLDER = "unlabelled"  # of a run: the pictures of data.unlabelled, straightened
SPLIT = "pictures"


class UnlabelledImage(BopImage):
    """An image of which the camera is known, and nothing else: whatever its dataset says of objects
    is not read."""

    def read_mask(self, gt_id: int, visible: bool) -> np.ndarray | None:
        """None: masks are labels, too."""
        return None


def unlabelled_images(data: DataConfig, root: Path, out: Path, seed: int) -> list[UnlabelledImage]:
    """The images of `data.unlabelled`, or those that the split file has under `unlabelled`.

    Pictures of a folder are kept in `out`, straightened where the lens of the real frames is known.

    Raises:
        InputError: there are none, or their camera is not known.
    """
    if data.unlabelled:
        images = _of_folder(Path(data.unlabelled), data, root, out / FOLDER, seed)
    elif data.split_file:
        keys = read_unlabelled(data.split_file, root, "data.split_file")
        images = read_split(root, data.split, keys, labelled=False)
    else:
        raise InputError(
            "data.unlabelled: methods with unlabelled frames need a folder of pictures, or a list"
            " of them under `unlabelled` in data.split_file"
        )
    return [_stripped(image) for image in images]


def find_object(
    images: Sequence[UnlabelledImage], detector: Detector, model: ObjectModel
) -> list[Instance]:
    """An instance for each image where a detector is sure of a place; where it is in space, nobody
    knows.

    Raises:
        InputError: there is none.
    """
    found: list[Instance] = []
    for image in progress(images, len(images), "unlabelled frames, found"):
        rgb = image.read_rgb()
        at = detector.find(rgb)
        if at.is_sure:
            found.append(unannotated(image, rgb, at.box, model))
    if not found:
        raise found_nowhere(len(images))
    return found


def found_nowhere(count: int) -> InputError:
    """What is said where none of the frames shows the object."""
    return InputError(
        f"data.unlabelled: the object was found in none of {count} frames; give others, or leave"
        " the methods with unlabelled frames"
    )


def _stripped(image: BopImage) -> UnlabelledImage:
    return UnlabelledImage(image.scene_dir, image.scene_id, image.im_id, image.camera, None, (), {})


def _of_folder(folder: Path, data: DataConfig, root: Path, out: Path, seed: int) -> list[BopImage]:
    """The pictures of a folder, or of the BOP scenes in it, as images of a dataset of their own."""
    if not folder.is_dir():
        raise InputError(f"data.unlabelled: {folder} is no folder; give a folder of pictures")
    scenes = [*folder.glob("scene_camera.json"), *sorted(folder.glob("*/scene_camera.json"))]
    files = [file for scene in scenes for file in picture_files(scene.parent)]
    files = files or picture_files(folder)
    _refuse_tested(files, data, root, seed)
    begin_dataset(out, {"pictures": [str(file.resolve()) for file in files]}, "none")
    scene_dir = out / SPLIT / "000000"
    if not scene_dir.is_dir():
        eye = _eye_of(data, root, seed)
        with whole_folder(scene_dir) as partial:
            label = f"{data.unlabelled}, pictures"
            seen = (_seen(eye, file) for file in progress(files, len(files), label))
            write_scene(partial, ((i, frame, None) for i, frame in enumerate(seen)), None)
    return read_split(out, SPLIT)


def _refuse_tested(files: list[Path], data: DataConfig, root: Path, seed: int) -> None:
    keys = choose_images(data, root, "test", seed)
    tested = {image.rgb_path.resolve() for image in read_split(root, data.split, keys)}
    both = [file for file in files if file.resolve() in tested]
    if both:
        raise InputError(
            f"data.unlabelled: {both[0]} is one of the frames to test on; a test on what was"
            " trained on says nothing"
        )


def _eye_of(data: DataConfig, root: Path, seed: int) -> Eye:
    """Who sees pictures as the camera of the real frames to train on does."""
    images = read_split(root, data.split, choose_images(data, root, "train", seed))
    lenses = [i.scene_dir / LENS for i in images if (i.scene_dir / LENS).is_file()]
    return Eye(None, lenses[0] if lenses else None, images[0].camera)


def _seen(eye: Eye, file: Path) -> Frame:
    rgb, camera, _ = eye.see(read_rgb(file), str(file), file)
    return Frame(camera=camera, annotations=(), rgb=rgb)
