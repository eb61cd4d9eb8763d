"""Unlabelled frames as a stage of a run: read by a network, believed in part, drawn; or only looked
at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from render.formats.bop import read_split
from render.formats.split_file import read_unlabelled
from render.mesh.mesh import ObjectModel
from train.learn.batches import Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.rounds import Pairs
from train.objects.data import DataConfig, Instance
from train.objects.detect.detector import Detector
from train.objects.seen import marks_of
from train.objects.unlabelled.frames import find_object, unlabelled_images
from train.objects.unlabelled.label import Labeller
from train.objects.unlabelled.truth import compare_with_truth
from train.options import DETECTOR


@dataclass(frozen=True)
class Place:
    """Where a run has what. config: its sections. root: of the dataset. out: of the run, folder: of
    the object in it."""

    config: Mapping[str, Any]
    root: Path
    out: Path
    folder: Path
    seed: int

    @property
    def data(self) -> DataConfig:
        found: DataConfig = self.config["data"]
        return found


def label_frames(
    place: Place,
    model: ObjectModel,
    measured: ObjectModel,
    real: Sequence[Instance],
    checkpoint: Checkpoint,
    folder: Path,
    device: torch.device,
) -> Pairs:
    """What a network reads in the unlabelled frames, as far as it is believed; see
    `task.Subject.label`.

    Args:
        model: what twins show. measured: the mesh that errors are measured on.
        real: labelled instances, from whose frames an object's colours are learnt.
        folder: of the round.
    """
    data, root, seed = place.data, place.root, place.seed
    images = unlabelled_images(data, root, place.out, seed)
    detector = Detector.load(place.folder / DETECTOR, device)
    labeller = Labeller(place.config, root, model, images, real, detector, seed)
    pairs = labeller.label(checkpoint, folder, device)
    compare_with_truth(data, root, measured, folder)
    return replace(pairs, frames=_marks(data, root))


def find_in_frames(place: Place, model: ObjectModel, device: torch.device) -> Unlabelled:
    """The unlabelled frames where a detector is sure of a place; see `task.Subject.unlabelled`.

    Raises:
        InputError: it is sure in none of them.
    """
    images = unlabelled_images(place.data, place.root, place.out, place.seed)
    detector = Detector.load(place.folder / DETECTOR, device)
    samples = find_object(images, detector, model)
    return Unlabelled(samples, _marks(place.data, place.root))


def _marks(data: DataConfig, root: Path) -> tuple[str, ...]:
    """Words for the unlabelled frames of the dataset itself, which no test is then on."""
    if data.unlabelled:
        return ()
    keys = read_unlabelled(data.split_file, root, "data.split_file")
    return marks_of(read_split(root, data.split, keys, labelled=False))
