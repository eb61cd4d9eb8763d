"""Objects at rest on a table, with clutter beside them and before them, and a camera on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from render.camera import Camera
from render.mesh.box import box_corners
from render.scene.distractors import draw_solid
from render.scene.layout import (
    Body,
    Stage,
    choose_objects,
    facing,
    half_field,
    sheared,
    view_distance,
)
from render.scene.orbit import view_angles, view_matrix
from render.scene.packing import DIRECTIONS, slide
from render.scene.props import TABLES, props, surface_kind
from render.scene.resting import Rest, hull_of, lift_of, rest, stable_poses
from render.scene.spec import Light
from render.transforms import apply, rigid, rodrigues

GAP = 0.002  # between things, as a share of their reach
NEAREST = 0.5  # of the camera's distance: clutter is no closer to the camera
THICKNESS = 0.04  # of a table, as a share of its width
TRIES = 10  # of a place for a piece of clutter


@dataclass(frozen=True, eq=False)
class _Thing:
    """An object at rest on the table, its middle at `center`. stretch: None as configured."""

    obj_id: int
    rest: Rest
    stretch: tuple[float, ...] | None = None
    center: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @property
    def radius(self) -> float:
        """Of a circle around the middle that holds all of it."""
        return float(self.rest.reach.max()) / np.cos(np.pi / len(DIRECTIONS))

    @property
    def table_from_obj(self) -> np.ndarray:
        return rigid(np.eye(3), [*self.center, 0.0]) @ self.rest.table_from_obj

    def pushed(self, start: np.ndarray, angle: float, others: Sequence["_Thing"]) -> "_Thing":
        """The same as close to a start as may be, in a direction from there, apart from others."""
        centers = np.array([other.center for other in others]).reshape(-1, 2)
        reaches = np.array([other.rest.reach for other in others]).reshape(-1, len(DIRECTIONS))
        direction = np.array([np.cos(angle), np.sin(angle)])
        way = slide(start, direction, (1 + GAP) * self.rest.reach, centers, reaches)
        return replace(self, center=start + way * direction)


@dataclass(frozen=True, eq=False)
class _Poses:
    """How an object may lie: as it comes to rest when dropped, with probabilities; last, as it was
    modelled. lifts: metres above the table, of each. hull_vertices: (n, 3) metres."""

    hull_vertices: np.ndarray
    rotations: np.ndarray
    probabilities: np.ndarray
    lifts: Sequence[float]


class Tabletop:
    """Draws what stands on a table. An object's stable poses are found when it is first used."""

    def __init__(self, stage: Stage, stretch: Sequence[float]) -> None:
        """
        Args:
            stretch: scale of the objects along their own axes, which changes how they rest.
        """
        self.stage, self._stretch = stage, np.array(stretch)
        self._poses: dict[int, _Poses] = {}
        self._meshes = {**stage.models, **stage.distractors}
        self._others = [i for i in self._meshes if i not in stage.obj_ids]
        surface = stage.config.table
        self._tables = [i for i in TABLES if surface in ("any", surface_kind(i))]

    def draw(
        self, pose_rng: np.random.Generator, clutter_rng: np.random.Generator
    ) -> tuple[Camera, list[Body]]:
        """A camera and what it sees: annotated objects, clutter, and the table at the end.

        Clutter and table leave the annotated objects and the camera as they are.
        """
        objects = self._objects(pose_rng)
        cam_from_table = self._camera(objects, pose_rng)
        clutter = self._clutter(objects, cam_from_table, clutter_rng)

        bodies = [
            Body(thing.obj_id, cam_from_table @ thing.table_from_obj, annotated, thing.stretch)
            for things, annotated in ((objects, True), (clutter, False))
            for thing in things
        ]
        bodies.append(self._table([*objects, *clutter], cam_from_table, clutter_rng))
        return self.stage.camera, bodies

    def _objects(self, rng: np.random.Generator) -> list[_Thing]:
        """The annotated objects, each pushed out of the middle until it is apart from all."""
        placed: list[_Thing] = []
        spread = rng.uniform(*self.stage.config.spread)
        for obj_id in choose_objects(self.stage, rng):
            thing = self._thing(obj_id, rng)
            start = spread * _extent(placed) * rng.uniform(-1, 1, 2)
            placed.append(thing.pushed(start, rng.uniform(0, 2 * np.pi), placed))
        return placed

    def _thing(self, obj_id: int, rng: np.random.Generator) -> _Thing:
        """An object in a pose that it takes when dropped, or as it was modelled."""
        poses = self._poses_of(obj_id)
        chosen = int(rng.choice(len(poses.probabilities), p=poses.probabilities))
        if rng.random() < self.stage.config.upright_chance:
            chosen = -1
        R, lift = poses.rotations[chosen], poses.lifts[chosen]
        return _Thing(obj_id, rest(poses.hull_vertices, _spin(rng) @ R, lift))

    def _poses_of(self, obj_id: int) -> _Poses:
        if obj_id not in self._poses:
            mesh = self._meshes[obj_id].mesh
            vertices = mesh.vertices * self._stretch
            hull = hull_of(vertices)
            rotations, probabilities = stable_poses(vertices)
            rotations = np.concatenate([rotations, np.eye(3)[None]])
            lifts = [lift_of(vertices, mesh.faces, R) for R in rotations]
            points = hull.points[hull.vertices]
            self._poses[obj_id] = _Poses(points, rotations, probabilities, lifts)
        return self._poses[obj_id]

    def lifted(self) -> list[int]:
        """The objects that are held above the table in some pose, lest they lie in its plane."""
        return [i for i in sorted(self._meshes) if any(self._poses_of(i).lifts)]

    def _solid(self, size: float, rng: np.random.Generator) -> _Thing:
        """A plain solid, smaller than an object of diameter `size`, metres."""
        obj_id, stretch = draw_solid(size, rng)
        vertices = props()[obj_id].mesh.vertices.astype(np.float64) * stretch
        return _Thing(obj_id, rest(vertices, _spin(rng)), stretch)

    def _camera(self, objects: Sequence[_Thing], rng: np.random.Generator) -> np.ndarray:
        """cam_from_table: the objects' boxes in the frame, somewhere off its middle."""
        boxes = [self.stage.models[thing.obj_id].box * self._stretch for thing in objects]
        corners = np.concatenate(
            [
                apply(thing.table_from_obj, box_corners(box))
                for thing, box in zip(objects, boxes, strict=True)
            ]
        )
        target = (corners.min(axis=0) + corners.max(axis=0)) / 2
        R = facing(self.stage, view_matrix(*view_angles(self.stage.config, rng)))
        points = (corners - target) @ R.T
        distance = view_distance(self.stage, rng, points)
        # What of the frame's half sides, at the target, the points leave free.
        depths = np.maximum(points[:, 2:] + distance, 1e-9)
        free = half_field(self.stage) - (np.abs(sheared(self.stage, points)) / depths).max(axis=0)
        shift = rng.uniform(-1, 1, 2) * np.maximum(free, 0) * distance
        return rigid(R, [*(shift + self.stage.aim * distance), distance] - R @ target)

    def _clutter(
        self, objects: Sequence[_Thing], cam_from_table: np.ndarray, rng: np.random.Generator
    ) -> list[_Thing]:
        """Things around the objects, and perhaps one right in front of one of them."""
        config = self.stage.config
        placed = list(objects)
        if rng.random() < config.occluder_chance:
            target = objects[int(rng.integers(len(objects)))]
            placed += _before(
                target, objects, self._clutter_thing(objects, rng), cam_from_table, rng
            )
        low, high = config.clutter_per_frame
        for _ in range(int(rng.integers(low, high + 1))):
            thing = self._clutter_thing(objects, rng)
            for _ in range(TRIES):
                here = thing.pushed(np.zeros(2), rng.uniform(0, 2 * np.pi), placed)
                if not _is_in_the_way(here, cam_from_table):
                    placed.append(here)
                    break
        return placed[len(objects) :]

    def _clutter_thing(self, objects: Sequence[_Thing], rng: np.random.Generator) -> _Thing:
        """A mesh that is not annotated in this dataset, or a plain solid."""
        pick = int(rng.integers(2 * len(self._others) + 1))  # more often models than solids
        if pick < 2 * len(self._others):
            return self._thing(self._others[pick // 2], rng)
        size = self.stage.models[objects[int(rng.integers(len(objects)))].obj_id].diameter
        return self._solid(size, rng)

    def _table(
        self, things: Sequence[_Thing], cam_from_table: np.ndarray, rng: np.random.Generator
    ) -> Body:
        """A table wide enough for all that stands on it."""
        table = int(rng.choice(self._tables))
        width = 2 * _extent(things) * rng.uniform(1.05, 2.0)
        stretch = (width, width * rng.uniform(1.0, 1.6), THICKNESS * width)
        cam_from_prop = cam_from_table @ rigid(_spin(rng), np.zeros(3))
        return Body(table, cam_from_prop, False, stretch)


def _spin(rng: np.random.Generator) -> np.ndarray:
    return rodrigues(np.array([0, 0, rng.uniform(0, 2 * np.pi)]))


def _extent(things: Sequence[_Thing]) -> float:
    """Radius of a circle around the origin that holds all."""
    return max((float(np.linalg.norm(t.center)) + t.radius for t in things), default=0.0)


def _before(
    target: _Thing,
    objects: Sequence[_Thing],
    thing: _Thing,
    cam_from_table: np.ndarray,
    rng: np.random.Generator,
) -> list[_Thing]:
    """A thing as close as may be to an object, on the camera's side of it; none if too close."""
    angle = float(np.arctan2(-cam_from_table[2, 1], -cam_from_table[2, 0]))
    aside = np.array([-np.sin(angle), np.cos(angle)]) * rng.uniform(-0.8, 0.8) * target.radius
    here = thing.pushed(target.center + aside, angle, objects)
    return [] if _is_in_the_way(here, cam_from_table) else [here]


def _is_in_the_way(thing: _Thing, cam_from_table: np.ndarray) -> bool:
    """Whether it is so close to the camera that it would hide everything."""
    top = np.array([[*thing.center, thing.rest.height]])
    depth = apply(cam_from_table, top)[0, 2] - thing.radius
    return bool(depth < NEAREST * cam_from_table[2, 3])


def from_above(light: Light, cam_from_table: np.ndarray) -> Light:
    """The light, mirrored in the table's plane where it would shine from below it."""
    up, vector = cam_from_table[:3, 2], np.array(light.vector)
    from_table = vector if light.kind == "directional" else vector - cam_from_table[:3, 3]
    height = float(from_table @ up)
    if height >= 0:
        return light
    light = replace(light, vector=tuple((vector - 2 * height * up).tolist()))
    if light.kind != "spot":
        return light
    direction = np.array(light.direction)
    return replace(light, direction=tuple((direction - 2 * (direction @ up) * up).tolist()))
