"""Symmetries that a mesh shows: turns that leave both its shape and its colours as they are.

Only turns count, since no camera sees an object mirrored. The surface is sampled; a turn is one of
the object's if every turned sample finds the surface near it, in its own colour. Axes are looked
for through the surface's centroid, which every symmetry leaves: along the principal axes of the
surface, which a symmetry of three steps or more has among them, along the mesh's own, and, in the
plane across an axis found, all around.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from render.mesh.mesh import Mesh, diameter
from render.transforms import rodrigues

SAMPLES, LOOKED_AT, AT_FIRST = 200_000, 3000, 100  # points of a surface; turned; to see what fails
NEIGHBOURS = 48  # samples that a colour is the mean of
FAR, FAR_SHARE = 0.015, 0.005  # of the diameter: what is farther off, of at most such a share
GREY, GREY_SHARE = 32.0, 0.02  # the same of colours, in grey levels
LOUD, LOUD_SHARE = 96.0, 0.003  # and of what nobody could overlook
MOST_STEPS = 12  # of a turn; finer ones are as good as round
ANGLES = tuple(np.radians([17.0, 47.0, 77.0, 107.0, 137.5, 163.0]))  # that nothing but round passes
# Of the axes across one; beyond half a turn they come again, so that none lies at the end alone.
ACROSS = np.radians(np.arange(0, 270, 1.5))
SAME_AXIS = np.cos(np.radians(4.0))
MOST = 60  # turns of a solid: those of an icosahedron


@dataclass(frozen=True)
class Proposal:
    """What a mesh looks the same under.

    continuous: unit axes, (3,), of those that it is round about. discrete: turns as (axis, steps)
    with 2 steps or more. center: (3,) metres, where all axes meet.
    """

    center: np.ndarray
    continuous: list[np.ndarray] = field(default_factory=list)
    discrete: list[tuple[np.ndarray, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.continuous or self.discrete)

    @property
    def record(self) -> dict[str, list]:
        """As a record of models_info.json has it: mm."""
        offset = (1000 * self.center).round(4).tolist()
        axes = [{"axis": a.round(6).tolist(), "offset": offset} for a in self.continuous]
        turns = [self._about_center(R).ravel().tolist() for R in self._group()]
        found: dict[str, list] = {"symmetries_continuous": axes, "symmetries_discrete": turns}
        return {name: of_it for name, of_it in found.items() if of_it}

    def __str__(self) -> str:
        if len(self.continuous) > 1:
            return "round about every axis, so that its rotation cannot be read"
        parts = [f"round about {_named(axis)}" for axis in self.continuous]
        parts += [f"the same after 1/{steps} turn about {_named(a)}" for a, steps in self.discrete]
        return ", ".join(parts)

    def _about_center(self, R: np.ndarray) -> np.ndarray:
        """(4, 4), millimetres."""
        transform = np.eye(4)
        transform[:3, :3], transform[:3, 3] = R, 1000 * (self.center - R @ self.center)
        return transform.round(6) + 0.0

    def _group(self) -> list[np.ndarray]:
        """All turns that the discrete ones make together, but for none."""
        made = [np.eye(3)]
        steps = [rodrigues(2 * np.pi / n * axis) for axis, n in self.discrete]
        for turn in made:  # it grows meanwhile
            for step in steps:
                next_turn = step @ turn
                if len(made) < MOST and not any(np.allclose(next_turn, m, atol=0.05) for m in made):
                    made.append(next_turn)
        return made[1:]


def propose(mesh: Mesh) -> Proposal:
    """The turns that leave a mesh as it is, in shape and colour, by the tolerances above."""
    surface = _Surface(mesh)
    axes = [*np.eye(3), *surface.principal_axes]
    found = Proposal(surface.center)
    for axis in axes:
        _add(found, surface, axis)
        if len(found.continuous) > 1:  # a ball
            return Proposal(surface.center, [*np.eye(3)])
    if found.continuous:  # turned about the round axis, the others are one
        del found.discrete[1:]
    main = [*found.continuous, *(axis for axis, n in found.discrete if n > 2)][:1]
    if main and len(found.continuous) + len(found.discrete) == 1:
        other = _best_across(surface, main[0], bool(found.continuous))
        if other is not None:
            found.discrete.append((other, 2))
    return found


def _add(found: Proposal, surface: "_Surface", axis: np.ndarray) -> bool:
    """Look an axis up, and add what the mesh is under turns about it; whether it is anything."""
    known = [*found.continuous, *(other for other, _ in found.discrete)]
    if any(abs(other @ axis) > SAME_AXIS for other in known):
        return False
    if all(surface.is_same(rodrigues(angle * axis)) for angle in ANGLES):
        found.continuous.append(axis)
        return True
    for steps in range(MOST_STEPS, 1, -1):
        if surface.is_same(rodrigues(2 * np.pi / steps * axis)):
            found.discrete.append((axis, steps))
            return True
    return False


def _best_across(surface: "_Surface", axis: np.ndarray, is_round: bool) -> np.ndarray | None:
    """The axis at right angles to one about which half a turn leaves the mesh as it is: the middle
    of those that do, since several neighbours pass; None if none does."""
    one = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    one /= np.linalg.norm(one)
    other = np.cross(axis, one)
    axes = [np.cos(angle) * one + np.sin(angle) * other for angle in ACROSS]
    axes = axes[:1] if is_round else axes
    passing: list[np.ndarray] = []
    for candidate in axes:
        if surface.is_same(rodrigues(np.pi * candidate)):
            passing.append(candidate)
        elif passing and not np.array_equal(passing[0], axes[0]):
            break
        else:
            passing = []  # of a run that begins before the first angle, and comes again whole
    if not passing:
        return None
    middle: np.ndarray = passing[len(passing) // 2]
    return middle


def _named(axis: np.ndarray) -> str:
    """An axis in words: x, y or z where it is one."""
    near = int(np.argmax(np.abs(axis)))
    if abs(axis[near]) > SAME_AXIS:
        return "xyz"[near]
    return "({:.2f}, {:.2f}, {:.2f})".format(*axis)


class _Surface:
    """A mesh's surface in samples. center: (3,) their centroid."""

    def __init__(self, mesh: Mesh) -> None:
        rng = np.random.default_rng(0)  # of a fixed seed: the same mesh gives the same answer
        self.points, self.colors = sample_surface(mesh, SAMPLES, rng)
        self.center = self.points.mean(axis=0)
        self.size = diameter(mesh.vertices)
        self._tree = cKDTree(self.points)
        self._chosen = rng.permutation(SAMPLES)[:LOOKED_AT]
        self._own = self._colors_at(self.points[self._chosen])

    @cached_property
    def principal_axes(self) -> np.ndarray:
        """(3, 3), a row each."""
        axes: np.ndarray = np.linalg.eigh(np.cov((self.points - self.center).T))[1].T
        return axes

    def is_same(self, R: np.ndarray) -> bool:
        """Whether a turn about the centre leaves shape and colours."""
        points = (self.points[self._chosen] - self.center) @ R.T + self.center
        if self._off(points[:AT_FIRST]) > 2 * FAR_SHARE or self._off(points) > FAR_SHARE:
            return False
        change = np.abs(self._colors_at(points) - self._own).max(axis=1)
        return bool((change > GREY).mean() <= GREY_SHARE and (change > LOUD).mean() <= LOUD_SHARE)

    def _off(self, points: np.ndarray) -> float:
        """The share of points that are not near the surface."""
        away, _ = self._tree.query(points, distance_upper_bound=FAR * self.size)
        return float(np.isinf(away).mean())

    def _colors_at(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) means of the surface's colours around points."""
        near: np.ndarray = self._tree.query(points, NEIGHBOURS)[1]
        mean: np.ndarray = self.colors[near].mean(axis=1)
        return mean


def sample_surface(
    mesh: Mesh, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points all over a surface, and their colours as they are drawn.

    Returns:
        (count, 3) metres; (count, 3) float, 0 to 255.
    """
    corners = mesh.vertices[mesh.faces].astype(np.float64)  # (m, 3, 3)
    sides = corners[:, 1:] - corners[:, :1]  # (m, 2, 3)
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    # Even steps through the area, so that every part has its share to a sample.
    steps = (np.arange(count) + rng.random(count)) / count * area.sum()
    face = np.minimum(np.searchsorted(np.cumsum(area), steps), len(area) - 1)
    root, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - v), root * v], axis=1)  # (count, 3)

    def mixed(of_vertices: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.einsum("nc,ncd->nd", weights, of_vertices[mesh.faces[face]])
        return found

    colors = mixed(mesh.colors.astype(np.float64))
    if mesh.uv is not None and mesh.texture is not None:
        height, width = mesh.texture.shape[:2]
        u, v = (mixed(mesh.uv.astype(np.float64)) % 1.0).T
        row = np.minimum(((1 - v) * height).astype(int), height - 1)
        column = np.minimum((u * width).astype(int), width - 1)
        colors = colors * mesh.texture[row, column, :3] / 255
    return mixed(mesh.vertices.astype(np.float64)), colors
