"""The colours of an object and of what surrounds it, by annotated images."""

from collections.abc import Sequence

import cv2
import numpy as np

from render.contour.colors import Colors, histogram, shares
from render.draw.renderer import Renderer
from render.formats.bop import BopImage
from render.scene.spec import Placed, SceneSpec, near_of, rows
from train.objects.twins.pair import UNSURE_RIM, visible_px

REACH = 1.5  # what surrounds an object in the images: this many times its box, each way


def learn_colors(images: Sequence[BopImage], obj_id: int, renderer: Renderer) -> Colors | None:
    """The colours of an object in annotated images, each instance with the same weight.

    Args:
        renderer: of all the meshes that the images' annotations name.

    Returns:
        None where nothing of the object is visible.
    """
    inside, around = [], []
    for image in images:
        if not any(a.obj_id == obj_id for a in image.annotations):
            continue
        rgb = image.read_rgb()
        objects = tuple(Placed(a.obj_id, rows(a.cam_from_obj)) for a in image.annotations)
        spec = SceneSpec(rows(image.camera.K), image.camera.size, objects, near=near_of(objects))
        (frame,) = renderer.render([spec])
        for i, annotation in enumerate(image.annotations):
            visible = visible_px(image, frame, i) if annotation.obj_id == obj_id else None
            if visible is None or not visible.any():
                continue
            outside = cv2.dilate(visible.astype(np.uint8), UNSURE_RIM) == 0
            window = _window(visible)
            inside.append(shares(histogram(rgb[visible])))
            around.append(shares(histogram(rgb[window][outside[window]])))
    if not inside:
        return None
    return Colors(np.mean(inside, axis=0), np.mean(around, axis=0))


def _window(visible: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around what is visible, (H, W) bool."""
    x, y, width, height = cv2.boundingRect(visible.astype(np.uint8))
    margin = round(REACH * max(width, height))
    return slice(max(y - margin, 0), y + height + margin), slice(
        max(x - margin, 0), x + width + margin
    )
