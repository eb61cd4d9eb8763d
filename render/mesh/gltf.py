"""What trimesh would leave out of a glTF file without a word."""

import json
import struct
from pathlib import Path

from render.errors import InputError

# Extensions that a file may require without its shape or base colour depending on them.
HARMLESS = ("KHR_lights_punctual", "KHR_materials_unlit", "KHR_materials_emissive_strength")
TRIANGLE_FAN = 6


def refuse_unread(path: Path, content: bytes) -> None:
    """Raise InputError on a glTF or GLB file with geometry or textures that are not read.

    Format: glTF 2.0, 3.7.2.1 (primitives), 3.12 (extensions), 4.4 (GLB).
    """
    if content[:4] == b"glTF":
        (length,) = struct.unpack("<I", content[12:16])
        content = content[20 : 20 + length]
    scene = json.loads(content)
    unread = [name for name in scene.get("extensionsRequired", ()) if name not in HARMLESS]
    if unread:
        raise InputError(f"{path}: needs {unread[0]}, which is not read here; export without it")
    for primitive in (p for mesh in scene.get("meshes", ()) for p in mesh["primitives"]):
        if primitive.get("mode") == TRIANGLE_FAN:
            raise InputError(f"{path}: holds a triangle fan; export it as triangles")
    for material in scene.get("materials", ()):
        texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture", {})
        if "KHR_texture_transform" in texture.get("extensions", ()):
            raise InputError(f"{path}: a texture has KHR_texture_transform; export without it")
