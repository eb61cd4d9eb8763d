"""Self-training: real frames without labels are read by a network, and those whose drawing agrees
with them are trained on like labelled ones, in some rounds.

Pseudo labels as of Lee (ICML workshops 2013); here a renderer says which of them to believe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.distributed import first_alone
from train.learn.methods import train_network
from train.learn.trainer import Training
from train.options import PUPIL, TEACHER

UNLABELLED = "unlabelled"  # of an object's folder in a run: its rounds
LABELS = "labels.json"  # what a round read, and what of it is believed
TRUTH = "truth.json"  # how far off it is, where that is known; nothing in a run reads it
BELIEVED = 50  # percent of what is read: that whose drawing agrees best


@dataclass(frozen=True, eq=False)
class Pairs:
    """Real frames with pseudo labels; twins[i] are drawn at those of real[i].

    frames: words for all that were read, as of `trainer.Training`.
    """

    real: Sequence[Any]
    twins: Sequence[Sequence[Any]]
    frames: tuple[str, ...] = ()


# A network and a round's folder -> the frames that are believed; what is finished there is left.
Label = Callable[[Checkpoint, Path], Pairs]


def self_trained(
    first: Training,
    inputs: Inputs,
    label: Label,
    teacher: Path,
    folder: Path,
    rounds: int,
    device: torch.device,
) -> tuple[Inputs, tuple[str, ...] | None]:
    """What methods with pseudo labels train on: the labelled ones, and those of the last round.

    All such methods share it. Who reads never has a mapping, so that none of them is favoured.

    Args:
        first: what is trained, how, and from where; its method is replaced.
        teacher: folder of the network that reads first, which has seen labelled frames alone.
        folder: round_1, round_2, ... of it hold LABELS and the network that reads next.

    Returns:
        The inputs, and words for all real frames in them, as `trainer.Training` has them.
    """
    reader = train_network(replace(first, method=TEACHER), inputs, teacher, device)
    enlarged, frames = inputs, first.frames
    for i in range(1, rounds + 1):
        of_round = folder / f"round_{i}"
        with first_alone():
            pairs = label(Checkpoint.load(reader, device), of_round)
        enlarged = with_pseudo_labels(inputs, pairs)
        frames = None if first.frames is None else (*first.frames, *pairs.frames)
        if i < rounds:
            pupil = replace(first, method=PUPIL, frames=frames)
            reader = train_network(pupil, enlarged, of_round / "network", device)
    return enlarged, frames


def with_pseudo_labels(inputs: Inputs, pairs: Pairs) -> Inputs:
    """Inputs with frames whose labels are guessed, of which about as many are drawn as of those
    whose labels are known: these stand there as often as that takes."""
    often = max(1, round(len(pairs.real) / len(inputs.real)))
    real = [*list(inputs.real) * often, *pairs.real]
    twins = [*list(inputs.twins) * often, *pairs.twins]
    return replace(inputs, real=real, twins=twins, known=len(inputs.real))
