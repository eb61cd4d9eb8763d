"""The JSON and the arrays of a glTF 2.0 file; every index, offset and count is checked.

The format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html, sections 3.6 and 4.4.
"""

import base64
import struct
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render import plain
from render.errors import InputError
from render.input_file import read_bytes
from render.json_file import parse_json
from render.mesh.companion import companion
from render.mesh.gltf.node import from_columns

JSON, BINARY = 0x4E4F534A, 0x004E4942  # types of chunks
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
LONGEST_STRIDE = 252  # bytes, by the format


class Asset:
    """A glTF file: its JSON, and its arrays by the number of their accessor.

    All methods raise ValueError, or InputError by the file's name, for what is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._embedded = path, b""
        content = read_bytes(path)
        if content[:4] == b"glTF":
            content, self._embedded = _chunks(content)
        self.json: dict[str, Any] = parse_json(content, str(path))
        nodes = self.items("nodes")
        self._parents: dict[int, int] = {}
        for parent, node in enumerate(nodes):
            for child in self.listed(node, "children"):
                self._parents.setdefault(self.index(child, nodes, "node"), parent)

    def items(self, name: str) -> list[dict]:
        """A list of objects of the file; empty where there is none."""
        items = self.listed(self.json, name)
        if not all(isinstance(item, dict) for item in items):
            raise ValueError(f"{name} are not a list of objects")
        return items

    def listed(self, record: dict, name: str) -> list:
        """A list in an object; empty where there is none."""
        value = record.get(name, [])
        if not isinstance(value, list):
            raise ValueError(f"{name} are not a list")
        return value

    def item(self, name: str, number: Any) -> dict:
        """An object of the file by its number."""
        return self.item_of(self.items(name), number, name)

    def item_of(self, items: list, number: Any, name: str) -> dict:
        """An object of a list by its number."""
        found = items[self.index(number, items, name)]
        if not isinstance(found, dict):
            raise ValueError(f"{name} are not a list of objects")
        return found

    def index(self, number: Any, items: list, name: str) -> int:
        """A number that is one of an item."""
        if type(number) is not int or not 0 <= number < len(items):
            raise ValueError(f"{name} {plain.shown(number)} is not there; there are {len(items)}")
        return number

    def array(self, number: Any, kind: str) -> np.ndarray:
        """An accessor's values, (count,) or (count, width); normalised integers as floats.

        Args:
            kind: the type it must have, such as "VEC3".
        """
        accessor = self.item("accessors", number)
        if "sparse" in accessor or "bufferView" not in accessor:
            raise ValueError("sparse arrays are not read here")
        component, width = accessor.get("componentType", -1), WIDTHS[kind]
        known = type(component) is int and component in COMPONENTS
        if not known or accessor.get("type") != kind:
            raise ValueError(f"an accessor is no {kind} of a known type")
        view = self.item("bufferViews", accessor["bufferView"])
        buffer = self._buffer(self.item("buffers", view.get("buffer")))
        dtype = np.dtype(COMPONENTS[component])
        size = width * dtype.itemsize
        stride, count = view.get("byteStride", size), accessor.get("count", -1)
        offsets = view.get("byteOffset", 0), accessor.get("byteOffset", 0)
        if not all(type(n) is int and n >= 0 for n in (stride, count, *offsets)):
            raise ValueError("an accessor's count, offset or stride is no number")
        if not size <= stride <= max(size, LONGEST_STRIDE):
            raise ValueError(f"a stride of {plain.shown(stride)} bytes for items of {size}")
        end = sum(offsets) + (count - 1) * stride + size if count else 0
        if end > len(buffer):
            raise ValueError(f"an accessor ends at byte {plain.shown(end)} of {len(buffer)}")
        strides = (stride, dtype.itemsize)
        values = np.ndarray((count, width), dtype, buffer, sum(offsets) if count else 0, strides)
        if not np.isfinite(values).all():
            raise ValueError("an array holds what is not finite")
        if accessor.get("normalized") and dtype.kind != "f":
            values = values / np.iinfo(dtype).max
        return values[:, 0] if width == 1 else values

    def scene_from_node(self, number: int) -> np.ndarray:
        """(4, 4) of a node: its own transform after those of its parents."""
        nodes, chain = self.items("nodes"), {number: None}  # in order, and looked up at once
        while (parent := self._parents.get(next(reversed(chain)))) is not None:
            if parent in chain:
                raise ValueError(f"node {parent} is a child of itself")
            chain[parent] = None
        root, *others = (_parent_from_node(nodes[node]) for node in reversed(chain))
        return reduce(np.matmul, others, root)

    def _buffer(self, buffer: dict) -> bytes:
        uri = buffer.get("uri")
        if uri is None:
            return self._embedded
        if not isinstance(uri, str):
            raise ValueError("a buffer's uri is no text")
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        return read_bytes(companion(self._path, uri))


def _chunks(content: bytes) -> tuple[bytes, bytes]:
    """JSON and binary chunk of a .glb."""
    found: dict[int, bytes] = {}
    place = 12
    while place + 8 <= len(content):
        size, kind = struct.unpack_from("<II", content, place)
        place += 8
        if place + size > len(content):
            raise ValueError(f"it ends {place + size - len(content)} bytes too early")
        found.setdefault(kind, content[place : place + size])
        place += size
    if JSON not in found:
        raise ValueError("it has no JSON")
    return found[JSON], found.get(BINARY, b"")


def _parent_from_node(node: dict) -> np.ndarray:
    if "matrix" in node:
        return from_columns(_numbers(node, "matrix", 16))[0]
    parent_from_node = np.eye(4)
    R = Rotation.from_quat(_numbers(node, "rotation", 4, (0, 0, 0, 1))).as_matrix()
    parent_from_node[:3, :3] = R * _numbers(node, "scale", 3, (1, 1, 1))
    parent_from_node[:3, 3] = _numbers(node, "translation", 3, (0, 0, 0))
    return parent_from_node


def _numbers(node: dict, name: str, count: int, usual: Sequence[float] = ()) -> np.ndarray:
    try:
        return plain.flat(count)(node.get(name, usual), f"the {name} of a node")
    except InputError as error:
        raise ValueError(str(error)) from None
