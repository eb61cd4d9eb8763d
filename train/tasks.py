"""The kinds of things that networks read, and what is done with each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import train.hands.evaluate
import train.hands.film
import train.hands.image
import train.objects.evaluate
import train.objects.read.film
import train.objects.read.image
from train.hands.about import about_hand
from train.hands.task import HandTask
from train.learn.checkpoint import Checkpoint
from train.learn.task import Task
from train.objects.about import about_object
from train.objects.detect.checkpoint import is_detector
from train.objects.task import ObjectTask


@dataclass(frozen=True)
class Kind:
    """What is done with networks of one kind; each function takes the same of every kind."""

    task: Callable[[Mapping[str, Any], Path, int, int], Task]
    evaluate_run: Callable[..., str]
    predict_image: Callable[..., str]
    film_folder: Callable[..., int]
    about: Callable[[Checkpoint], dict[str, Any]]


# By run.target, and by the kind of a checkpoint's target.
KINDS = {
    "object": Kind(
        ObjectTask,
        train.objects.evaluate.evaluate_run,
        train.objects.read.image.predict_image,
        train.objects.read.film.film_folder,
        about_object,
    ),
    "hand": Kind(
        HandTask,
        train.hands.evaluate.evaluate_run,
        train.hands.image.predict_image,
        train.hands.film.film_folder,
        about_hand,
    ),
}


def make_task(config: Mapping[str, Any], out: Path, seed: int, workers: int = 1) -> Task:
    """The task of run.target, under these options."""
    return KINDS[config["run"].target].task(config, out, seed, workers)


def kind_of(run: Path) -> str:
    """What a finished network reads, or a detector finds: a key of KINDS."""
    if is_detector(run):
        return "object"
    return Checkpoint.load_finished(run).target.kind
