"""How a surface takes light beyond its colour, as glTF 2.0 has it (3.9): a vertex, and in maps."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from render.mesh.texture_atlas import join_textures

# Columns of `Finish.factors`.
ROUGHNESS, METALLIC, NORMAL_SCALE, OCCLUSION_STRENGTH = range(4)
EMISSIVE = slice(4, 7)
UNSAID = -1.0  # roughness and metallic of what leaves them to the scene
PLAIN = (UNSAID, UNSAID, 0.0, 0.0, 0.0, 0.0, 0.0)
# The maps, with what is read of them. Occlusion is red, roughness green, metallic blue.
MAPS = {
    "normal": "a map of normals",
    "metallic_roughness": "a map of roughness and metal",
    "occlusion": "a map of occlusion",
    "emissive": "a map of its own light",
}


@dataclass(frozen=True, eq=False)
class SurfaceMap:
    """A map of a mesh: (n, 2) float32 uv of its vertices, v up, and (h, w, 3) uint8 texture."""

    uv: np.ndarray
    texture: np.ndarray


@dataclass(frozen=True, eq=False)
class Finish:
    """A mesh's own surface.

    factors: (n, 7) float32 of vertices: roughness and metallic, UNSAID or times their map; scale of
    the map of normals; strength of that of occlusion; linear RGB light that it shines with, times
    its map. maps: by name, of MAPS.
    """

    factors: np.ndarray
    maps: Mapping[str, SurfaceMap]

    @property
    def words(self) -> str:
        """What it holds, for people."""
        found = [words for name, words in MAPS.items() if name in self.maps]
        said = (self.factors[:, ROUGHNESS] != UNSAID).any()
        if said and "metallic_roughness" not in self.maps:
            found.insert(0, "roughness and metal")
        if (self.factors[:, EMISSIVE] > 0).any() and "emissive" not in self.maps:
            found.append("light of its own")
        return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)

    @property
    def digest(self) -> str:
        """16 hex digits that say whether it is the same, to the last bit."""
        made = hashlib.blake2b(self.factors.tobytes(), digest_size=8)
        for name, one in sorted(self.maps.items()):
            made.update(f"{name} {one.texture.shape}".encode())
            made.update(one.uv.tobytes() + one.texture.tobytes())
        return made.hexdigest()

    def taken(self, rows: np.ndarray) -> "Finish":
        """That of these (k,) vertices."""
        maps = {name: replace(one, uv=one.uv[rows]) for name, one in self.maps.items()}
        return Finish(self.factors[rows], maps)

    def everywhere(self, count: int) -> "Finish | None":
        """That of other (count,) vertices on the surface; None if it is not the same all over."""
        if self.maps or (self.factors != self.factors[:1]).any():
            return None
        return Finish(np.repeat(self.factors[:1], count, axis=0), {})


def join_finishes(finishes: Sequence[Finish | None], counts: Sequence[int]) -> Finish | None:
    """That of several parts together, of so many vertices each; None where none has any.

    Raises:
        ValueError: as `join_textures`.
    """
    if all(finish is None for finish in finishes):
        return None
    rows = [
        np.tile(np.array(PLAIN, np.float32), (count, 1)) if finish is None else finish.factors
        for finish, count in zip(finishes, counts, strict=True)
    ]
    return Finish(
        np.concatenate(rows),
        {
            name: _join(name, finishes, counts)
            for name in MAPS
            if any(finish is not None and name in finish.maps for finish in finishes)
        },
    )


def _join(name: str, finishes: Sequence[Finish | None], counts: Sequence[int]) -> SurfaceMap:
    """A map of several parts; of those without it a white one, which factors make nothing of."""
    white = np.full((1, 1, 3), 255, np.uint8)
    found = [None if finish is None else finish.maps.get(name) for finish in finishes]
    uv, texture = join_textures(
        [
            np.full((count, 2), 0.5) if one is None else one.uv.astype(np.float64)
            for one, count in zip(found, counts, strict=True)
        ],
        [white if one is None else one.texture for one in found],
    )
    return SurfaceMap(uv.astype(np.float32), texture)
