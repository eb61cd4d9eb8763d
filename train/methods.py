"""Every method trained from one start, as they are always compared."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from train.batches import Batches, Crops
from train.checkpoint import Checkpoint
from train.distributed import count, rank
from train.stream import Live, death_of_worker
from train.trainer import Training, train


@dataclass(frozen=True, eq=False)
class Inputs:
    """What networks are trained on; twins[i] are those of real[i].

    synthetic: samples, or what renders them while they are trained on.
    """

    crops: Crops
    real: Sequence[Any] = ()
    twins: Sequence[Sequence[Any]] = ()
    synthetic: Sequence[Any] | Live = ()


def train_methods(
    methods: Sequence[str], first: Training, inputs: Inputs, folder: Path, device: torch.device
) -> Iterator[tuple[str, Checkpoint]]:
    """Pre-train once, then train every method from there; `real` starts from nothing.

    Args:
        first: what is trained, how, and by which seed; its method, steps and start are replaced.
    """
    options, pretrained = first.config, None
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
        file = train_network(training, inputs, folder / method, device)
        yield method, Checkpoint.load(file, device)


def train_network(training: Training, inputs: Inputs, out: Path, device: torch.device) -> Path:
    """Train one network, or go on where it stopped; returns its checkpoint's path.

    Raises:
        InputError: as `train`; or a process that renders has died.
    """
    batches = Batches(
        inputs.real,
        inputs.twins,
        inputs.synthetic,
        training.method,
        training.config.batch,
        inputs.crops,
        training.seed,
        part=(rank(), count()),
    )
    with closing(batches):
        try:
            return train(training, batches, out, device)
        except RuntimeError as error:
            raise death_of_worker(error) or error from None
