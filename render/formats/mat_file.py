"""Arrays of numbers in a MAT-file of version 5 to 7, read without trust in what its headers say.

The format: "MAT-File Format", R2023b, The MathWorks, chapter 1. After 128 bytes of header come
elements, a tag (type, bytes) and content. A variable is a matrix element, or a compressed one that
holds it; in it are, as elements again, its flags, dimensions, name and numbers.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes

HEADER = 128
LARGEST = 1 << 28  # bytes of one array; the joints of all 72,757 NYU frames by 3 cameras are 189 MB
HEAD = 512  # bytes of a variable within which its name and dimensions stand
COMPRESSED, MATRIX = 15, 14
KINDS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = range(6, 16)  # classes of arrays: double, single, and whole numbers of 8 to 64 bits
COMPLEX = 0x0800  # among the flags

Shape = tuple[int | str, ...]


def read_mat(path: Path, wanted: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    """Read some variables; others are passed over.

    Args:
        wanted: name -> dimensions, a word for any.

    Returns:
        Those that are there, in the type that they are stored in, column by column.

    Raises:
        InputError: the file is missing, of another version, or damaged; or a variable that is
            wanted has other dimensions, is none of real numbers, or is too large.
    """
    content = read_bytes(path)
    if content[:8] == b"\x89HDF\r\n\x1a\n" or content[:19] == b"MATLAB 7.3 MAT-file":
        raise InputError(
            f"{path}: a MAT-file of version 7.3; load it in MATLAB and save it with -v7:"
            f" save('{path.name}', {', '.join(map(repr, wanted))}, '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or content[124:126] not in (b"\0\1", b"\1\0"):
        raise InputError(f"{path}: no MAT-file of version 5 to 7")
    found = {}
    try:
        for kind, element in _elements(memoryview(content), order, HEADER):
            variable = _Variable.of(kind, element, order)
            if variable is not None and variable.name in wanted:
                if variable.name in found:
                    raise _Damaged(f"{variable.name} is there twice")
                variable.check(wanted[variable.name], path)
                found[variable.name] = variable.read()
    except (_Damaged, struct.error, zlib.error) as error:
        raise InputError(f"{path}: a damaged MAT-file ({error})") from None
    return found


class _Damaged(Exception):
    """The file says what cannot be."""


class _Variable:
    """A variable whose head is read: its name and what it holds."""

    def __init__(self, content: "_Content", order: str) -> None:
        self._content, self._order = content, order
        parts = _Parts(content.head, order)
        (self._flags,) = struct.unpack_from(order + "I", parts.next(6))
        self._dims = tuple(np.frombuffer(parts.next(5), order + "i4").tolist())
        self.name = bytes(parts.next(1)).decode("latin-1")
        self._begin = parts.place

    @staticmethod
    def of(kind: int, element: memoryview, order: str) -> "_Variable | None":
        """The variable in a top element; None if that is something else."""
        content = _Content(element[:HEAD], element)
        if kind == COMPRESSED:
            head = memoryview(zlib.decompressobj().decompress(element, 8 + HEAD))
            kind, _ = struct.unpack_from(order + "II", head)
            content = _Inflated(head[8:], element)
        if kind != MATRIX:
            return None
        (flags,) = struct.unpack_from(order + "I", content.head, 8)
        # What comes after them has no dimensions, or is of a later MATLAB.
        return _Variable(content, order) if flags & 0xFF <= NUMERIC[-1] else None

    def check(self, wanted: Shape, path: Path) -> None:
        """Raise InputError unless it holds what is wanted, and not more than can be."""
        real = self._flags & 0xFF in NUMERIC and not self._flags & COMPLEX
        fits = len(self._dims) == len(wanted) and all(
            isinstance(w, str) or w == d for w, d in zip(wanted, self._dims, strict=True)
        )
        got = " x ".join(map(str, self._dims))
        if not real or not fits or min(self._dims) < 0:
            size, kind = " x ".join(map(str, wanted)), "" if real else " of another kind"
            raise InputError(f"{path}: {self.name} must be {size} real numbers, got {got}{kind}")
        if 8 * prod(self._dims) > LARGEST:
            raise InputError(f"{path}: {self.name} is {got}, more than {LARGEST >> 20} MiB")

    def read(self) -> np.ndarray:
        """Its numbers, in the type that they are stored in."""
        # With a tag, and up to seven bytes after the numbers, it is not longer than this.
        whole = self._content.read(self._begin + 8 * prod(self._dims) + 16)
        parts = _Parts(whole, self._order, self._begin)
        kind, numbers = parts.element()
        if kind not in KINDS:
            raise _Damaged(f"{self.name} holds numbers of an unknown type, {kind}")
        values = np.frombuffer(numbers, self._order + KINDS[kind])
        if len(values) != prod(self._dims):
            raise _Damaged(f"{self.name} holds {len(values)} of {prod(self._dims)} numbers")
        return values.reshape(self._dims, order="F")


class _Content:
    """A matrix element: its first bytes at hand, the others when asked for."""

    def __init__(self, head: memoryview, rest: memoryview) -> None:
        self.head, self._rest = head, rest

    def read(self, size: int) -> memoryview:
        """Its first bytes, so many as there are up to `size`."""
        return self._rest[:size]


class _Inflated(_Content):
    """The same of a compressed one, which ends where a variable that is wanted ends."""

    def read(self, size: int) -> memoryview:
        stream = zlib.decompressobj()
        content = stream.decompress(self._rest, 8 + size)
        if not stream.eof:
            raise _Damaged("a variable does not end where it should")
        return memoryview(content)[8:]


class _Parts:
    """The elements within a matrix, one after another."""

    def __init__(self, content: memoryview, order: str, place: int = 0) -> None:
        self._content, self._order, self.place = content, order, place

    def element(self) -> tuple[int, memoryview]:
        """Type and content of the next one."""
        kind, size = struct.unpack_from(self._order + "II", self._content, self.place)
        start = self.place + 8
        if kind >> 16:  # up to four bytes stand within the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, self.place + 4
            self.place += 8
        else:
            self.place = start + size + -size % 8
        if start + size > len(self._content) or (start == self.place - 4 and size > 4):
            raise _Damaged("it ends too early")
        return kind, self._content[start : start + size]

    def next(self, kind: int) -> memoryview:
        """Content of the next one, which must be of this type."""
        found, content = self.element()
        if found != kind or (kind == 6 and len(content) != 8) or (kind == 5 and len(content) % 4):
            raise _Damaged("flags, dimensions or name of a variable are not where they belong")
        return content


def _elements(content: memoryview, order: str, place: int) -> Iterator[tuple[int, memoryview]]:
    """Type and content of the elements of a file."""
    while place < len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        place += 8
        if place + size > len(content):
            raise _Damaged(f"it ends {place + size - len(content)} bytes too early")
        yield kind, content[place : place + size]
        place += size
