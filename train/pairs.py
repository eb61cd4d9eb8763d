"""A real dataset -> its synthetic twins: the same frames, with the objects drawn in."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from render.bop import BopImage, read_split
from render.bop_writer import write_scene
from render.config import option, to_dict
from render.errors import InputError
from render.frame import Frame
from render.generate import RenderConfig, Renderer, begin_dataset, make_renderer, whole_folder
from render.mesh import ObjectModel, load_models
from render.progress import progress
from render.randomize import Randomizer, SceneConfig
from render.scene import ColorSensor, Placed, SceneSpec, rows
from render.sensor import apply_color_sensor
from train.instances import ImageKey


@dataclass(frozen=True)
class PairConfig:
    """How twins are made."""

    variants: int = option(3, "Twins of a frame, each under another light", minimum=1)
    models: str = option("models", "The dataset's folder of meshes to draw")


def pair(
    config: PairConfig,
    scene: SceneConfig,
    dataset: Path,
    split: str,
    images: Collection[ImageKey] | None,
    obj_ids: Collection[int],
    out: Path,
    seed: int,
) -> None:
    """Make a BOP dataset of twins: split `twin0`, `twin1`, ... with the real frames' own ids.

    A twin is the real image with every instance of `obj_ids` replaced by a drawing of its mesh at
    the annotated pose, through the instance's visible mask: what stands before it stays there.

    Args:
        scene: ranges of light, material and colour camera.
        images: (scene, image) ids to pair; all of the split where None.

    Raises:
        InputError: an object has no mesh or is not in the images, or `out` was made otherwise.
    """
    frames = read_split(dataset, split, images)
    models = load_models([dataset / config.models])
    present = {a.obj_id for frame in frames for a in frame.annotations}
    frames = [f for f in frames if any(a.obj_id in obj_ids for a in f.annotations)]
    for obj_id in obj_ids:
        if obj_id not in models or obj_id not in present:
            there = sorted(present & set(models))
            raise InputError(f"no object {obj_id} in {dataset / split}; there are {there}")
    settings = {
        "pair": to_dict(config),
        "scene": to_dict(scene),
        "dataset": str(dataset),
        "split": split,
        "images": [[frame.scene_id, frame.im_id] for frame in frames],
        "objects": sorted(obj_ids),
        "seed": seed,
    }
    begin_dataset(out, settings)
    if not (out / "camera.json").is_file() and (dataset / "camera.json").is_file():
        shutil.copyfile(dataset / "camera.json", out / "camera.json")

    maker = _TwinMaker(scene, models, set(obj_ids), seed)
    jobs = [
        (variant, scene_id, list(group))
        for variant in range(config.variants)
        for scene_id, group in groupby(frames, key=lambda frame: frame.scene_id)
    ]
    for variant, scene_id, group in jobs:
        folder = out / f"twin{variant}" / f"{scene_id:06d}"
        if not folder.is_dir():
            with whole_folder(folder) as partial:
                twins = maker.twins(group, variant)
                label = f"twins {variant + 1} of {config.variants}"
                write_scene(partial, progress(twins, len(group), label))


def twin_splits(root: Path) -> list[str]:
    """Names of the splits of a dataset of twins, in order."""
    splits = sorted(p.name for p in root.glob("twin*") if p.is_dir())
    if not splits:
        raise InputError(f"{root} holds no twins; give a folder that `pair` made")
    return splits


class _TwinMaker:
    """Draws twins; the context is opened when the first one is asked for."""

    def __init__(
        self,
        scene: SceneConfig,
        models: Mapping[int, ObjectModel],
        obj_ids: set[int],
        seed: int,
    ) -> None:
        self.models, self.obj_ids, self.seed = models, obj_ids, seed
        self.randomizer = Randomizer(replace(scene, background="plain"), models, (1, 1), seed)
        self.renderer: Renderer | None = None

    def twins(
        self, images: Sequence[BopImage], variant: int
    ) -> Iterator[tuple[int, Frame, np.ndarray | None]]:
        """The twin of each image, as write_scene takes it."""
        self.renderer = self.renderer or make_renderer(self.models, RenderConfig())
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
        ambient, lights = self.randomizer.lighting(rng)
        missing = [a.obj_id for a in image.annotations if a.obj_id not in self.models]
        if missing:
            raise InputError(f"{image.scene_dir}: object {missing[0]} is annotated but has no mesh")
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
            sensor=self.randomizer.sensor(rng),
        )


def composite(
    image: BopImage, rgb: np.ndarray, drawn: Frame, sensor: ColorSensor, obj_ids: Collection[int]
) -> Frame:
    """The real image `rgb` with some objects' visible pixels taken from the drawing.

    Visible means: in the dataset's visible mask where it has one, else in front of all other
    annotated objects in the drawing.
    """
    assert drawn.rgb is not None and drawn.instance is not None
    seen = apply_color_sensor(drawn.rgb, sensor)
    rgb = rgb.copy()
    instance = np.zeros_like(drawn.instance)
    for gt_id, annotation in enumerate(image.annotations):
        if annotation.obj_id not in obj_ids:
            continue
        visible = drawn.instance == gt_id + 1
        mask = image.read_mask(gt_id, visible=True)
        if mask is not None:
            visible &= mask
        rgb[visible] = seen[visible]
        instance[visible] = gt_id + 1
    return Frame(camera=image.camera, annotations=image.annotations, rgb=rgb, instance=instance)
