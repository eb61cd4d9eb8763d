"""The stages as the command line calls them, each from what the one before left on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from render.errors import InputError
from render.whole_file import check_file
from train.learn.batches import Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.distributed import first_alone, held_by_first, rank
from train.learn.methods import train_methods, train_network
from train.learn.neighbours import write_neighbours
from train.learn.rounds import UNLABELLED, Pairs, self_trained
from train.learn.task import NO_FOLDERS, Asked, Folders, Task
from train.learn.trainer import Training
from train.objects.detect.checkpoint import is_detector
from train.objects.detect.stage import evaluate_detector, train_alone
from train.options import DETECTOR, METHODS, TEACHER, WITH_UNLABELLED
from train.report.page import leave_report
from train.tasks import KINDS, kind_of, make_task


def train_one(
    config: Mapping[str, Any],
    method: str,
    out: Path,
    seed: int,
    device: str,
    start: Path | None = None,
    folders: Folders = NO_FOLDERS,
) -> Path:
    """`train`: one method for one object, or for hands, or a detector; returns its checkpoint.

    Args:
        start: a run whose weights to start from.
        folders: of datasets, and of the localiser for hands.

    Raises:
        InputError: what is trained on is unusable, or another process works in `out`.
    """
    torch_device, options = choose_device(device), config["train"]
    with held_by_first(out):
        if method == DETECTOR:
            with first_alone():
                return train_alone(config, folders, start, out, seed, torch_device)
        if method in WITH_UNLABELLED:
            raise InputError(
                f"--method {method} takes frames without labels, and networks that find what is in"
                f" them: run and study make them, by --set run.methods={method}"
            )
        material = make_task(config, out, seed).material(method, folders, torch_device)
        target, crop = material.target, material.crop
        seen = material.frames, material.around
        training = Training(method, options.steps, target, options, crop, seed, start, *seen)
        return train_network(training, material.inputs, out, torch_device)


def evaluate_one(
    config: Mapping[str, Any], run: Path, localiser: Path | None, out: Path, seed: int, device: str
) -> str:
    """`evaluate`: one network; returns the table, and leaves report.html in `out`.

    Of a detector the table says how many it finds; detections.json is left for --boxes.
    """
    if is_detector(run):
        return evaluate_detector(config, run, out, seed, choose_device(device))
    text = KINDS[kind_of(run)].evaluate_run(config, run, localiser, out, seed, device)
    leave_report(config, out, seed, run)
    return text


def predict_one(run: Path, image: Path, asked: Asked, out: Path | None, device: str) -> str:
    """`predict`: what one network reads from an image."""
    if out is not None:
        check_file(out)
    return KINDS[kind_of(run)].predict_image(run, image, asked, out, device)


def run_all(config: Mapping[str, Any], out: Path, seed: int, workers: int, device: str) -> str:
    """`run`: every stage for every subject and method; what is finished is not done again.

    Returns:
        The table of results; report.html is in `out`.

    Raises:
        InputError: an option or an input is unusable, or another process works in `out`.
    """
    methods = config["run"].methods
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise InputError(f"run.methods: no method {unknown[0]}; there are {', '.join(METHODS)}")
    torch_device = choose_device(device)
    with held_by_first(out):
        task = make_task(config, out, seed, workers).with_sources()
        found = {}
        for subject in task.subjects:
            task.prepare(subject, torch_device)
            found[subject] = _compare(task, subject, torch_device)
        if rank() != 0:
            return ""
        text = task.write(found, torch_device)
        leave_report(config, out, seed)
        return text


def _compare(task: Task, name: str, device: torch.device) -> dict[str, Any]:
    """Train every method for one subject and test it; pictures go to its folder.

    Returns:
        Method -> what came of the test frames; nothing in processes but the first, which tests.
    """
    subject, folder = task.load(name, device), task.folder(name)
    material, options = subject.material, task.config["train"]
    if rank() == 0:
        subject.show_pairs(folder)
    start = Training(
        *("synthetic", 0, material.target, options, material.crop, task.seed),
        frames=material.frames,
        around=material.around,
    )
    methods, inputs = task.config["run"].methods, material.inputs

    def with_pseudo_labels(training: Training) -> tuple[Inputs, tuple[str, ...] | None]:
        def label(reader: Checkpoint, of_round: Path) -> Pairs:
            return subject.label(reader, subject.frames, of_round, device)

        rounds, teacher = task.config["run"].rounds, folder / TEACHER
        return self_trained(training, inputs, label, teacher, folder / UNLABELLED, rounds, device)

    def unlabelled() -> Unlabelled:
        with first_alone():
            return subject.unlabelled(device)

    found: dict[str, Any] = {}
    asked = with_pseudo_labels, unlabelled
    trained = train_methods(methods, start, inputs, folder, device, *asked)
    for method, checkpoint in trained:
        if rank() != 0:  # the others wait where the next method is trained
            continue
        found[method] = subject.evaluate(checkpoint, method, device, folder / method)
        if method == "mapping":
            tests, file = subject.test_samples, folder / "neighbours.png"
            write_neighbours(checkpoint, inputs, tests, file, task.seed)
    if rank() == 0:
        subject.show_tests(found, folder)
    return found
