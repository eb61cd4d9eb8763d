"""Random light: lamps all over the camera's side, and environments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render.config import option
from render.environment.panorama import digest_of, panorama_files
from render.environment.spec import DRAWN_KINDS, Environment
from render.errors import InputError
from render.scene.layout import Range
from render.scene.spec import LIGHT_KINDS, Light, rows
from render.scene.surroundings import SettledConfig
from render.transforms import apply

NONE, ANY = "none", "any"
SEEDS = 2**63


@dataclass(frozen=True)
class LampConfig(SettledConfig):
    """What lamps there are."""

    lights: tuple[int, int] = option(
        (1, 3), "Fewest and most lights beside the ambient one", minimum=0, maximum=8
    )
    ambient: Range = option(
        (0.3, 0.7), "Strength of the ambient light; 1 shows a surface in its own colour"
    )
    light: Range = option(
        (0.2, 0.8),
        "Strength of all other lights together; 1 shows a facing surface in its own colour",
    )
    light_color: float = option(
        0.05,
        "How far lights are from white, each channel; 0: white, 0.3: clearly coloured",
        minimum=0,
    )
    light_kinds: tuple[str, ...] = option(
        ("directional",), "Kinds of light: directional, point, spot; twice is twice as often"
    )
    light_distance: Range = option(
        (0.5, 1.5),
        "From a point or spot light to the middle of the objects, m; diameters of one over a metre",
        minimum=0.01,
    )
    spot_deg: Range = option(
        (15.0, 40.0),
        "Half angle of a spot's cone, degrees; it is aimed at that middle",
        minimum=1,
        maximum=80,
    )
    shadow_chance: float = option(
        0.0, "Chance that a light casts shadows; 0: none does, 1: all do", minimum=0, maximum=1
    )
    lamp_size: Range = option(
        (0.0, 0.0),
        "Radius of lights that cast shadows over their distance to the middle of the objects. 0:"
        " sharp shadows, 0.005: the sun's, 0.2: a soft box's; slower",
        minimum=0,
        maximum=0.2,
        later=True,
    )


class Lighting:
    """Draws light from the ranges of a SceneConfig.

    scale: factor on how far lamps are. seed: of the environments that frames share. panoramas: the
    files that environments are drawn from.
    """

    def __init__(self, config: Any, scale: float, seed: int) -> None:
        """
        Raises:
            InputError: there is no such kind of light or environment.
        """
        self.config, self.scale, self.seed = config, scale, seed
        _check_light_kinds(config.light_kinds)
        self.panoramas: list[Path] = []
        if config.environment not in (NONE, ANY, *DRAWN_KINDS):
            # Absolute, so that a frame can be drawn again from elsewhere.
            files = panorama_files(Path(config.environment))
            self.panoramas = [file.absolute() for file in files]
        elif config.environment == NONE and config.background == "environment":
            raise InputError(
                "scene.background: there is no environment to show; set scene.environment, too"
            )

    def record(self) -> dict[str, Any]:
        """What settings tell of the panoramas, by what they show; nothing where there are none.

        Raises:
            InputError: one is unusable.
        """
        return {"environments": digest_of(self.panoramas)} if self.panoramas else {}

    def lamps(
        self, rng: np.random.Generator, middle: np.ndarray
    ) -> tuple[tuple[float, ...], tuple[Light, ...]]:
        """Ambient colour and lights from all over the camera's side.

        Args:
            middle: (3,) of what is lit, camera frame, metres.
        """
        config = self.config
        count = int(rng.integers(config.lights[0], config.lights[1] + 1))
        shares = rng.dirichlet(np.ones(count)) * rng.uniform(*config.light) if count else ()
        lights = []
        for share in shares:
            direction = rng.normal(size=3)
            direction /= np.linalg.norm(direction)
            direction[2] = -abs(direction[2])  # towards the camera, whose z points into the scene
            lights.append(Light("directional", tuple(direction.tolist()), self._color(rng, share)))
        ambient = self._color(rng, rng.uniform(*config.ambient))
        # From a stream of their own, so that whatever else rng draws does not depend on it.
        rng, size_rng = rng.spawn(2)
        turned = [self._turned_into_kind(light, middle, rng) for light in lights]
        return ambient, tuple(self._with_size(light, middle, size_rng) for light in turned)

    def environment(self, rng: np.random.Generator, up: np.ndarray) -> Environment | None:
        """An environment, turned about the vertical; None where there is none.

        Args:
            up: (3,) unit, camera frame.
        """
        chosen = self.config.environment
        if chosen == NONE:
            return None
        level, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])
        turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)) * level
        env_from_cam = rows(turn.as_matrix())
        if self.panoramas:
            path = self.panoramas[rng.integers(len(self.panoramas))]
            return Environment("image", env_from_cam, path=str(path))
        if self.config.environments:
            number = int(rng.integers(self.config.environments))
            kind = DRAWN_KINDS[number % len(DRAWN_KINDS)] if chosen == ANY else chosen
            return Environment(kind, env_from_cam, seed=(self.seed, number))
        kind = DRAWN_KINDS[rng.integers(len(DRAWN_KINDS))] if chosen == ANY else chosen
        return Environment(kind, env_from_cam, seed=(int(rng.integers(SEEDS)),))

    def _turned_into_kind(self, light: Light, middle: np.ndarray, rng) -> Light:
        """A directional light as one of `light_kinds`, with or without shadows.

        All is drawn for every light, so that one option shifts nothing of another.
        """
        config, towards = self.config, np.array(light.vector)
        kind = config.light_kinds[rng.integers(len(config.light_kinds))]
        shadow = bool(rng.random() < config.shadow_chance)
        position = middle + self.scale * rng.uniform(*config.light_distance) * towards
        outer = np.radians(rng.uniform(*config.spot_deg))
        inner = outer * rng.uniform(0.5, 1.0)
        light = replace(light, kind=kind, shadow=shadow)
        if kind == "directional":
            return light
        light = replace(light, vector=tuple(position.tolist()))
        if kind == "point":
            return light
        direction, cone = tuple((-towards).tolist()), (float(inner), float(outer))
        return replace(light, direction=direction, cone=cone)

    def _with_size(self, light: Light, middle: np.ndarray, rng: np.random.Generator) -> Light:
        """A light of a radius, if any are."""
        if not self.config.lamp_size[1]:
            return light
        size = rng.uniform(*self.config.lamp_size)
        if light.kind != "directional":
            size *= float(np.linalg.norm(np.array(light.vector) - middle))
        return replace(light, radius=float(size))

    def _color(self, rng: np.random.Generator, strength: float) -> tuple[float, ...]:
        return tuple((strength * (1 + self.config.light_color * rng.uniform(-1, 1, 3))).tolist())


def _check_light_kinds(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in LIGHT_KINDS]
    if unknown or not kinds:
        got = f"no kind {unknown[0]!r}" if unknown else "none is named"
        raise InputError(f"scene.light_kinds: {got}; there are {', '.join(LIGHT_KINDS)}")


def moved_light(light: Light, dst_from_src: np.ndarray) -> Light:
    """A light in another frame."""
    R = dst_from_src[:3, :3]
    vector, direction = np.array(light.vector), R @ np.array(light.direction)
    if light.kind == "directional":
        return replace(light, vector=tuple((R @ vector).tolist()))
    moved = apply(dst_from_src, vector[None])[0]
    light = replace(light, vector=tuple(moved.tolist()))
    return replace(light, direction=tuple(direction.tolist())) if light.kind == "spot" else light
