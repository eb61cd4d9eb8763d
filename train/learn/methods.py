"""Every method trained from one start, as they are always compared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from render.errors import InputError
from train.learn.batches import Batches, Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.device import out_of_memory
from train.learn.distributed import count, rank
from train.learn.stream import death_of_worker
from train.learn.trainer import Training, train
from train.learn.validation import Validation, held_out
from train.options import COMPOSITION, WITH_ADVERSARY, WITH_PSEUDO_LABELS

# How methods with pseudo labels are trained otherwise -> what on, and words for its frames.
WithPseudoLabels = Callable[[Training], tuple[Inputs, tuple[str, ...] | None]]


def train_methods(
    methods: Sequence[str],
    first: Training,
    inputs: Inputs,
    folder: Path,
    device: torch.device,
    with_pseudo_labels: WithPseudoLabels,
    unlabelled: Callable[[], Unlabelled],
) -> Iterator[tuple[str, Checkpoint]]:
    """Pre-train once, then train every method from there; `real` starts from nothing.

    Args:
        first: what is trained, how, and by which seed; its method, steps and start are replaced.
        with_pseudo_labels, unlabelled: each is asked once, if there is a method that needs it.
    """
    options, pretrained, enlarged, found = first.config, None, None, None
    if options.pretrain_steps:
        training = replace(first, method="synthetic", steps=options.pretrain_steps, start=None)
        pretrained = train_network(training, inputs, folder / "pretrained", device)
    for method in methods:
        training = replace(
            first,
            method=method,
            steps=options.steps,
            seed=first.seed + 1,
            start=None if method == "real" else pretrained,
        )
        used = inputs
        if method in WITH_PSEUDO_LABELS:
            enlarged = enlarged or with_pseudo_labels(training)
            used, training = enlarged[0], replace(training, frames=enlarged[1])
        if method in WITH_ADVERSARY:
            found = found or unlabelled()
            training, used = beside(found, training, used)
        file = train_network(training, used, folder / method, device)
        yield method, Checkpoint.load(file, device)


def beside(found: Unlabelled, training: Training, inputs: Inputs) -> tuple[Training, Inputs]:
    """A training, and what on, with unlabelled frames for an adversary beside the labelled ones."""
    frames = None if training.frames is None else (*training.frames, *found.frames)
    return replace(training, frames=frames), replace(inputs, unlabelled=found.samples)


def train_network(training: Training, inputs: Inputs, out: Path, device: torch.device) -> Path:
    """Train one network, or go on where it stopped; returns its checkpoint's path.

    Raises:
        InputError: as `train`; or a process that renders has died, or memory ran out.
    """
    inputs, validation = _hold_out(inputs, training)
    batches = Batches(
        inputs.real,
        inputs.twins,
        inputs.synthetic,
        training.method,
        training.config.batch,
        inputs.crops,
        training.seed,
        part=(rank(), count()),
        unlabelled=inputs.unlabelled,
    )
    with closing(batches):
        try:
            return train(training, batches, out, device, validation)
        except RuntimeError as error:
            raise death_of_worker(error) or out_of_memory(error) or error from None


def _hold_out(inputs: Inputs, training: Training) -> tuple[Inputs, Validation | None]:
    """Set a share of the real frames whose labels are known aside, wherever they stand, if
    train.validation says so and real ones are used."""
    share, real = training.config.validation, inputs.real
    if not share or not COMPOSITION[training.method][0]:
        return inputs, None
    total = len(real) if inputs.known is None else inputs.known
    if total < 2:
        raise InputError(f"train.validation needs 2 real frames or more, got {total}")
    held = [real[i] for i in held_out(total, share)]
    copies = {id(sample) for sample in held}
    kept = [i for i in range(len(real)) if id(real[i]) not in copies]
    twins = [inputs.twins[i] for i in kept] if inputs.twins else []
    validation = Validation(held, inputs.crops, training.seed)
    left = replace(inputs, real=[real[i] for i in kept], twins=twins, known=total - len(held))
    return left, validation
