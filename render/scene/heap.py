"""Objects and clutter that fell onto one another, on the ground or into a bin."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from render.errors import InputError
from render.mesh.box import box_corners
from render.physics.kept_pieces import load_pieces
from render.physics.pieces import thick_hull
from render.physics.settle import Box, settle
from render.scene.distractors import draw_solid
from render.scene.layout import Stage, choose_objects
from render.scene.props import props
from render.scene.surroundings import walls_around
from render.transforms import apply, random_rotation, rigid

TRIES = 8  # of a drop that does not come to rest
# Side of what holds a pile together while it falls, and of a bin, on the root of the sum of the
# objects' squared sizes: 0.5 heaps them up, with 1 they lie side by side.
PILE_SIDE, BIN_SIDE = (0.35, 0.8), (0.5, 0.8)
BIN_LENGTH, BIN_HEIGHT = (1.0, 1.5), (0.3, 0.55)  # on its side
BIN_THICK = 0.03
ROOM_TO_TURN = 1.05  # on the largest size: no side is shorter


@dataclass(frozen=True, eq=False)
class Lying:
    """A mesh where it came to rest. world_from_obj: (4, 4) metres. stretch: scale along its axes.
    corners: (8, 3) of its box, world frame."""

    obj_id: int
    world_from_obj: np.ndarray
    stretch: tuple[float, ...]
    annotated: bool
    corners: np.ndarray


@dataclass(frozen=True, eq=False)
class Heap:
    """What lies about the origin of the ground z = 0. walls: of the bin, if it is one."""

    things: tuple[Lying, ...]
    walls: tuple[Box, ...]
    inner: tuple[float, float]

    @property
    def radius(self) -> float:
        """Of the circle around the origin that holds all, metres."""
        points = [thing.corners[:, :2] for thing in self.things]
        points += [np.abs(wall.foot[None, :2]) + wall.size[:2] / 2 for wall in self.walls]
        return float(np.linalg.norm(np.concatenate(points), axis=1).max())


@dataclass(frozen=True, eq=False)
class _Thing:
    """Something to drop. pieces: convex, (n, 3) vertices each, stretched, its own frame."""

    obj_id: int
    stretch: tuple[float, ...]
    pieces: Sequence[np.ndarray]
    annotated: bool

    @cached_property
    def ball(self) -> tuple[np.ndarray, float]:
        """Middle (3,) and radius of a ball that holds it."""
        points = np.concatenate(list(self.pieces))
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        return middle, float(np.linalg.norm(points - middle, axis=1).max())


class Heaps:
    """Draws heaps; the convex pieces of the meshes are found when they are first needed."""

    def __init__(self, stage: Stage, stretch: Sequence[float]) -> None:
        """
        Args:
            stretch: scale of the objects along their own axes.
        """
        self.stage, self._stretch = stage, tuple(float(s) for s in stretch)
        self._meshes = {**stage.models, **stage.distractors}
        self._others = [i for i in self._meshes if i not in stage.obj_ids]

    @cached_property
    def pieces(self) -> dict[int, list[np.ndarray]]:
        """Of every mesh that may fall, by obj_id, not stretched."""
        return load_pieces({i: model.mesh for i, model in self._meshes.items()})

    def draw(self, scene_id: int, seeds: Sequence[Sequence[int]]) -> Heap:
        """A heap.

        Args:
            seeds: of what falls, of what falls beside it, and of how; so that clutter leaves the
                choice of objects as it is.

        Raises:
            InputError: whatever is tried, it does not come to rest.
        """
        objects_rng, clutter_rng = map(np.random.default_rng, seeds[:2])
        objects = [self._mesh(i, True) for i in choose_objects(self.stage, objects_rng)]
        low, high = self.stage.config.clutter_per_frame
        count = int(clutter_rng.integers(low, high + 1))
        things = [*objects, *(self._clutter(objects, clutter_rng) for _ in range(count))]
        for attempt in range(TRIES):
            heap = self._dropped(things, np.random.default_rng([*seeds[2], attempt]))
            if heap is not None:
                return heap
        raise InputError(
            f"scene.layout={self.stage.config.layout}: {len(things)} things did not come to rest in"
            f" {TRIES} drops (scene {scene_id}); give fewer by scene.objects_per_frame and"
            " scene.clutter_per_frame, or another --seed"
        )

    def _mesh(self, obj_id: int, annotated: bool) -> _Thing:
        pieces = [piece * self._stretch for piece in self.pieces[obj_id]]
        return _Thing(obj_id, self._stretch, pieces, annotated)

    def _clutter(self, objects: Sequence[_Thing], rng: np.random.Generator) -> _Thing:
        """A mesh that is not annotated in this dataset, or a plain solid."""
        pick = int(rng.integers(2 * len(self._others) + 1))  # more often models than solids
        if pick < 2 * len(self._others):
            return self._mesh(self._others[pick // 2], False)
        size = self.stage.models[objects[int(rng.integers(len(objects)))].obj_id].diameter
        obj_id, stretch = draw_solid(size, rng)
        vertices = props()[obj_id].mesh.vertices.astype(np.float64) * stretch
        return _Thing(obj_id, stretch, [thick_hull(vertices, 0.0)], False)

    def _dropped(self, things: Sequence[_Thing], rng: np.random.Generator) -> Heap | None:
        """What lies there after one drop; None if it does not lie, or not where it should."""
        inner, walls = self._holder(things, rng)
        starts = _starts(things, inner, rng)
        try:
            poses = settle([thing.pieces for thing in things], starts, walls, inner)
        except ValueError as error:
            names = ", ".join(map(str, sorted({thing.obj_id for thing in things})))
            raise InputError(
                f"scene.layout={self.stage.config.layout}: physics cannot take one of objects"
                f" {names} ({str(error).splitlines()[0]}); leave it out"
            ) from None
        if poses is None:
            return None
        lying = [self._lying(*pair) for pair in zip(things, poses, strict=True)]
        middles = np.array([thing.corners.mean(axis=0) for thing in lying])
        if walls and (np.abs(middles[:, :2]) > np.array(inner) / 2).any():
            return None  # beside the bin
        return Heap(tuple(lying), walls, inner)

    def _holder(
        self, things: Sequence[_Thing], rng: np.random.Generator
    ) -> tuple[tuple[float, float], tuple[Box, ...]]:
        """(width, length) that things fall into, and the walls of a bin; metres."""
        sizes = np.array([2 * thing.ball[1] for thing in things])
        is_bin = self.stage.config.layout == "bin"
        shares = rng.random(3)
        low, high = BIN_SIDE if is_bin else PILE_SIDE
        side = float(np.sqrt((sizes**2).sum())) * (low + (high - low) * shares[0])
        side = max(side, ROOM_TO_TURN * float(sizes.max()))
        if not is_bin:
            return (side, side), ()
        length = side * (BIN_LENGTH[0] + (BIN_LENGTH[1] - BIN_LENGTH[0]) * shares[1])
        height = side * (BIN_HEIGHT[0] + (BIN_HEIGHT[1] - BIN_HEIGHT[0]) * shares[2])
        walls = walls_around(np.array([side, length]), height, BIN_THICK * side)
        return (side, length), tuple(Box(*wall) for wall in walls)

    def _lying(self, thing: _Thing, pose: np.ndarray) -> Lying:
        model = self._meshes.get(thing.obj_id) or props()[thing.obj_id]
        corners = apply(pose, box_corners(model.box) * np.array(thing.stretch))
        return Lying(thing.obj_id, pose, thing.stretch, thing.annotated, corners)


def _starts(
    things: Sequence[_Thing], inner: tuple[float, float], rng: np.random.Generator
) -> list[np.ndarray]:
    """(4, 4) world_from_obj of things in the air, in any order and turn, each as low as may be
    without being in the ball of another."""
    placed: list[tuple[np.ndarray, float]] = []
    found: dict[int, np.ndarray] = {}
    for i in rng.permutation(len(things)).tolist():
        middle, radius = things[i].ball
        free = np.maximum(np.array(inner) / 2 - radius, 0)
        place = np.append(rng.uniform(-free, free), radius)
        for other, reach in placed:
            across = float(np.sum((place[:2] - other[:2]) ** 2))
            above = (radius + reach) ** 2 - across
            if above > 0:
                place[2] = max(place[2], other[2] + np.sqrt(above))
        place[2] *= 1.01
        placed.append((place, radius))
        R = random_rotation(rng)
        found[i] = rigid(R, place - R @ middle)
    return [found[i] for i in range(len(things))]
