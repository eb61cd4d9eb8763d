"""A real dataset -> its synthetic twins: the same frames, with the objects drawn in."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.config import option, to_dict
from render.dataset.folder import begin_dataset
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.errors import InputError
from render.formats.bop import BopImage, read_split, require_objects
from render.formats.bop_writer import write_scene
from render.frame import Frame
from render.mesh.mesh import ObjectModel, load_models
from render.progress import progress
from render.scene.lighting import Lighting
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Material, Placed, SceneSpec, near_of, rows
from render.sensor.config import DEFAULT_SENSOR, SensorConfig, draw_color_sensor
from render.whole_file import whole_folder
from train.objects.data import DataConfig, find_dataset, with_ids
from train.objects.split import choose_images
from train.objects.twins.composite import alone, draw_layer, in_front, lay_over, window_of
from train.objects.twins.lighting import fit_lighting

MARGIN = 4  # pixels around what is replaced: what it is painted with, and blurred
UNSURE_RIM = np.ones((5, 5), np.uint8)  # two pixels, where a pose may be off


@dataclass(frozen=True)
class PairConfig:
    """How twins are made."""

    variants: int = option(
        3, "Twins that are drawn of a frame, each under another light", minimum=1
    )
    lit: float = option(
        0.5,
        "Share of the twins that are lit as their real frame is, by its object's shading; 0: all"
        " are lit at random, 1: none is",
        minimum=0,
        maximum=1,
    )
    halo_px: float = option(
        4.0,
        "How far around a drawn object what may be left of the real one is painted out, pixels; 0:"
        " it stays, 10: much of the background goes too",
        minimum=0,
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
    replaced by a drawing of its mesh at the annotated pose. What stands before it stays there; what
    is left of the real one around the drawing is painted out.

    Args:
        scene: ranges of light and material.
        data: the dataset; its training frames get twins.
        sensor: ranges of the colour camera.

    Returns:
        A line that says what was made.

    Raises:
        InputError: an object has no mesh or is not in the frames, a panorama is unusable,
            or `out` was made otherwise.
    """
    root = find_dataset(data.dataset)
    data = with_ids(data, root)
    frames = read_split(root, data.split, choose_images(data, root, "train", seed))
    models = load_models([root / config.models])
    obj_ids = set(data.obj_ids) or {a.obj_id for f in frames for a in f.annotations}
    require_objects(frames, obj_ids)
    frames = [f for f in frames if any(a.obj_id in obj_ids for a in f.annotations)]
    for annotation in (a for frame in frames for a in frame.annotations):
        if annotation.obj_id not in models:
            raise InputError(f"{root / config.models} has no mesh of object {annotation.obj_id}")

    about = {
        "dataset": str(root),
        "split": data.split,
        "images": [[frame.scene_id, frame.im_id] for frame in frames],
    }
    draw_twins(config, scene, sensor, models, frames, obj_ids, about, out, seed)
    if (root / "camera.json").is_file() and not (out / "camera.json").is_file():
        shutil.copyfile(root / "camera.json", out / "camera.json")
    return f"{out}: {len(frames)} frames, {config.variants} twins each"


def draw_twins(
    config: PairConfig,
    scene: SceneConfig,
    sensor: SensorConfig,
    models: Mapping[int, ObjectModel],
    frames: Sequence[BopImage],
    obj_ids: set[int],
    about: Mapping[str, Any],
    out: Path,
    seed: int,
) -> None:
    """Draw objects of frames at their poses, into the frames: what `pair` leaves; what is there
    already is kept.

    Args:
        about: what generation.json says of the frames.

    Raises:
        InputError: a panorama is unusable, or `out` was made otherwise.
    """
    settings = {
        "pair": to_dict(config),
        "scene": to_dict(scene),
        "sensor": to_dict(sensor),
        **about,
        "objects": sorted(obj_ids),
        "seed": seed,
        **Lighting(_of_light(scene), 1.0, seed).record(),
    }
    with closing(make_renderer(models, RenderConfig(exact=True, normals=True))) as renderer:
        begin_dataset(out, settings, renderer.name)
        maker = _TwinMaker(renderer, config, scene, obj_ids, seed, sensor)
        _write_twins(maker, frames, config.variants, out)


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


def _of_light(scene: SceneConfig) -> SceneConfig:
    """The ranges of materials and light alone: a twin's camera is its real frame's, and so are the
    colours of its objects."""
    return replace(scene, background="plain", intrinsics=None, textures="", object_textures=0.0)


class _TwinMaker:
    """Draws twins of the objects `obj_ids`."""

    def __init__(
        self,
        renderer: Renderer,
        config: PairConfig,
        scene: SceneConfig,
        obj_ids: set[int],
        seed: int,
        sensor: SensorConfig = DEFAULT_SENSOR,
    ) -> None:
        """The renderer's frames must have normals."""
        self.renderer, self.config, self.obj_ids = renderer, config, obj_ids
        self.seed, self.sensor = seed, sensor
        self.randomizer = Randomizer(_of_light(scene), {}, (1, 1), seed)

    def twins(
        self, images: Sequence[BopImage], variant: int
    ) -> Iterator[tuple[int, Frame, np.ndarray | None]]:
        """The twin of each image, as write_scene takes it."""
        for image in images:
            yield image.im_id, self.twin(image, self.spec(image, variant)), None

    def twin(self, image: BopImage, spec: SceneSpec) -> Frame:
        """The image with its objects replaced by those of a spec, the farthest first."""
        (among,) = self.renderer.render([spec])
        assert among.instance is not None
        rgb, instance = image.read_rgb(), np.zeros_like(among.instance)
        chosen = [i for i, a in enumerate(image.annotations) if a.obj_id in self.obj_ids]
        for i in sorted(chosen, key=lambda i: -image.annotations[i].cam_from_obj[2, 3]):
            rgb = self._replaced(image, spec, among, i, rgb)
        for i in range(len(image.annotations)):
            instance[visible_px(image, among, i)] = i + 1
        return Frame(camera=image.camera, annotations=image.annotations, rgb=rgb, instance=instance)

    def _replaced(
        self, image: BopImage, spec: SceneSpec, among: Frame, index: int, rgb: np.ndarray
    ) -> np.ndarray:
        """(H, W, 3) with one of the objects drawn into it."""
        visible = visible_px(image, among, index)
        if not visible.any():
            return rgb
        (whole,) = self.renderer.render([alone(spec, index)])
        object_px, hidden = _real_px(image, whole, index)
        kept = in_front(among, whole, index, object_px, hidden)
        halo_px = self.config.halo_px
        window = window_of(visible, 2 * math.ceil(halo_px) + MARGIN)
        layer = draw_layer(self.renderer, spec, index, window)
        rgb = rgb.copy()
        rgb[window] = lay_over(
            rgb[window], layer, spec.sensor, object_px[window], kept[window], halo_px
        )
        return rgb

    def spec(self, image: BopImage, variant: int) -> SceneSpec:
        """All annotated objects at their poses, so that the drawing says which is in front, in
        random light or in that of the image."""
        rng = np.random.default_rng([self.seed, image.scene_id, image.im_id, variant])
        places = [a.cam_from_obj[:3, 3] for a in image.annotations]
        middle = np.mean(places, axis=0) if places else np.zeros(3)
        lighting = self.randomizer.lighting
        ambient, lights = lighting.lamps(rng, middle)
        # The objects stand on something, mostly; where none is, the camera is level.
        up = sum((a.cam_from_obj[:3, 2] for a in image.annotations), np.array([0.0, -1e-3, 0.0]))
        objects = tuple(
            Placed(a.obj_id, rows(a.cam_from_obj), self.randomizer.material(rng))
            for a in image.annotations
        )
        spec = SceneSpec(
            K=rows(image.camera.K),
            size=image.camera.size,
            objects=objects,
            ambient=ambient,
            lights=lights,
            sensor=draw_color_sensor(self.sensor, rng),
            near=near_of(objects),
            environment=lighting.environment(rng.spawn(1)[0], up / np.linalg.norm(up)),
        )
        return self._lit(image, spec) if rng.random() < self.config.lit else spec

    def _lit(self, image: BopImage, spec: SceneSpec) -> SceneSpec:
        """The spec in the image's own light; as it is where the objects' shading does not tell."""
        objects = tuple(replace(o, material=Material()) for o in spec.objects)
        plain = replace(spec, objects=objects, ambient=(1.0, 1.0, 1.0), lights=(), environment=None)
        (drawn,) = self.renderer.render([plain])
        assert drawn.rgb is not None and drawn.normals is not None
        inner = np.zeros(drawn.rgb.shape[:2], bool)
        for i, annotation in enumerate(image.annotations):
            if annotation.obj_id in self.obj_ids:
                visible = visible_px(image, drawn, i).astype(np.uint8)
                inner |= cv2.erode(visible, UNSURE_RIM).view(bool)
        found = fit_lighting(image.read_rgb()[inner], drawn.rgb[inner], drawn.normals[inner])
        if found is None:
            return spec
        # The real camera's exposure is in the light.
        sensor = replace(spec.sensor, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)
        return replace(plain, ambient=found[0], lights=(found[1],), sensor=sensor)


def visible_px(image: BopImage, among: Frame, index: int) -> np.ndarray:
    """Where one of an image's objects is visible: (H, W) bool.

    In front of all others in a drawing of all that are annotated and, where the dataset has visible
    masks, in that one too.
    """
    assert among.instance is not None
    visible: np.ndarray = among.instance == index + 1
    mask = image.read_mask(index, visible=True)
    return visible if mask is None else visible & mask


def _real_px(image: BopImage, whole: Frame, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Where an object would be seen if nothing stood in front, and where by the dataset's masks,
    if it has them, something does: (H, W) bool each.

    Args:
        whole: a drawing of this object alone.
    """
    assert whole.instance is not None
    drawn = whole.instance > 0
    visible, silhouette = (image.read_mask(index, visible=part) for part in (True, False))
    # The dataset's own silhouette, for ours may be off by a pixel along the rim.
    hidden = np.zeros_like(drawn) if visible is None else ~visible
    if silhouette is None:
        return drawn, hidden & drawn
    return drawn | silhouette, hidden & silhouette
