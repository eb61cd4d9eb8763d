"""Plain data, as JSON and checkpoints hold it, and bytes of files, damaged at any place."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

ANYTHING = (
    *(None, True, "x", "", [], [[]], {}, {"a": 1}, [1], [1.0] * 3, [[1.0] * 4] * 4),
    *(-1, 0, 7, 10**400, -1e300, 1e300, 0.5, float("nan"), float("inf")),
)


def places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """Every place in plain data, outer ones first."""
    if place:
        yield place
    if isinstance(value, list | dict):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*place, key))


def changed(value: Any, place: tuple, new: Any, remove: bool = False) -> Any:
    """The data with something else at a place, or nothing."""
    value = copy.deepcopy(value)
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    if remove:
        del inner[place[-1]]
    return value


def damaged(content: bytes, rng: np.random.Generator, most: int = 3) -> bytes:
    """The bytes with one to `most` of them changed, and cut off a fifth of the time."""
    bad = bytearray(content)
    for place in rng.integers(len(bad), size=rng.integers(1, most + 1)):
        bad[place] = rng.integers(256)
    if rng.random() < 0.2:
        del bad[rng.integers(len(bad)) :]
    return bytes(bad)
