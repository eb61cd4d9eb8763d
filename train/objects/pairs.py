"""A real dataset -> its synthetic twins: the same frames, with the objects drawn in."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from render.config import option, to_dict
from render.dataset.folder import begin_dataset
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.errors import InputError
from render.formats.bop import BopImage, read_split, require_objects
from render.formats.bop_writer import write_scene
from render.frame import Frame
from render.mesh.mesh import load_models
from render.progress import progress
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Placed, SceneSpec, near_of, rows
from render.sensor.color import apply_color_sensor
from render.sensor.config import DEFAULT_SENSOR, SensorConfig, draw_color_sensor
from render.sensor.spec import ColorSensor
from render.whole_file import whole_folder
from train.objects.data import DataConfig, find_dataset
from train.objects.split import choose_images


@dataclass(frozen=True)
class PairConfig:
    """How twins are made."""

    variants: int = option(
        3, "Twins that are drawn of a frame, each under another light", minimum=1
    )
    models: str = option("models", "The dataset's folder of meshes to draw")
    hand: str = option("bundled", "Hands: the model to draw, bundled, bundled-left or a file")


def pair(
    config: PairConfig,
    scene: SceneConfig,
    data: DataConfig,
    out: Path,
    seed: int,
    sensor: SensorConfig = DEFAULT_SENSOR,
) -> str:
    """Make a BOP dataset of twins: split `twin0`, `twin1`, ... with the real frames' own ids.

    A twin is the real image with every instance of `data.objects` (all where none are named)
    replaced by a drawing of its mesh at the annotated pose, through the instance's visible mask:
    what stands before it stays there.

    Args:
        scene: ranges of light and material.
        data: the dataset; its training frames get twins.
        sensor: ranges of the colour camera.

    Returns:
        A line that says what was made.

    Raises:
        InputError: an object has no mesh or is not in the frames, or `out` was made otherwise.
    """
    root = find_dataset(data.dataset)
    frames = read_split(root, data.split, choose_images(data, root, "train", seed))
    models = load_models([root / config.models])
    obj_ids = set(data.objects) or {a.obj_id for f in frames for a in f.annotations}
    require_objects(frames, obj_ids)
    frames = [f for f in frames if any(a.obj_id in obj_ids for a in f.annotations)]
    for annotation in (a for frame in frames for a in frame.annotations):
        if annotation.obj_id not in models:
            raise InputError(f"{root / config.models} has no mesh of object {annotation.obj_id}")

    settings = {
        "pair": to_dict(config),
        "scene": to_dict(scene),
        "sensor": to_dict(sensor),
        "dataset": str(root),
        "split": data.split,
        "images": [[frame.scene_id, frame.im_id] for frame in frames],
        "objects": sorted(obj_ids),
        "seed": seed,
    }
    with closing(make_renderer(models, RenderConfig(exact=True))) as renderer:
        begin_dataset(out, settings, renderer.name)
        if (root / "camera.json").is_file():
            shutil.copyfile(root / "camera.json", out / "camera.json")
        maker = _TwinMaker(renderer, scene, obj_ids, seed, sensor)
        _write_twins(maker, frames, config.variants, out)
    return f"{out}: {len(frames)} frames, {config.variants} twins each"


def _write_twins(maker: "_TwinMaker", frames: Sequence[BopImage], variants: int, out: Path) -> None:
    """One split a variant, one scene folder at a time; what is there already is kept."""
    for variant in range(variants):
        for scene_id, scene in groupby(frames, key=lambda frame: frame.scene_id):
            folder, images = out / f"twin{variant}" / f"{scene_id:06d}", list(scene)
            if not folder.is_dir():
                with whole_folder(folder) as partial:
                    label = f"twins {variant + 1} of {variants}"
                    write_scene(partial, progress(maker.twins(images, variant), len(images), label))


def twin_splits(root: Path) -> list[str]:
    """Names of the splits of a dataset of twins, in order."""
    splits = sorted(p.name for p in root.glob("twin*") if p.is_dir())
    if not splits:
        raise InputError(f"{root} holds no twins; give a folder that `pair` made")
    return splits


class _TwinMaker:
    """Draws twins of the objects `obj_ids`."""

    def __init__(
        self,
        renderer: Renderer,
        scene: SceneConfig,
        obj_ids: set[int],
        seed: int,
        sensor: SensorConfig = DEFAULT_SENSOR,
    ) -> None:
        self.renderer, self.obj_ids, self.seed, self.sensor = renderer, obj_ids, seed, sensor
        # Of materials and light only: a twin's camera is its real frame's.
        plain = replace(scene, background="plain", intrinsics=None)
        self.randomizer = Randomizer(plain, {}, (1, 1), seed)

    def twins(
        self, images: Sequence[BopImage], variant: int
    ) -> Iterator[tuple[int, Frame, np.ndarray | None]]:
        """The twin of each image, as write_scene takes it."""
        for image in images:
            spec = self.spec(image, variant)
            # Over the real background, so that blurred edges mix with what lies beside them.
            rgb = image.read_rgb()
            (drawn,) = self.renderer.render([spec], [rgb])
            twin = composite(image, rgb, drawn, spec.sensor, self.obj_ids)
            yield image.im_id, twin, None

    def spec(self, image: BopImage, variant: int) -> SceneSpec:
        """All annotated objects at their poses, so that the drawing says which is in front."""
        rng = np.random.default_rng([self.seed, image.scene_id, image.im_id, variant])
        places = [a.cam_from_obj[:3, 3] for a in image.annotations]
        middle = np.mean(places, axis=0) if places else np.zeros(3)
        ambient, lights = self.randomizer.lighting(rng, middle)
        objects = tuple(
            Placed(a.obj_id, rows(a.cam_from_obj), self.randomizer.material(rng))
            for a in image.annotations
        )
        return SceneSpec(
            K=rows(image.camera.K),
            size=image.camera.size,
            objects=objects,
            ambient=ambient,
            lights=lights,
            sensor=draw_color_sensor(self.sensor, rng),
            near=near_of(objects),
        )


def composite(
    image: BopImage, rgb: np.ndarray, drawn: Frame, sensor: ColorSensor, obj_ids: Collection[int]
) -> Frame:
    """The real image `rgb` with some objects' visible pixels taken from the drawing.

    Visible means: in front of all other annotated objects in the drawing and, where the dataset has
    visible masks, in that one too.
    """
    assert drawn.rgb is not None and drawn.instance is not None
    seen = apply_color_sensor(drawn.rgb, sensor)
    rgb = rgb.copy()
    instance = np.zeros_like(drawn.instance)
    for gt_id, annotation in enumerate(image.annotations):
        visible = drawn.instance == gt_id + 1
        mask = image.read_mask(gt_id, visible=True)
        if mask is not None:
            visible &= mask
        instance[visible] = gt_id + 1
        if annotation.obj_id in obj_ids:
            rgb[visible] = seen[visible]
    return Frame(camera=image.camera, annotations=image.annotations, rgb=rgb, instance=instance)
