"""A glTF document, made piece by piece."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.mesh_features.feature import FACES, UV, VERTICES, Feature
from benchmarks.mesh_features.ply import TEXTURE, png

# glTF has y up: what is to stand upright in a world with z up lies so in the file.
Y_FROM_Z = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
LAID = VERTICES @ Y_FROM_Z.T
TYPES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Builder:
    """A glTF document that grows: one buffer, a mesh of one primitive, a node for it."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "bufferViews": [],
            "accessors": [],
        }
        self.primitive: dict[str, Any] = {
            "attributes": {"POSITION": self.accessor(LAID, "f4")},
            "indices": self.accessor(FACES.reshape(-1), "u2"),
        }
        self.json["meshes"] = [{"primitives": [self.primitive]}]

    def view(self, content: bytes, **fields) -> int:
        self.buffer += bytes(-len(self.buffer) % 4)
        self.json["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(content), **fields}
        )
        self.buffer += content
        return len(self.json["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, kind: str, **fields) -> int:
        values = np.asarray(values).astype(f"<{kind}")
        size = int(np.prod(values.shape[1:], dtype=int))
        self.json["accessors"].append(
            {
                "bufferView": self.view(values.tobytes()),
                "componentType": TYPES[kind],
                "count": len(values),
                "type": SHAPES[size],
                **fields,
            }
        )
        return len(self.json["accessors"]) - 1

    def material(self, **fields) -> dict[str, Any]:
        """The primitive's material; `pbr` is its pbrMetallicRoughness."""
        if "pbr" in fields:
            fields["pbrMetallicRoughness"] = fields.pop("pbr")
        self.json["materials"] = [fields]
        self.primitive["material"] = 0
        return fields

    def texture(self, image: np.ndarray = TEXTURE, **sampler) -> None:
        """A texture within the buffer, and coordinates for it (v down)."""
        self.json["images"] = [{"bufferView": self.view(png(image)), "mimeType": "image/png"}]
        self.json["textures"] = [{"source": 0}]
        if sampler:
            self.json["samplers"] = [sampler]
            self.json["textures"][0]["sampler"] = 0
        self.uv(UV)

    def uv(self, uv: np.ndarray, channel: int = 0) -> None:
        down = uv * [1, -1] + [0, 1]
        self.primitive["attributes"][f"TEXCOORD_{channel}"] = self.accessor(down, "f4")

    def glb(self) -> bytes:
        self.json["buffers"] = [{"byteLength": len(self.buffer)}]
        text = json.dumps(self.json).encode()
        text += b" " * (-len(text) % 4)
        body = bytes(self.buffer) + bytes(-len(self.buffer) % 4)
        size = 12 + 8 + len(text) + 8 + len(body)
        head = struct.pack("<4sIII4s", b"glTF", 2, size, len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(body), b"BIN\0") + body

    def gltf(self, uri: str) -> bytes:
        self.json["buffers"] = [{"byteLength": len(self.buffer), "uri": uri}]
        return json.dumps(self.json).encode()


class Register(list[Feature]):
    """Features, each from a function that is given a Builder, and returns None or the files."""

    def __call__(self, name: str, **expected) -> Callable:
        def register(build: Callable[[Builder], dict[str, bytes] | None]) -> None:
            builder = Builder()
            files = build(builder) or {"a.glb": builder.glb()}
            self.append(Feature("glTF", name, files, **expected))

        return register
