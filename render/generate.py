"""Frame ids -> workers -> BOP scenes on disk, each whole or not there at all."""

import json
import logging
import multiprocessing
import os
import platform
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from render.background import draw_background
from render.bop_writer import measure, write_camera_json, write_scene
from render.config import first_difference, option, to_dict
from render.errors import InputError
from render.frame import Frame
from render.level_of_detail import load_levels
from render.mesh import ObjectModel, load_models, write_models
from render.progress import progress
from render.randomize import Randomizer, SceneConfig
from render.scene import SceneSpec
from render.sensor import apply_color_sensor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderConfig:
    """What `render` makes."""

    objects: tuple[str, ...] = option(
        (),
        "assets, a folder of meshes, a BOP models folder, or mesh files; none: assets, and in `run`"
        " the dataset's own models",
    )
    unit: Literal["m", "cm", "mm"] | None = option(
        None, "Unit of the meshes; default mm in a BOP models folder, else m"
    )
    obj_ids: tuple[int, ...] = option((), "Annotate only these objects; the others are clutter")
    frames: int = option(1000, "Number of frames", minimum=1)
    size: tuple[int, int] = option((640, 480), "Width x height in pixels")
    split: str = option("train", "Name of the split's folder")
    frames_per_scene: int = option(100, "Frames in one scene folder", minimum=1, maximum=1000)
    antialias: bool = option(False, "Anti-alias the colour image (slower)")
    exact: bool = option(
        False, "Draw every face, also where a coarser mesh is the same to a quarter of a pixel"
    )
    renderer: Literal["moderngl", "pyrender"] = option(
        "moderngl", "pyrender is the independent check, and slower"
    )


class Renderer(Protocol):
    """What draws frames: Rasterizer, or PyrenderRenderer.

    name: of the OpenGL device and version.
    """

    name: str

    def render(
        self, specs: Sequence[SceneSpec], backgrounds: Sequence[np.ndarray | None] | None = None
    ) -> list[Frame]: ...

    def full_masks(self, spec: SceneSpec, canvas: int = 1) -> np.ndarray: ...

    def close(self) -> None: ...


def make_renderer(models: Mapping[int, ObjectModel], config: RenderConfig) -> Renderer:
    """Open an OpenGL context that draws these models. OpenGL is imported here and not before.

    Unless it shall be exact, levels of detail are made, where an earlier call has not.
    """
    meshes = {obj_id: model.mesh for obj_id, model in models.items()}
    if config.renderer == "pyrender":
        from render.reference import PyrenderRenderer

        return PyrenderRenderer(meshes)
    from render.rasterizer import Rasterizer

    levels = None if config.exact else load_levels(meshes)
    return Rasterizer(meshes, antialias=config.antialias, levels=levels)


def see(renderer: Renderer, specs: Sequence[SceneSpec]) -> list[Frame]:
    """Draw specs before their backgrounds and through their colour cameras."""
    backgrounds = [draw_background(spec.background, spec.size) for spec in specs]
    frames = renderer.render(specs, backgrounds)
    return [
        Frame(
            camera=frame.camera,
            annotations=frame.annotations,
            rgb=None if frame.rgb is None else apply_color_sensor(frame.rgb, spec.sensor),
            depth=frame.depth,
            instance=frame.instance,
        )
        for spec, frame in zip(specs, frames, strict=True)
    ]


def generate(config: RenderConfig, scene: SceneConfig, out: Path, seed: int, workers: int) -> None:
    """Make a BOP dataset of random scenes; what is finished of it already is kept.

    Every frame depends on (seed, frame id) only, never on the workers or on a restart.

    Raises:
        InputError: meshes or a background are unusable, or `out` holds a dataset made with other
            settings.
    """
    config = replace(config, objects=config.objects or ("assets",))
    models = load_models(config.objects, unit=config.unit)
    _check_ids(config, models)
    Randomizer(scene, models, config.size, seed, config.obj_ids or None)  # before `out` is begun
    settings = {"render": to_dict(config), "scene": to_dict(scene), "seed": seed}
    with closing(make_renderer(models, config)) as renderer:  # makes levels of detail for workers
        begin_dataset(out, settings, renderer.name)
    if not (out / "models" / "models_info.json").is_file():
        with whole_folder(out / "models") as folder:
            write_models(folder, models.values())

    jobs = [
        _Job(config, scene, out, seed, i)
        for i in range(-(-config.frames // config.frames_per_scene))
    ]
    left = [job for job in jobs if not job.folder.is_dir()]
    made = _in_workers(left, workers)
    for scene_id in progress(made, len(jobs), "render, scenes", done=len(jobs) - len(left)):
        log.debug("scene %d is complete", scene_id)


def begin_dataset(out: Path, settings: Mapping[str, Any], renderer: str) -> None:
    """Create `out` with its generation.json, or check that it was begun with the same settings.

    Args:
        renderer: the OpenGL that draws; the same one and the same versions draw the same bytes.

    Raises:
        InputError: it was begun with others; the message names the first one that differs.
    """
    record = out / "generation.json"
    if record.is_file():
        old = json.loads(record.read_text())["settings"]
        difference = first_difference(old, json.loads(json.dumps(settings)))
        if difference:
            name, before, now = difference
            raise InputError(
                f"{out} was made with {name} = {before}, not {now};"
                " give the old value, or another --out"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty and holds no generation.json; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    packages = ["numpy", "opencv-python-headless", "moderngl", "trimesh", "scipy"]
    packages.append("fast-simplification")
    text = json.dumps(
        {
            "settings": settings,
            "renderer": renderer,
            "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        },
        indent=2,
    )
    partial = out / ".generation.json"
    partial.write_text(text + "\n")
    partial.rename(record)


class whole_folder:
    """`with whole_folder(path) as folder`: `folder` becomes `path` only if nothing failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial")

    def __enter__(self) -> Path:
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        return self.partial

    def __exit__(self, failure, *_: object) -> None:
        if failure is None:
            self.partial.rename(self.path)
        else:
            shutil.rmtree(self.partial, ignore_errors=True)


@dataclass(frozen=True)
class _Job:
    """One scene folder to make."""

    config: RenderConfig
    scene: SceneConfig
    out: Path
    seed: int
    scene_id: int

    @property
    def folder(self) -> Path:
        return self.out / self.config.split / f"{self.scene_id:06d}"


def _in_workers(jobs: Sequence[_Job], workers: int) -> Iterator[int]:
    """Make scenes in `workers` processes; yields scene ids as they are complete."""
    if workers <= 1 or len(jobs) <= 1:
        maker = None
        for job in jobs:
            maker = maker or _SceneMaker(job)
            yield maker.make(job)
        return

    # Spawned, since an OpenGL context does not survive a fork; one llvmpipe thread each, since
    # geometry runs on one thread and processes scale where threads do not.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(jobs)), spawn, initializer=_leave_ctrl_c_to_main)
    pending: set[Future[int]] = {pool.submit(_make_in_worker, job) for job in jobs}
    try:
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except KeyboardInterrupt:
        # A scene that is cut off leaves only its partial folder, which the next start clears away.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    except BrokenProcessPool:
        raise InputError(
            "a worker process died, perhaps for want of memory; finished scenes are kept:"
            " run the same command again, or with fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_ctrl_c_to_main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_maker: "_SceneMaker | None" = None  # one a worker process: a context and meshes are made once


def _make_in_worker(job: _Job) -> int:
    global _maker
    if _maker is None:
        _maker = _SceneMaker(job)
    return _maker.make(job)


class _SceneMaker:
    """Holds the context and the meshes while scenes are made."""

    def __init__(self, job: _Job) -> None:
        config = job.config
        models = load_models(config.objects, unit=config.unit)
        self.renderer = make_renderer(models, config)
        obj_ids = config.obj_ids or None
        self.randomizer = Randomizer(job.scene, models, config.size, job.seed, obj_ids)

    def make(self, job: _Job) -> int:
        """Draw one scene and write it: whole, or not at all."""
        start = job.scene_id * job.config.frames_per_scene
        frame_ids = range(start, min(start + job.config.frames_per_scene, job.config.frames))
        specs = [self.randomizer.scene(frame_id) for frame_id in frame_ids]
        with whole_folder(job.folder) as folder:
            if job.scene_id == 0:
                write_camera_json(job.out, specs[0].camera)
            write_scene(folder, self._frames(specs))
            lines = {str(i): json.loads(spec.to_json()) for i, spec in enumerate(specs)}
            (folder / "scene_spec.json").write_text(json.dumps(lines))
        return job.scene_id

    def _frames(self, specs: Sequence[SceneSpec], batch: int = 16):
        for first in range(0, len(specs), batch):
            part = specs[first : first + batch]
            for i, (spec, frame) in enumerate(zip(part, see(self.renderer, part), strict=True)):
                masks = self.renderer.full_masks(spec, canvas=3)
                yield first + i, measure(frame, masks), masks


def _check_ids(config: RenderConfig, models: Mapping[int, ObjectModel]) -> None:
    missing = sorted(set(config.obj_ids) - set(models))
    if missing:
        raise InputError(f"render.obj_ids: no object {missing[0]}; there are {sorted(models)}")
