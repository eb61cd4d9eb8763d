"""What `run` renders for objects: simulated real frames, twins, synthetic images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from render.config import fill, load_preset
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import all_of
from render.formats.bop import read_split, require_objects
from render.mesh.mesh import ObjectModel
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from render.whole_file import whole_folder
from train.learn.distributed import first_alone
from train.learn.stream import Live
from train.objects.data import DataConfig, choose_images
from train.objects.detections import ANNOTATED, read_boxes
from train.objects.live import ObjectSource
from train.objects.pairs import pair
from train.options import RunConfig

SIMULATED_SEED = 1_000_003  # added to the seed for simulated real frames


def simulate(run: RunConfig, out: Path, seed: int, workers: int) -> Path:
    """Render the frames that play the real ones, and return their dataset's folder."""
    sections = load_preset(run.simulated)
    render = fill(RenderConfig, sections["render"], "render")
    render = replace(render, frames=run.simulated_frames)
    scene = fill(SceneConfig, sections["scene"], "scene")
    sensor = fill(SensorConfig, sections.get("sensor", {}), "sensor")
    folder = out / "simulated_real"
    # A seed of its own: no scene of it is one of the synthetic training images'.
    generate(render, scene, folder, seed + SIMULATED_SEED, workers, sensor)
    return folder


def prepare(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
    workers: int,
) -> None:
    """Render one object's twins, and its synthetic images unless they are rendered live, in
    `folder`; what is finished is left."""
    sensor = config["sensor"]
    if not config["run"].live:
        render, scene = _render_config(config, root, model), _scene(config, root, folder, seed)
        generate(render, scene, folder / "synthetic_images", seed, workers, sensor)
    pair(config["pair"], config["scene"], config["data"], folder / "twins", seed, sensor)


def live_images(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> Live:
    """One object's synthetic images, rendered while they are trained on."""
    source = ObjectSource(
        _render_config(config, root, model),
        _scene(config, root, folder, seed),
        config["sensor"],
        model.obj_id,
        config["data"].min_visib,
    )
    with first_alone():  # levels of detail are made once
        source.check()
    return Live(source, config["run"].live_workers)


def _render_config(config: Mapping[str, Any], root: Path, model: ObjectModel) -> RenderConfig:
    """How one object's synthetic images are drawn: among the dataset's objects, or those named."""
    objects = config["render"].objects or (str(root / "models"),)
    return replace(config["render"], objects=objects, obj_ids=(model.obj_id,))


def _scene(config: Mapping[str, Any], root: Path, folder: Path, seed: int) -> SceneConfig:
    """What synthetic images of one object show; files that this needs are kept in `folder`."""
    if not config["run"].real_background:
        return config["scene"]
    return before_real_frames(config["scene"], config["data"], root, folder / "backgrounds", seed)


def before_real_frames(
    scene: SceneConfig, data: DataConfig, root: Path, folder: Path, seed: int
) -> SceneConfig:
    """The scene, in front of random parts of the frames that `data` says to train on.

    They are linked in `folder`, whole, objects and all; one that is there already is left.
    """
    if not folder.is_dir():
        with whole_folder(folder) as links:
            for image in read_split(root, data.split, choose_images(data, root, "train", seed)):
                file = image.rgb_path.resolve()
                name = f"{image.scene_id:06d}_{image.im_id:06d}{file.suffix}"
                (links / name).symlink_to(file)
    return replace(scene, background=str(folder.resolve()))


def check_frames(data: DataConfig, root: Path, obj_ids: Sequence[int], seed: int) -> None:
    """See, before long work, that the real frames to train and to test on are there.

    Raises:
        InputError: a split, its file, a record or the file of detections is missing or damaged, or
            no training frame shows an object; names all.
    """

    def check(part: str) -> None:
        images = read_split(root, data.split, choose_images(data, root, part, seed))
        if part == "train" and data.split_file:  # else they are chosen by what they show
            require_objects(images, obj_ids)
        if part == "test" and data.boxes not in ANNOTATED:
            read_boxes(data.boxes, images)

    all_of(("train", "test"), check, "faults")
