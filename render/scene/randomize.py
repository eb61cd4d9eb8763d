"""(rng, config, models) -> SceneSpec: every random choice of a synthetic image is made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from render.camera import Camera
from render.config import option
from render.environment.spec import KEPT
from render.errors import InputError
from render.mesh.mesh import SMALL, ObjectModel
from render.scene.background import background_files, random_crop
from render.scene.layout import Body, Range, Stage, crop, upright
from render.scene.lighting import NONE, Lighting
from render.scene.painted import Painter, TextureConfig
from render.scene.props import TABLES, prop_material
from render.scene.ranges import check_ranges
from render.scene.settled import SettledScenes
from render.scene.shown import Shown
from render.scene.spec import Background, Material, Placed, SceneSpec, near_plane, rows
from render.scene.surroundings import SETTLED, has_path, in_room
from render.scene.tabletop import Tabletop, from_above
from render.scene.view import scene_camera
from render.scene.views import read_views
from render.sensor.config import (
    DEFAULT_SENSOR,
    SensorConfig,
    check_lens,
    draw_lens,
    draw_sensors,
)

OLDEST = ("pose", "clutter", "light", "material", "background", "sensor", "props")
PURPOSES = (*OLDEST, "environment", "lens", "texture")


@dataclass(frozen=True)
class SceneConfig(TextureConfig):
    """Ranges of everything random in a scene; a range is drawn from uniformly."""

    tint: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0), "Factors on every mesh's colour, red, green and blue; 1,1,1 leaves it"
    )
    tint_spread: float = option(
        0.08, "Spread of those factors from object to object, each channel; 0: all alike", minimum=0
    )
    gloss: Range = option((0.0, 0.3), "Strength of highlights; 0: matt, 1: as bright as the light")
    shininess: Range = option(
        (8.0, 64.0), "Exponent of highlights; 8: broad and dull, 64: small and sharp"
    )
    stretch: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0), "Scale of meshes along their x, y and z axes; 1,1,1 is exact", minimum=0.01
    )
    background: str = option(
        "noise",
        "What stands behind all: noise (procedural), plain, a folder of photographs, or"
        " environment, that of scene.environment",
    )
    environment: str = option(
        "none",
        "Where ambient light comes from: none, all around alike; studio, room or sky, drawn anew"
        " for each frame, in pile and bin for each scene; any of those; or a folder of panoramas"
        " (.hdr, .exr). With one, surfaces are physically based and mirror it",
        later=True,
    )
    environments: int = option(
        0,
        "How many different studios, rooms and skies there are, each seen turned at random; 0: no"
        " frame, in pile and bin no scene, has that of another. Few are made once: to make one"
        " takes longer than to draw a small image",
        minimum=0,
        maximum=KEPT,
        later=True,
    )
    roughness: Range = option(
        (0.25, 0.9),
        "Of objects' surfaces, with an environment, unless their glTF file says; 0: a mirror, 1:"
        " matt",
        minimum=0,
        maximum=1,
        later=True,
    )
    metallic_chance: float = option(
        0.0,
        "Chance that an object is of metal, with an environment, unless its glTF file says; 0: none"
        " is, 1: all are",
        minimum=0,
        maximum=1,
        later=True,
    )


class Randomizer:
    """Draws scenes; the same (seed, frame id) gives the same scene, in whatever order.

    backgrounds: the images that are drawn from. left_out: those of them that others stand in for.
    views: the sides that crops show, if poses say them. near: the scenes' near plane, metres.
    lighting: draws lamps and environments; its scale is a factor on how far lamps are. painter:
    gives textures to things.
    """

    def __init__(
        self,
        config: SceneConfig,
        models: Mapping[int, ObjectModel],
        size: tuple[int, int],
        seed: int,
        obj_ids: Sequence[int] | None = None,
        sensor: SensorConfig = DEFAULT_SENSOR,
        camera: Camera | None = None,
        distractors: Mapping[int, ObjectModel] = MappingProxyType({}),
    ) -> None:
        """
        Args:
            models: the meshes that may appear, as objects or as clutter.
            size: (width, height) of the frames, pixels.
            obj_ids: the objects that are annotated; all of `models` where None.
            sensor: ranges of the cameras.
            camera: of the whole image, as `scene_camera` gives it; None is that of `config`.
            distractors: as `load_distractors` gives them.

        Raises:
            InputError: the background or environment is neither a known kind nor a folder that
                holds images, nor are the textures, an object could reach behind the camera, or
                there is no such light.
        """
        self.config, self.models, self.size, self.seed = config, models, size, seed
        self.sensor_config = sensor
        self.obj_ids = sorted(models) if obj_ids is None else list(obj_ids)
        self.backgrounds = background_files(config.background)
        self.left_out: set[Path] = set()
        camera = camera or scene_camera(config, size)
        diameters = [models[obj_id].diameter for obj_id in self.obj_ids]
        self.near = near_plane(min(diameters, default=SMALL))
        # Lights of so many metres would stand within objects that are larger.
        self.lighting = Lighting(config, max([1.0, *diameters]), seed)
        self.views: Mapping[int, np.ndarray] = {}
        if config.views and config.layout == "crop":
            self.views = read_views(Path(config.views), {i: models[i] for i in self.obj_ids})
        self.distractors = distractors
        self.painter = Painter(config, {**models, **distractors})
        self._stage = Stage(config, models, self.obj_ids, camera, size, self.views, distractors)
        check_ranges(config, self._stage)
        if sensor.has_lens and config.layout == "crop":
            raise InputError(
                "sensor.k1, k2, p1, p2, k3: crops are cut from images without a lens distortion;"
                " leave these, or use another scene.layout"
            )
        check_lens(sensor, camera)
        self._tabletop = Tabletop(self._stage, config.stretch)
        self._settled = SettledScenes(
            self._stage,
            config,
            seed,
            config.stretch,
            self.material,
            self._prop,
            self.lighting,
            self.painter,
        )

    def prepare(self) -> None:
        """Make what all scenes need and takes long, lest every worker makes it."""
        if self.config.layout in SETTLED:
            self._settled.prepare()

    def lifted(self) -> list[int]:
        """The objects that are held a little above their table, so as to be seen whole."""
        return self._tabletop.lifted() if self.config.layout == "tabletop" else []

    def scene(self, frame_id: int) -> SceneSpec:
        """The scene of one frame."""
        rng = self._streams(frame_id)
        if self.config.layout in SETTLED:
            shown = self._settled.frame(frame_id, rng["pose"])
        else:
            shown = self._own_scene(frame_id, rng)
        # A film is of one camera before one background, in new noise.
        first = self._first_of_film(frame_id)
        of_film = rng if first == frame_id else self._streams(first)
        sensor, depth_sensor = draw_sensors(self.sensor_config, of_film["sensor"], rng["sensor"])
        return SceneSpec(
            K=rows(shown.camera.K),
            size=shown.camera.size,
            objects=shown.objects,
            ambient=shown.ambient,
            lights=shown.lights,
            background=self._background(first, of_film["background"]),
            sensor=sensor,
            depth_sensor=depth_sensor,
            near=self.near,
            environment=shown.environment,
            distortion=draw_lens(self.sensor_config, of_film["lens"]),
            cam_from_world=None if shown.cam_from_world is None else rows(shown.cam_from_world),
        )

    def _streams(self, frame_id: int) -> dict[str, np.random.Generator]:
        return {
            purpose: np.random.default_rng([self.seed, frame_id, number])
            for number, purpose in enumerate(PURPOSES)
        }

    def _first_of_film(self, frame_id: int) -> int:
        """The first frame of the film that a frame is of; itself where it is of none."""
        return frame_id - frame_id % self.config.cameras if has_path(self.config) else frame_id

    def _own_scene(self, frame_id: int, rng: Mapping[str, np.random.Generator]) -> Shown:
        """What a frame shows that shares its scene with no other."""
        camera, bodies = self._placed(frame_id, rng["pose"], rng["clutter"])
        placed = [self._drawn(body, rng["material"], rng["props"]) for body in bodies]
        objects = self.painter.paint(placed, rng["texture"])
        middle = np.mean([b.cam_from_obj[:3, 3] for b in bodies if b.obj_id in self.models], axis=0)
        ambient, lights = self.lighting.lamps(rng["light"], middle)
        if bodies[-1].obj_id in TABLES:
            lights = tuple(from_above(light, bodies[-1].cam_from_obj) for light in lights)
        # All of a full frame stand upright together; in a crop, what is annotated says where up is.
        up = next(b for b in (bodies[-1], *bodies) if b.obj_id in TABLES or b.annotated)
        environment = self.lighting.environment(rng["environment"], up.cam_from_obj[:3, 2])
        return Shown(camera, objects, ambient, lights, environment)

    def _placed(
        self, frame_id: int, pose_rng: np.random.Generator, clutter_rng: np.random.Generator
    ) -> tuple[Camera, list[Body]]:
        if self.config.layout == "crop":
            return crop(self._stage, frame_id, pose_rng, clutter_rng)
        if self.config.layout == "upright":
            return upright(self._stage, pose_rng)
        return self._tabletop.draw(pose_rng, clutter_rng)

    def _drawn(self, body: Body, rng: np.random.Generator, prop_rng: np.random.Generator) -> Placed:
        """A mesh in its place with a random surface; a prop has its own, whatever the ranges."""
        is_prop = body.obj_id not in self.models and body.obj_id not in self.distractors
        return Placed(
            body.obj_id,
            rows(body.cam_from_obj),
            self._prop(prop_rng) if is_prop else self.material(rng),
            self.config.stretch if body.stretch is None else body.stretch,
            body.annotated,
        )

    def material(self, rng: np.random.Generator) -> Material:
        """A random surface."""
        config = self.config
        tint = np.array(config.tint) * (1 + config.tint_spread * rng.uniform(-1, 1, 3))
        old = Material(
            tint=tuple(tint.tolist()),
            gloss=rng.uniform(*config.gloss),
            shininess=rng.uniform(*config.shininess),
        )
        if not self._physical:
            return old
        # From a stream of their own, so that nothing else of a scene depends on it.
        (rng,) = rng.spawn(1)
        metallic = float(rng.random() < config.metallic_chance)
        return replace(old, roughness=rng.uniform(*config.roughness), metallic=metallic)

    def _prop(self, rng: np.random.Generator) -> Material:
        return prop_material(rng, self._physical)

    @property
    def _physical(self) -> bool:
        return self.config.environment != NONE

    def _background(self, frame_id: int, rng: np.random.Generator) -> Background:
        if self.config.background == "plain" or in_room(self.config):
            return Background("plain", color=tuple(rng.random(3).tolist()))
        if self.config.background == "environment":
            return Background("environment")
        if self.config.background == "noise":
            return Background("noise", seed=(self.seed, frame_id, PURPOSES.index("background")))
        path = self._drawn_image(rng)
        return Background(
            "image", path=str(path), crop_from_image=random_crop(rng, path, self.size)
        )

    def _drawn_image(self, rng: np.random.Generator) -> Path:
        while True:
            path = self.backgrounds[rng.integers(len(self.backgrounds))]
            if path not in self.left_out:
                return path

    def background_image(self, frame_id: int) -> Path | None:
        """The image that a frame will show, if it shows one."""
        if not self.backgrounds or in_room(self.config):
            return None
        number = PURPOSES.index("background")
        first = self._first_of_film(frame_id)
        return self._drawn_image(np.random.default_rng([self.seed, first, number]))
