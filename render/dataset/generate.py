"""Frame ids -> workers -> BOP scenes or shards on disk, each whole or not there at all."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.config import to_dict
from render.dataset.folder import is_begun, join_dataset
from render.dataset.missing import make_missing
from render.dataset.parts import Scene, cut, part_size, sweep_parts, write_part_records
from render.draw.renderer import RenderConfig, keep_levels, make_renderer, see
from render.errors import InputError
from render.formats.bop_points import keypoints
from render.formats.bop_writer import fine_scale, measure, write_camera_json, write_images
from render.formats.camera_file import read_camera_file
from render.formats.webdataset import write_key_to_shard
from render.hand.file import load_hand
from render.hand.guest import HAND_ID, HandGuest, hand_records
from render.hand.model import hand_digest
from render.hand.scene import HandSceneConfig
from render.mesh.mesh import ObjectModel, load_models, write_models
from render.scene.props import props
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import NEAR, SceneSpec
from render.scene.view import frame_size, old_camera, scene_camera
from render.sensor.config import DEFAULT_SENSOR, SensorConfig
from render.whole_file import whole_file, whole_folder

DEFAULT_HAND_SCENE = HandSceneConfig()
HAND_LACKS = {"coordinates": "object coordinates", "format": "place in tar shards"}


def generate(
    config: RenderConfig,
    scene: SceneConfig,
    out: Path,
    seed: int,
    workers: int,
    sensor: SensorConfig = DEFAULT_SENSOR,
    part: tuple[int, int] = (1, 1),
    cluster: str | None = None,
    hand_scene: HandSceneConfig = DEFAULT_HAND_SCENE,
) -> None:
    """Make a BOP dataset of random scenes; what is finished of it already is kept.

    Every frame depends on (seed, frame id) only, never on the workers, on a restart, or on who else
    writes to `out` at the same time.

    Args:
        part: (i, n), make the i-th of n parts only, from 1 on: every n-th scene.
        cluster: address of a Ray cluster whose processes are the workers; None is this machine.
        hand_scene: with config.hand, ranges of its gestures and shapes.

    Raises:
        InputError: meshes or a background are unusable, `out` holds a dataset made with other
            settings or cannot be written to, or OpenGL or a library is not what it was begun with.
    """
    config = replace(config, objects=config.objects or ("assets",))
    inputs = SceneInputs(config, scene, sensor, seed, hand_scene)
    is_begun(out, inputs.settings)
    jobs = list(_jobs(config, scene.layout, out, inputs.size, part))
    if config.renderer == "moderngl" and not config.exact and not all(j.is_made() for j in jobs):
        keep_levels(inputs.models)  # once, rather than in every worker
    open_maker, swept = partial(_SceneMaker, inputs), (out, out / config.split)
    try:
        make_missing(open_maker, jobs, "render, frames", workers, cluster, swept)
    finally:
        sweep_parts(out / config.split)
    if config.format == "bop-webdataset":
        write_key_to_shard(out / config.split, -(-config.frames // config.frames_per_scene))


class SceneInputs:
    """What scenes are made of, loaded and checked, and what of it a dataset's bytes depend on.

    models: by obj_id. size: (width, height) of the frames. randomizer: draws the scenes. guest: the
    hand among the objects, or None. depth_scale: mm of a step of depth
    images. settings: what the bytes depend on, as plain data.
    """

    def __init__(
        self,
        config: RenderConfig,
        scene: SceneConfig,
        sensor: SensorConfig,
        seed: int,
        hand_scene: HandSceneConfig = DEFAULT_HAND_SCENE,
    ) -> None:
        self.models = load_models(config.objects, unit=config.unit)
        _check_ids(config, self.models)
        _check_renderer(config, scene)
        for model in self.models.values():
            keypoints(model)
        given = None if config.camera is None else read_camera_file(Path(config.camera))
        self.size = size = frame_size(scene.layout, config.size, given)
        camera = scene_camera(scene, size, given)
        obj_ids = config.obj_ids or None
        self.randomizer = Randomizer(scene, self.models, size, seed, obj_ids, sensor, camera)
        ranges = {"scene": to_dict(scene), "sensor": to_dict(sensor)}
        render = to_dict(replace(config, size=size, camera=None))
        self.settings = {"render": render, **ranges, "seed": seed, **_camera_record(scene, camera)}
        self.settings["meshes"] = {str(i): _digest(model) for i, model in self.models.items()}
        files = self.randomizer.backgrounds
        if files:
            names = "\n".join(f"{file} {file.stat().st_size}" for file in files)
            made = hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
            self.settings["backgrounds"] = f"{len(files)} files, {made}"
        annotated = [self.models[i].diameter for i in config.obj_ids or self.models]
        self.depth_scale = fine_scale(min(annotated))
        if self.randomizer.near != NEAR or self.randomizer.light_scale != 1:
            # Which older versions drew otherwise.
            sizes = {"near": self.randomizer.near, "lights": self.randomizer.light_scale}
            self.settings["by_size"] = sizes
        if self.randomizer.lifted():  # on the table of older versions they are half hidden
            self.settings["lifted"] = self.randomizer.lifted()
        self.guest: HandGuest | None = None
        if config.hand is not None:
            hand = load_hand(config.hand)
            self.guest = HandGuest(hand, hand_scene, self.models, seed)
            self.settings |= {"hand_scene": to_dict(hand_scene), "hand": hand_digest(hand)}


@dataclass(frozen=True)
class _Job:
    """A part of a scene: so many frames, from `first` on."""

    config: RenderConfig
    layout: str
    out: Path
    scene: Scene
    first: int
    frames: int

    @property
    def name(self) -> str:
        frames = f"frames {self.first} to {self.first + self.frames - 1}"
        return f"{self.scene.path.name}, {frames}"

    def is_made(self) -> bool:
        """Whether it is there; while its scene is only to be joined, no part of it is."""
        part, scene = self.scene.part(self.first), self.scene
        return scene.path.exists() or (part.is_dir() and not scene.is_drawn())


class _SceneMaker:
    """Holds the context and the meshes while scenes are made."""

    def __init__(self, inputs: SceneInputs, job: _Job) -> None:
        self.models, self.randomizer = inputs.models, inputs.randomizer
        self.guest, self.hand, self.depth_scale = inputs.guest, job.config.hand, inputs.depth_scale
        drawn = inputs.models | props() if job.layout == "tabletop" else inputs.models
        hands = {HAND_ID: self.guest.model} if self.guest else {}
        if self.guest is not None:
            self.models = {**self.models, HAND_ID: self.guest.object}
        self.renderer = make_renderer(drawn, job.config, hands)
        join_dataset(job.out, inputs.settings, self.renderer.name)
        if not (job.out / "models").is_dir():
            with whole_folder(job.out / "models") as folder:
                write_models(folder, self.models.values())

    def close(self) -> None:
        """Free the OpenGL context."""
        self.renderer.close()

    def make(self, job: _Job) -> None:
        """Draw a part of a scene, and join the scene if it is the last."""
        scene = job.scene
        try:
            if not scene.path.exists() and not scene.part(job.first).is_dir():
                self._draw(job)
        except (InputError, OSError):
            # Its folder is gone if another process has made the whole scene meanwhile.
            if not scene.path.exists():
                raise
        if not scene.path.exists() and scene.is_drawn():
            scene.join(self.models)

    def _draw(self, job: _Job) -> None:
        frame_ids = range(job.first, job.first + job.frames)
        specs = [self.randomizer.scene(frame_id) for frame_id in frame_ids]
        if self.guest is not None:
            specs = [self.guest.join(*pair) for pair in zip(specs, frame_ids, strict=True)]
        if job.first == 0:
            with whole_file(job.out / "camera.json") as partial:
                write_camera_json(partial.parent, specs[0].camera, self.depth_scale)
        with whole_folder(job.scene.part(job.first), named=job.scene.path) as folder:
            images = self._frames(specs, job.first - job.scene.first)
            records = write_images(folder, images, self.depth_scale, models=self.models)
            hands = []
            if self.guest is not None and self.hand is not None:
                hands = [hand_records(spec, self.guest.model, self.hand) for spec in specs]
            plain = [json.loads(spec.to_json()) for spec in specs]
            write_part_records(folder, records, plain, hands)

    def _frames(self, specs: Sequence[SceneSpec], first: int, batch: int = 16):
        for start in range(0, len(specs), batch):
            part = specs[start : start + batch]
            for i, (spec, frame) in enumerate(zip(part, see(self.renderer, part), strict=True)):
                masks = self.renderer.full_masks(spec, 3, frame.instance)
                yield first + start + i, measure(frame, masks), masks


def _jobs(
    config: RenderConfig, layout: str, out: Path, size: tuple[int, int], part: tuple[int, int]
) -> Iterator[_Job]:
    """The parts of every scene that this command shall make."""
    each, most = config.frames_per_scene, part_size(config.frames, size)
    for scene_id in range(part[0] - 1, -(-config.frames // each), part[1]):
        first = scene_id * each
        frames = min(each, config.frames - first)
        scene = Scene(out / config.split, scene_id, config.format, first, frames, most)
        for start, count in cut(first, frames, most):
            yield _Job(config, layout, out, scene, start, count)


def _camera_record(scene: SceneConfig, camera: Camera) -> dict[str, Any]:
    """What says which camera a dataset has; nothing where that goes without saying."""
    usual = old_camera(scene, camera.size)
    if camera.size == usual.size and np.array_equal(camera.K, usual.K):
        return {}
    (fx, _, cx), (_, fy, cy) = camera.K[:2].tolist()
    return {"camera": [fx, fy, cx, cy, *camera.size]}


def _check_renderer(config: RenderConfig, scene: SceneConfig) -> None:
    if config.hand is not None and (config.coordinates or config.format == "bop-webdataset"):
        name = "coordinates" if config.coordinates else "format"
        raise InputError(f"render.{name}: hands have no {HAND_LACKS[name]}; leave it, or --hand")
    asked = {
        "render.hand": config.hand is not None,
        "render.normals": config.normals,
        "render.coordinates": config.coordinates,
        "scene.shadow_chance": scene.shadow_chance > 0,
    }
    for name, wanted in asked.items():
        if wanted and config.renderer == "pyrender":
            raise InputError(f"{name}: pyrender does not draw that here; use --renderer moderngl")


def _check_ids(config: RenderConfig, models: Mapping[int, ObjectModel]) -> None:
    missing = sorted(set(config.obj_ids) - set(models))
    if missing:
        raise InputError(f"render.obj_ids: no object {missing[0]}; there are {sorted(models)}")


def _digest(model: ObjectModel) -> str:
    """16 hex digits that say whether an object is the same, to the last bit of what is drawn."""
    mesh, made = model.mesh, hashlib.blake2b(digest_size=8)
    for array in (mesh.vertices, mesh.faces, mesh.normals, mesh.colors, mesh.uv, mesh.texture):
        if array is not None:
            made.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    made.update(json.dumps(model.info, sort_keys=True).encode())
    return made.hexdigest()
