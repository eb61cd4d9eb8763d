"""Random scenes of one object -> instances, as `render` and `load_instances` would make them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from render.dataset.inputs import SceneInputs
from render.draw.renderer import RenderConfig, levels_of, make_renderer, see
from render.errors import InputError
from render.formats.bop_writer import bounding_box, measure
from render.frame import Annotation, Frame
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec
from render.sensor.config import SensorConfig
from render.transforms import apply
from train.objects.data import Instance

CHOICE = 103  # purpose: which of several objects in one scene
ATTEMPTS = 20  # at a scene in which enough of the object is seen
STRIDE = 1 << 40  # between the frame ids of one sample's attempts: none is another sample's


@dataclass(frozen=True)
class ObjectSource:
    """`stream.Source` of one object's instances.

    Sample `index` shows frame `index` of the dataset that `render` would write with the same seed.

    render: what of it says how frames are drawn; how many, and how they are written, is ignored.
    obj_id: the object, the only one in render.obj_ids. min_visib: samples are no less visible.
    """

    render: RenderConfig
    scene: SceneConfig
    sensor: SensorConfig
    obj_id: int
    min_visib: float

    def settings(self, seed: int) -> dict[str, Any]:
        """What a dataset of these scenes would be made from, down to the meshes."""
        return {**self._inputs(seed).settings, "min_visib": self.min_visib}

    def open(self, seed: int) -> "ObjectSampler":
        """Open an OpenGL context.

        Raises:
            InputError: meshes or a background are unusable, or there is no OpenGL.
        """
        return ObjectSampler(self, self._inputs(seed))

    def check(self) -> None:
        """Raise InputError if scenes cannot be drawn; make levels of detail, once for all."""
        check_renderer(self.render)
        inputs = self._inputs(0)
        inputs.randomizer.prepare()
        inputs.check_textures()
        if not self.render.exact:
            levels_of({**inputs.models, **inputs.distractors})

    def _inputs(self, seed: int) -> SceneInputs:
        drawn = {
            name: getattr(self.render, name)
            for name in ("objects", "unit", "up", "names", "size", "camera", "antialias", "exact")
        }
        config = RenderConfig(obj_ids=(self.obj_id,), **drawn)
        return SceneInputs(config, self.scene, self.sensor, seed)


def check_renderer(render: RenderConfig) -> None:
    """Raise InputError if scenes cannot be drawn live by the renderer that is asked for."""
    if render.renderer != "moderngl":
        raise InputError("run.live draws with render.renderer=moderngl only")


class ObjectSampler:
    """`stream.Sampler` of one object's instances."""

    def __init__(self, source: ObjectSource, inputs: SceneInputs) -> None:
        self._source, self._seed = source, inputs.randomizer.seed
        self._randomizer, self._model = inputs.randomizer, inputs.models[source.obj_id]
        self._renderer = make_renderer(inputs.drawn, source.render)

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def make(self, indices: Sequence[int]) -> list[Instance]:
        """The instances of these indices.

        Raises:
            InputError: the object is hidden in one scene after another.
        """
        made: dict[int, Instance] = {}
        for attempt in range(ATTEMPTS):
            left = [index for index in indices if index not in made]
            if not left:
                break
            specs = [self._randomizer.scene(index + attempt * STRIDE) for index in left]
            for index, spec, frame in zip(left, specs, see(self._renderer, specs), strict=True):
                instance = self._instance(index, spec, frame)
                if instance is not None:
                    made[index] = instance
        if len(made) < len(indices):
            raise InputError(
                f"run.live: object {self._source.obj_id} is less visible than data.min_visib ="
                f" {self._source.min_visib:g} in {ATTEMPTS} scenes on end; lower it, or"
                " scene.occluder_chance"
            )
        return [made[index] for index in indices]

    def _instance(self, index: int, spec: SceneSpec, frame: Frame) -> Instance | None:
        """One of a frame's instances that is visible enough, if there is any."""
        assert frame.rgb is not None and frame.instance is not None
        seen = self._seen(spec, frame)
        if not seen:
            return None
        # A draw only where there is a choice: it costs more than a small crop's picture.
        among, rng = len(seen), [self._seed, index, CHOICE]
        gt_id = seen[np.random.default_rng(rng).integers(among) if among > 1 else 0]
        annotation = frame.annotations[gt_id]
        box = bounding_box(frame.instance == gt_id + 1)
        symmetric = annotation.cam_from_obj @ self._model.symmetries  # (s, 4, 4)
        return Instance(
            key=(0, index, gt_id),
            window=frame.rgb,
            corner=(0, 0),
            camera=frame.camera,
            box=box,
            annotation=replace(annotation, bbox_visib=box),
            poses=symmetric,
            corners=frame.camera.project(apply(symmetric, box_corners(self._model.box))),
        )

    def _seen(self, spec: SceneSpec, frame: Frame) -> list[int]:
        """gt ids of the instances of which at least `min_visib` is visible."""
        least, ids = self._source.min_visib, range(len(frame.annotations))
        counts = np.bincount(frame.instance.ravel(), minlength=len(ids) + 1)[1:]  # type: ignore[union-attr]
        areas = [_area(annotation, frame, self._model) for annotation in frame.annotations]
        # No silhouette is larger than its box: it need not be drawn where so much is seen.
        if all(counts[i] > 0 and counts[i] >= least * areas[i] for i in ids):
            return list(ids)
        measured = measure(frame, self._renderer.full_masks(spec, 3, frame.instance)).annotations
        return [i for i in ids if counts[i] > 0 and (measured[i].visib_fract or 0) >= least]


def _area(annotation: Annotation, frame: Frame, model: ObjectModel) -> float:
    """Pixels that an object can cover at most, also outside of the image."""
    in_cam = apply(annotation.cam_from_obj, box_corners(model.box))
    if in_cam[:, 2].min() <= 0:
        return np.inf
    # A pixel on each side: the drawn mesh may be a coarser one.
    return float(np.prod(np.ptp(frame.camera.project(in_cam), axis=0) + 2))
