"""A room: walls, windows, ceiling lamps, a door, pictures and furniture, drawn from a seed."""

from dataclasses import dataclass

import numpy as np

# Of each surface: the axis across it, its side, and the axes along it.
FLOOR, CEILING = 4, 5
SURFACES = ((0, -1), (0, 1), (1, -1), (1, 1), (2, -1), (2, 1))
ALONG = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
BAR = 0.06  # of a window's half side: its frame and bars
FADE = 0.25  # metres^2 over which a lamp's light on a wall does not grow any more


@dataclass(frozen=True, eq=False)
class _Patch:
    """A rectangle on a surface: middle and half sides, metres, along its axes; colour or light."""

    surface: int
    middle: np.ndarray
    half: np.ndarray
    color: np.ndarray
    shines: bool = False
    barred: bool = False


class Room:
    """Radiance seen from somewhere in a room, relative."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._size = np.array([*rng.uniform(3, 7, 2), rng.uniform(2.4, 3.2)])
        self._eye = np.array([*rng.uniform(0.3, 0.7, 2) * self._size[:2], rng.uniform(0.7, 1.2)])
        wall = rng.uniform(0.45, 0.9) * (1 + 0.12 * rng.uniform(-1, 1, 3))
        floor = rng.uniform(0.12, 0.5) * np.array([1.0, 0.85, 0.7]) ** rng.uniform(0, 1.5)
        self._colors = np.array([*[wall * t for t in (1, 0.95, 1.05, 1)], floor, [0.85] * 3])
        self._size, self._eye = self._size.astype(np.float32), self._eye.astype(np.float32)
        self._colors = self._colors.astype(np.float32)
        self._patches = [p for i in range(4) for p in _furniture(rng, i, self._size)]
        self._patches += _windows(rng, self._size) + _lamps(rng, self._size)
        self._shining = [self._source(patch) for patch in self._patches if patch.shines]
        self._dim = rng.uniform(0.15, 0.4)
        self._planks = np.float32(rng.uniform(4, 12))

    def __call__(self, directions: np.ndarray) -> np.ndarray:
        """(..., 3) radiance of (..., 3) unit directions, z up."""
        shape, rays = directions.shape, directions.reshape(-1, 3)
        rays = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
        ways = (np.where(rays > 0, self._size, np.float32(0)) - self._eye) / rays
        axis = ways.argmin(axis=1)
        number = np.arange(len(rays))
        surface = 2 * axis + (rays[number, axis] > 0)
        points = self._eye + ways[number, axis, None] * rays
        color = self._colors[surface]
        color[surface == FLOOR] *= self._grain(points[surface == FLOOR])
        shines = np.zeros(len(rays), bool)
        for patch in self._patches:
            self._paint(patch, surface, points, color, shines)
        return np.where(shines[:, None], color, color * self._lit(points)).reshape(shape)

    def _grain(self, points: np.ndarray) -> np.ndarray:
        plank = np.floor(self._planks * points[:, :1])
        return 1 + 0.25 * np.sin(127.1 * plank) * np.cos(2 * plank + points[:, 1:2])

    def _paint(
        self,
        patch: _Patch,
        surface: np.ndarray,
        points: np.ndarray,
        color: np.ndarray,
        shines: np.ndarray,
    ) -> None:
        """Put a patch into `color` and `shines`, which are being made."""
        here = np.flatnonzero(surface == patch.surface)
        along = list(ALONG[SURFACES[patch.surface][0]])
        off = np.abs(points[here][:, along] - patch.middle.astype(np.float32))
        off /= patch.half.astype(np.float32)
        inside = (off < 1).all(axis=1)
        frame = inside & ((off > 1 - BAR) | (off < BAR)).any(axis=1) & patch.barred
        color[here[inside]] = patch.color
        shines[here[inside]] = patch.shines
        color[here[frame]], shines[here[frame]] = 0.8, False

    def _source(self, patch: _Patch) -> tuple[np.ndarray, np.ndarray]:
        """Where a patch shines from, and its radiance times its area over 4 pi."""
        axis, side = SURFACES[patch.surface]
        middle = np.zeros(3)
        middle[list(ALONG[axis])] = patch.middle
        middle[axis] = self._size[axis] if side > 0 else 0
        return middle.astype(np.float32), (patch.color * patch.half.prod() / np.pi).astype(
            np.float32
        )

    def _lit(self, points: np.ndarray) -> np.ndarray:
        """How bright surfaces are: all lamps, without their shadows, and what walls give back."""
        light = np.full((len(points), 3), self._dim, np.float32)
        for middle, power in self._shining:
            distance_2 = ((points - middle) ** 2).sum(axis=1, keepdims=True)
            light += power / (distance_2 + np.float32(4 * FADE))
        return light


def _furniture(rng: np.random.Generator, wall: int, size: np.ndarray) -> list[_Patch]:
    """Cupboards, doors and pictures on a wall."""
    length, height = size[ALONG[SURFACES[wall][0]][0]], size[2]
    patches = []
    for _ in range(rng.integers(1, 5)):
        color = rng.uniform(0.05, 0.8) * (1 + 0.3 * rng.uniform(-1, 1, 3))
        half = np.array([rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.5) * height])
        middle = np.array([rng.uniform(0, length), half[1]])  # it stands
        if rng.random() < 0.4:  # it hangs
            half = rng.uniform(0.15, 0.6, 2)
            middle[1] = rng.uniform(0.5, 0.7) * height
        patches.append(_Patch(wall, middle, half, color))
    return patches


def _windows(rng: np.random.Generator, size: np.ndarray) -> list[_Patch]:
    """Windows in one wall or two, all as bright, none where it is night."""
    light = rng.uniform(3, 14) * np.array([0.92, 1.0, 1.1]) ** rng.uniform(0, 1)
    patches = []
    for wall in rng.choice(4, rng.integers(0, 3), replace=False):
        length, count = size[ALONG[SURFACES[wall][0]][0]], int(rng.integers(1, 4))
        half = np.array([rng.uniform(0.25, 0.45) * length / count, rng.uniform(0.5, 0.7)])
        for i in range(count):
            middle = np.array([(i + 0.5) * length / count, 1.55])
            patches.append(_Patch(int(wall), middle, half, light, True, True))
    return patches


def _lamps(rng: np.random.Generator, size: np.ndarray) -> list[_Patch]:
    """Panels in the ceiling, at least one."""
    light = rng.uniform(6, 18) * np.array([1.08, 1.0, 0.85]) ** rng.uniform(0, 1)
    half = rng.uniform(0.1, 0.6, 2)
    rows, columns = rng.integers(1, 3, 2)
    return [
        _Patch(
            CEILING, np.array([(i + 0.5) / rows, (j + 0.5) / columns]) * size[:2], half, light, True
        )
        for i in range(rows)
        for j in range(columns)
    ]
