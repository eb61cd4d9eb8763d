"""Surfaces turned on a lathe of any outline, meshed with exact normals and painted.

Lengths are millimetres. A surface is a closed outline in the xy plane, scaled along a profile that
says how wide it is at which height; `place` then bends and moves it. Every bundled object is made
of such surfaces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from render.transforms import rodrigues

Place = Callable[[np.ndarray], np.ndarray]  # (..., 3) -> (..., 3)
# (..., 3) points before `place`, (...) u around, (...) v along the profile -> (..., 3) RGB 0..255
Painter = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Curve:
    """A plane curve: points (k, 2), tangents (k, 2) of any length, t (k,) from 0 to 1 by length.

    Two points at one place with different tangents are a sharp corner.
    """

    points: np.ndarray
    tangents: np.ndarray
    t: np.ndarray

    def at(self, t: np.ndarray) -> np.ndarray:
        """Points (..., 2) at t in 0..1."""
        return np.stack([np.interp(t, self.t, axis) for axis in self.points.T], axis=-1)


def curve(points: np.ndarray, tangents: np.ndarray) -> Curve:
    """A curve through (k, 2) points."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    t = np.concatenate([[0.0], np.cumsum(lengths)])
    return Curve(points, tangents, t / t[-1])


def rounded(corners: Sequence[tuple[float, float, float]], step_deg: float = 24) -> Curve:
    """A polyline with rounded corners.

    Args:
        corners: (x, y, radius) each; the ends have radius 0. Equal first and last corners close it.
        step_deg: turn per segment of the rounding.
    """
    positions = np.array([corner[:2] for corner in corners], np.float64)
    directions = np.diff(positions, axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points, tangents = [positions[0]], [directions[0]]
    for i in range(1, len(corners) - 1):
        before, after = directions[i - 1], directions[i]
        cross = before[0] * after[1] - before[1] * after[0]
        turn = np.arctan2(cross, before @ after)
        steps = max(1, int(np.ceil(abs(np.degrees(turn)) / step_deg)))
        start = positions[i] - before * corners[i][2] * np.tan(abs(turn) / 2)
        inward = np.sign(turn) * np.array([-before[1], before[0]])
        for angle in turn * np.arange(steps + 1) / steps:
            rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            center = start + corners[i][2] * inward
            points.append(center - rotation @ (corners[i][2] * inward))
            tangents.append(rotation @ before)
    points.append(positions[-1])
    tangents.append(directions[-1])
    return curve(np.array(points), np.array(tangents))


def circle(radius: float, steps: int, center: tuple[float, float] = (0.0, 0.0)) -> Curve:
    """A closed circle, counter-clockwise from +x."""
    angle = 2 * np.pi * np.arange(steps + 1) / steps
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring[-1] = ring[0]
    return curve(center + radius * ring, np.stack([-ring[:, 1], ring[:, 0]], axis=1))


def resampled(dense: np.ndarray, steps: int) -> Curve:
    """A smooth curve through many (k, 2) points, cut into equal lengths; closed if they are."""
    line = curve(dense, np.gradient(dense, axis=0))
    t = np.arange(steps + 1) / steps
    tangents = np.stack([np.interp(t, line.t, axis) for axis in line.tangents.T], axis=1)
    if np.array_equal(dense[0], dense[-1]):
        tangents[[0, -1]] = tangents[0] + tangents[-1]
    return curve(line.at(t), tangents)


def refined(line: Curve, step: float) -> Curve:
    """The same curve with no segment longer than `step`."""
    points, tangents = [line.points[:1]], [line.tangents[:1]]
    for i in range(1, len(line.points)):
        length = np.linalg.norm(line.points[i] - line.points[i - 1])
        weight = np.linspace(0, 1, max(1, int(np.ceil(length / step))) + 1)[1:, None]
        for parts, values in ((points, line.points), (tangents, line.tangents)):
            parts.append((1 - weight) * values[i - 1] + weight * values[i])
    return curve(np.concatenate(points), np.concatenate(tangents))


@dataclass(frozen=True, eq=False)
class Surface:
    """An outline (counter-clockwise, closed or half of a closed one), scaled along a profile.

    outline: unitless, a factor on the profile's radius. profile: (radius, z); outside is on the
    right of its direction: upwards for an outer wall. place: where it goes.
    """

    outline: Curve
    profile: Curve
    painter: Painter
    place: Place = lambda points: points

    def points(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(..., 3) points before `place` at u around and v along the profile."""
        outline, profile = self.outline.at(u), self.profile.at(v)
        return np.concatenate([outline * profile[..., :1], profile[..., 1:]], axis=-1)

    def grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Placed points and normals (n, 3), the (n, 2) u and v, and faces (m, 3)."""
        o, do = self.outline.points, self.outline.tangents
        (r, z), (dr, dz) = self.profile.points.T, self.profile.tangents.T
        points = np.stack(
            np.broadcast_arrays(np.outer(r, o[:, 0]), np.outer(r, o[:, 1]), z[:, None]), -1
        )
        # The cross product of the surface's two tangents, without their common factor r.
        turn = o[:, 0] * do[:, 1] - o[:, 1] * do[:, 0]
        normals = np.stack(
            [np.outer(dz, do[:, 1]), -np.outer(dz, do[:, 0]), -np.outer(dr, turn)], -1
        )
        points, normals = points.reshape(-1, 3), normals.reshape(-1, 3)

        v, u = (
            axis.reshape(-1) for axis in np.meshgrid(self.profile.t, self.outline.t, indexing="ij")
        )
        placed = self.place(points)
        return (
            placed,
            _moved_normals(self.place, points, normals),
            np.stack([u, v], 1),
            self._faces(placed),
        )

    def _faces(self, placed: np.ndarray) -> np.ndarray:
        """Two triangles a cell, without those that have no area (at a pole, at a sharp corner)."""
        rows, columns = len(self.profile.t), len(self.outline.t)
        index = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
        edges = placed[faces[:, 1:]] - placed[faces[:, :1]]
        area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
        return faces[area > 1e-6]


def moved(position: Sequence[float], *turns_deg: Sequence[float]) -> Place:
    """Turn about the origin (axis times degrees, one after the other), then move there."""
    R = np.eye(3)
    for turn in turns_deg:
        R = rodrigues(np.radians(np.array(turn, np.float64))) @ R
    return lambda points: points @ R.T + np.array(position, np.float64)


def slab(length: float, width: float, corner: float) -> Curve:
    """A rounded rectangle as outline, in units of half its width, which is along y."""
    a, r = length / width, 2 * corner / width
    return rounded([(a, 0, 0), (a, 1, r), (-a, 1, r), (-a, -1, r), (a, -1, r), (a, 0, 0)], 30)


def _moved_normals(place: Place, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Normals after `place`: the cofactor matrix of its Jacobian, by central differences."""
    step = 1e-4
    a, b, c = (
        (place(points + step * axis) - place(points - step * axis)) / (2 * step)
        for axis in np.eye(3)
    )
    moved = (
        normals[:, :1] * np.cross(b, c)
        + normals[:, 1:2] * np.cross(c, a)
        + normals[:, 2:] * np.cross(a, b)
    )
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
