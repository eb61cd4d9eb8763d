"""Hands in NYU's depth images, as `run`, `train` and `study` ask for them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from render.errors import InputError
from render.formats.nyu import JOINTS, uvd_from_joints
from render.formats.nyu_dataset import NyuSplit
from render.hand.file import load_hand
from train.hands.crops import HandCrops, HandFrame
from train.hands.data import (
    HandSplits,
    Locate,
    at_centers_of,
    at_palm,
    find_nyu,
    find_splits,
    find_unlabelled,
    load_frames,
)
from train.hands.evaluate import evaluate_hand, load_test, refine_frames
from train.hands.film import hand_film
from train.hands.localiser import Localiser, train_localiser
from train.hands.predict import predict_joints
from train.hands.refine import HandRefiner, learn_person, leave_refiner
from train.hands.report import extreme_sheet, hand_sheet, pair_sheet
from train.hands.results import HandTest, write_hand_results
from train.hands.score import joint_errors, summarize
from train.hands.sources import make_motion, make_sources, refuse_object_options
from train.hands.unlabelled import Labeller
from train.learn.batches import Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.distributed import first_alone
from train.learn.rounds import Pairs
from train.learn.stream import Live
from train.learn.targets import HandInfo
from train.learn.task import Asked, Fold, Folders, Found, Material, Record
from train.options import COMPOSITION

HAND = "hand"  # the only subject
# The film's, from left to right; all methods where none of these was run.
FILMED_METHODS = ("synthetic", "mixed", "mapping")
ALL_JOINTS = HandInfo(tuple(range(len(JOINTS))))


@dataclass(frozen=True)
class HandTask:
    """`task.Task` of the hand."""

    config: Mapping[str, Any]
    out: Path
    seed: int
    workers: int = 1

    measure: ClassVar[str] = "joint_mm"
    shown: ClassVar[str] = HAND

    subjects: ClassVar[tuple[str, ...]] = (HAND,)

    def with_sources(self) -> "HandTask":
        with first_alone():
            data = make_sources(self.config, self.out, self.seed, self.workers)
        return replace(self, config={**self.config, "hand": data})

    def chosen_on(self, objects: Sequence[int | str]) -> tuple[str, ...]:
        return self.subjects

    def title(self, subject: str) -> str:
        return HAND

    def titles(self, subjects: Sequence[str]) -> str:
        return HAND

    def condition(self, visib: float) -> str | None:
        return None

    def visibs(self, wanted: tuple[float, ...]) -> tuple[float, ...]:
        return (0.0,)

    def folder(self, subject: str) -> Path:
        return self.out

    def study_folder(self, subject: str) -> Path:
        return self.out / HAND

    def count_frames(self) -> int:
        real = find_splits(self.config["hand"], (1, 0, 0)).real
        return 0 if real is None else len(real.numbers)

    @property
    def localiser(self) -> Path:
        """The run of the network that finds the palm."""
        return self.out / "localiser"

    def prepare(self, subject: str, device: torch.device) -> None:
        synthetic = find_splits(self.config["hand"]).synthetic
        assert synthetic is not None
        finder, options = self.config["localiser"], self.config["train"]
        train_localiser(finder, options, synthetic, self.localiser, self.seed, device)

    def load(self, subject: str, device: torch.device) -> "HandSubject":
        return HandSubject(self, device)

    def material(self, method: str, folders: Folders, device: torch.device) -> Material:
        refuse_object_options(self.config["run"])
        given = {"synthetic": folders.synthetic, "twins": folders.twins}
        named = {name: str(folder) for name, folder in given.items() if folder is not None}
        data = replace(self.config["hand"], **named)
        if data.center == "localiser" and folders.localiser is None:
            raise InputError("train for hands needs --localiser RUN, or --set hand.center=palm")
        splits = find_splits(data, COMPOSITION[method])
        localiser = Localiser.of_run(folders.localiser, device)
        return load_material({**self.config, "hand": data}, splits, localiser)

    def metrics(self, record: Record, visib: float) -> dict[str, Any] | None:
        return summarize(np.array([row["joint_mm"] for row in record["rows"]]))

    def write(self, found: Found, device: torch.device) -> str:
        data, asked = self.config["hand"], self.config["run"]
        of_hand = found[HAND]
        test: HandTest = next(iter(of_hand.values()))[0]
        predictions = _rows(of_hand)
        about = {"dataset": str(find_nyu(data.dataset)), "seed": self.seed}
        about |= {"methods": list(predictions), "frames": asked.kind}
        counts = self.count_frames(), len(test.frames)
        heading = f"{counts[0]} {asked.kind} frames to train on, {counts[1]} to test on"
        self._film(device)
        return write_hand_results(predictions, test, about, self.out, heading)

    def _film(self, device: torch.device) -> None:
        """Leave film.mp4, unless there is one that shows the networks as they are."""
        out, methods, film = self.out, self.config["run"].methods, self.out / "film.mp4"
        runs = {name: out / name for name in FILMED_METHODS if name in methods}
        runs = runs or {name: out / name for name in methods}
        networks = (*runs.values(), self.localiser)
        trained = [(run / "checkpoint.pt").stat().st_mtime for run in networks]
        if not film.is_file() or film.stat().st_mtime < max(trained):
            frames = make_motion(self.config, self.config["hand"], out, self.seed, self.workers)
            hand_film(runs, frames, film, Asked(localiser=self.localiser), str(device))


class HandSubject:
    """`task.Subject` of the hand, after `HandTask.prepare`."""

    def __init__(self, task: HandTask, device: torch.device) -> None:
        self.config, self.data = task.config, task.config["hand"]
        self.crop = self.config["hand_crop"]
        self.localiser = Localiser.of_run(task.localiser, device)
        self.splits = find_splits(self.data)
        self.material = load_material(self.config, self.splits, self.localiser)
        self.frames: list[Any] = [frame.number for frame in self.material.inputs.real]

    @cached_property
    def tests(self) -> HandTest:
        return load_test(self.data, self.crop, self.localiser)

    @property
    def test_samples(self) -> Sequence[HandFrame]:
        return self.tests.frames

    def kept(self, fold: Fold) -> set[Any]:
        return set(self.frames) - set(self.frames[fold[1] :: fold[0]])

    def label(
        self, checkpoint: Checkpoint, frames: Collection[Any], folder: Path, device: torch.device
    ) -> Pairs:
        assert self.splits.real is not None
        places = [i for i, number in enumerate(self.frames) if number in frames]
        labelled = _part(self.splits.real, places)
        hand = self.config["pair"].hand
        labeller = Labeller(hand, self._crops, *self._unlabelled, labelled)
        return labeller.label(checkpoint, folder, device)

    def unlabelled(self, device: torch.device) -> Unlabelled:
        return Unlabelled(self._unlabelled[1])

    @cached_property
    def _unlabelled(self) -> tuple[NyuSplit, list[HandFrame]]:
        """The frames whose joints are not read, where the localiser finds them."""
        split = find_unlabelled(self.data)
        return split, load_frames(split, self.crop, lambda _, d: self.localiser.locate(d))

    def test(self, checkpoint: Checkpoint, device: torch.device, fold: Fold | None) -> Record:
        if fold is None:
            split, frames = self.tests.split, self.tests.frames
        else:
            assert self.splits.real is not None
            split = _part(self.splits.real, range(fold[1], len(self.frames), fold[0]))
            frames = load_frames(split, self.crop, lambda _, d: self.localiser.locate(d))
        joints = predict_joints(checkpoint, frames, device)
        if self.refiner is not None:
            joints = refine_frames(self.refiner, joints, HandTest(split, frames, np.empty(0)))
        errors = joint_errors(uvd_from_joints(joints), uvd_from_joints(split.joints))
        pairs = zip(split.numbers, errors, strict=True)
        return {"rows": [{"frame": n, "joint_mm": e.tolist()} for n, e in pairs]}

    def evaluate(
        self, checkpoint: Checkpoint, method: str, device: torch.device, folder: Path
    ) -> tuple[HandTest, dict[str, np.ndarray]]:
        """The test frames, and what was read: row of the tables -> (n, 14, 3) uvd."""
        where = device, folder, "predictions", self.refiner
        return self.tests, evaluate_hand(checkpoint, method, self.tests, *where)

    @cached_property
    def refiner(self) -> HandRefiner | None:
        """What refines joints, if the run asks for it: the person of the labelled frames."""
        if not self.config["run"].refine:
            return None
        assert self.splits.real is not None
        hand = self.config["pair"].hand
        person = learn_person(hand, self.splits.real)
        return HandRefiner(hand, load_hand(hand), person, self.crop.cube_mm / 2000)

    def show_pairs(self, folder: Path) -> None:
        leave_refiner(self.refiner, folder)
        inputs = self.material.inputs
        assert not isinstance(inputs.synthetic, Live)
        frames = inputs.real, inputs.twins, inputs.synthetic
        pair_sheet(*frames, self._crops, folder / "pairs.png", self.config["run"].kind)

    def show_tests(
        self, found: Mapping[str, tuple[HandTest, dict[str, np.ndarray]]], folder: Path
    ) -> None:
        predictions = _rows(found)
        hand_sheet(predictions, self.tests.frames, self._crops, folder / "test_frames.png")
        extreme_sheet(predictions, self.tests.frames, self._crops, folder / "extremes.png")

    @property
    def _crops(self) -> HandCrops:
        return HandCrops(self.crop, ALL_JOINTS)


def load_material(config: Mapping[str, Any], splits: HandSplits, localiser: Localiser) -> Material:
    """Load all that is trained on, centred as `hand.center` says."""
    crop = config["hand_crop"]

    def locate(split: NyuSplit) -> Locate:
        if config["hand"].center == "palm":
            return at_palm(split)
        return lambda _, depths: localiser.locate(depths)

    inputs = Inputs(HandCrops(crop, ALL_JOINTS))
    if splits.real is not None:
        inputs = replace(inputs, real=load_frames(splits.real, crop, locate(splits.real)))
    if splits.twins is not None:
        twins = load_frames(splits.twins, crop, at_centers_of(inputs.real))
        inputs = replace(inputs, twins=[[twin] for twin in twins])
    if splits.synthetic is not None:
        synthetic = load_frames(splits.synthetic, crop, locate(splits.synthetic))
        inputs = replace(inputs, synthetic=synthetic)
    return Material(inputs, ALL_JOINTS, crop)


def _rows(found: Mapping[str, tuple[HandTest, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Row of the tables -> (n, 14, 3) uvd, of all methods."""
    return {row: uvd for _, rows in found.values() for row, uvd in rows.items()}


def _part(split: NyuSplit, places: Sequence[int]) -> NyuSplit:
    numbers = tuple(split.numbers[i] for i in places)
    return replace(split, numbers=numbers, uvd=split.uvd[list(places)])
