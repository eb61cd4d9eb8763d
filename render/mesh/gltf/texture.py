"""The textures of a glTF file: their images, and where they lie on the vertices that name them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from render.errors import InputError
from render.mesh.gltf.file import GltfFile, extension, member, number, vector, whole
from render.mesh.gltf.primitive import Geometry
from render.mesh.texture import decode_texture, lay_out

WRAPS = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
# Extensions that give a texture another image, in a format that is not read.
OTHER_IMAGES = ("KHR_texture_basisu", "MSFT_texture_dds", "EXT_texture_avif")


@dataclass(frozen=True, eq=False)
class Texture:
    """A texture as a material takes it.

    image: (h, w, 3) uint8, or (h, w, 4) with alpha. attribute: the texture coordinates that it
    takes. transform: (2, 3), moves those, v down. wrap: along u and v, as
    `render.mesh.texture.lay_out` takes it.
    """

    image: np.ndarray
    attribute: str
    transform: np.ndarray | None
    wrap: tuple[str, str]

    def laid_out(self, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """The image as OpenGL repeats it, and (n, 2) coordinates of vertices, v up.

        Raises:
            ValueError: as `render.mesh.texture.lay_out`.
        """
        uv = geometry.get(self.attribute, ("VEC2",))
        if self.transform is not None:
            uv = uv @ self.transform[:, :2].T + self.transform[:, 2]
        uv[:, 1] = 1 - uv[:, 1]
        # As GL will have them.
        return lay_out(self.image, uv.astype(np.float32).astype(np.float64), self.wrap)


class Textures:
    """What materials say of textures, with the images of a file."""

    def __init__(self, file: GltfFile) -> None:
        self._file = file
        self._images: dict[tuple[int, bool], np.ndarray] = {}

    def get(self, info: dict, alpha: bool = False) -> Texture:
        """A texture of a material's entry; alpha: transparency is wanted."""
        moved = extension(info, "KHR_texture_transform") or {}
        coordinates = moved.get("texCoord", info.get("texCoord", 0))
        texture = self._file.entry("textures", info.get("index"))
        sampler: dict = {}
        if "sampler" in texture:
            sampler = self._file.entry("samplers", texture["sampler"])
        return Texture(
            self._image(texture, alpha),
            f"TEXCOORD_{whole(coordinates, 'texCoord of a texture')}",
            _transform(moved) if moved else None,
            (_wrap(sampler, "wrapS"), _wrap(sampler, "wrapT")),
        )

    def check(self, texture: Texture, geometry: Geometry) -> None:
        """Raise InputError where vertices lack the coordinates that a texture takes."""
        if not geometry.has(texture.attribute):
            raise InputError(
                f"{self._file.path}: has a texture for vertices without {texture.attribute}; give"
                " them texture coordinates, or take the texture off their material"
            )

    def _image(self, texture: dict, alpha: bool) -> np.ndarray:
        """The image of a texture: in WebP where it has one, else PNG or JPEG."""
        webp = extension(texture, "EXT_texture_webp")
        source = (webp or {}).get("source", texture.get("source"))
        if source is None:
            for name in OTHER_IMAGES:
                if extension(texture, name) is not None:
                    self._file.refuse(name)
            raise ValueError("a texture without an image")
        entry = self._file.entry("images", source)
        if (source, alpha) not in self._images:
            content, name = self._content(source, entry)
            self._images[source, alpha] = decode_texture(content, name, alpha)
        return self._images[source, alpha]

    def _content(self, number: int, entry: dict) -> tuple[bytes, str]:
        """An image's file, and what errors call it."""
        if "bufferView" in entry:
            view, _ = self._file.view(entry["bufferView"])
            return bytes(view), f"{self._file.path}: image {number}"
        uri = member(entry, "uri", str)
        name = "" if uri.startswith("data:") else f", {uri}"
        return self._file.resource(uri), f"{self._file.path}: image {number}{name}"


def _transform(moved: dict) -> np.ndarray:
    """(2, 3) of KHR_texture_transform: scales, turns against the clock, moves."""
    (x, y), (across, down) = vector(moved, "offset", (0.0, 0)), vector(moved, "scale", (1.0, 1))
    angle = number(moved, "rotation", 0.0)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c * across, s * down, x], [-s * across, c * down, y]])


def _wrap(sampler: dict, name: str) -> str:
    kind: Any = sampler.get(name, 10497)
    if not isinstance(kind, int) or kind not in WRAPS:
        raise ValueError(
            f"{name} is {str(kind)[:20]}; one of {', '.join(map(str, WRAPS))} was expected"
        )
    return WRAPS[kind]
