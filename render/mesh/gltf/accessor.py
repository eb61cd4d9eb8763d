"""The arrays of a glTF file. No accessor is believed beyond the bytes that the file holds.

Format: glTF 2.0, 3.6.2 (accessors), 3.11 (normalised integers).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from render.mesh.gltf.file import GltfFile, member, whole

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Accessors:
    """The arrays of a glTF file, by the number of their accessor."""

    def __init__(self, file: GltfFile) -> None:
        self._file = file
        self._sparse: dict[int, np.ndarray] = {}

    def count(self, number: Any) -> int:
        """How many elements an accessor has."""
        return whole(self._file.entry("accessors", number).get("count"), "count of an accessor")

    def has_data(self, number: Any) -> bool:
        """Whether it says where its values are; those of others are 0."""
        return not {"bufferView", "sparse"}.isdisjoint(self._file.entry("accessors", number))

    def values(self, number: Any, types: Sequence[str]) -> np.ndarray:
        """Numbers as the file holds them, read-only: (count,) of a SCALAR, else (count, width).

        Args:
            types: those that it may have, such as ("VEC3", "VEC4").
        """
        accessor = self._file.entry("accessors", number)
        if accessor.get("type") not in types:
            raise ValueError(
                f"accessor {number} is of type {str(accessor.get('type'))[:20]};"
                f" {' or '.join(types)} was expected"
            )
        values = self._all(number, accessor)
        return values[:, 0] if accessor["type"] == "SCALAR" else values

    def floats(
        self,
        number: Any,
        types: Sequence[str],
        rows: np.ndarray | None = None,
        normalized: bool = False,
    ) -> np.ndarray:
        """The values as float64, integers that are normalised as 0..1 or -1..1.

        Args:
            rows: which elements; None for all.
            normalized: integers are, whatever the accessor says.
        """
        values = self.values(number, types)
        values = values if rows is None else values[rows]
        self._file.unpack(values.size)
        floats = values.astype(np.float64)
        if values.dtype.kind != "f" and (normalized or self.is_normalized(number)):
            floats = np.maximum(floats / np.iinfo(values.dtype).max, -1)
        return floats

    def is_normalized(self, number: Any) -> bool:
        """Whether its integers stand for 0..1 or -1..1."""
        return bool(self._file.entry("accessors", number).get("normalized", False))

    def _all(self, number: Any, accessor: dict) -> np.ndarray:
        """(count, width) of all values."""
        if "sparse" not in accessor:
            return self._dense(number, accessor)
        if number not in self._sparse:
            self._sparse[number] = self._replaced(number, accessor)
        return self._sparse[number]

    def _dense(self, number: Any, accessor: dict) -> np.ndarray:
        """(count, width) before sparse values replace some; zeros without a buffer view."""
        count, width = self.count(number), WIDTHS[accessor["type"]]
        kind = _kind(accessor)
        if "bufferView" in accessor:
            offset = accessor.get("byteOffset", 0)
            return self._array(accessor["bufferView"], offset, kind, (count, width))
        # Others of the same count, which vertices have, hold a byte at least for each of them.
        if count > self._file.held():
            raise ValueError(
                f"accessor {number} promises {count} elements without a bufferView, more than the"
                f" {self._file.held()} bytes of all buffers"
            )
        return np.broadcast_to(np.zeros((), kind), (count, width))

    def _replaced(self, number: Any, accessor: dict) -> np.ndarray:
        """(count, width) with the values that a sparse accessor replaces."""
        values = self._dense(number, accessor)
        self._file.unpack(values.size)
        sparse = member(accessor, "sparse", dict)
        count = whole(sparse.get("count"), "count of a sparse accessor", below=len(values) + 1)
        where, what = (member(sparse, name, dict) for name in ("indices", "values"))
        rows = self._array(
            where.get("bufferView"), where.get("byteOffset", 0), _kind(where), (count, 1)
        )[:, 0]
        if rows.dtype.kind != "u":
            raise ValueError(f"sparse accessor {number} has indices that are not unsigned")
        if count and rows.max() >= len(values):
            raise ValueError(
                f"sparse accessor {number} replaces element {rows.max()} of {len(values)}"
            )
        values = values.copy()
        values[rows] = self._array(
            what.get("bufferView"),
            what.get("byteOffset", 0),
            _kind(accessor),
            (count, values.shape[1]),
        )
        return values

    def _array(self, view: Any, offset: Any, kind: np.dtype, shape: tuple[int, int]) -> np.ndarray:
        """(count, width) numbers of a buffer view, from its byte `offset` on."""
        content, stride = self._file.view(view)
        (count, width), start = shape, whole(offset, "byteOffset of an accessor")
        size = width * kind.itemsize
        stride = size if stride is None else stride
        if stride < size:
            raise ValueError(f"byteStride {stride} for elements of {size} bytes")
        end = start + stride * (count - 1) + size
        if count and end > len(content):
            raise ValueError(
                f"an accessor of {count} elements reaches to byte {end} of a buffer view of"
                f" {len(content)}"
            )
        if not count:
            return np.zeros(shape, kind)
        return np.ndarray(shape, kind, content, start, (stride, kind.itemsize))


def _kind(entry: dict) -> np.dtype:
    component = entry.get("componentType")
    if not isinstance(component, int) or component not in COMPONENTS:
        raise ValueError(
            f"componentType {str(component)[:20]}; one of {', '.join(map(str, COMPONENTS))} was"
            " expected"
        )
    return np.dtype(COMPONENTS[component])
