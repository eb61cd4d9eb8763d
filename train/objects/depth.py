"""The depth of one object alone, which VSD compares poses by."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage
from render.mesh.mesh import ObjectModel
from render.scene.spec import Placed, SceneSpec, near_of, rows

log = logging.getLogger(__name__)

# Image positions with centres at whole numbers <- those of bop_toolkit's renderers.
HALF_PIXEL = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])

RenderDepth = Callable[[Camera, int, np.ndarray], np.ndarray]


@contextmanager
def depth_renderer(
    images: Sequence[BopImage], models: Mapping[int, ObjectModel]
) -> Iterator[RenderDepth | None]:
    """The rasteriser as a RenderDepth; None where images have no depth, or without OpenGL.

    It draws as bop_toolkit's renderers do, where the first pixel's centre lies at (0.5, 0.5).
    """
    if not all(image.has_depth for image in images):
        yield None
        return
    from render.draw.rasterizer import Rasterizer

    try:
        rasterizer = Rasterizer({obj_id: model.mesh for obj_id, model in models.items()})
    except InputError as error:
        log.warning("without VSD: %s", error)
        yield None
        return

    def render_depth(camera: Camera, obj_id: int, cam_from_obj: np.ndarray) -> np.ndarray:
        placed = Placed(obj_id, rows(cam_from_obj))
        K = HALF_PIXEL @ camera.K
        spec = SceneSpec(rows(K), camera.size, (placed,), near=near_of([placed]))
        (frame,) = rasterizer.render([spec])
        assert frame.depth is not None  # the rasteriser draws every modality
        return frame.depth

    with rasterizer:
        yield render_depth
