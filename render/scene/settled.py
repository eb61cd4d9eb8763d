"""Frames that share a scene at rest: a heap in its surroundings, and a camera for each frame."""

from dataclasses import dataclass, replace

import numpy as np

from render.environment.spec import Environment
from render.errors import InputError
from render.scene.heap import Heap, Heaps
from render.scene.layout import (
    CLEAR,
    Stage,
    asked_distance,
    facing,
    half_field,
    view_distance,
)
from render.scene.lighting import Lighting, moved_light
from render.scene.orbit import View, orbit, view_angles, view_matrix
from render.scene.painted import Painter
from render.scene.shown import Shown
from render.scene.spec import Light, Placed, rows
from render.scene.surroundings import PLAIN_BOXES, Look, Room, SettledConfig, has_path, room, table
from render.transforms import apply, invert, rigid

# Streams of randomness of a whole scene; frames have those of lower numbers.
OLDER = ("objects", "clutter", "drop", "look", "light", "around", "environment", "path")
NAMES = (*OLDER, "texture")
PURPOSES = {name: 60 + i for i, name in enumerate(NAMES)}
VIEWS = 200  # that are tried for one frame
KEPT = 256  # scenes in memory, of some 10 kB: what is drawn anew meanwhile drives none out
DOWN = np.diag([1.0, -1.0, -1.0, 1.0])  # of a camera that looks straight down at the world


@dataclass(frozen=True, eq=False)
class SettledScene:
    """All of a scene but its cameras, in the world's frame: poses are world_from_obj, lights too.

    corners: (n, 8, 3) of the things' boxes. seen: of the annotated ones among them, the first ones.
    rim: of the bin, (3,) half sides and height, None without. path: cam_from_world of each frame,
    (4, 4), where one camera goes from frame to frame; empty else.
    """

    placed: tuple[Placed, ...]
    ambient: tuple[float, ...]
    lights: tuple[Light, ...]
    corners: np.ndarray
    seen: int
    rim: np.ndarray | None
    around: Room
    environment: Environment | None
    path: tuple[np.ndarray, ...] = ()


class SettledScenes:
    """Draws frames; so many in a row share a scene, which is settled once."""

    def __init__(
        self,
        stage: Stage,
        config: SettledConfig,
        seed: int,
        stretch: tuple[float, ...],
        material: Look,
        prop: Look,
        lighting: Lighting,
        painter: Painter,
    ) -> None:
        """
        Args:
            stretch: scale of the objects along their own axes.
            material, prop: draw the surfaces of objects and of props.
        """
        self._stage, self._config, self._seed = stage, config, seed
        self._heaps = Heaps(stage, stretch)
        self._material, self._prop, self._lighting = material, prop, lighting
        self._painter = painter
        self._scenes: dict[int, SettledScene] = {}

    def prepare(self) -> None:
        """Find the convex pieces of all meshes, once, rather than in every worker."""
        _ = self._heaps.pieces

    def frame(self, frame_id: int, rng: np.random.Generator) -> Shown:
        """What one frame shows; rng: of a camera of its own."""
        scene = self.scene(frame_id // self._config.cameras)
        has_path = bool(scene.path)
        number = frame_id % self._config.cameras
        T = scene.path[number] if has_path else self._cam_from_world(scene, rng)
        placed = tuple(replace(p, cam_from_obj=rows(T @ p.matrix)) for p in scene.placed)
        lights = tuple(moved_light(light, T) for light in scene.lights)
        environment = _turned(scene.environment, T)
        cam_from_world = T if has_path else None
        return Shown(self._stage.camera, placed, scene.ambient, lights, environment, cam_from_world)

    def scene(self, scene_id: int) -> SettledScene:
        """A scene, from memory if it was one of the last."""
        if scene_id not in self._scenes:
            while len(self._scenes) >= KEPT:
                del self._scenes[next(iter(self._scenes))]
            self._scenes[scene_id] = self._settled(scene_id)
        return self._scenes[scene_id]

    def _settled(self, scene_id: int) -> SettledScene:
        seeds = {name: [self._seed, scene_id, number] for name, number in PURPOSES.items()}
        heap = self._heaps.draw(scene_id, [seeds[n] for n in ("objects", "clutter", "drop")])
        rng = np.random.default_rng(seeds["look"])
        placed = [
            Placed(
                thing.obj_id,
                rows(thing.world_from_obj),
                self._material(rng) if thing.obj_id in self._known else self._prop(rng),
                thing.stretch,
                thing.annotated,
            )
            for thing in heap.things
        ]
        corners = np.array([thing.corners for thing in heap.things])
        around_rng = np.random.default_rng(seeds["around"])
        placed += self._bin_walls(heap, around_rng)
        around = self._around(heap, corners, around_rng)
        middle = corners.reshape(-1, 3).mean(axis=0)
        ambient, lights = self._lighting.lamps(
            np.random.default_rng(seeds["light"]), apply(DOWN, middle[None])[0]
        )
        lit = tuple(around.lit(moved_light(light, DOWN), middle) for light in lights)
        seen = sum(thing.annotated for thing in heap.things)
        rim = np.array([*heap.inner, 2 * heap.walls[0].size[2]]) / 2 if heap.walls else None
        environment = self._lighting.environment(
            np.random.default_rng(seeds["environment"]), np.array([0.0, 0.0, 1.0])
        )
        painted = self._painter.paint(
            [*placed, *around.parts], np.random.default_rng(seeds["texture"])
        )
        scene = SettledScene(painted, ambient, lit, corners, seen, rim, around, environment)
        if not has_path(self._config):
            return scene
        return replace(scene, path=self._path(scene, np.random.default_rng(seeds["path"])))

    @property
    def _known(self) -> set[int]:
        return {*self._stage.models, *self._stage.distractors}

    def _bin_walls(self, heap: Heap, rng: np.random.Generator) -> list[Placed]:
        """The walls of a bin, all of one surface."""
        solid, material = int(rng.choice(PLAIN_BOXES)), self._prop(rng)
        return [
            Placed(
                solid,
                rows(rigid(np.eye(3), wall.foot)),
                material,
                tuple(wall.size.tolist()),
                annotated=False,
            )
            for wall in heap.walls
        ]

    def _around(self, heap: Heap, corners: np.ndarray, rng: np.random.Generator) -> Room:
        """A table, or a room that holds every camera of the scene."""
        surface = self._config.table
        if self._config.surroundings == "table":
            return table(surface, heap.radius, rng, self._prop)
        points = corners.reshape(-1, 3)
        away = float(np.linalg.norm(points, axis=1).max())
        if self._config.distance is not None:
            farthest = self._config.distance[1]
        else:
            across = float(np.linalg.norm(np.ptp(points, axis=0)))
            farthest = across * (self._config.zoom[1] / half_field(self._stage).min() + 1)
            farthest *= float(np.linalg.norm([*self._stage.aim, 1.0]))
        return room(surface, max(away + farthest, 1.5 * heap.radius), rng, self._prop)

    def _cam_from_world(self, scene: SettledScene, rng: np.random.Generator) -> np.ndarray:
        """A camera that looks at the middle of some of the objects, and sees it."""
        hidden = False
        for _ in range(VIEWS):
            view = self._view(scene, rng)
            if view is None:
                continue
            T = self._looking(view)
            found = self._is_clear(scene, T, view.target)
            if found:
                return T
            hidden |= found is False
        raise self._no_view(scene, hidden)

    def _path(self, scene: SettledScene, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Cameras on their way around the scene, all of which see it."""
        hidden = False

        def point(rng: np.random.Generator) -> View:
            nonlocal hidden
            for _ in range(VIEWS):
                view = self._view(scene, rng)
                if view is None:
                    continue
                found = self._is_clear(scene, self._looking(view), view.target)
                if found:
                    return view
                hidden |= found is False
            raise self._no_view(scene, hidden)

        for _ in range(VIEWS):
            views = orbit(point, self._config.cameras, self._config.path_deg, rng)
            path = tuple(self._looking(view) for view in views)
            clear = (self._is_clear(scene, T, v.target) for T, v in zip(path, views, strict=True))
            if all(clear):
                return path
        raise InputError(
            f"scene.path: none of {VIEWS} ways around a scene is clear of what lies there and of"
            " its walls; give larger distances, or a smaller scene.path_deg"
        )

    def _view(self, scene: SettledScene, rng: np.random.Generator) -> View | None:
        """A random view of the middle of some of the objects; None if it would be within things."""
        some = rng.choice(scene.seen, (scene.seen + 1) // 2, replace=False)
        target = scene.corners[some].reshape(-1, 3).mean(axis=0)
        angles = view_angles(self._config, rng)
        R = facing(self._stage, view_matrix(*angles))
        points = (scene.corners.reshape(-1, 3) - target) @ R.T
        if self._config.distance is None:
            depth = view_distance(self._stage, rng, points)
        elif (asked := asked_distance(self._stage, rng, points)) is not None:
            depth = asked
        else:
            return None
        return View(*angles, depth, target)

    def _looking(self, view: View) -> np.ndarray:
        """cam_from_world of a view."""
        R = facing(self._stage, view_matrix(view.azimuth, view.elevation, view.roll))
        depth = view.depth
        return rigid(R, [*(self._stage.aim * depth), depth] - R @ view.target)

    def _is_clear(self, scene: SettledScene, T: np.ndarray, target: np.ndarray) -> bool | None:
        """Whether a camera, cam_from_world, and one to its right see the target: None within
        things, False behind a bin's wall."""
        eyes = apply(invert(T), np.array([[0.0, 0, 0], [self._config.baseline, 0, 0]]))
        if not all(_is_apart(scene, eye) for eye in eyes):
            return None
        return all(_sees(scene, eye, target) for eye in eyes)

    def _no_view(self, scene: SettledScene, hidden: bool) -> InputError:
        """Why no camera was found. hidden: by the walls of a bin, some of those that were apart."""
        config, across = self._config, np.ptp(scene.corners.reshape(-1, 3), axis=0)
        size = f"what lies there, {' x '.join(f'{side:.3g}' for side in across)} m"
        if hidden:
            return InputError(
                f"scene.elevation_deg: of {VIEWS} cameras from {config.elevation_deg[0]:g} to"
                f" {config.elevation_deg[1]:g} none sees over what stands around the objects; end"
                " at 60 or more"
            )
        if config.distance is not None:
            return InputError(
                f"scene.distance: {VIEWS} cameras {config.distance[0]:g} to {config.distance[1]:g}"
                f" m from the objects are all within {size}; end at"
                f" {1.5 * float(np.linalg.norm(across)):.2g} or more, give fewer objects, or no"
                " distance"
            )
        return InputError(
            f"scene.zoom: {VIEWS} cameras at {config.zoom[0]:g} to {config.zoom[1]:g} are all"
            f" within {size}; end at 1 or more"
        )


def _is_apart(scene: SettledScene, eye: np.ndarray) -> bool:
    """Whether a camera at `eye` is apart from all things, above the ground, and in the room."""
    middles = scene.corners.mean(axis=1)
    radii = np.linalg.norm(scene.corners - middles[:, None], axis=2).max(axis=1)
    away = np.linalg.norm(middles - eye, axis=1)
    if (away < (1 + CLEAR) * radii).any() or eye[2] <= 0:
        return False
    return scene.around.half is None or bool((np.abs(eye) < scene.around.half).all())


def _sees(scene: SettledScene, eye: np.ndarray, target: np.ndarray) -> bool:
    """Whether no wall of a bin hides the target."""
    if scene.rim is None:
        return True
    way = eye - target
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (np.sign(way[:2]) * scene.rim[:2] - target[:2]) / way[:2]
    crossing = np.min(np.where(way[:2] == 0, np.inf, crossing))
    return bool(target[2] + crossing * way[2] > scene.rim[2] or crossing >= 1)


def _turned(environment: Environment | None, cam_from_world: np.ndarray) -> Environment | None:
    """What a camera sees of an environment, whose `env_from_cam` is from the world's axes."""
    if environment is None:
        return None
    env_from_world = np.array(environment.env_from_cam)
    return replace(environment, env_from_cam=rows(env_from_world @ cam_from_world[:3, :3].T))
