"""What a glTF material says of a surface: its colour, what is cut out of it, how it takes light.

Base colours are linear, textures are stored as they are displayed (sRGB), and their product is
linear (glTF 2.0, 3.9.2). Vertex colours are taken as they are displayed, as programs write them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from render.errors import InputError
from render.mesh.finish import PLAIN, Finish, SurfaceMap
from render.mesh.gltf.file import GltfFile, extension, member, number, vector
from render.mesh.gltf.primitive import Geometry
from render.mesh.gltf.texture import Texture, Textures
from render.mesh.part import WHITE

log = logging.getLogger(__name__)

GLOSSY = "KHR_materials_pbrSpecularGlossiness"
STRENGTH = "KHR_materials_emissive_strength"
READ = (GLOSSY, STRENGTH)
FARTHEST = 1.0  # outside 0..1; what is beyond counts to 255 or to 100
BRIGHTEST = 1e4  # light of its own: what is 3 is shown white, and what float32 cannot hold is not
OF_MATERIALS = "KHR_materials_"


@dataclass(frozen=True, eq=False)
class Material:
    """A surface.

    factor: (3,) linear colour, 0..1. alpha: factor on opacity. cutoff: what is less opaque is not
    there; 0: all is. texture: with the factor in it, and with the image's alpha where there is a
    cutoff; or None. finish: (7,) as `Finish.factors`. maps: as `Finish.maps`.
    """

    factor: np.ndarray
    alpha: float
    cutoff: float
    texture: Texture | None
    finish: np.ndarray
    maps: Mapping[str, Texture]

    def vertex_colors(self, colors: np.ndarray | None, count: int) -> np.ndarray:
        """(count, 3) uint8 to draw, from the (count, 3) uint8 of the file, if it has some."""
        if colors is None:
            colors = np.full((count, 3), WHITE, np.uint8)
        if self.texture is not None or (self.factor == 1).all():
            return colors
        return tinted(colors, self.factor)

    def opacity(self, geometry: Geometry) -> np.ndarray | None:
        """(n,) opacity for `Mesh` of these (n,) vertices; None if it cuts nothing."""
        if self.cutoff <= 0:
            return None
        # What is exactly at the cutoff stays, however float32 rounds it.
        opacity = geometry.alphas() * (self.alpha * (1 + 1e-6) / self.cutoff)
        least = 1.0
        if self.texture is not None and self.texture.image.shape[2] == 4:
            least = self.texture.image[..., 3].min() / 255
        return None if (opacity * least >= 1).all() else opacity

    def finished(self, geometry: Geometry, count: int) -> Finish | None:
        """The finish of these (count,) vertices; None where the material says nothing of it."""
        if not self.maps and tuple(self.finish) == PLAIN:
            return None
        maps = {}
        for name, texture in self.maps.items():
            image, uv = texture.laid_out(geometry)
            maps[name] = SurfaceMap(uv.astype(np.float32), image)
        return Finish(np.tile(self.finish.astype(np.float32), (count, 1)), maps)

    @property
    def textures(self) -> list[Texture]:
        """All of them."""
        return [*([] if self.texture is None else [self.texture]), *self.maps.values()]


class Materials:
    """The materials of a glTF file, by number."""

    def __init__(self, file: GltfFile) -> None:
        self._file, self._textures = file, Textures(file)
        self._made: dict[int, Material] = {}
        self._dropped: set[str] = set()

    def get(self, number: Any, geometry: Geometry) -> Material:
        """A material, ready to use.

        Raises:
            InputError: the vertices lack coordinates that a texture takes.
        """
        entry = self._file.entry("materials", number)
        if number not in self._made:
            self._made[number] = self._make(entry)
            self._drop(entry)
        for texture in self._made[number].textures:
            self._textures.check(texture, geometry)
        return self._made[number]

    def _make(self, entry: dict) -> Material:
        glossy = extension(entry, GLOSSY)
        rough = _rough(entry)
        color = rough if glossy is None else glossy
        name = "baseColor" if glossy is None else "diffuse"
        given = vector(color, f"{name}Factor", (1.0, 1, 1, 1))
        self._check(f"{name}Factor", given)
        factor, alpha = np.split(given, [3])
        factor = self._clipped(factor, "base colours")
        is_mask = entry.get("alphaMode") == "MASK"
        cutoff = number(entry, "alphaCutoff", 0.5) if is_mask else 0.0
        self._check("alphaCutoff", cutoff)
        texture = None
        if f"{name}Texture" in color:
            texture = self._textures.get(member(color, f"{name}Texture", dict), cutoff > 0)
            if (factor != 1).any():
                texture = replace(texture, image=tinted(texture.image, factor))
        finish, maps = self._finish(entry, {} if glossy is not None else rough)
        return Material(factor, float(np.clip(alpha[0], 0, 1)), cutoff, texture, finish, maps)

    def _finish(self, entry: dict, rough: dict) -> tuple[np.ndarray, dict[str, Texture]]:
        """How a surface takes light: (7,) as `Finish.factors`, and its maps."""
        infos = {"normal": (entry, "normalTexture"), "occlusion": (entry, "occlusionTexture")}
        infos["metallic_roughness"] = rough, "metallicRoughnessTexture"
        strength = number(extension(entry, STRENGTH) or {}, "emissiveStrength", 1.0)
        emissive = vector(entry, "emissiveFactor", (0.0, 0, 0))
        self._check("emissiveFactor", emissive)
        glow = np.clip(strength * emissive, 0, BRIGHTEST)
        if glow.any():
            infos["emissive"] = entry, "emissiveTexture"
        said = {name: member(of, key, dict) for name, (of, key) in infos.items() if key in of}

        factors = np.array(PLAIN)
        named = ("roughnessFactor", "metallicFactor")
        if "metallic_roughness" in said or any(name in rough for name in named):
            values = np.array([number(rough, name, 1.0) for name in named])
            self._check(" or ".join(named), values)
            factors[:2] = self._clipped(values, "roughness or metal")
        if "normal" in said:
            factors[2] = number(said["normal"], "scale", 1.0)
        if "occlusion" in said:
            share = number(said["occlusion"], "strength", 1.0)
            self._check("occlusionTexture's strength", share)
            factors[3] = np.clip(share, 0, 1)
        factors[4:] = glow
        return factors, {name: self._textures.get(info) for name, info in said.items()}

    def _check(self, name: str, values: np.ndarray | float) -> None:
        """Refuse factors that are far outside 0..1."""
        values = np.atleast_1d(values)
        far = values[(values < -FARTHEST) | (values > 1 + FARTHEST)]
        if len(far):
            raise InputError(
                f"{self._file.path}: a material whose {name} is {far[0]:.6g}; it goes from 0 to 1,"
                " not to 255 or 100: write it as a fraction"
            )

    def _clipped(self, values: np.ndarray, what: str) -> np.ndarray:
        if ((values < 0) | (values > 1)).any():
            self._say(f"{what} outside 0..1, which are clamped")
        return np.clip(values, 0, 1)

    def _drop(self, entry: dict) -> None:
        if entry.get("alphaMode", "OPAQUE") not in ("OPAQUE", "MASK"):
            self._say("transparency, which is not drawn")
        if extension(entry, GLOSSY) is not None:
            self._say(f"highlights of {GLOSSY}, which are not drawn")
        for name in sorted(member(entry, "extensions", dict, {})):
            if name.startswith(OF_MATERIALS) and name not in READ:
                self._say(f"{name}, which is not drawn")

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
