"""Pickled arrays without pickle's dangers: nothing that a file names is imported or called.

A pickle is a program. Here all it can name are the stand-ins below, which only keep what they are
given. Arrays of NumPy, sparse matrices of SciPy and arrays of chumpy are then put together from
that; a file that names anything else is refused.
"""

import io
import pickle
import pickletools
import re
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.plain import clipped

LARGEST = 1 << 28  # bytes of all arrays together; MANO's are 4 MB
# What pickles are made of that hold arrays, and not more of it than they need.
MOST_STEPS, MOST_TUPLES = 500_000, 20_000  # 100,000 tuples within each other end the interpreter
UNUSED = {
    *("DUP", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"),
    "FROZENSET",
}
MEMO = {"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"}


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary whose values are arrays, numbers, strings, lists and dictionaries.

    Raises:
        InputError: the file is damaged, no dictionary, or names any other class or function.
    """
    content = read_bytes(path)
    try:
        check_steps(content)
        found = _Making().plain(_Unpickler(io.BytesIO(content), encoding="latin-1").load())
    except _Foreign as error:
        raise InputError(
            f"{path}: holds {clipped(error)}; only plain arrays are read from a pickle, nothing is"
            " executed"
        ) from None
    except Exception as error:  # damaged pickles raise whatever they make the reader stumble on
        raise InputError(f"{path}: a damaged pickle ({clipped(error)})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds a {type(found).__name__}; a dictionary was expected")
    return found


def check_steps(
    content: bytes,
    start: int = 0,
    unused: Collection[str] = UNUSED,
    names: re.Pattern[str] | None = None,
) -> int:
    """Look at the steps of a pickle without doing them: none may take more than what is there.

    Args:
        start: where it begins.
        unused: steps that it may not have.
        names: "module name" of what it may name by GLOBAL; None for anything.

    Returns:
        Where it ends.

    Raises:
        ValueError: it is damaged, or has steps or sizes that no pickle of arrays has.
    """
    tuples = 0
    file = io.BytesIO(content)
    file.seek(start)
    for steps, (step, argument, _) in enumerate(pickletools.genops(file), start=1):
        tuples += step.name.startswith("TUPLE")
        if steps > MOST_STEPS or tuples > MOST_TUPLES:
            raise ValueError("more steps than any pickle of arrays has")
        if step.name == "PROTO" and int(argument or 0) > pickle.HIGHEST_PROTOCOL:
            raise ValueError(f"of protocol {argument}, which there is not")
        if step.name in unused:
            raise ValueError(f"a step {step.name}, which no pickle of arrays has")
        if names is not None and step.name == "GLOBAL" and not names.fullmatch(str(argument)):
            raise ValueError(f"it holds {argument}")
        # The place of a memo is made at once, with all before it.
        if isinstance(argument, int) and argument >= (steps if step.name in MEMO else 1 << 64):
            raise ValueError(f"a step {step.name} with a number that is too large")
    return file.tell()


class _StandIn:
    """Keeps the arguments and the state that a pickle gives to an object.

    As it takes its state itself, a pickle can set no attribute of it, nor of its class.
    """

    arguments: tuple = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def plain(self, making: "_Making") -> Any:
        """What it stands for."""
        raise pickle.UnpicklingError(f"{type(self).__name__} on its own")


class _Type(_StandIn):
    """numpy.dtype of numbers."""

    def plain(self, making: "_Making") -> np.dtype:
        name = self.arguments[0]
        if not re.fullmatch(r"[<>|=]?[biuf]\d", name):
            raise pickle.UnpicklingError(f"an array of type {name}; numbers were expected")
        kind = np.dtype(name)
        return kind.newbyteorder(self.state[1]) if self.state else kind


class _Array(_StandIn):
    """numpy.ndarray, and the function that makes one to be filled by its state."""

    def plain(self, making: "_Making") -> np.ndarray:
        _, shape, kind, by_column, content = self.state
        return making.array(content, kind, shape, "F" if by_column else "C")


class _Buffered(_StandIn):
    """NumPy's function that makes an array of bytes, in pickles of protocol 5."""

    def plain(self, making: "_Making") -> np.ndarray:
        return making.array(*self.arguments)


class _Sparse(_StandIn):
    """scipy.sparse.csc_matrix: values, their rows, and where each column begins in them."""

    def plain(self, making: "_Making") -> np.ndarray:
        state = making.plain(self.state)
        shape, begins = tuple(map(int, state["_shape"])), state["indptr"]
        rows, values = state["indices"], state["data"]
        counts = np.diff(begins)
        if begins[0] != 0 or begins[-1] != len(values) or counts.min() < 0 or rows.min() < 0:
            raise pickle.UnpicklingError("a sparse matrix whose columns are not in order")
        making.spend(8 * prod(shape))
        dense = np.zeros(shape)
        columns = np.repeat(np.arange(dense.shape[1]), counts)
        np.add.at(dense, (rows, columns), values)
        return dense


class _Chumpy(_StandIn):
    """chumpy.ch.Ch."""

    def plain(self, making: "_Making") -> np.ndarray:
        return _known_array(making.plain(self.state["x"]))


class _Select(_StandIn):
    """chumpy.reordering.Select: elements of an array, in a shape of their own."""

    def plain(self, making: "_Making") -> np.ndarray:
        of, places = (_known_array(making.plain(self.state[name])) for name in ("a", "idxs"))
        making.spend(of.nbytes + of.itemsize * places.size)
        elements = np.ravel(of)[places]
        return elements.reshape(self.state.get("preferred_shape", elements.shape))


class _Bytes(_StandIn):
    """_codecs.encode, by which Python 3 writes bytes into old protocols."""

    def plain(self, making: "_Making") -> bytes:
        return self.arguments[0].encode("latin-1")


class _ByteArray(_StandIn):
    """bytearray, of bytes."""

    def plain(self, making: "_Making") -> bytes:
        content = making.plain(self.arguments[0])
        if not isinstance(content, bytes):
            raise pickle.UnpicklingError("a bytearray of something else than bytes")
        return content


class _Old(_StandIn):
    """copyreg._reconstructor, which makes an object of a class in the oldest protocols."""

    def plain(self, making: "_Making") -> Any:
        instance = self.arguments[0]()
        instance.__setstate__(self.state)
        return instance.plain(making)


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _Buffered,
    ("numpy._core.numeric", "_frombuffer"): _Buffered,
    ("scipy.sparse.csc", "csc_matrix"): _Sparse,
    ("scipy.sparse._csc", "csc_matrix"): _Sparse,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _Select,
    ("_codecs", "encode"): _Bytes,
    ("copyreg", "_reconstructor"): _Old,
    ("builtins", "object"): _StandIn,
    ("builtins", "set"): set,
    ("builtins", "bytearray"): _ByteArray,
}

_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # since Python 2


class _Foreign(Exception):
    """A pickle names something that has no stand-in."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _RENAMED.get(module, module)
        if (module, name) not in _KNOWN:
            raise _Foreign(f"{module}.{name}")
        return _KNOWN[module, name]


class _Making:
    """Puts arrays in the place of stand-ins: each once, however often it is named."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._left = LARGEST

    def plain(self, value: Any) -> Any:
        """A value with arrays in place of stand-ins."""
        if id(value) not in self._made:
            self._made[id(value)] = self._make(value)
        return self._made[id(value)]

    def spend(self, size: int) -> None:
        """Count bytes that are about to be taken."""
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError(f"arrays of more than {LARGEST >> 20} MiB")

    def array(self, content: Any, kind: _Type, shape: tuple, order: Any) -> np.ndarray:
        """An array from its bytes."""
        content = self.plain(content)
        self.spend(len(content))
        if isinstance(content, str):  # bytes of Python 2
            content = content.encode("latin-1")
        return np.frombuffer(content, kind.plain(self)).reshape(shape, order=order).copy()

    def _make(self, value: Any) -> Any:
        if isinstance(value, _StandIn):
            return value.plain(self)
        if isinstance(value, dict):
            return {self.plain(k): self.plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.plain(v) for v in value)
        return value


def _known_array(value: Any) -> np.ndarray:
    """An array, or numbers that stand for one."""
    listed = value if isinstance(value, list | tuple) else [value]
    if not isinstance(value, np.ndarray) and not all(isinstance(x, int | float) for x in listed):
        raise pickle.UnpicklingError(f"a {type(value).__name__} in the place of an array")
    return np.asarray(value)
