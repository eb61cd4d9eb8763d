"""What `run` renders for objects: simulated real frames, twins, synthetic images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from render.config import fill, load_preset
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError, all_of
from render.formats.bop import read_split, require_objects
from render.formats.bop_records import gt_record, write_records
from render.mesh.mesh import ObjectModel, load_models
from render.scene.randomize import SceneConfig
from render.scene.surroundings import in_room
from render.sensor.config import SensorConfig
from train.learn.distributed import first_alone
from train.learn.stream import Live
from train.objects.backgrounds import before_real_frames
from train.objects.data import DataConfig
from train.objects.detections import ANNOTATED, read_boxes
from train.objects.live import ObjectSource, check_renderer
from train.objects.split import choose_images
from train.objects.twins.pair import pair
from train.options import COMPOSITION, RunConfig

SIMULATED_SEED = 1_000_003  # added to the seed for simulated real frames
OF_MESHES = (
    "objects",
    "unit",
    "up",
    "names",
)  # the options of `render` that say what is drawn, not how
VIEWS = "views.json"
BACKGROUNDS = "without_object"  # the real frames that stand behind synthetic images
APART = 0.1  # how far two meshes of one object may be apart, as a share of its diameter


def simulate(
    run: RunConfig, asked: RenderConfig, out: Path, seed: int, workers: int
) -> tuple[Path, str]:
    """Render the frames that play the real ones, or that are held out where there are none.

    Args:
        asked: how the synthetic images are rendered; these frames show the same meshes.

    Returns:
        Their dataset's folder, and the name of its split.
    """
    sections = load_preset(run.rendered)
    render = fill(RenderConfig, sections.get("render", {}), "render")
    meshes = {name: getattr(asked, name) for name in OF_MESHES} if asked.objects else {}
    render = replace(render, frames=run.simulated_frames, **meshes)
    scene = fill(SceneConfig, sections.get("scene", {}), "scene")
    sensor = fill(SensorConfig, sections.get("sensor", {}), "sensor")
    folder = out / ("simulated_real" if run.simulated else "held_out")
    # A seed of its own: no scene of it is one of the synthetic training images'.
    generate(render, scene, folder, seed + SIMULATED_SEED, workers, sensor)
    return folder, render.split


def check_run(run: RunConfig, scene: SceneConfig, render: RenderConfig) -> None:
    """Refuse what cannot be had, whether a user or a preset asks for it.

    Raises:
        InputError: real frames are needed in a run that has none, or would stand behind walls; or
            images cannot be drawn live.
    """
    _check_background(run, scene)
    if run.live:
        check_renderer(render)
    if not run.held_out:
        return
    names = ("simulated", "real_background", "real_views", "refine")
    needing = [name for name in names if getattr(run, name)]
    methods = [method for method in run.methods if COMPOSITION[method][2] < 1]
    if needing:
        raise InputError(
            f"run.{needing[0]} needs real frames, and run.held_out is for runs without; leave one"
        )
    if methods:
        raise InputError(
            f"run.methods: {methods[0]} needs real frames, which this run is without; give them by"
            " --real DATASET, or train synthetic alone"
        )


def _check_background(run: RunConfig, scene: SceneConfig) -> None:
    if run.real_background and in_room(scene):
        raise InputError(
            "run.real_background: the walls of scene.surroundings=room hide it; set"
            " run.real_background=false or scene.surroundings=table"
        )


def prepare(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
    workers: int,
) -> None:
    """Render one object's twins, where there are real frames, and its synthetic images unless they
    are rendered live, in `folder`; what is finished is left."""
    if not config["run"].live:
        render_images(config, root, model, folder, seed, workers)
    if not config["run"].held_out:
        scene, sensor = config["scene"], config["sensor"]
        pair(config["pair"], scene, config["data"], folder / "twins", seed, sensor)


def render_images(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
    workers: int,
    frames: int | None = None,
) -> Path:
    """One object's synthetic images, render.frames or as many as asked for, in a folder of
    `folder` that is returned; what is finished is left."""
    render, scene = _render_config(config, root, model), _scene(config, root, model, folder, seed)
    images, hands = folder / "synthetic_images", config["hand_scene"]
    render = render if frames is None else replace(render, frames=frames)
    generate(render, scene, images, seed, workers, _sensor(config), hand_scene=hands)
    return images


def live_images(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> Live:
    """One object's synthetic images, rendered while they are trained on."""
    source = ObjectSource(
        _render_config(config, root, model),
        _scene(config, root, model, folder, seed),
        _sensor(config),
        model.obj_id,
        config["data"].min_visib,
    )
    with first_alone():  # levels of detail are made once
        source.check()
    return Live(source, config["run"].live_workers)


def _sensor(config: Mapping[str, Any]) -> SensorConfig:
    """What synthetic training images are seen through: as networks see them, without a lens."""
    if config["sensor"].has_lens:
        raise InputError(
            "sensor.k1, k2, p1, p2, k3: networks are trained on images without a lens distortion;"
            " leave these, or render a dataset apart"
        )
    return config["sensor"]


def _render_config(config: Mapping[str, Any], root: Path, model: ObjectModel) -> RenderConfig:
    """How one object's synthetic images are drawn: among the dataset's objects, or those named."""
    objects = config["render"].objects or (str(root / "models"),)
    return replace(config["render"], objects=objects, obj_ids=(model.obj_id,), val=0.0)


def _scene(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> SceneConfig:
    """What synthetic images of one object show; files that this needs are kept in `folder`."""
    run, scene, data = config["run"], config["scene"], config["data"]
    _check_background(run, scene)
    if run.real_views:
        scene = replace(scene, views=str(write_views(data, root, folder / VIEWS, seed)))
    if run.real_background:
        scene = before_real_frames(scene, data, root, model, folder / BACKGROUNDS, seed)
    return scene


def check_meshes(render: RenderConfig, root: Path, obj_ids: Sequence[int]) -> None:
    """See that the meshes which are named for synthetic images are those of the dataset's objects.

    Its poses are those of its own meshes: one in another frame or unit would be drawn elsewhere
    than where a network is told that it is.

    Raises:
        InputError: one is not there, or not where the dataset's is.
    """
    if not render.objects:
        alone = [name for name in OF_MESHES if getattr(render, name)]
        if alone:
            raise InputError(
                f"render.{alone[0]} belongs to render.objects; the dataset's own meshes are BOP's,"
                " in mm and z up"
            )
        return
    named = load_models(render.objects, render.unit, up=render.up)
    own = load_models([root / "models"], obj_ids=obj_ids)
    for obj_id, model in own.items():
        if obj_id not in named:
            raise InputError(
                f"render.objects: no object {obj_id}, which data.objects asks for; there are"
                f" {', '.join(map(str, named))}, numbered by name, or as in obj_000005.ply"
            )
        _require_same_place(named[obj_id], model, f"render.objects: {named[obj_id].source}")


def require_same_models(folder: Path, own: ObjectModel) -> None:
    """Raise InputError if a dataset's mesh of an object lies elsewhere than `own`."""
    file = folder / "models" / f"obj_{own.obj_id:06d}.ply"
    if file.is_file():
        _require_same_place(load_models([file])[own.obj_id], own, str(file))


def _require_same_place(model: ObjectModel, own: ObjectModel, name: str) -> None:
    if np.abs(model.box - own.box).max() > APART * own.diameter:
        boxes = (
            " to ".join(str((1000 * c).round(1).tolist()) for c in m.box) for m in (model, own)
        )
        raise InputError(
            f"{name} is another mesh than {own.title} of {own.source}: its box is from"
            f" {next(boxes)} mm, not from {next(boxes)} mm; give it the same origin, axes and unit"
        )


def write_views(data: DataConfig, root: Path, file: Path, seed: int) -> Path:
    """The objects' poses in the frames that `data` says to train on, as a scene_gt.json.

    Images are numbered anew, those of all scenes.
    """
    images = read_split(root, data.split, choose_images(data, root, "train", seed))
    records = {
        number: [
            gt_record(annotation)
            for annotation in image.annotations
            if (annotation.visib_fract or 0) >= data.min_visib
        ]
        for number, image in enumerate(images)
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_records(file, records)
    return file


def check_frames(
    data: DataConfig,
    root: Path,
    obj_ids: Sequence[int],
    seed: int,
    meshes: str = "models",
    parts: Sequence[str] = ("train", "test"),
) -> None:
    """See, before long work, that the real frames to train and to test on are there.

    Args:
        meshes: the dataset's folder of those that twins are drawn with.
        parts: which of them there should be.

    Raises:
        InputError: a split, its file, a record, a mesh or the file of detections is missing or
            damaged, or no training frame shows an object; names all.
    """

    def check(part: str) -> None:
        images = read_split(root, data.split, choose_images(data, root, part, seed))
        if part == "train" and data.split_file:  # else they are chosen by what they show
            require_objects(images, obj_ids)
        if part == "test" and data.boxes not in ANNOTATED:
            read_boxes(data.boxes, images, obj_ids)

    checks: list[Callable[[], Any]] = [partial(check, part) for part in parts]
    checks.append(lambda: load_models([root / meshes], obj_ids=obj_ids))
    all_of(checks, lambda one: one(), "faults")
