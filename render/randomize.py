"""(rng, config, models) -> SceneSpec: every random choice of a synthetic image is made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from render.camera import Camera
from render.config import option
from render.errors import InputError
from render.image_file import image_size
from render.mesh import ObjectModel
from render.scene import LIGHT_KINDS, Background, Light, Material, Placed, SceneSpec, rows
from render.sensor_config import DEFAULT_SENSOR, SensorConfig, draw_sensors
from render.transforms import apply, random_rotation, rigid

PURPOSES = ("pose", "clutter", "light", "material", "background", "sensor")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
Range = tuple[float, float]


@dataclass(frozen=True)
class SceneConfig:
    """Ranges of everything random in a scene; a range is drawn from uniformly."""

    layout: Literal["crop", "tabletop"] = option(
        "tabletop",
        "crop: one object, centred and cropped; tabletop: several on a plane, full frame",
    )
    intrinsics: tuple[float, float, float, float] = option(
        (572.4114, 573.57043, 325.2611, 242.04899),
        "fx fy cx cy of a 640x480 image; scaled with the width for other sizes",
        minimum=1,
    )
    distance: Range = option((0.6, 1.2), "From the camera to the object or the table's centre, m")
    elevation_deg: Range = option(
        (0.0, 90.0), "Of the camera above the object, uniform in area", minimum=-90, maximum=90
    )
    inplane_deg: Range = option((-45.0, 45.0), "Roll of the camera")
    zoom: Range = option(
        (1.5, 1.8), "crop: side of the frame over the side of the object's box", minimum=0.01
    )
    objects_per_frame: tuple[int, int] = option(
        (2, 5), "tabletop: fewest and most objects", minimum=1, maximum=255
    )
    occluder_chance: float = option(0.5, "crop: of an object in front", minimum=0, maximum=1)
    distractor_chance: float = option(0.3, "crop: of an object behind", minimum=0, maximum=1)
    lights: tuple[int, int] = option((1, 3), "Fewest and most lights", minimum=0, maximum=8)
    ambient: Range = option((0.3, 0.7), "Strength of the ambient light")
    light: Range = option((0.2, 0.8), "Strength of all other lights together")
    light_color: float = option(0.05, "Spread of the lights' colour", minimum=0)
    light_kinds: tuple[str, ...] = option(
        ("directional",), "Kinds of light: directional, point, spot; twice is twice as often"
    )
    light_distance: Range = option(
        (0.5, 1.5), "From a point or spot light to the middle of the objects, m", minimum=0.01
    )
    spot_deg: Range = option(
        (15.0, 40.0), "Half angle of a spot's cone, aimed at that middle", minimum=1, maximum=80
    )
    shadow_chance: float = option(
        0.0, "Of a directional or spot light to cast shadows", minimum=0, maximum=1
    )
    tint: tuple[float, float, float] = option((1.0, 1.0, 1.0), "Factor on every mesh's colour")
    tint_spread: float = option(0.08, "Spread of that factor, per channel", minimum=0)
    gloss: Range = option((0.0, 0.3), "Strength of highlights")
    shininess: Range = option((8.0, 64.0), "Exponent of highlights")
    stretch: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0), "Scale along the object's axes", minimum=0.01
    )
    background: str = option("noise", "noise (procedural), plain, or a folder of images")


class Randomizer:
    """Draws scenes; the same (seed, frame id) gives the same scene, in whatever order."""

    def __init__(
        self,
        config: SceneConfig,
        models: Mapping[int, ObjectModel],
        size: tuple[int, int],
        seed: int,
        obj_ids: Sequence[int] | None = None,
        sensor: SensorConfig = DEFAULT_SENSOR,
    ) -> None:
        """
        Args:
            models: the meshes that may appear, as objects or as clutter.
            size: (width, height) of the frames, pixels.
            obj_ids: the objects that are annotated; all of `models` where None.
            sensor: ranges of the cameras.

        Raises:
            InputError: the background is neither a known kind nor a folder that holds images, an
                object could reach behind the camera, or there is no such kind of light.
        """
        self.config, self.models, self.size, self.seed = config, models, size, seed
        self.sensor_config = sensor
        self.obj_ids = sorted(models) if obj_ids is None else list(obj_ids)
        for obj_id in self.obj_ids:
            if models[obj_id].diameter / 2 >= config.distance[0]:
                raise InputError(
                    f"scene.distance: {config.distance[0]} m from the camera, object {obj_id} of"
                    f" {models[obj_id].diameter:.4g} m reaches behind it; give larger distances"
                )
        _check_light_kinds(config.light_kinds)
        self.backgrounds = _background_files(config.background)
        scale = size[0] / 640 if config.layout == "tabletop" else 1.0
        fx, fy, cx, cy = config.intrinsics
        # Pixel centres at integers: the image's corner is at -0.5, and scales about there.
        center = (np.array([cx, cy]) + 0.5) * scale - 0.5
        self.K = np.array([[fx * scale, 0, center[0]], [0, fy * scale, center[1]], [0, 0, 1]])

    def scene(self, frame_id: int) -> SceneSpec:
        """The scene of one frame."""
        rng = {
            purpose: np.random.default_rng([self.seed, frame_id, number])
            for number, purpose in enumerate(PURPOSES)
        }
        place = self._crop if self.config.layout == "crop" else self._tabletop
        camera, placed = place(frame_id, rng["pose"], rng["clutter"])
        objects = tuple(
            Placed(
                obj_id,
                rows(cam_from_obj),
                self.material(rng["material"]),
                self.config.stretch,
                annotated,
            )
            for obj_id, cam_from_obj, annotated in placed
        )
        middle = np.mean([cam_from_obj[:3, 3] for _, cam_from_obj, _ in placed], axis=0)
        ambient, lights = self.lighting(rng["light"], middle)
        sensor, depth_sensor = draw_sensors(self.sensor_config, rng["sensor"])
        return SceneSpec(
            K=rows(camera.K),
            size=camera.size,
            objects=objects,
            ambient=ambient,
            lights=lights,
            background=self._background(frame_id, rng["background"]),
            sensor=sensor,
            depth_sensor=depth_sensor,
        )

    def _crop(self, frame_id, pose_rng, clutter_rng):
        """One object cropped and centred, perhaps with an occluder in front and clutter behind."""
        config = self.config
        obj_id = self.obj_ids[frame_id % len(self.obj_ids)]
        full = Camera(self.K, 640, 480)
        pixel = pose_rng.uniform(0.15, 0.85, 2) * full.size
        cam_from_obj = self._placed_at(pose_rng, self.models[obj_id], full, pixel)
        camera, side = self._crop_camera(pose_rng, full, self.models[obj_id], cam_from_obj)

        placed = [(obj_id, cam_from_obj, True)]
        radius = self.models[obj_id].diameter / 2
        (middle,) = apply(cam_from_obj, self.models[obj_id].box.mean(axis=0)[None])
        others = [i for i in self.models if i != obj_id] or [obj_id]
        for chance, towards in ((config.occluder_chance, -1), (config.distractor_chance, 1)):
            if clutter_rng.random() >= chance:
                continue
            other = others[clutter_rng.integers(len(others))]
            gap = radius + self.models[other].diameter / 2
            depth = max(middle[2] + towards * gap * clutter_rng.uniform(0.8, 1.3), 0.25)
            angle, reach = clutter_rng.uniform(0, 2 * np.pi), clutter_rng.uniform(0.35, 0.9)
            shifted = pixel + side * reach * np.array([np.cos(angle), np.sin(angle)])
            R, ray = random_rotation(clutter_rng), np.linalg.inv(full.K) @ [*shifted, 1.0]
            t = depth * ray - R @ self.models[other].box.mean(axis=0)
            placed.append((other, rigid(R, t), False))
        return camera, placed

    def _placed_at(self, rng, model: ObjectModel, camera: Camera, pixel: np.ndarray) -> np.ndarray:
        """cam_from_obj with the centre of the object's box seen at a pixel, from the hemisphere."""
        ray = np.linalg.inv(camera.K) @ [*pixel, 1.0]
        ray /= np.linalg.norm(ray)
        # Turn the optical axis to the ray, so that the object shows the drawn side wherever it is.
        turn, _ = Rotation.align_vectors([ray], [[0.0, 0.0, 1.0]])
        R = turn.as_matrix() @ self._view_rotation(rng)
        return rigid(R, rng.uniform(*self.config.distance) * ray - R @ model.box.mean(axis=0))

    def _view_rotation(self, rng: np.random.Generator) -> np.ndarray:
        """(3, 3) camera from object: uniform in area on the band of elevations, then rolled."""
        low, high = np.sin(np.radians(self.config.elevation_deg))
        elevation = np.degrees(np.arcsin(rng.uniform(low, high)))
        azimuth, roll = rng.uniform(0, 360), rng.uniform(*self.config.inplane_deg)
        return Rotation.from_euler("zxz", [azimuth, 90 + elevation, roll], degrees=True).as_matrix()

    def _crop_camera(self, rng, full: Camera, model: ObjectModel, cam_from_obj: np.ndarray):
        """The square crop around the projected box, and the box's longer half side in pixels."""
        corners = full.project(apply(cam_from_obj, box_corners(model.box)))
        low, high = corners.min(axis=0), corners.max(axis=0)
        side = (high - low).max()
        scale = min(self.size) / (side * rng.uniform(*self.config.zoom))
        middle = (np.array(self.size) - 1) / 2
        crop_from_image = np.column_stack([np.eye(2) * scale, middle - scale * (low + high) / 2])
        return full.crop(crop_from_image, *self.size), side / 2

    def _tabletop(self, frame_id, pose_rng, clutter_rng):
        """Several objects upright on a plane, apart from one another; the camera looks at them."""
        del frame_id, clutter_rng
        low, high = self.config.objects_per_frame
        count = int(pose_rng.integers(low, high + 1))
        chosen = pose_rng.choice(self.obj_ids, count, replace=count > len(self.obj_ids))
        radii = np.array(
            [np.linalg.norm(np.ptp(self.models[i].box, axis=0)[:2]) / 2 for i in chosen]
        )
        centers = _apart(pose_rng, radii)

        cam_from_table = rigid(
            self._view_rotation(pose_rng), [0, 0, pose_rng.uniform(*self.config.distance)]
        )
        placed = []
        for obj_id, center in zip(chosen, centers, strict=True):
            box = self.models[int(obj_id)].box
            R = Rotation.from_euler("z", pose_rng.uniform(0, 360), degrees=True).as_matrix()
            middle = np.append(box[:, :2].mean(axis=0), box[0, 2])  # foot of the object
            table_from_obj = rigid(R, [*center, 0.0] - R @ middle)
            placed.append((int(obj_id), cam_from_table @ table_from_obj, True))
        return Camera(self.K, *self.size), placed

    def material(self, rng: np.random.Generator) -> Material:
        """A random surface."""
        config = self.config
        tint = np.array(config.tint) * (1 + config.tint_spread * rng.uniform(-1, 1, 3))
        return Material(
            tint=tuple(tint.tolist()),
            gloss=rng.uniform(*config.gloss),
            shininess=rng.uniform(*config.shininess),
        )

    def lighting(
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
        (rng,) = rng.spawn(1)
        return ambient, tuple(self._turned_into_kind(light, middle, rng) for light in lights)

    def _turned_into_kind(self, light: Light, middle: np.ndarray, rng) -> Light:
        """A directional light as one of `light_kinds`, with or without shadows.

        All is drawn for every light, so that one option shifts nothing of another.
        """
        config, towards = self.config, np.array(light.vector)
        kind = config.light_kinds[rng.integers(len(config.light_kinds))]
        shadow = bool(rng.random() < config.shadow_chance)
        position = middle + rng.uniform(*config.light_distance) * towards
        outer = np.radians(rng.uniform(*config.spot_deg))
        inner = outer * rng.uniform(0.5, 1.0)
        if kind == "directional":
            return replace(light, shadow=shadow)
        light = replace(light, kind=kind, vector=tuple(position.tolist()))
        if kind == "point":
            return light
        direction, cone = tuple((-towards).tolist()), (float(inner), float(outer))
        return replace(light, shadow=shadow, direction=direction, cone=cone)

    def _color(self, rng: np.random.Generator, strength: float) -> tuple[float, ...]:
        return tuple((strength * (1 + self.config.light_color * rng.uniform(-1, 1, 3))).tolist())

    def _background(self, frame_id: int, rng: np.random.Generator) -> Background:
        if self.config.background == "plain":
            return Background("plain", color=tuple(rng.random(3).tolist()))
        if self.config.background == "noise":
            return Background("noise", seed=(self.seed, frame_id, PURPOSES.index("background")))
        path = self.backgrounds[rng.integers(len(self.backgrounds))]
        return Background(
            "image", path=str(path), crop_from_image=_random_crop(rng, path, self.size)
        )


def box_corners(box: np.ndarray) -> np.ndarray:
    """The 8 corners of a (2, 3) min-max box: (8, 3), z fastest."""
    return np.stack(np.meshgrid(*box.T, indexing="ij"), axis=-1).reshape(8, 3)


def _apart(rng: np.random.Generator, radii: np.ndarray) -> np.ndarray:
    """Centres (n, 2) of discs that do not overlap, packed loosely around the origin."""
    reach = 0.6 * np.sqrt(np.sum(radii**2))
    centers: list[np.ndarray] = []
    for radius in radii:
        while True:
            center = rng.uniform(-reach, reach, 2)
            gaps = [np.linalg.norm(center - c) - r for c, r in zip(centers, radii, strict=False)]
            if all(gap > radius for gap in gaps):
                centers.append(center)
                break
            reach *= 1.02
    return np.array(centers) - np.mean(centers, axis=0)


def _random_crop(rng: np.random.Generator, path: Path, size: tuple[int, int]):
    """A random part of an image, between its shorter side and a third of it: 2x3 row-major."""
    whole = np.array(image_size(path), np.float64)
    scale = max(np.array(size) / whole) * rng.uniform(1, 3)
    slack = np.maximum(whole * scale - size, 0)
    return rows(np.column_stack([np.eye(2) * scale, -rng.random(2) * slack]))


def _check_light_kinds(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in LIGHT_KINDS]
    if unknown or not kinds:
        got = f"no kind {unknown[0]!r}" if unknown else "none is named"
        raise InputError(f"scene.light_kinds: {got}; there are {', '.join(LIGHT_KINDS)}")


def _background_files(background: str) -> list[Path]:
    if background in ("noise", "plain"):
        return []
    files = sorted(p for p in Path(background).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise InputError(
            f"scene.background: {background} is no folder with PNG or JPEG images;"
            " give such a folder, 'noise' or 'plain'"
        )
    return files
