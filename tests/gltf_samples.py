"""Small glTF files, built entry by entry."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from render.mesh.file import read_mesh_file
from render.mesh.part import Part

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
# A corner of a box: four vertices at the origin and on the axes, and three faces wound outwards.
CORNER = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], "f4")
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2]], "u2")


class GltfSample:
    """A glTF file to be: its JSON, and the bytes of its only buffer."""

    def __init__(self, **extra: Any) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}, **extra}
        self.bytes = bytearray()

    def put(self, kind: str, **entry: Any) -> int:
        """Add an entry, such as a node; its number."""
        self.json.setdefault(kind, []).append(entry)
        return len(self.json[kind]) - 1

    def view(self, content: bytes, **extra: Any) -> int:
        self.bytes += bytes(-len(self.bytes) % 4)
        start = len(self.bytes)
        self.bytes += content
        length = len(content)
        return self.put("bufferViews", buffer=0, byteOffset=start, byteLength=length, **extra)

    def array(self, values: np.ndarray, **extra: Any) -> int:
        """An accessor of (n, ...) values."""
        return self.put(
            "accessors",
            bufferView=self.view(np.ascontiguousarray(values).tobytes()),
            **shape_of(values),
            **extra,
        )

    def texture(self, pixels: np.ndarray, kind: str = "PNG", **texture: Any) -> int:
        """A texture whose image, (h, w, 3) uint8, lies in the buffer."""
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind, lossless=True)
        mime = f"image/{kind.lower()}"
        source = self.put("images", bufferView=self.view(stream.getvalue()), mimeType=mime)
        return self.put("textures", source=source, **texture)

    def corner(self, primitive: dict | None = None, **attributes: int) -> int:
        """A mesh of CORNER with these attributes and more of its only primitive."""
        given = {"POSITION": self.array(CORNER), **attributes}
        indices = {"indices": self.array(FACES.reshape(-1))}
        return self.put(
            "meshes", primitives=[{"attributes": given, **indices, **(primitive or {})}]
        )

    def text(self, **buffer: Any) -> bytes:
        scene = dict(self.json)
        if self.bytes and "buffers" not in scene:
            scene["buffers"] = [{"byteLength": len(self.bytes), **buffer}]
        return json.dumps(scene).encode()

    def write(self, path: Path) -> Path:
        """As .glb, or as .gltf with the buffer in a data: URI."""
        if path.suffix == ".glb":
            path.write_bytes(glb(self.text(), bytes(self.bytes)))
        else:
            uri = "data:application/octet-stream;base64," + base64.b64encode(self.bytes).decode()
            path.write_bytes(self.text(uri=uri))
        return path

    def read(self, folder: Path) -> Part:
        """What the reader makes of it."""
        return read_mesh_file(self.write(folder / "sample.glb"))


def glb(text: bytes, embedded: bytes) -> bytes:
    """A GLB file of JSON and buffer."""
    text += b" " * (-len(text) % 4)
    embedded += bytes(-len(embedded) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    if embedded:
        chunks += struct.pack("<II", len(embedded), 0x004E4942) + embedded
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def shape_of(values: np.ndarray) -> dict[str, Any]:
    """An accessor's account of (n, ...) values."""
    component = COMPONENTS[values.dtype.str[1:]]
    return {"componentType": component, "count": len(values), "type": TYPES[values.shape[1:]]}


def corner_in_scene(primitive: dict | None = None, **node: Any) -> GltfSample:
    """CORNER in a scene of one node."""
    sample = GltfSample()
    sample.put("nodes", mesh=sample.corner(primitive), **node)
    return sample
