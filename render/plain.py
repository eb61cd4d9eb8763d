"""Plain data, as JSON, TOML, CSV and checkpoints hold it: what a reader wants of it, checked.

A `Check` takes a value and the words for where it stands, and gives the value back as it is, or
raises InputError. Checks of parts make checks of the whole: `record({"size": array(2)})`.
"""

import math
import reprlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from render.errors import InputError

Check = Callable[[Any, str], Any]

WHOLE = 2**53  # below it every whole number is a double
LONGEST = 200  # characters of a value in a message

_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 5, 80, 80, 40
_REPR.maxlist = _REPR.maxtuple = 20


def shown(value: Any) -> str:
    """A value of any kind and size as a part of one line."""
    try:
        return clipped(_REPR.repr(value))
    except (ValueError, RecursionError):  # a number of too many digits; nested too deeply
        return f"a {type(value).__name__}"


def clipped(text: object) -> str:
    """A text, or what an error says, as a part of one line."""
    line = " ".join(str(text)[: 2 * LONGEST].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def refusal(where: str, wanted: str, value: Any) -> InputError:
    """The error of a value that is not what was wanted."""
    return InputError(f"{where} must be {wanted}, got {shown(value)}")


def within(where: str, part: str) -> str:
    """Words for a part, .name or [index], of what stands somewhere."""
    return f"{where}{part}" if ": " in where else f"{where}: {part.removeprefix('.')}"


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """A finite number within bounds (inclusive)."""
    bounds = _bounds(least, most)

    def check(value: Any, where: str) -> Any:
        if _is_number(value) and least <= value <= most:
            return value
        raise refusal(where, f"a finite number{bounds}", value)

    return check


def whole(least: int = -WHOLE, most: int = WHOLE) -> Check:
    """A whole number within bounds (inclusive), not written as 1.0."""

    def check(value: Any, where: str) -> Any:
        if type(value) is int and least <= value <= most:
            return value
        raise refusal(where, f"a whole number{_bounds(least, most)}", value)

    return check


def one_of(values: Collection[Any]) -> Check:
    """A text, or other plain value, among a few."""

    def check(value: Any, where: str) -> Any:
        if any(type(value) is type(known) and value == known for known in values):
            return value
        raise refusal(where, f"one of {', '.join(map(str, values))}", value)

    return check


def text(value: Any, where: str) -> Any:
    """A text."""
    if isinstance(value, str):
        return value
    raise refusal(where, "a text", value)


def boolean(value: Any, where: str) -> Any:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise refusal(where, "true or false", value)


def array(*shape: int, least: float = -math.inf, most: float = math.inf) -> Check:
    """Finite numbers within bounds in nested lists or tuples of this shape."""
    size = " x ".join(map(str, shape))

    def check(value: Any, where: str) -> Any:
        if _has_shape(value, shape, least, most):
            return value
        raise refusal(where, f"{size} finite numbers{_bounds(least, most)}", value)

    return check


def optional(check: Check) -> Check:
    """What `check` takes, or null."""
    return lambda value, where: None if value is None else check(value, where)


def list_of(check: Check, most: int, least: int = 0) -> Check:
    """A list or tuple of so many items, each as `check` takes it."""

    def check_all(value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise refusal(where, f"a list of {least} to {most} items", value)
        for i, item in enumerate(value):
            check(item, within(where, f"[{i}]"))
        return value

    return check_all


def dict_of(check: Check) -> Check:
    """An object of any names, each value as `check` takes it."""

    def check_all(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise refusal(where, "an object with names", value)
        for name, item in value.items():
            check(item, within(where, f"[{shown(name)}]"))
        return value

    return check_all


def record(
    needed: Mapping[str, Check], may: Mapping[str, Check] | None = None, others: bool = False
) -> Check:
    """An object with the names in `needed`, perhaps those in `may`, and `others` if they pass."""
    known = {**needed, **(may or {})}

    def check(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise refusal(where, "an object with names", value)
        missing = [name for name in needed if name not in value]
        if missing:
            raise InputError(f"{within(where, f'.{missing[0]}')} is missing")
        unknown = [name for name in value if name not in known]
        if unknown and not others:
            there = ", ".join(known)
            raise InputError(f"{where}: {shown(unknown[0])} is not known; there are {there}")
        for name in value:
            if name in known:
                known[name](value[name], within(where, f".{name}"))
        return value

    return check


def flat(count: int) -> Check:
    """So many finite numbers, in lists of any shape; gives them as (count,) float64."""

    def check(value: Any, where: str) -> np.ndarray:
        values = _flat(value, count)
        if values is not None:
            return values
        raise refusal(where, f"{count} finite numbers", value)

    return check


def numbers(record: Mapping[str, Any], key: str, count: int, where: str) -> np.ndarray:
    """(count,) float64 from a record; InputError unless it holds just so many finite numbers."""
    if not isinstance(record, Mapping):
        raise refusal(where, "an object with names", record)
    if key not in record:
        raise InputError(f"{where}: {key} is missing")
    values = _flat(record[key], count)
    if values is None:
        raise refusal(f"{where}: {key}", f"{count} finite numbers", record[key])
    return values


def parse_float(record: Mapping[str, Any], key: str, where: str) -> float:
    """One finite number of a record."""
    return float(numbers(record, key, 1, where)[0])


def parse_integer(record: Mapping[str, Any], key: str, where: str) -> int:
    """One whole number of a record."""
    value = parse_float(record, key, where)
    if value != int(value) or abs(value) >= WHOLE:
        raise InputError(f"{where}: {key} must be a whole number, got {value}")
    return int(value)


def spells_number(word: str | bytes) -> bool:
    """Whether a word of a text file is a number, as `float` reads it."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _flat(value: Any, count: int) -> np.ndarray | None:
    try:
        values = np.array(value, np.float64).ravel()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def _is_number(value: Any) -> bool:
    try:
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
    except OverflowError:  # of hundreds of digits
        return False


def _has_shape(value: Any, shape: tuple[int, ...], least: float, most: float) -> bool:
    if not shape:
        return _is_number(value) and least <= value <= most
    return (
        isinstance(value, list | tuple)
        and len(value) == shape[0]
        and all(_has_shape(item, shape[1:], least, most) for item in value)
    )


def _bounds(least: float, most: float) -> str:
    if most >= WHOLE:
        return f", at least {least:g}" if least > -WHOLE else ""
    return f" from {least:g} to {most:g}" if least > -WHOLE else f", at most {most:g}"
