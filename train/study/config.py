"""What a study compares, and the options that it chooses among for each method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from render.config import fill, option, to_dict
from render.errors import InputError
from train.options import METHODS, TrainConfig

# What all methods share: their start, their effort, how often they log.
SHARED = (
    *("network", "surface_points", "init", "precision", "pretrain_steps", "steps", "batch"),
    *("log_every", "save_every"),
)

Options = dict[str, Any]  # names and values of fields of TrainConfig


@dataclass(frozen=True)
class StudyConfig:
    """Methods x objects x seeds x numbers of real frames; what is chosen for each method, and on
    what."""

    seeds: int = option(
        3, "Trainings of each kind: other weights, batches and choice of real frames", minimum=1
    )
    share_start: bool = option(
        False, "All seeds of an object start from one pre-training: for where that takes longest"
    )
    real_frames: tuple[int, ...] = option((0,), "Real frames to train on; 0: all", minimum=0)
    visib: tuple[float, ...] = option(
        (0.6, 0.1), "A table for instances at least this visible; the first is chosen by", minimum=0
    )
    tuning: tuple[str, ...] = option(
        (),
        "Candidates for train options, such as '*: lr=0.001|0.002', 'mapping: lr=0.001 beta=0.1|1';"
        " * is every other method, and each method must have as many",
    )
    tune_objects: tuple[int | str, ...] = option(
        (), "Objects that options are chosen on, by ids or names; none: all"
    )
    tune_folds: int = option(3, "Folds that the training frames are cut into to choose", minimum=2)
    tune_judged: int = option(1, "How many of the folds are held out, in turn", minimum=1)


def candidates(
    study: StudyConfig, options: TrainConfig, methods: Sequence[str]
) -> dict[str, list[Options]]:
    """Method -> the options to choose among; without any `tuning` one each, that changes nothing.

    Raises:
        InputError: an entry is malformed, names what is shared or unknown, or the methods have
            different numbers of candidates.
    """
    given = dict(_parse(entry) for entry in study.tuning)
    unknown = [method for method in given if method not in (*METHODS, "*")]
    if unknown:
        raise InputError(f"study.tuning: no method {unknown[0]}; there are *, {', '.join(METHODS)}")
    found = {}
    for method in methods:
        grid = given.get(method, given.get("*", {}))
        combined = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        found[method] = [_typed(options, candidate) for candidate in combined]
    counts = {method: len(of_method) for method, of_method in found.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{method} {count}" for method, count in counts.items())
        raise InputError(f"study.tuning: every method needs as many candidates; these have {text}")
    return found


def _parse(entry: str) -> tuple[str, dict[str, list[str]]]:
    """'mapping: lr=0.1|0.2 beta=1' -> mapping, {lr: [0.1, 0.2], beta: [1]}."""
    method, colon, rest = entry.partition(":")
    grid = {}
    for part in rest.split():
        name, equals, values = part.partition("=")
        if not equals or not all(values.split("|")):
            colon = ""
        if name in SHARED:
            raise InputError(f"study.tuning: {name} is shared by all methods; name another option")
        grid[name] = values.split("|")
    if not colon or not grid:
        raise InputError(f"study.tuning: an entry is like 'mapping: lr=0.1|0.2', got {entry!r}")
    return method.strip(), grid


def _typed(options: TrainConfig, candidate: Mapping[str, str]) -> Options:
    filled = fill(TrainConfig, {**to_dict(options), **candidate}, "train")
    return {name: getattr(filled, name) for name in candidate}
