"""The parts of a study: one network trained and tested, its result a file, whoever does it."""

import fcntl
import json
import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from render.json_file import read_json, write_text
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.methods import beside, train_network
from train.learn.rounds import Pairs, self_trained
from train.learn.task import Subject, Task
from train.learn.trainer import Training
from train.options import COMPOSITION, TEACHER, WITH_ADVERSARY, WITH_PSEUDO_LABELS, TrainConfig
from train.study.config import StudyConfig

log = logging.getLogger(__name__)

PRETRAINED, LABELLED = "pretrained", "labelled"  # what others start from, and learn from


@dataclass(frozen=True)
class Setup:
    """What all parts of a study share.

    task: what is read, and from what; its seed is that of what all seeds share: images, which
    frames are tested on, the jitter of their boxes. devices: torch's names.
    """

    task: Task
    devices: tuple[str, ...]

    @property
    def study(self) -> StudyConfig:
        return self.task.config["study"]

    @property
    def train(self) -> TrainConfig:
        return self.task.config["train"]


@dataclass(frozen=True)
class Job:
    """A network of a study: `result.json` in its folder says what came of it, or `error.txt`.

    method: PRETRAINED for the start of all others; LABELLED for the unlabelled frames that a number
    of methods share, which are read in rounds. frames: real ones, 0 is all; None where none is
    trained on. candidate, fold: of a tuning run. options: of TrainConfig, in place of the study's.
    """

    subject: str
    seed: int
    method: str
    frames: int | None = None
    candidate: int | None = None
    fold: int | None = None
    options: tuple[tuple[str, Any], ...] = ()
    setup: Setup | None = field(default=None, compare=False, repr=False)

    @property
    def folder(self) -> Path:
        assert self.setup is not None
        folder = self.setup.task.study_folder(self.subject) / f"seed{self.seed}"
        if self.candidate is not None:
            folder = folder / "tuning" / f"fold{self.fold}"
            return folder / f"{self.method}-{self.candidate}"
        return (folder if self.frames is None else folder / f"real{self.frames}") / self.method

    @property
    def start(self) -> "Job":
        """The pre-training whose network it starts from; its own is a pre-training's."""
        assert self.setup is not None
        seed = self.setup.task.seed if self.setup.study.share_start else self.seed
        return Job(self.subject, seed, PRETRAINED, setup=self.setup)

    @property
    def labelled(self) -> "Job | None":
        """What reads the unlabelled frames that it learns from, if it does."""
        if self.method not in WITH_PSEUDO_LABELS:
            return None
        shared = None if self.candidate is None else 0  # by all candidates
        return replace(self, method=LABELLED, candidate=shared, options=())

    @property
    def name(self) -> str:
        """What the user knows it by."""
        assert self.setup is not None
        text = f"{self.setup.task.title(self.subject)}, seed {self.seed}, {self.method}"
        if self.candidate is not None:
            return f"{text}, candidate {self.candidate}, fold {self.fold}"
        return text if self.frames is None else f"{text}, {self.frames or 'all'} real frames"

    @property
    def is_done(self) -> bool:
        return (self.folder / "result.json").is_file()

    @property
    def error(self) -> str | None:
        """The line that its last attempt failed with."""
        file = self.folder / "error.txt"
        return file.read_text().strip() if file.is_file() else None

    def result(self) -> dict[str, Any]:
        return read_json(self.folder / "result.json")


class JobMaker:
    """Does one job after another on one device, and keeps the subject that was loaded last."""

    def __init__(self, job: Job) -> None:
        assert job.setup is not None
        torch.set_num_threads(1)  # two processes of one thread outdo one of two, and round alike
        self.device, self.slot = claim_device(job.setup)
        self.loaded: tuple[str, Subject] | None = None

    def close(self) -> None:
        """Let others have the device."""
        if self.slot is not None:
            self.slot.close()

    def make(self, job: Job) -> None:
        """Train and test; what goes wrong is left as one line for the end, and others go on."""
        if job.is_done:
            return
        job.folder.mkdir(parents=True, exist_ok=True)
        file = job.folder / "error.txt"
        file.unlink(missing_ok=True)
        try:
            write_text(job.folder / "result.json", json.dumps(self._result(job)) + "\n")
        except Exception as error:
            log.debug("%s: %s", job.name, traceback.format_exc())
            write_text(file, (" ".join(str(error).split()) or type(error).__name__) + "\n")
            return
        if job.candidate is not None:
            (job.folder / "checkpoint.pt").unlink(missing_ok=True)

    def _result(self, job: Job) -> dict[str, Any]:
        subject, setup = self._subject(job), job.setup
        assert setup is not None
        study, options = setup.study, replace(setup.train, **dict(job.options))
        fold = None if job.fold is None else (study.tune_folds, job.fold)
        chosen = draw_frames(subject.frames, job.frames or 0, job.seed)
        if fold is not None:
            chosen &= subject.kept(fold)
        material = subject.material
        inputs = select(material.inputs, subject.frames, chosen)

        pretraining = job.method == PRETRAINED
        has_start = options.pretrain_steps and not pretraining and job.method != "real"
        training = Training(
            "synthetic" if pretraining else job.method,
            options.pretrain_steps if pretraining else options.steps,
            material.target,
            options,
            material.crop,
            # Batches of pre-training and of what follows are drawn from different streams.
            2 * job.seed + (not pretraining),
            job.start.folder / "checkpoint.pt" if has_start else None,
            material.frames,
            material.around,
        )
        if job.method == LABELLED or job.labelled is not None:
            inputs, frames = self._with_pseudo_labels(job, training, inputs, chosen)
            training = replace(training, frames=frames)
        if job.method == LABELLED:
            return {}
        if job.method in WITH_ADVERSARY:
            training, inputs = beside(subject.unlabelled(self.device), training, inputs)
        file = train_network(training, inputs, job.folder, self.device)
        if pretraining:
            return {}
        used = sorted(chosen) if COMPOSITION[job.method][0] else []
        record = subject.test(Checkpoint.load(file, self.device), self.device, fold)
        return {"options": dict(job.options), "real_frames": used, **record}

    def _with_pseudo_labels(
        self, job: Job, training: Training, inputs: Inputs, chosen: set[Any]
    ) -> tuple[Inputs, tuple[str, ...] | None]:
        """The inputs with unlabelled frames that were read under the study's own options."""
        assert job.setup is not None
        subject, setup, of_all = self._subject(job), job.setup, job.labelled or job

        def label(reader: Checkpoint, of_round: Path) -> Pairs:
            return subject.label(reader, chosen, of_round, self.device)

        training = replace(training, config=setup.train, steps=setup.train.steps)
        rounds, folder = setup.task.config["run"].rounds, of_all.folder
        teacher = folder / TEACHER
        if not setup.study.tuning:  # then it is the same network
            teacher = replace(of_all, method=TEACHER).folder
        return self_trained(training, inputs, label, teacher, folder, rounds, self.device)

    def _subject(self, job: Job) -> Subject:
        if self.loaded is None or self.loaded[0] != job.subject:
            self.loaded = None  # freed before the next takes its place
            self.loaded = job.subject, self._load(job)
        return self.loaded[1]

    def _load(self, job: Job) -> Subject:
        setup = job.setup
        assert setup is not None
        return setup.task.load(job.subject, self.device)


def select(inputs: Inputs, frames: Sequence[Any], chosen: set[Any]) -> Inputs:
    """Inputs of the chosen real frames only, and of their twins."""
    kept = [i for i, frame in enumerate(frames) if frame in chosen]
    real, twins = ([part[i] for i in kept] for part in (inputs.real, inputs.twins))
    return replace(inputs, real=real, twins=twins)


def draw_frames(frames: Sequence[Any], count: int, seed: int) -> set[Any]:
    """`count` of the frames at random, all where it is 0 or there are no more.

    Of one seed the fewer are among the more.
    """
    among = sorted(set(frames))
    order = np.random.default_rng([seed, 41]).permutation(len(among))
    return {among[i] for i in order[: count or len(among)]}


def claim_device(setup: Setup) -> tuple[torch.device, IO | None]:
    """A device that no other worker of the study has, and the open lock that says so."""
    if set(setup.devices) == {"cpu"}:
        return torch.device("cpu"), None
    for i, name in enumerate(setup.devices):
        lock = (setup.task.out / f".device{i}").open("a")
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return torch.device(name), lock
        lock.close()
    return torch.device(setup.devices[0]), None
