"""Textures in place of the colours that meshes have: which things get one, and which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from render.config import option
from render.mesh.mesh import ObjectModel
from render.scene.background import image_files, told
from render.scene.furnishings import FLOOR_REPEATS, FLOORS, WALL_REPEATS, WALLS
from render.scene.lighting import LampConfig
from render.scene.props import REPEATS, SOLIDS, TABLES
from render.scene.spec import Placed, Texture
from render.scene.textures import KINDS

NUMBERS = 20  # of each procedural kind
DRAWN = tuple((kind, number) for kind in KINDS for number in range(NUMBERS))
# How often a picture lies along the longest side of a prop, by half or twice as often.
_OF_PROPS = ((TABLES, REPEATS), (FLOORS, FLOOR_REPEATS), (WALLS, WALL_REPEATS), (SOLIDS, 1))
REPEATED = {obj_id: repeats for ids, repeats in _OF_PROPS for obj_id in ids}
OBJECT_TILE = (0.25, 1.0)  # of an object's diameter, that a texture's width covers


@dataclass(frozen=True)
class TextureConfig(LampConfig):
    """What textures there are."""

    textures: str = option(
        "",
        "Folder of PNG or JPEG pictures that tables, floors, walls and plain solids show; empty:"
        " procedural wood, cloth, checker, stone and plain ones",
        later=True,
    )
    object_textures: float = option(
        0.0,
        "Chance that an object, or a mesh of scene.distractors, shows one of scene.textures or a"
        " procedural one in place of its own colours; 0: none does, 1: all do",
        minimum=0,
        maximum=1,
        later=True,
    )


class Painter:
    """Gives textures to what stands in a scene.

    files: the pictures of scene.textures, sorted; absolute, so that a frame can be drawn again from
    elsewhere.
    """

    def __init__(self, config: TextureConfig, models: Mapping[int, ObjectModel]) -> None:
        """
        Args:
            models: all but props, by id.

        Raises:
            InputError: scene.textures is no folder with pictures.
        """
        self._chance, self._models = config.object_textures, models
        self._folder = Path(config.textures).absolute()
        self.files: list[Path] = []
        if config.textures:
            found = image_files("scene.textures", config.textures)
            self.files = [file.absolute() for file in found]

    def record(self) -> dict[str, Any]:
        """What settings tell of the pictures: their names and sizes; nothing without any."""
        if not self.files:
            return {}
        sizes = {f.relative_to(self._folder).as_posix(): f.stat().st_size for f in self.files}
        return {"textures": told(sizes)}

    def paint(self, placed: Sequence[Placed], rng: np.random.Generator) -> tuple[Placed, ...]:
        """The same things, some with textures; props of one mesh and material have the same."""
        if not self.files and not self._chance:
            return tuple(placed)
        chosen: dict[Any, Texture | None] = {}
        painted = []
        for item in placed:
            key = item.obj_id, item.material, item.annotated
            if key not in chosen:
                chosen[key] = self._texture(item, rng.random(3))
            material = replace(item.material, texture=chosen[key])
            painted.append(replace(item, material=material))
        return tuple(painted)

    def _texture(self, item: Placed, shares: np.ndarray) -> Texture | None:
        """shares: (3,) in 0..1, of all that is random: whether, which, and how large."""
        whether, which, large = shares.tolist()
        if item.obj_id in self._models:
            if whether >= self._chance:
                return None
            low, high = OBJECT_TILE
            tile = self._models[item.obj_id].diameter * (low + (high - low) * large)
        elif self.files and item.obj_id in REPEATED:
            tile = max(map(abs, item.stretch)) / REPEATED[item.obj_id] * 2 ** (2 * large - 1)
        else:
            return None
        if self.files:
            return Texture(tile, path=str(self.files[int(which * len(self.files))]))
        kind, number = DRAWN[int(which * len(DRAWN))]
        return Texture(tile, kind=kind, number=number)
