"""What a study trains on and tests on: one object, or the hand, loaded once for many networks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from render.errors import InputError
from render.formats.nyu import uvd_from_joints
from render.formats.nyu_dataset import NyuSplit
from render.mesh.mesh import load_models
from train.hands import score as hand_score
from train.hands.data import load_frames
from train.hands.evaluate import load_test
from train.hands.localiser import Localiser
from train.hands.predict import predict_joints
from train.hands.run import ALL_JOINTS, find_splits, load_inputs
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.targets import Target
from train.objects.data import choose_images, find_dataset
from train.objects.evaluate import evaluate_method, measured_model, test_sets
from train.objects.metrics import PoseErrors
from train.objects.summary import Group, summarize
from train.run import load_object, object_target

Record = dict[str, Any]  # what a network's result file holds


class Subject(Protocol):
    """One object, or the hand.

    frames: the real frames to train on, by id, a frame for each of inputs.real.
    """

    inputs: Inputs
    frames: list[Any]
    target: Target
    crop: Any

    def kept(self, folds: int, fold: int) -> set[Any]:
        """The training frames that are not in a fold."""

    def test(self, checkpoint: Checkpoint, device: torch.device, fold: tuple[int, int] | None):
        """Errors of a network on the test frames, or on those of (folds, fold) of the training
        frames: plain data, from which `metrics` makes figures."""


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


class ObjectSubject:
    """An object of a BOP dataset, after `run.prepare`."""

    def __init__(self, config: Mapping[str, Any], obj_id: int, folder: Path, seed: int) -> None:
        self.data, self.seed = replace(config["data"], objects=(obj_id,)), seed
        self.root = find_dataset(self.data.dataset)
        self.model = load_models([self.root / "models"], obj_ids=[obj_id])[obj_id]
        self.measured = measured_model(self.root, obj_id)
        part = {**config, "data": self.data}
        self.inputs = load_object(part, self.root, self.model, folder, seed)
        self.frames: list[Any] = [instance.key[:2] for instance in self.inputs.real]
        self.target: Target = object_target(self.model, self.inputs)
        self.crop = config["crop"]

    def kept(self, folds: int, fold: int) -> set[Any]:
        data = replace(self.data, folds=folds, fold=fold)
        return set(choose_images(data, self.root, "train", self.seed))

    def test(
        self, checkpoint: Checkpoint, device: torch.device, fold: tuple[int, int] | None
    ) -> Record:
        data = self.data
        if fold is not None:
            data = replace(data, folds=fold[0], fold=fold[1])
        tests = test_sets(data, self.root, self.model, self.seed)[:1]
        outcomes, _ = evaluate_method(
            checkpoint, checkpoint.method, tests, self.measured, device, self.seed
        )
        rows = [
            {
                "instance": list(o.instance.key),
                "visib_fract": o.instance.annotation.visib_fract,
                "crop_side_px": o.side,
                "errors": None if o.errors is None else asdict(o.errors),
            }
            for o in outcomes
        ]
        return {"diameter": self.measured.diameter, "rows": rows}


class HandSubject:
    """Hands in NYU's layout, after `train.hands.sources.make_sources` and `train_localiser`."""

    def __init__(self, config: Mapping[str, Any], localiser: Path, device: torch.device) -> None:
        self.data, self.crop = config["hand"], config["hand_crop"]
        self.localiser = Localiser(Checkpoint.load_finished(localiser, device), device)
        self.splits = find_splits(self.data)
        self.inputs = load_inputs(self.data, self.crop, self.splits, self.localiser)
        self.frames: list[Any] = [frame.number for frame in self.inputs.real]
        self.target: Target = ALL_JOINTS

    def kept(self, folds: int, fold: int) -> set[Any]:
        return set(self.frames) - set(self.frames[fold::folds])

    def test(
        self, checkpoint: Checkpoint, device: torch.device, fold: tuple[int, int] | None
    ) -> Record:
        if fold is None:
            test = load_test(self.data, self.crop, self.localiser)
            split, frames = test.split, test.frames
        else:
            assert self.splits.real is not None
            split = _part(self.splits.real, range(fold[1], len(self.frames), fold[0]))
            frames = load_frames(split, self.crop, lambda _, d: self.localiser.locate(d))
        found = uvd_from_joints(predict_joints(checkpoint, frames, device))
        errors = hand_score.joint_errors(found, uvd_from_joints(split.joints))
        pairs = zip(split.numbers, errors, strict=True)
        return {"rows": [{"frame": n, "joint_mm": e.tolist()} for n, e in pairs]}


def metrics(record: Record, visib: float) -> dict[str, Any] | None:
    """Figures of a network's errors, for instances at least so visible; None if there is none."""
    rows = record["rows"]
    if "diameter" not in record:
        return hand_score.summarize(np.array([row["joint_mm"] for row in rows]))
    rows = [row for row in rows if row["visib_fract"] >= visib]
    if not rows:
        return None
    found = [PoseErrors(**row["errors"]) if row["errors"] else None for row in rows]
    groups = [
        Group(((errors,),) if errors else (), (row["crop_side_px"],))
        for row, errors in zip(rows, found, strict=True)
    ]
    return summarize(groups, record["diameter"])


def check_frames(wanted: Sequence[int], config: Mapping[str, Any], seed: int) -> None:
    """Raise InputError if more real frames are asked for than there are to train on, or fewer where
    synthetic images show all of them."""
    if config["run"].target == "hand":
        real = find_splits(config["hand"], (1, 0, 0)).real
        count = 0 if real is None else len(real.numbers)
    else:
        data = config["data"]
        count = len(choose_images(data, find_dataset(data.dataset), "train", seed))
    if max(wanted) > count:
        raise InputError(f"study.real_frames: {max(wanted)}, but there are {count} to train on")
    if config["run"].real_background and not set(wanted) <= {0, count}:
        raise InputError(
            f"study.real_frames: {min(n for n in wanted if n)}, but with run.real_background"
            f" synthetic images show all {count} training frames; use 0, or leave that out"
        )


def _part(split: NyuSplit, places: Sequence[int]) -> NyuSplit:
    numbers = tuple(split.numbers[i] for i in places)
    return replace(split, numbers=numbers, uvd=split.uvd[list(places)])
