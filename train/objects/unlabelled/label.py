"""Real frames without labels -> poses that a network reads there, and the twins of those that a
drawing agrees with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.errors import InputError
from render.formats.bop import BopImage
from render.frame import Annotation, Box
from render.image_file import write_png
from render.json_file import read_json, write_text
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.progress import progress
from render.show.overlay import draw_box, label, sheet
from render.transforms import apply
from train.learn.checkpoint import Checkpoint
from train.learn.pictures import PREDICTED, TILE, TRUE, spread
from train.learn.rounds import BELIEVED, LABELS, Pairs
from train.objects.crops import Picture, square_crop, warp
from train.objects.data import DataConfig, ImageKey, Instance, load_instances
from train.objects.detect.detector import Detector
from train.objects.inputs import twins_in
from train.objects.read.image import read_boxes
from train.objects.refine.refiner import drawn_box, open_refiner
from train.objects.twins.pair import draw_twins
from train.objects.unlabelled.agreement import Judge, open_judge
from train.objects.unlabelled.frames import UnlabelledImage, found_nowhere
from train.options import CropConfig

ROUNDS = 4  # of refinement, where the run asks for none: no pose is believed as it was read
SHEET, COLUMNS = 24, 8  # pictures of frames, and of those in a row


@dataclass(frozen=True)
class Guess:
    """What was read in one image.

    key: scene id, image id. pose: (4, 4) cam_from_obj, or None where the detector was not sure of
    any place, or no pose was found there. agreement: the network's confidence times
    `Judge.distinction`.
    """

    key: ImageKey
    pose: np.ndarray | None
    agreement: float

    def record(self) -> dict[str, Any]:
        pose = None if self.pose is None else self.pose.tolist()
        return {"image": list(self.key), "cam_from_obj": pose, "agreement": self.agreement}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Guess":
        pose = record["cam_from_obj"]
        scene_id, im_id = record["image"]
        found = None if pose is None else np.array(pose, np.float64)
        return cls((scene_id, im_id), found, record["agreement"])


@dataclass(frozen=True, eq=False)
class Labeller:
    """Labels frames of one object.

    config: sections of a run. real: the labelled instances that may be learnt from.
    """

    config: Mapping[str, Any]
    root: Path
    model: ObjectModel
    images: Sequence[UnlabelledImage]
    real: Sequence[Instance]
    detector: Detector
    seed: int

    def label(self, checkpoint: Checkpoint, folder: Path, device: torch.device) -> Pairs:
        """The frames whose poses are believed, and their twins; in `folder`, where what is finished
        is left, stay LABELS, labels.png and twins/.

        Raises:
            InputError: the object is found in none of the frames.
        """
        if not (folder / LABELS).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            self._read(checkpoint, folder, device)
        threshold, guesses = read_labels(folder / LABELS)
        if [g.key for g in guesses] != [(i.scene_id, i.im_id) for i in self.images]:
            raise InputError(
                f"{folder / LABELS} is of other unlabelled frames; give those, or another --out"
            )
        poses = {g.key: g.pose for g in guesses if g.pose is not None and g.agreement >= threshold}
        frames = self._annotated(poses)
        self._draw_twins(frames, folder / "twins")
        real = load_instances(frames, self.model, min_visib=0.0)
        return Pairs(real, twins_in(folder / "twins", real))

    def _read(self, checkpoint: Checkpoint, folder: Path, device: torch.device) -> None:
        """Read all frames, and write what came of it."""
        data: DataConfig = self.config["data"]
        rounds = self.config["run"].refine or ROUNDS
        obj_id, seen = self.model.obj_id, {instance.key[:2] for instance in self.real}
        with open_refiner(rounds, data, self.root, obj_id, self.seed, seen) as refiner:
            assert refiner is not None  # for there are rounds
            with open_judge(self.model, refiner) as judge:
                shown = progress(self.images, len(self.images), "unlabelled frames")
                guesses = [self._guess(checkpoint, judge, image, device) for image in shown]
        found = [guess.agreement for guess in guesses if guess.pose is not None]
        if not found:
            raise found_nowhere(len(guesses))
        threshold = float(np.percentile(found, 100 - BELIEVED))
        self._show(guesses, threshold, folder / "labels.png")
        record = {"threshold": threshold, "frames": [guess.record() for guess in guesses]}
        write_text(folder / LABELS, json.dumps(record) + "\n")

    def _guess(
        self, checkpoint: Checkpoint, judge: Judge, image: UnlabelledImage, device: torch.device
    ) -> Guess:
        rgb, key = image.read_rgb(), (image.scene_id, image.im_id)
        found = self.detector.find(rgb)
        if not found.is_sure:
            return Guess(key, None, 0.0)
        boxes, camera = [found.box], image.camera
        (read,) = read_boxes(checkpoint, rgb, boxes, camera, device, judge.refiner)
        pose = read.cam_from_obj
        if pose is None or apply(pose, self.model.mesh.vertices)[:, 2].min() <= 0:
            return Guess(key, None, 0.0)
        agreement = read.confidence * judge.distinction(Picture(rgb, camera), pose)
        return Guess(key, pose, agreement)

    def _annotated(self, poses: Mapping[ImageKey, np.ndarray]) -> list[BopImage]:
        """The images of these poses, annotated with them; nothing is known to stand in front."""
        frames: list[BopImage] = []
        for image in self.images:
            pose = poses.get((image.scene_id, image.im_id))
            if pose is not None:
                box = _within(self.model, image, pose)
                own = Annotation(self.model.obj_id, pose, 1.0, bbox_obj=box, bbox_visib=box)
                frames.append(replace(image, annotations=(own,)))
        return frames

    def _draw_twins(self, frames: Sequence[BopImage], out: Path) -> None:
        config, meshes = self.config, self.root / self.config["pair"].models
        models = load_models([meshes], obj_ids=[self.model.obj_id])
        about = {"poses": [[f.scene_id, f.im_id, *_numbers(f)] for f in frames]}
        draw_twins(
            *(config["pair"], config["scene"], config["sensor"], models, frames),
            *({self.model.obj_id}, about, out, self.seed),
        )

    def _show(self, guesses: Sequence[Guess], threshold: float, file: Path) -> None:
        """Leave a sheet of what was read, the best agreement first, in green what is believed."""
        images = {(image.scene_id, image.im_id): image for image in self.images}
        read = sorted((g for g in guesses if g.pose is not None), key=lambda g: -g.agreement)
        tiles = [
            self._tile(images[read[i].key], read[i], threshold) for i in spread(len(read), SHEET)
        ]
        if tiles:
            write_png(file, sheet([tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]))

    def _tile(self, image: BopImage, guess: Guess, threshold: float) -> np.ndarray:
        assert guess.pose is not None
        crop = CropConfig(size=TILE, margin=1.4)
        box = drawn_box(self.model, image.camera, guess.pose)
        crop_from_image = square_crop(box, crop)
        picture = warp(image.read_rgb(), crop_from_image, TILE)
        corners = image.camera.project(apply(guess.pose, box_corners(self.model.box)))
        corners = corners @ crop_from_image[:, :2].T + crop_from_image[:, 2]
        believed = guess.agreement >= threshold
        picture = draw_box(picture, corners, TRUE if believed else PREDICTED)
        return label(picture, f"{image.im_id}: {guess.agreement:.4f}")


def read_labels(file: Path) -> tuple[float, list[Guess]]:
    """The agreement from which a pose is believed, and what was read in each image."""
    record = read_json(file)
    return record["threshold"], [Guess.of(one) for one in record["frames"]]


def _within(model: ObjectModel, image: BopImage, pose: np.ndarray) -> Box:
    """The part of `drawn_box` that is in the image, as BOP counts: x, y, max-min, max-min."""
    x, y, width, height = drawn_box(model, image.camera, pose)
    limit = np.array(image.camera.size) - 1
    low = np.clip([x, y], 0, limit)
    high = np.clip([x + width, y + height], low, limit)
    return (*low.tolist(), *(high - low).tolist())


def _numbers(image: BopImage) -> list[float]:
    """The pose of an image's only annotation, its upper three rows."""
    return image.annotations[0].cam_from_obj[:3].ravel().tolist()
