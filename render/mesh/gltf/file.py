"""A glTF 2.0 file: its JSON, whose entries are checked when they are asked for, and its bytes."""

import base64
import json
import math
import struct
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.mesh.companion import companion

MAGIC, JSON_CHUNK, BIN_CHUNK = b"glTF", 0x4E4F534A, 0x004E4942
# Numbers that a small file may unpack to, by sharing and repeating its arrays.
MOST_UNPACKED = 50_000_000
COMPRESSIONS = (
    "KHR_draco_mesh_compression",
    "EXT_meshopt_compression",
    "KHR_meshopt_compression",
)
# What a file may require: it is read, or neither shape nor base colour depend on it.
KNOWN = (
    "EXT_mesh_gpu_instancing",
    "EXT_texture_webp",
    "KHR_animation_pointer",
    "KHR_lights_punctual",
    "KHR_mesh_quantization",
    "KHR_node_visibility",
    "KHR_texture_transform",
    "KHR_xmp_json_ld",
)
KINDS = {dict: "an object", list: "a list", str: "a text", int: "a number"}


class GltfFile:
    """A .gltf or .glb file.

    Whatever it says that cannot be is a ValueError, in words that follow "damaged: "; InputError is
    for what it lacks, or needs and is not read here. Format: glTF 2.0, 3.6 (buffers), 4.4 (GLB).
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        text, self._embedded = content, None
        if content[:4] == MAGIC:
            text, self._embedded = _chunks(path, content)
        self.json = _parse(text)
        self._check()
        self._resources: dict[str, bytes] = {}
        self._unpacked = 0

    def entries(self, kind: str) -> list:
        """All of a kind, such as "nodes"."""
        return member(self.json, kind, list, [])

    def entry(self, kind: str, number: Any) -> dict:
        """One of a kind, by the number that another entry gives it."""
        among = self.entries(kind)
        found = among[whole(number, f"the number of one of its {kind}", below=len(among))]
        if not isinstance(found, dict):
            raise ValueError(f"one of its {kind} is not an object")
        return found

    def view(self, number: Any) -> tuple[memoryview, int | None]:
        """Bytes of a buffer view, and how many lie from one element to the next, if it says so."""
        view = self.entry("bufferViews", number)
        buffer = self._buffer(view.get("buffer"))
        start = whole(view.get("byteOffset", 0), "byteOffset of a buffer view")
        length = whole(view.get("byteLength"), "byteLength of a buffer view")
        if start + length > len(buffer):
            raise ValueError(
                f"a buffer view of bytes {start} to {start + length}; its buffer has {len(buffer)}"
            )
        stride = view.get("byteStride")
        if stride is not None:
            stride = whole(stride, "byteStride of a buffer view", least=1, below=1 << 16)
        return buffer[start : start + length], stride

    def resource(self, uri: str) -> bytes:
        """What a URI stands for: its own data, or a file beside or below this one."""
        if uri not in self._resources:
            self._resources[uri] = self._load(uri)
        return self._resources[uri]

    def unpack(self, numbers: int) -> None:
        """Count numbers that are unpacked; refuse a file that makes far more of them than it holds.

        Arrays may be used many times over: a short file could stand for any number of vertices.
        """
        self._unpacked += numbers
        if self._unpacked > MOST_UNPACKED and self._unpacked > 16 * self.held():
            raise ValueError(
                f"it repeats its arrays until they are more than {MOST_UNPACKED} numbers; at most"
                " that many are read"
            )

    def held(self) -> int:
        """Bytes in all of its buffers."""
        return sum(len(self._buffer(i)) for i in range(len(self.entries("buffers"))))

    def refuse(self, extension: str) -> NoReturn:
        """Raise InputError on something that needs an extension which is not read."""
        if extension in COMPRESSIONS:
            raise InputError(
                f"{self.path}: compressed with {extension}, which is not read here; export it"
                " without compression"
            )
        raise InputError(
            f"{self.path}: needs {extension}, which is not read here; export without it"
        )

    def _check(self) -> None:
        """Refuse another version of glTF, and extensions that change what is drawn."""
        version = member(self.json, "asset", dict, {}).get("version")
        if not (isinstance(version, str) and version.split(".")[0] == "2"):
            found = f"version {version[:20]}" if isinstance(version, str) else "no asset.version"
            self._refuse_version(found)
        needed = member(self.json, "asset", dict, {}).get("minVersion", "2.0")
        if needed != "2.0":
            self._refuse_version(f"minVersion {str(needed)[:20]}")
        for name in member(self.json, "extensionsRequired", list, []):
            if name not in KNOWN and not str(name).startswith("KHR_materials_"):
                self.refuse(str(name)[:60])

    def _refuse_version(self, found: str) -> NoReturn:
        raise InputError(f"{self.path}: {found}; glTF 2.0 was expected: export it again as that")

    def _buffer(self, number: Any) -> memoryview:
        """The bytes of a buffer."""
        buffer = self.entry("buffers", number)
        uri = buffer.get("uri")
        for name in COMPRESSIONS:
            if "fallback" in (extension(buffer, name) or {}) and uri is None:
                self.refuse(name)
        if uri is not None:
            content = self.resource(member(buffer, "uri", str))
        elif number == 0 and self._embedded is not None:
            content = self._embedded
        else:
            raise ValueError(f"buffer {number} has neither a uri nor a chunk of a GLB file")
        length = whole(buffer.get("byteLength"), "byteLength of a buffer")
        if len(content) < length:
            raise ValueError(f"buffer {number} ends too early: {len(content)} of {length} bytes")
        return memoryview(content)[:length]

    def _load(self, uri: str) -> bytes:
        if not uri.startswith("data:"):
            # As written where programs do not escape what they should.
            plain, name = self.path.parent / uri, unquote(uri)
            name = uri if "%" in uri and "\0" not in uri and plain.is_file() else name
            return read_bytes(companion(self.path, name))
        head, comma, text = uri.partition(",")
        if not comma:
            raise ValueError("a data: URI without data")
        if not head.endswith(";base64"):
            return unquote_to_bytes(text)
        text = unquote(text)
        return base64.b64decode(text + "=" * (-len(text) % 4))


def member(entry: dict, name: str, kind: type, default: Any = None) -> Any:
    """A member of an entry, of this kind; ValueError if it is another, or missing."""
    value = entry.get(name, default)
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {'missing' if name not in entry else f'not {KINDS[kind]}'}")
    return value


def objects(entry: dict, name: str) -> list[dict]:
    """A list of objects, empty where there is none."""
    found = member(entry, name, list, [])
    if not all(isinstance(item, dict) for item in found):
        raise ValueError(f"one of {name} is not an object")
    return found


def extension(entry: dict, name: str) -> dict | None:
    """What an extension adds to an entry, or None."""
    found = member(entry, "extensions", dict, {})
    return member(found, name, dict) if name in found else None


def whole(value: Any, what: str, least: int = 0, below: int = 1 << 40) -> int:
    """A whole number, least <= it < below; ValueError says what should have been one."""
    if isinstance(value, float) and value.is_integer():  # 1.0 is a whole number in JSON
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is no whole number")
    if not least <= value < below:
        shown = str(value) if abs(value) < 1 << 60 else "far out"
        raise ValueError(f"{what} is {shown}; {least} to {below - 1} was expected")
    return value


def vector(entry: dict, name: str, default: tuple[float, ...]) -> np.ndarray:
    """(n,) float64 of finite numbers, as many as the default has."""
    values = member(entry, name, list, list(default))
    if len(values) != len(default) or not all(map(_is_number, values)):
        raise ValueError(f"{name} is not a list of {len(default)} finite numbers")
    return np.array(values, np.float64)


def number(entry: dict, name: str, default: float) -> float:
    """A finite number."""
    value = entry.get(name, default)
    if not _is_number(value):
        raise ValueError(f"{name} is not a finite number")
    return float(value)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _chunks(path: Path, content: bytes) -> tuple[bytes, bytes | None]:
    """The JSON of a GLB file and its binary chunk, if it has one."""
    if len(content) < 20:
        raise ValueError("the file ends too early")
    version, length = struct.unpack_from("<II", content, 4)
    if version != 2:
        raise InputError(
            f"{path}: version {version} of GLB; glTF 2.0 was expected: export it again as that"
        )
    if length > len(content):
        raise ValueError(f"the file ends too early: {len(content)} of {length} bytes")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", content, at)
        if at + 8 + size > length:
            raise ValueError(f"a chunk of {size} bytes, of which {length - at - 8} are there")
        if at == 12 and kind != JSON_CHUNK:
            raise ValueError("its first chunk is not JSON")
        chunks.setdefault(kind, content[at + 8 : at + 8 + size])
        at += 8 + size
    return chunks[JSON_CHUNK], chunks.get(BIN_CHUNK)


def _parse(text: bytes) -> dict:
    try:
        scene = json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(scene, dict):
        raise ValueError("its JSON is not an object")
    return scene
