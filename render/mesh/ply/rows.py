"""The body of a PLY file: rows of numbers and of lists of them, without belief in its header."""

import struct
from array import array
from dataclasses import dataclass

import numpy as np

Columns = dict[str, np.ndarray]
Lists = dict[str, tuple[np.ndarray, np.ndarray]]

_FORMATS = {
    "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f4": "f", "f8": "d",
}  # fmt: skip
_BLOCK = 1 << 20  # values gathered at once: their bytes' positions take 8 times their room
TOO_EARLY = "the file ends too early"


@dataclass(frozen=True)
class Property:
    """dtype: of the values. count: type of a list's length; None for a scalar."""

    name: str
    dtype: np.dtype
    count: np.dtype | None


def read_rows(
    body: bytes, offset: int, count: int, properties: list[Property]
) -> tuple[Columns, Lists, int]:
    """Read `count` rows from `offset`: in one go if all rows have lists of the same lengths.

    Returns:
        Scalar property -> (count,); list property -> (values, (count,) lengths); the offset behind.

    Raises:
        ValueError: the body ends before, or a list has no length. Nothing is allocated on the
            header's word.
    """
    least = sum((p.dtype if p.count is None else p.count).itemsize for p in properties)
    if least and count > (len(body) - offset) // least:
        raise ValueError(TOO_EARLY)
    if count == 0 or not properties:
        none = np.empty(0, np.int64)
        columns = {p.name: np.empty(0, p.dtype) for p in properties if p.count is None}
        lists = {p.name: (np.empty(0, p.dtype), none) for p in properties if p.count is not None}
        return columns, lists, offset

    _, lengths, _ = _walk(body, offset, 1, properties)
    fields: list = []
    for prop in properties:
        shape: tuple = ()
        if prop.count is not None:
            fields += [(f"{prop.name} count", prop.count)]
            shape = (lengths[prop.name][0],)
        fields += [(prop.name, prop.dtype, shape)]
    dtype = np.dtype(fields)
    names = [prop.name for prop in properties if prop.count is not None]

    if offset + count * dtype.itemsize <= len(body):
        table = np.frombuffer(body, dtype, count, offset)
        if all((table[f"{name} count"] == lengths[name][0]).all() for name in names):
            columns = {p.name: table[p.name] for p in properties if p.count is None}
            full = {n: (table[n].reshape(-1), np.full(count, lengths[n][0])) for n in names}
            return columns, full, offset + count * dtype.itemsize
    return _read_ragged(body, offset, count, properties)


def _read_ragged(
    body: bytes, offset: int, count: int, properties: list[Property]
) -> tuple[Columns, Lists, int]:
    """Read rows of lists of different lengths: triangles and quads mixed."""
    starts, lengths, offset = _walk(body, offset, count, properties)
    columns, lists = {}, {}
    for prop in properties:
        first = np.frombuffer(starts[prop.name], np.int64)
        if prop.count is None:
            columns[prop.name] = _gather(body, first, prop.dtype)
            continue
        number = np.frombuffer(lengths[prop.name], np.int64)
        before = np.cumsum(number) - number
        at = np.repeat(first - before * prop.dtype.itemsize, number)
        at += np.arange(len(at)) * prop.dtype.itemsize
        lists[prop.name] = _gather(body, at, prop.dtype), number
    return columns, lists, offset


def _walk(
    body: bytes, offset: int, count: int, properties: list[Property]
) -> tuple[dict[str, array], dict[str, array], int]:
    """Where each property's values begin in each row, the lists' lengths, and the offset behind."""
    starts = {prop.name: array("q") for prop in properties}
    lengths = {prop.name: array("q") for prop in properties if prop.count is not None}
    steps = []
    for prop in properties:
        length_of = None
        if prop.count is not None:
            order = ">" if prop.count.byteorder == ">" else "<"
            length_of = struct.Struct(order + _FORMATS[prop.count.str[1:]])
        add = lengths[prop.name].append if prop.count is not None else None
        steps.append((starts[prop.name].append, add, length_of, prop.dtype.itemsize))
    try:
        for _ in range(count):
            for add_start, add_length, length_of, size in steps:
                if length_of is None or add_length is None:
                    add_start(offset)
                    offset += size
                    continue
                (number,) = length_of.unpack_from(body, offset)
                length = int(number)
                if length != number or length < 0:
                    raise ValueError(f"a list of {number} entries")
                offset += length_of.size
                add_start(offset)
                add_length(length)
                offset += length * size
    except (struct.error, OverflowError):
        raise ValueError(TOO_EARLY) from None
    if offset > len(body):
        raise ValueError(TOO_EARLY)
    return starts, lengths, offset


def _gather(body: bytes, at: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The values of a type that begin at (n,) positions."""
    raw, within = np.frombuffer(body, np.uint8), np.arange(dtype.itemsize)
    blocks = np.array_split(at, 1 + len(at) // _BLOCK)
    return np.concatenate([raw[block[:, None] + within] for block in blocks]).view(dtype)[:, 0]
