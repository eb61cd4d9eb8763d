"""What stands around things that lie in a heap: a table, or a room that holds them and the camera.

All is in the world's frame: z up, the ground at z = 0, the things around the origin; metres.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from render.config import option
from render.scene.furnishings import FLOORS, WALLS, WINDOW, floor_kind
from render.scene.layout import LayoutConfig
from render.scene.props import SOLIDS, TABLES, solid_kind, surface_kind
from render.scene.spec import Light, Material, Placed, rows
from render.transforms import rigid, rodrigues

SETTLED = ("pile", "bin")  # the layouts whose scenes several cameras may look at
THICK = 0.04  # of a table or a wall, as a share of its width
TABLE_ROOM = (1.2, 2.2)  # of a table, as a factor on what must have room on it
ROOM, CEILING = (1.12, 1.6), (1.05, 1.4)  # of half a room's sides and its height, on the reach
CUPBOARD, WINDOW_CHANCE = 0.35, 0.3  # chances of one at a third of a wall
BRIGHT = Material(tint=(1.7, 1.75, 1.8))  # of windows: the day outside
PLAIN_BOXES = tuple(
    i for i in SOLIDS if solid_kind(i) == "box" and surface_kind(i) in ("plain", "wood")
)
Look = Callable[[np.random.Generator], Material]  # draws the surface of a prop


@dataclass(frozen=True)
class SettledConfig(LayoutConfig):
    """What only scenes have that several cameras may look at: `pile` and `bin`."""

    cameras: int = option(
        1,
        "pile, bin: frames that show one settled scene, each by a camera of its own. 1: every frame"
        " has its own scene; 25: as BOP's PBR sets; 1000: the most",
        minimum=1,
        maximum=1000,
        later=True,
    )
    path: Literal["none", "orbit"] = option(
        "none",
        "pile, bin: how the cameras of a scene follow one another. none: each is on its own; orbit:"
        " one camera goes around the scene, a film in each scene folder, so that"
        " render.frames_per_scene is scene.cameras",
        later=True,
    )
    path_deg: float = option(
        2.0,
        "path: how far around the scene from frame to frame, degrees; 0.5: slow, 10: in jumps",
        minimum=0.01,
        maximum=90,
        later=True,
    )
    surroundings: Literal["table", "room"] = option(
        "table",
        "pile, bin: what objects lie on; table: a table before the background; room: the floor of a"
        " closed room, whose lights hang in it",
        later=True,
    )


def has_path(config: SettledConfig) -> bool:
    """Whether the frames of a scene are a film."""
    return config.layout in SETTLED and config.path != "none"


def in_room(config: SettledConfig) -> bool:
    """Whether walls hide all that is behind: other layouts pass `surroundings` over."""
    return config.layout in SETTLED and config.surroundings == "room"


@dataclass(frozen=True, eq=False)
class Room:
    """What surrounds things. half: (3,) from the origin to the walls and the ceiling, None if there
    are none."""

    parts: tuple[Placed, ...]
    half: np.ndarray | None = None

    def lit(self, light: Light, middle: np.ndarray) -> Light:
        """A light where this room lets it be; one from far off hangs as a lamp on that side.

        Args:
            middle: (3,) of what is lit, inside.
        """
        if self.half is None:
            return light
        low, high = np.array([-1, -1, 0.05]) * self.half * 0.95, self.half * 0.95
        if light.kind == "directional":
            way = np.array(light.vector)
            with np.errstate(divide="ignore"):
                ends = np.where(way > 0, high - middle, low - middle) / way
            distance = 0.98 * np.abs(ends[way != 0]).min()
            place = middle + distance * way
            hung = replace(light, kind="point", vector=tuple(place.tolist()))
            # Seen as large as it was.
            return replace(hung, radius=hung.radius and float(hung.radius * distance))
        place = np.clip(light.vector, low, high)
        return replace(light, vector=tuple(place.tolist()))


def table(surface: str, radius: float, rng: np.random.Generator, look: Look) -> Room:
    """A table with room for a circle around the origin. surface: a kind, or "any"."""
    tables = [i for i in TABLES if surface in ("any", surface_kind(i))]
    width = 2 * radius * rng.uniform(*TABLE_ROOM)
    stretch = (width, width * rng.uniform(1.0, 1.6), THICK * width)
    spin = rodrigues(np.array([0, 0, rng.uniform(0, 2 * np.pi)]))
    material = look(rng)
    return Room((_placed(int(rng.choice(tables)), stretch, [0, 0, 0], material, spin),))


def room(surface: str, reach: float, rng: np.random.Generator, look: Look) -> Room:
    """A closed room with windows and cupboards, which all leave a ball around the origin free.

    Args:
        surface: kind of the floor's surface, or "any". reach: of the camera, metres. look: draws a
            prop's surface.
    """
    x, y = reach * rng.uniform(*ROOM, 2)
    half = np.array([x, y, reach * rng.uniform(*CEILING)])
    thick = THICK * reach
    kinds = ("wood", "stone", "checker", "plain") if surface == "any" else (surface,)
    floors = [i for i in FLOORS if floor_kind(i) in kinds]
    papers = [i for i in WALLS if floor_kind(i) in ("plain", "stone")]
    paper, plaster = look(rng), look(rng)
    wall = int(rng.choice(papers))
    ceiling = next(i for i in WALLS if floor_kind(i) == "plain")
    wide = [2 * (x + thick), 2 * (y + thick)]
    parts = [
        _placed(int(rng.choice(floors)), [*wide, thick], [0, 0, 0], look(rng)),
        _placed(ceiling, [*wide, thick], [0, 0, half[2]], plaster),
    ]
    for size, foot in walls_around(2 * half[:2], float(half[2]), thick):
        parts.append(_placed(wall, size, foot, paper))
    for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1)):
        parts += _along(axis, sign, half, reach, rng, look)
    return Room(tuple(parts), half)


def walls_around(
    inner: np.ndarray, height: float, thick: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sizes (3,) and feet (3,) of four walls around an area of inner (width, length)."""
    width, length = inner
    across, along = (
        np.array([2 * thick + width, thick, height]),
        np.array([thick, length, height]),
    )
    return [
        (across, np.array([0, -(length + thick) / 2, 0])),
        (across, np.array([0, (length + thick) / 2, 0])),
        (along, np.array([-(width + thick) / 2, 0, 0])),
        (along, np.array([(width + thick) / 2, 0, 0])),
    ]


def _along(
    axis: int, sign: int, half: np.ndarray, reach: float, rng: np.random.Generator, look: Look
) -> list[Placed]:
    """Cupboards and windows in the thirds of one wall of a room, half (3,) as large."""
    third, height = 2 * half[1 - axis] / 3, half[2]
    parts = []
    for number in (-1, 0, 1):
        chances, shares = rng.random(2), rng.uniform(size=4)
        cupboard, material = int(rng.choice(PLAIN_BOXES)), look(rng)

        def put(obj_id: int, size: list[float], foot: float, surface: Material) -> None:
            """With its back at the wall, in the middle of this third."""
            extent, place = np.zeros(3), np.zeros(3)
            order = [1 - axis, axis, 2]
            extent[order] = size
            place[order] = number * third, sign * (half[axis] - size[1] / 2), foot  # noqa: B023
            parts.append(_placed(obj_id, extent, place, surface))

        if chances[0] < CUPBOARD and (axis == 0 or number == 0):  # none meet in a corner
            deep = (half[axis] - reach) * (0.5 + 0.45 * shares[0])
            wide, high = third * (0.4 + 0.55 * shares[1]), height * (0.1 + 0.2 * shares[2])
            put(cupboard, [wide, deep, high], 0.0, material)
        if chances[1] < WINDOW_CHANCE:
            wide = third * (0.4 + 0.4 * shares[3])
            put(WINDOW, [wide, 0.01 * reach, 0.35 * height], 0.4 * height, BRIGHT)
    return parts


def _placed(
    obj_id: int,
    size: Sequence[float] | np.ndarray,
    foot: Sequence[float] | np.ndarray,
    material: Material,
    R: np.ndarray | None = None,
) -> Placed:
    """A prop of a size, its foot at a place of the world."""
    pose = rows(rigid(np.eye(3) if R is None else R, np.asarray(foot, np.float64)))
    stretch = tuple(float(s) for s in size)
    return Placed(obj_id, pose, material, stretch, annotated=False)
