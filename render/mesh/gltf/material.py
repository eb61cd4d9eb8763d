"""What a glTF material says of the colour of a surface, as texture and vertex colours show it.

Base colours are linear, textures are stored as they are displayed (sRGB), and their product is
linear (glTF 2.0, 3.9.2). Vertex colours are taken as they are displayed, as programs write them.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from render.mesh.gltf.file import GltfFile, extension, member, number, vector, whole
from render.mesh.part import WHITE
from render.mesh.texture import decode_texture

log = logging.getLogger(__name__)

WRAPS = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
GLOSSY = "KHR_materials_pbrSpecularGlossiness"
MAPS = {
    "normalTexture": "a map of normals",
    "occlusionTexture": "a map of occlusion",
    "metallicRoughnessTexture": "a map of roughness and metal",
}
# Extensions that give a texture another image, in a format that is not read.
OTHER_IMAGES = ("KHR_texture_basisu", "MSFT_texture_dds", "EXT_texture_avif")


@dataclass(frozen=True, eq=False)
class Material:
    """A surface's colour.

    factor: (3,) linear, 0..1. alpha: factor on opacity. cutoff: what is less opaque is not there;
    0: all is. texture: (h, w, 3) uint8 with the factor in it, or (h, w, 4) with the image's alpha
    where there is a cutoff, or None. attribute: the texture coordinates that it takes. transform:
    (2, 3), moves those, v down. wrap: along u and v, as `render.mesh.texture.lay_out` takes it.
    """

    factor: np.ndarray
    alpha: float
    cutoff: float
    texture: np.ndarray | None = None
    attribute: str = "TEXCOORD_0"
    transform: np.ndarray | None = None
    wrap: tuple[str, str] = ("repeat", "repeat")

    def vertex_colors(self, colors: np.ndarray | None, count: int) -> np.ndarray:
        """(count, 3) uint8 to draw, from the (count, 3) uint8 of the file, if it has some."""
        if colors is None:
            colors = np.full((count, 3), WHITE, np.uint8)
        if self.texture is not None or (self.factor == 1).all():
            return colors
        return tinted(colors, self.factor)

    def opacity(self, alphas: np.ndarray) -> np.ndarray | None:
        """(n,) opacity for `Mesh` of vertices with these (n,) alphas; None if it cuts nothing."""
        if self.cutoff <= 0:
            return None
        # What is exactly at the cutoff stays, however float32 rounds it.
        opacity = alphas * (self.alpha * (1 + 1e-6) / self.cutoff)
        texture, least = self.texture, 1.0
        if texture is not None and texture.shape[2] == 4:
            least = texture[..., 3].min() / 255
        return None if (opacity * least >= 1).all() else opacity


class Materials:
    """The materials of a glTF file, by number."""

    def __init__(self, file: GltfFile) -> None:
        self._file = file
        self._made: dict[int, Material] = {}
        self._images: dict[tuple[int, bool], np.ndarray] = {}
        self._dropped: set[str] = set()

    def get(self, number: Any) -> Material:
        """A material, ready to use."""
        entry = self._file.entry("materials", number)
        if number not in self._made:
            self._made[number] = self._make(entry)
            self._drop(entry)
        return self._made[number]

    def _make(self, entry: dict) -> Material:
        glossy = extension(entry, GLOSSY)
        rough = _rough(entry)
        color = rough if glossy is None else glossy
        names = ("baseColor", "baseColorTexture") if glossy is None else ("diffuse",)
        factor, alpha = np.split(vector(color, f"{names[0]}Factor", (1.0, 1, 1, 1)), [3])
        if ((factor < 0) | (factor > 1)).any():
            self._say("base colours outside 0..1, which are clamped")
            factor = np.clip(factor, 0, 1)
        is_mask = entry.get("alphaMode") == "MASK"
        cutoff = number(entry, "alphaCutoff", 0.5) if is_mask else 0.0
        material = Material(factor, float(np.clip(alpha[0], 0, 1)), cutoff)
        if f"{names[0]}Texture" not in color:
            return material
        return self._textured(material, member(color, f"{names[0]}Texture", dict))

    def _textured(self, material: Material, info: dict) -> Material:
        moved = extension(info, "KHR_texture_transform") or {}
        coordinates = moved.get("texCoord", info.get("texCoord", 0))
        texture = self._file.entry("textures", info.get("index"))
        sampler: dict = {}
        if "sampler" in texture:
            sampler = self._file.entry("samplers", texture["sampler"])
        image = self._image(texture, material.cutoff > 0)
        return replace(
            material,
            texture=image if (material.factor == 1).all() else tinted(image, material.factor),
            attribute=f"TEXCOORD_{whole(coordinates, 'texCoord of a texture')}",
            transform=_transform(moved) if moved else None,
            wrap=(_wrap(sampler, "wrapS"), _wrap(sampler, "wrapT")),
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

    def _drop(self, entry: dict) -> None:
        if entry.get("alphaMode", "OPAQUE") not in ("OPAQUE", "MASK"):
            self._say("transparency, which is not drawn")
        glow = vector(entry, "emissiveFactor", (0.0, 0, 0))
        if (glow > 0).any():
            self._say("light of its own, which is not drawn")
        for name, where in ((n, w) for w in (entry, _rough(entry)) for n in MAPS):
            if name in where:
                self._say(f"{MAPS[name]} ({name}), which is not drawn")

    def _say(self, what: str) -> None:
        """Say once what is left out."""
        if what not in self._dropped:
            self._dropped.add(what)
            log.info("%s: has %s", self._file.path, what)


def _rough(entry: dict) -> dict:
    return member(entry, "pbrMetallicRoughness", dict, {})


def tinted(colors: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 colours as displayed, times a (3,) linear factor; more channels stay."""
    levels = np.arange(256)[:, None] / 255
    table = np.round(255 * _displayed(_linear(levels) * factor)).astype(np.uint8)  # (256, 3)
    made = colors.copy()
    for i in range(3):
        made[..., i] = table[colors[..., i], i]
    return made


def _linear(displayed: np.ndarray) -> np.ndarray:
    """Light of a displayed value, both 0..1: sRGB, IEC 61966-2-1."""
    return np.where(displayed <= 0.04045, displayed / 12.92, ((displayed + 0.055) / 1.055) ** 2.4)


def _displayed(linear: np.ndarray) -> np.ndarray:
    """The displayed value of light, both 0..1: sRGB, IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _transform(moved: dict) -> np.ndarray:
    """(2, 3) of KHR_texture_transform: scales, turns against the clock, moves."""
    (x, y), (across, down) = vector(moved, "offset", (0.0, 0)), vector(moved, "scale", (1.0, 1))
    angle = number(moved, "rotation", 0.0)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c * across, s * down, x], [-s * across, c * down, y]])


def _wrap(sampler: dict, name: str) -> str:
    kind = sampler.get(name, 10497)
    if not isinstance(kind, int) or kind not in WRAPS:
        raise ValueError(
            f"{name} is {str(kind)[:20]}; one of {', '.join(map(str, WRAPS))} was expected"
        )
    return WRAPS[kind]
