"""NumPy's .npz and .npy files, read without trust in what their headers promise.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. NumPy's own
reader evaluates the header as Python and takes what it promises before it looks for the content.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.plain import clipped

LARGEST = 1 << 28  # bytes of one array
MAGIC = re.compile(rb"\x93NUMPY([\1-\3])\0")
HEADER = re.compile(
    r"\{'descr': ?'(?P<kind>[<>|=]?[biufcSU]\d{1,6})',"
    r" ?'fortran_order': ?(?P<by_column>True|False),"
    r" ?'shape': ?\((?P<shape>[\d, L]*)\),? ?\}\s*"
)
LONGEST_HEADER = 10_000
MOST_DIMENSIONS, LONGEST_SIZE = 8, 12  # digits of a size


@dataclass(frozen=True)
class Wanted:
    """What an array has to be.

    shape: numbers, and words for what may be any, the same word for the same. kinds: letters of
    dtype.kind. finite: whether numbers have to be.
    """

    shape: tuple[int | str, ...]
    kinds: str = "fiu"
    finite: bool = True


def read_npz(
    path: Path,
    wanted: Mapping[str, Wanted],
    also: Mapping[str, Wanted] = MappingProxyType({}),
) -> dict[str, np.ndarray]:
    """Read some arrays of an .npz file; others are passed over.

    Args:
        also: what else is read where it is there.

    Raises:
        InputError: the file is missing or damaged, an array is missing, not of plain numbers or
            text, or not what is wanted.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            members = {member.filename: member for member in archive.infolist()}
            for name in (*wanted, *also):
                if f"{name}.npy" not in members:
                    if name in also:
                        continue
                    raise InputError(f"{path}: has no {name}")
                arrays[name] = _member(archive, members[f"{name}.npy"])
    # zipfile raises RuntimeError for what is encrypted, and all the others for what is damaged.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: not an .npz of plain arrays ({clipped(error)})") from None
    every = {**wanted, **also}
    check_arrays(arrays, {name: every[name] for name in arrays}, str(path))
    return arrays


def read_npy(path: Path, wanted: Wanted) -> np.ndarray:
    """Read an .npy file.

    Raises:
        InputError: the file is missing or damaged, or the array is not what is wanted.
    """
    try:
        array = _parse(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not an .npy of a plain array ({clipped(error)})") from None
    check_arrays({"the array": array}, {"the array": wanted}, str(path))
    return array


def check_arrays(
    arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Wanted], where: str
) -> None:
    """Raise InputError unless arrays are what is wanted."""
    sizes: dict[str, int] = {}
    for name, want in wanted.items():
        array = arrays[name]
        shape = "(" + ", ".join(str(sizes.get(str(size), size)) for size in want.shape) + ")"
        if not isinstance(array, np.ndarray):
            raise InputError(f"{where}: {name} is no array; one of shape {shape} was expected")
        fits = array.ndim == len(want.shape) and all(
            size == (sizes.setdefault(any_, size) if isinstance(any_, str) else any_)
            for size, any_ in zip(array.shape, want.shape, strict=True)
        )
        if not fits or array.dtype.kind not in want.kinds:
            kind = "text" if want.kinds == "U" else "numbers"
            raise InputError(
                f"{where}: {name} has shape {array.shape} of {array.dtype}; {shape} of {kind} was"
                " expected"
            )
        if want.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{where}: {name} holds values that are not finite")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed as NumPy does not")
    if member.file_size > LARGEST + LONGEST_HEADER:
        raise ValueError(f"{member.filename} is larger than {LARGEST >> 20} MiB")
    if member.file_size > 1100 * member.compress_size + 1000:  # more than deflate can
        raise ValueError(f"{member.filename} promises more than it holds")
    try:
        return _parse(archive.read(member))
    except ValueError as error:
        raise ValueError(f"{member.filename}: {error}") from None


def _parse(content: bytes) -> np.ndarray:
    """The array in an .npy file; ValueError if it is none, or one of objects or records."""
    magic = MAGIC.match(content)
    if magic is None:
        raise ValueError("no .npy")
    width = 2 if magic[1] == b"\1" else 4
    start = 8 + width
    length = int.from_bytes(content[8:start], "little")
    if length > LONGEST_HEADER or start + length > len(content):
        raise ValueError("its header ends too late")
    header = HEADER.fullmatch(content[start : start + length].decode("latin-1"))
    if header is None:
        raise ValueError("its header is none of plain numbers or text")
    try:
        kind = np.dtype(header["kind"])
    except TypeError:
        raise ValueError(f"no numbers are of type {header['kind']}") from None
    sizes = [size.strip().rstrip("L") for size in header["shape"].split(",") if size.strip()]
    if len(sizes) > MOST_DIMENSIONS or max(map(len, sizes), default=0) > LONGEST_SIZE:
        raise ValueError("its shape is none")
    shape = tuple(map(int, sizes))
    if len(content) - start - length != prod(shape) * kind.itemsize:
        raise ValueError(f"its shape is {shape}, of {kind}, but it holds other than so many bytes")
    array = np.frombuffer(content, kind, offset=start + length)
    return array.reshape(shape, order="F" if header["by_column"] == "True" else "C").copy("K")
