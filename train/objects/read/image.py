"""`predict` for objects: the pose in one image, drawn beside it."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.camera import Camera
from render.errors import InputError
from render.frame import Box
from render.image_file import check_png, read_rgb, write_png
from render.mesh.box import box_corners
from render.show.overlay import draw_box
from render.transforms import apply
from render.whole_file import check_apart
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.targets import ObjectInfo
from train.learn.task import Asked
from train.objects.crops import Picture, square_crop, warp
from train.objects.detect.beside import detector_beside
from train.objects.detect.detector import Detector
from train.objects.predict import Prediction, predict
from train.objects.read.eye import LENS, Eye
from train.objects.read.given import annotated_boxes, parse_box, scene_of
from train.objects.refine.file import read_refiner
from train.objects.refine.refiner import Refiner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was read of the object in one place of a picture.

    prediction, box: None where the detector is not sure of any place. score: the detector's; None
    where the box was given.
    """

    prediction: Prediction | None
    box: Box | None
    score: float | None = None

    @property
    def pose(self) -> np.ndarray | None:
        """(4, 4) cam_from_obj, metres, if there is one."""
        return None if self.prediction is None else self.prediction.cam_from_obj


@dataclass(frozen=True, eq=False)
class Reader:
    """A network, and what lies beside it: a detector, what refines its poses, and the lens that
    took the frames it was trained on."""

    checkpoint: Checkpoint
    eye: Eye
    detector: Detector | None
    refiner: Refiner | None
    device: torch.device

    @property
    def target(self) -> ObjectInfo:
        """The object that is read."""
        return self.checkpoint.object

    def read(
        self, rgb: np.ndarray, camera: Camera, boxes: Sequence[Box] | None = None
    ) -> list[Reading]:
        """Read the object in boxes of a picture (H, W, 3); by default where the detector finds it.

        Returns:
            A reading for each box; one where there are none.

        Raises:
            ValueError: there are neither boxes nor a detector.
        """
        score = None
        if boxes is None:
            if self.detector is None:
                raise ValueError("to read a picture takes boxes, or a detector")
            found = self.detector.find(rgb)
            score = found.score
            if not found.is_sure:
                return [Reading(None, None, score)]
            boxes = [found.box]
        predictions = read_boxes(self.checkpoint, rgb, boxes, camera, self.device, self.refiner)
        return [Reading(p, box, score) for p, box in zip(predictions, boxes, strict=True)]

    def record(self, reading: Reading) -> dict[str, Any]:
        """What is printed of a reading."""
        pose, box, prediction = reading.pose, reading.box, reading.prediction
        return {
            "obj_id": self.target.obj_id,
            **self.target.names,
            "R": None if pose is None else pose[:3, :3].tolist(),
            "t_mm": None if pose is None else (1000 * pose[:3, 3]).tolist(),
            "confidence": 0.0 if prediction is None else round(prediction.confidence, 4),
            "refined": self.refiner is not None and pose is not None,
            "box": None if box is None else [round(side, 2) for side in box],
            "score": None if reading.score is None else round(reading.score, 4),
        }

    def drawn(self, rgb: np.ndarray, camera: Camera, readings: Sequence[Reading]) -> np.ndarray:
        """A picture with the object's box at each pose."""
        return draw_poses(rgb, [one.pose for one in readings], self.target.box, camera)


@contextmanager
def open_reader(run: Path, asked: Asked, device: torch.device) -> Iterator[Reader]:
    """The finished network of a run, with what lies beside it.

    Raises:
        InputError: one of them is damaged, or for something else.
    """
    if asked.localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    checkpoint = Checkpoint.load_finished(run, device)
    detector = None if asked.box is not None else detector_beside(checkpoint, run, device)
    with refiner_of(run, checkpoint, asked.as_read) as refiner:
        eye = Eye(asked.camera, run.resolve().parent / LENS, checkpoint.object.camera)
        yield Reader(checkpoint, eye, detector, refiner, device)


def predict_image(run: Path, image: Path, asked: Asked, out: Path | None, device: str) -> str:
    """`predict`: the object's pose in one image, drawn beside it and returned as lines of JSON.

    Where the object is a box says, if one is given; else the detector beside the network; else the
    annotations of the BOP scene that the image stands in.

    Args:
        out: the overlay's file; IMAGE_pose.png in the working folder where None.

    Raises:
        InputError: there is no box or no camera, or they do not fit the image.
    """
    if asked.localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    overlay = out or Path(f"{image.stem}_pose.png")
    check_png(overlay)
    check_apart(overlay, image)
    torch_device = choose_device(device)
    with open_reader(run, asked, torch_device) as reader:
        rgb = read_rgb(image)
        size = rgb.shape[1], rgb.shape[0]
        given = None if asked.box is None else parse_box(asked.box, size)
        boxes = None
        if given is None and reader.detector is None:
            boxes = annotated_boxes(image, scene_of(image), reader.target)
        rgb, camera, box = reader.eye.see(rgb, str(image), image, given)
        if box is not None:
            boxes = [box]
        found = reader.read(rgb, camera, boxes)
    write_png(overlay, reader.drawn(rgb, camera, found))
    log.info("overlay: %s", overlay)
    return "\n".join(json.dumps(reader.record(one)) for one in found)


def predict_boxes(
    checkpoint: Checkpoint,
    rgb: np.ndarray,
    boxes: Sequence[Box],
    camera: Camera,
    device: torch.device,
) -> list[np.ndarray | None]:
    """Read the object's pose, (4, 4) cam_from_obj in metres, in boxes of an image (H, W, 3)."""
    return [one.cam_from_obj for one in read_boxes(checkpoint, rgb, boxes, camera, device)]


@contextmanager
def refiner_of(run: Path, checkpoint: Checkpoint, as_read: bool) -> Iterator[Refiner | None]:
    """What refines a run's poses; None where nothing does, or poses are wanted as they are read."""
    if as_read:
        yield None
        return
    with read_refiner(run.resolve().parent, checkpoint.object.obj_id) as refiner:
        yield refiner


def read_boxes(
    checkpoint: Checkpoint,
    rgb: np.ndarray,
    boxes: Sequence[Box],
    camera: Camera,
    device: torch.device,
    refiner: Refiner | None = None,
) -> list[Prediction]:
    """Read the object's pose in boxes of an image (H, W, 3); refined, where something does it."""
    maps = [square_crop(box, checkpoint.crop) for box in boxes]
    size = checkpoint.crop.size
    crops = np.array([warp(rgb, m, size) for m in maps], np.uint8).reshape(-1, size, size, 3)
    found = predict(checkpoint, crops, maps, [camera] * len(maps), device)
    if refiner is None:
        return found
    return [refiner.refined(Picture(rgb, camera), one) for one in found]


def draw_poses(
    rgb: np.ndarray, poses: Sequence[np.ndarray | None], box: np.ndarray, camera: Camera
) -> np.ndarray:
    """Draw an object's box, as `ObjectInfo` has it, at each pose that was found."""
    for pose in poses:
        if pose is not None:
            rgb = draw_box(rgb, camera.project(apply(pose, box_corners(box))), (255, 70, 40), 2)
    return rgb
