"""What `run`, `train` and `study` ask of whatever networks read: objects, or hands.

A `Task` is one kind of thing under one set of options. It has subjects, each with a network of its
own: every object is one, the hand is the only one of its kind.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

from train.learn.batches import Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.rounds import Pairs
from train.learn.targets import Target

Record = dict[str, Any]  # what a network's file in a study holds
Fold = tuple[int, int]  # number of folds, and which one is held out
# What came of a run's test frames: subject -> method -> whatever the subject's `evaluate` gave.
Found = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Folders:
    """What `train` is given by name; None is what was not.

    synthetic, twins: datasets. localiser: the run of the network that finds the palm.
    """

    synthetic: Path | None = None
    twins: Path | None = None
    localiser: Path | None = None


NO_FOLDERS = Folders()


@dataclass(frozen=True)
class Asked:
    """What `predict` is told beside a run and what to read; None is what was not.

    box: "x,y,width,height" in pixels. camera: "fx,fy,cx,cy". localiser: the run of the network that
    finds the palm. split_file: names the images to show. as_read: poses are not refined.
    """

    box: str | None = None
    camera: str | None = None
    localiser: Path | None = None
    split_file: str | None = None
    as_read: bool = False


NOTHING_MORE = Asked()


@dataclass(frozen=True, eq=False)
class Material:
    """What a network is trained on and for.

    crop: the config of the target's crops. frames, around: as of `trainer.Training`.
    """

    inputs: Inputs
    target: Target
    crop: Any
    frames: tuple[str, ...] | None = None
    around: bool = False


class Subject(Protocol):
    """One object, or the hand, with all that its networks are trained and tested on in memory.

    frames: the real frames to train on, by id, one for each of material.inputs.real.
    """

    material: Material
    frames: list[Any]

    @property
    def test_samples(self) -> Sequence[Any]:
        """The test frames, as inputs.real holds those to train on."""

    def kept(self, fold: Fold) -> set[Any]:
        """The frames to train on that are not held out."""

    def label(
        self, checkpoint: Checkpoint, frames: Collection[Any], folder: Path, device: torch.device
    ) -> Pairs:
        """What a network reads in real frames without labels, as far as it is believed; see
        `rounds.Label`. `frames` are those to train on that it may learn from."""

    def unlabelled(self, device: torch.device) -> Unlabelled:
        """The real frames without labels in which it is found, whatever a network reads there."""

    def test(self, checkpoint: Checkpoint, device: torch.device, fold: Fold | None) -> Record:
        """Errors of a network on the test frames, or on those held out: plain data, from which
        `Task.metrics` makes figures."""

    def evaluate(
        self, checkpoint: Checkpoint, method: str, device: torch.device, folder: Path
    ) -> Any:
        """Read all test frames; leaves the poses in `folder`."""

    def show_pairs(self, folder: Path) -> None:
        """Leave a picture of what is trained on, and what reading needs beside a network."""

    def show_tests(self, found: Mapping[str, Any], folder: Path) -> None:
        """Leave pictures of what every method saw: method -> what `evaluate` gave."""


class Task(Protocol):
    """A kind of thing to read, under the options of a run, whose folder is `out`.

    measure: the key of the main error, by which methods are compared. shown: what plots are of.
    """

    measure: ClassVar[str]
    shown: ClassVar[str]

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def out(self) -> Path: ...

    @property
    def seed(self) -> int: ...

    def with_sources(self) -> "Task":
        """Render what all subjects share; the same task, with the folders of it in its config."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Their names, after `with_sources`."""

    def chosen_on(self, objects: Sequence[int | str]) -> tuple[str, ...]:
        """The subjects that options are chosen on where these objects are named; all if none."""

    def title(self, subject: str) -> str:
        """What the user knows a subject by."""

    def titles(self, subjects: Sequence[str]) -> str:
        """The same of several."""

    def condition(self, visib: float) -> str | None:
        """Which instances a table with this threshold is of; None where all are in it."""

    def visibs(self, wanted: tuple[float, ...]) -> tuple[float, ...]:
        """The thresholds that tables are made for."""

    def folder(self, subject: str) -> Path:
        """Where a subject's pictures and networks are left by `run`."""

    def study_folder(self, subject: str) -> Path:
        """Where a subject's networks are left by `study`."""

    def count_frames(self) -> int:
        """How many real frames there are to train on."""

    def prepare(self, subject: str, device: torch.device) -> None:
        """Make what a subject's networks need; what is finished is left."""

    def load(self, subject: str, device: torch.device) -> Subject:
        """Load a subject, after `prepare`."""

    def material(self, method: str, folders: Folders, device: torch.device) -> Material:
        """What `train` trains one method on."""

    def metrics(self, record: Record, visib: float) -> dict[str, Any] | None:
        """Figures of `Subject.test`'s record, of instances at least so visible; None if none is."""

    def write(self, found: Found, device: torch.device) -> str:
        """Write what came of the test frames to `out`; returns the table."""
