"""Pickled arrays without pickle's dangers: nothing that a file names is imported or called.

A pickle is a program. Here all it can name are the stand-ins below, which only keep what they are
given. Arrays of NumPy, sparse matrices of SciPy and arrays of chumpy are then put together from
that; a file that names anything else is refused.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary whose values are arrays, numbers, strings, lists and dictionaries.

    Raises:
        InputError: the file is damaged, no dictionary, or names any other class or function.
    """
    try:
        with path.open("rb") as file:
            content = _plain(_Unpickler(file, encoding="latin-1").load())
    except _Foreign as error:
        raise InputError(
            f"{path}: holds {error}; only plain arrays are read from a pickle, nothing is executed"
        ) from None
    except Exception as error:  # damaged pickles raise whatever they make the reader stumble on
        raise InputError(f"{path}: a damaged pickle ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; a dictionary was expected")
    return content


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

    def plain(self) -> Any:
        """What it stands for."""
        raise pickle.UnpicklingError(f"{type(self).__name__} on its own")


class _Type(_StandIn):
    """numpy.dtype of numbers."""

    def plain(self) -> np.dtype:
        name = self.arguments[0]
        if not re.fullmatch(r"[<>|=]?[biuf]\d+", name):
            raise pickle.UnpicklingError(f"an array of type {name}; numbers were expected")
        kind = np.dtype(name)
        return kind.newbyteorder(self.state[1]) if self.state else kind


class _Array(_StandIn):
    """numpy.ndarray, and the function that makes one to be filled by its state."""

    def plain(self) -> np.ndarray:
        _, shape, kind, by_column, content = self.state
        return _array(content, kind, shape, "F" if by_column else "C")


class _Buffered(_StandIn):
    """NumPy's function that makes an array of bytes, in pickles of protocol 5."""

    def plain(self) -> np.ndarray:
        return _array(*self.arguments)


class _Sparse(_StandIn):
    """scipy.sparse.csc_matrix: values, their rows, and where each column begins in them."""

    def plain(self) -> np.ndarray:
        state = _plain(self.state)
        dense = np.zeros(state["_shape"])
        columns = np.repeat(np.arange(dense.shape[1]), np.diff(state["indptr"]))
        np.add.at(dense, (state["indices"], columns), state["data"])
        return dense


class _Chumpy(_StandIn):
    """chumpy.ch.Ch."""

    def plain(self) -> np.ndarray:
        return np.asarray(_plain(self.state["x"]))


class _Select(_StandIn):
    """chumpy.reordering.Select: elements of an array, in a shape of their own."""

    def plain(self) -> np.ndarray:
        elements = np.ravel(_plain(self.state["a"]))[_plain(self.state["idxs"])]
        return elements.reshape(self.state.get("preferred_shape", elements.shape))


class _Bytes(_StandIn):
    """_codecs.encode, by which Python 3 writes bytes into old protocols."""

    def plain(self) -> bytes:
        return self.arguments[0].encode("latin-1")


class _Old(_StandIn):
    """copyreg._reconstructor, which makes an object of a class in the oldest protocols."""

    def plain(self) -> Any:
        instance = self.arguments[0]()
        instance.__setstate__(self.state)
        return instance.plain()


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
    ("builtins", "bytearray"): bytearray,
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


def _plain(value: Any) -> Any:
    """A value with arrays in place of stand-ins."""
    if isinstance(value, _StandIn):
        return value.plain()
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(v) for v in value)
    return value


def _array(content: Any, kind: _Type, shape: tuple, order: Any) -> np.ndarray:
    content = _plain(content)
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin-1")
    return np.frombuffer(content, kind.plain()).reshape(shape, order=order).copy()
