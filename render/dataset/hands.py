"""Random scenes of a hand -> a dataset in NYU's layout: what a sensor sees, the hand alone, joints.

Frames of a split go to workers in shards. A shard's joints, in a hidden file, come after all its
images and say that it is whole; joint_data.mat is made of them when the last shard is there, in the
order of frames, whoever made which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from render.config import to_dict
from render.dataset.folder import is_begun, join_dataset
from render.dataset.missing import make_missing
from render.dataset.parts import cut, part_size
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.nyu import CAMERA, EVALUATED, uvd_from_joints
from render.formats.nyu_dataset import NyuFrame, finish_split, shard_frames, shard_path, write_shard
from render.formats.nyu_joints import NYU_JOINTS
from render.frame import Frame
from render.hand.file import load_hand
from render.hand.model import HandModel, hand_digest
from render.hand.motion import HandMotion
from render.hand.nyu_points import nyu_points
from render.hand.points import posed_points
from render.hand.scene import HAND, HandRandomizer, HandSceneConfig
from render.scene.spec import SceneSpec
from render.sensor.config import DEFAULT_SENSOR, SensorConfig
from render.sensor.depth import apply_depth_sensor
from render.whole_file import work_area, written

BATCH = 16  # frames drawn at once
NOTHING = np.float32(2.001)  # metres: what NYU's sensor says where it sees nothing that near
# The options of `render` that hands have too; of the others only the default will do.
OF_HANDS = ("hand", "frames", "split", "frames_per_scene", "format")


def generate_hands(
    config: RenderConfig,
    scene: HandSceneConfig,
    out: Path,
    seed: int,
    workers: int,
    sensor: SensorConfig = DEFAULT_SENSOR,
    part: tuple[int, int] = (1, 1),
    cluster: str | None = None,
    moving: bool = False,
) -> None:
    """Make a split of hands in NYU's layout; what is finished of it already is kept.

    A split has a generation.json of its own: train and test may be made by other settings.

    Arguments and errors as of `render.dataset.generate.generate`. Every frame depends on (seed,
    frame id) only.

    Args:
        moving: the frames are of one hand that moves, one after another in time.

    Raises:
        InputError: also for options that hands do not have.
    """
    _check_options(config)
    settings = _settings(config, scene, sensor, seed, load_hand(config.hand or ""), moving)
    is_begun(out / config.split, settings)
    each, most = config.frames_per_scene, part_size(config.frames, CAMERA.size)
    shards = list(cut(1, config.frames, each))
    jobs = [
        [_Job(config, scene, sensor, out, seed, *some, moving) for some in cut(*shard, most)]
        for shard in shards
    ]
    own = [job for some in jobs[part[0] - 1 :: part[1]] for job in some]
    make_missing(_HandMaker, own, "render, frames", workers, cluster, (out / config.split,))
    if all(job.is_made() for some in jobs for job in some):
        _finish(jobs[0][0])


@dataclass(frozen=True)
class _Job:
    """So many frames to make, from `first`, which is at least 1, on."""

    config: RenderConfig
    scene: HandSceneConfig
    sensor: SensorConfig
    out: Path
    seed: int
    first: int
    frames: int
    moving: bool

    @property
    def name(self) -> str:
        return f"{self.config.split}, hands from frame {self.first} on"

    @property
    def folder(self) -> Path:
        return self.out / self.config.split

    def is_finished(self) -> bool:
        """Whether the whole split is."""
        return (self.folder / "joint_data.mat").is_file()

    def is_made(self) -> bool:
        """Whether these frames are; shards may be larger, of whole scenes."""
        if self.is_finished() or shard_path(self.folder, self.first).is_file():
            return True
        of_scene = self.first - (self.first - 1) % self.config.frames_per_scene
        whole = min(self.config.frames_per_scene, self.config.frames + 1 - of_scene)
        return shard_frames(self.folder, of_scene) == whole


class _HandMaker:
    """Holds the hand and the OpenGL context while shards are made."""

    def __init__(self, job: _Job) -> None:
        from render.draw.rasterizer import Rasterizer

        model = load_hand(job.config.hand or "")
        randomizer = HandMotion if job.moving else HandRandomizer
        self.randomizer = randomizer(job.scene, model, job.seed, job.sensor)
        names = NYU_JOINTS
        if job.scene.joints == "evaluated":
            names = tuple(NYU_JOINTS[i] for i in EVALUATED)
        self.points = nyu_points(model, names)
        self.rasterizer = Rasterizer(self.randomizer.meshes)
        settings = _settings(job.config, job.scene, job.sensor, job.seed, model, job.moving)
        join_dataset(job.folder, settings, self.rasterizer.name)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.rasterizer.close()

    def make(self, job: _Job) -> None:
        """Draw the frames of one shard and write them: all, or none that counts."""
        if job.is_made():
            return  # made meanwhile, by another process
        numbers = range(job.first, job.first + job.frames)
        specs = [self.randomizer.scene(number - 1) for number in numbers]
        with written(job.folder), work_area(job.folder) as area:
            write_shard(area, job.first, self._frames(specs, job.scene.images))
            joints = shard_path(area, job.first)
            for image in area.glob("*.png"):
                image.replace(job.folder / image.name)
            joints.replace(job.folder / joints.name)

    def _frames(self, specs: Sequence[SceneSpec], images: str) -> Iterator[NyuFrame]:
        for first in range(0, len(specs), BATCH):
            part = specs[first : first + BATCH]
            alone = self.rasterizer.render([replace(s, objects=s.objects[:1]) for s in part])
            whole = self.rasterizer.render(part) if images == "both" else [None] * len(part)
            for spec, hand, scene in zip(part, alone, whole, strict=True):
                uvd = uvd_from_joints(self.joints(spec))
                seen = None if scene is None else sensor_image(spec, scene)
                yield NyuFrame(uvd, seen, hand.depth)

    def joints(self, spec: SceneSpec) -> np.ndarray:
        """(K, 3) NYU's joints of a spec's annotated hand, metres, camera frame."""
        hand = spec.objects[0]
        assert hand.obj_id == HAND and hand.posture is not None
        pose, shape = np.array(hand.posture.pose), np.array(hand.posture.shape)
        args = pose[None], shape[None], hand.matrix[None]
        return posed_points(self.randomizer.model, self.points, *args)[0]


def sensor_image(spec: SceneSpec, frame: Frame) -> np.ndarray:
    """(480, 640) metres: the depth of a drawn spec as NYU's sensor gives it."""
    assert frame.depth is not None  # what is rendered always has one
    seen = apply_depth_sensor(frame.depth, CAMERA.K, spec.depth_sensor)
    return np.where(seen > 0, np.minimum(seen, NOTHING), NOTHING)


def _finish(job: _Job) -> None:
    """Join the joints of all shards, unless another process has done so, or does it just now."""
    if job.is_finished():
        return
    try:
        finish_split(job.folder, job.config.frames)
    except (OSError, ValueError, InputError):  # shards are gone while they are read
        if not job.is_finished():
            raise


def _check_options(config: RenderConfig) -> None:
    """Refuse options that are not of hands, and --format nyu or --hand alone."""
    if config.hand is None:
        raise InputError("render.format: nyu holds hands; add --hand bundled, or another hand")
    for field in fields(config):
        usual = field.default, field.metadata["none_as"]
        if field.name not in OF_HANDS and getattr(config, field.name) not in usual:
            raise InputError(
                f"render.{field.name}: belongs to objects; with --hand leave it as it is"
            )


def _settings(
    config: RenderConfig,
    scene: HandSceneConfig,
    sensor: SensorConfig,
    seed: int,
    model: HandModel,
    moving: bool,
) -> dict:
    """What a dataset's bytes depend on."""
    randomizer = HandRandomizer(scene, model, seed, sensor)  # which refuses what does not fit
    settings = {
        "render": to_dict(config),
        "hand_scene": to_dict(scene),
        "sensor": to_dict(sensor),
        "seed": seed,
        "hand": hand_digest(model),
    }
    if randomizer.real is not None:
        settings["poses"] = randomizer.real.digest
    return {**settings, "moving": True} if moving else settings
