"""Frame ids -> workers -> BOP scenes or shards on disk, each whole or not there at all."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from render.dataset.backgrounds import (
    BACKGROUND_SETTINGS,
    check_backgrounds,
    check_images,
    read_list,
    write_list,
)
from render.dataset.film import Seen, with_flow
from render.dataset.folder import as_begun, is_begun, join_dataset
from render.dataset.inputs import DEFAULT_HAND_SCENE, SceneInputs
from render.dataset.missing import make_missing
from render.dataset.named_splits import check_splits, splits_of
from render.dataset.parts import Scene, cut, part_size, sweep_parts, write_part_records
from render.draw.renderer import RenderConfig, keep_levels, make_renderer, see, silhouettes
from render.errors import InputError
from render.formats.bop_records import world_record
from render.formats.bop_writer import measure, write_camera_json, write_images
from render.formats.coco_split import write_split
from render.formats.splits import scene_dirs
from render.formats.webdataset import write_key_to_shard
from render.hand.guest import HAND_ID, hand_records
from render.hand.scene import HandSceneConfig
from render.mesh.mesh import write_models
from render.mesh.names import read_names
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec
from render.scene.stereo import right_of
from render.sensor.config import DEFAULT_SENSOR, SensorConfig
from render.whole_file import whole_folder


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
    check_splits(config, scene)
    inputs = SceneInputs(config, scene, sensor, seed, hand_scene, read_list(out))
    if inputs.as_listed:
        inputs.settings = as_begun(out, inputs.settings, BACKGROUND_SETTINGS)
    is_begun(out, inputs.settings)
    splits = splits_of(config, scene)
    jobs = list(_jobs(config, scene, out, inputs.size, part))
    left = [job for job in jobs if not job.is_made()]
    draw = inputs.randomizer
    if left:
        draw.prepare()
        inputs.check_textures()
    shown = (draw.background_image(job.first + i) for job in left for i in range(job.frames))
    check_images(path for path in shown if path is not None)
    if config.renderer == "moderngl" and not config.exact and left:
        keep_levels({**inputs.models, **inputs.distractors})  # once, rather than in every worker
    folders = [out / split for split in splits]
    open_maker, swept = partial(_SceneMaker, inputs), (out, *folders)
    try:
        make_missing(open_maker, jobs, "render, frames", workers, cluster, swept)
    finally:
        for folder in folders:
            sweep_parts(folder)
    for split, (_, frames, _) in splits.items():
        scenes = -(-frames // config.frames_per_scene)
        if config.format == "bop-webdataset":
            write_key_to_shard(out / split, scenes)
        elif (out / split).is_dir() and len(
            scene_dirs(out / split)
        ) == scenes:  # else other machines are still at work
            write_split(out, split)


@dataclass(frozen=True)
class _Job:
    """A part of a scene: so many frames, from `first` on.

    baseline: metres to the right of the camera that sees them; 0 is the camera itself.
    """

    config: RenderConfig
    layout: str
    background: str
    out: Path
    scene: Scene
    first: int
    frames: int
    baseline: float = 0.0

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
        hands = {HAND_ID: self.guest.model} if self.guest else {}
        if self.guest is not None:
            self.models = {**self.models, HAND_ID: self.guest.object}
        self.renderer = make_renderer(inputs.drawn, job.config, hands)
        join_dataset(job.out, inputs.settings, self.renderer.name, inputs.table)
        if self.randomizer.backgrounds:
            folder = Path(job.background)
            write_list(job.out, self.randomizer.backgrounds, folder)
        if not (job.out / "models").is_dir():
            with whole_folder(job.out / "models") as folder:
                write_models(folder, self.models.values())
        # A dataset that was begun without names goes on without.
        names = read_names(job.out / "models")
        self.models = {i: replace(m, name=names.get(i, "")) for i, m in self.models.items()}

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
        film = self._film(job)
        specs = [self._spec(job, frame_id) for frame_id in frame_ids]
        check_backgrounds(specs)
        if job.first == 0:
            one_lens = all(low == high for low, high in self.randomizer.sensor_config.lens)
            write_camera_json(job.out, specs[0].camera, self.depth_scale, one_lens)
        with whole_folder(job.scene.part(job.first), named=job.scene.path) as folder:
            first = job.first - job.scene.first
            images = self._frames(specs, first, film)
            places = {
                first + i: world_record(np.array(spec.cam_from_world))
                for i, spec in enumerate(specs)
                if spec.cam_from_world is not None
            }
            records = write_images(folder, images, self.depth_scale, places, self.models)
            hands = []
            if self.guest is not None and self.hand is not None:
                hands = [hand_records(spec, self.guest.model, self.hand) for spec in specs]
            plain = [json.loads(spec.to_json()) for spec in specs]
            write_part_records(folder, records, plain, hands)

    def _spec(self, job: _Job, frame_id: int) -> SceneSpec:
        spec = self.randomizer.scene(frame_id)
        if self.guest is not None:
            spec = self.guest.join(spec, frame_id)
        return right_of(spec, job.baseline) if job.baseline else spec

    def _film(self, job: _Job) -> tuple[list[SceneSpec], list[SceneSpec]] | None:
        """The frames of a film just before and just after a part of it, none where it ends; None
        where flow is not asked for."""
        if not job.config.flow:
            return None
        scene, end = job.scene, job.first + job.frames
        before = [job.first - 1] if job.first > scene.first else []
        after = [end] if end < scene.first + scene.frames else []
        return [self._spec(job, i) for i in before], [self._spec(job, i) for i in after]

    def _frames(
        self,
        specs: Sequence[SceneSpec],
        first: int,
        film: tuple[list[SceneSpec], list[SceneSpec]] | None,
    ):
        """Image ids from `first` on, frames and silhouettes."""
        if film is None:
            seen = self._seen(specs)
        else:
            before, after = film
            shown = range(len(before), len(before) + len(specs))
            seen = with_flow(self._seen([*before, *specs, *after]), shown)
        for im_id, (spec, frame) in enumerate(seen, first):
            masks = silhouettes(self.renderer, spec, 3, frame)
            yield im_id, measure(frame, masks), masks

    def _seen(self, specs: Sequence[SceneSpec]) -> Iterator[Seen]:
        # Of lenses the last one is kept, for the frame's silhouettes.
        batch = 16 if all(spec.distortion is None for spec in specs) else 1
        for start in range(0, len(specs), batch):
            part = specs[start : start + batch]
            yield from zip(part, see(self.renderer, part), strict=True)


def _jobs(
    config: RenderConfig,
    ranges: SceneConfig,
    out: Path,
    size: tuple[int, int],
    part: tuple[int, int],
) -> Iterator[_Job]:
    """The parts of every scene that this command shall make."""
    each, most = config.frames_per_scene, part_size(config.frames, size)
    kind, cameras = (config, ranges.layout, ranges.background, out), ranges.cameras
    for split, (begin, count, baseline) in splits_of(config, ranges).items():
        for scene_id in range(part[0] - 1, -(-count // each), part[1]):
            first = begin + scene_id * each
            frames = min(each, begin + count - first)
            scene = Scene(out / split, scene_id, config.format, first, frames, most, cameras)
            for start, number in cut(first, frames, most, cameras):
                yield _Job(*kind, scene, start, number, baseline)
