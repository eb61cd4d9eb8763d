"""What is visible of annotated objects by their poses alone, where a dataset does not say."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.errors import InputError
from render.formats.bop import BopImage
from render.formats.bop_writer import measure
from render.frame import Annotation, Frame
from render.hand.guest import HAND_ID
from render.mesh.mesh import load_models
from render.scene.spec import Placed, SceneSpec, near_of, rows

log = logging.getLogger(__name__)

CANVAS = 3  # times the image's size, as BOP counts what sticks out of it


class PoseView:
    """Draws the annotated objects of images, one image at a time; OpenGL is opened when needed.

    models: the dataset's folder of meshes. wanted: whether coordinates will be asked for.
    """

    def __init__(self, models: Path, wanted: bool = False) -> None:
        self.models, self.wanted = models, wanted
        self._known: set[int] = set()
        self._has_said = False
        self._renderer: Renderer | None = None
        self._drawn: tuple[BopImage, Frame] | None = None

    def __enter__(self) -> "PoseView":
        return self

    def __exit__(self, *_: object) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def visible(self, image: BopImage, gt_id: int) -> np.ndarray:
        """(H, W) bool: where one of an image's objects is in front of all others annotated."""
        self._say_what_lacks(image)
        return self.in_front(image, gt_id)

    def in_front(self, image: BopImage, gt_id: int) -> np.ndarray:
        """The same, where the dataset says what is visible."""
        instance = self._frame(image).instance
        assert instance is not None
        return instance == gt_id + 1

    def coordinates(self, image: BopImage) -> np.ndarray:
        """(H, W, 3) float32 metres: what is seen of the objects, each in its own frame."""
        found = self._frame(image).coordinates
        assert found is not None
        return found

    def measured(self, image: BopImage) -> Sequence[Annotation]:
        """An image's annotations with boxes, counts and visib_fract."""
        if not image.annotations:
            return ()
        self._say_what_lacks(image)
        frame = self._frame(image)
        assert self._renderer is not None
        canvas = self._renderer.full_masks(annotated_spec(image), CANVAS, frame.instance)
        return measure(frame, canvas).annotations

    def _frame(self, image: BopImage) -> Frame:
        if self._drawn is None or self._drawn[0] is not image:
            if self._renderer is None:
                self._renderer = self._open(image)
            for annotation in image.annotations:
                if annotation.obj_id == HAND_ID:
                    raise InputError(
                        f"{image.scene_dir}, image {image.im_id}: shows a hand, whose masks cannot"
                        " be drawn from its pose alone"
                    )
                if annotation.obj_id not in self._known:
                    raise InputError(f"{self.models} has no mesh of object {annotation.obj_id}")
            (frame,) = self._renderer.render([annotated_spec(image)])
            self._drawn = image, frame
        return self._drawn[1]

    def _open(self, image: BopImage) -> Renderer:
        models = load_models([self.models])
        self._known = set(models)
        return make_renderer(models, RenderConfig(coordinates=self.wanted, exact=self.wanted))

    def _say_what_lacks(self, image: BopImage) -> None:
        if not self._has_said:
            self._has_said = True
            log.warning(
                "%s: lacks masks, boxes or visib_fract of what is visible; they are drawn from the"
                " poses. What hides an object and is not annotated does not count",
                image.scene_dir,
            )


def annotated_spec(image: BopImage) -> SceneSpec:
    """All that is annotated in an image, at its pose, to be drawn with its camera."""
    objects = tuple(Placed(a.obj_id, rows(a.cam_from_obj)) for a in image.annotations)
    return SceneSpec(
        K=rows(image.camera.K), size=image.camera.size, objects=objects, near=near_of(objects)
    )
