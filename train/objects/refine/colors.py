"""The colours of an object and of what surrounds it, by annotated images."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from render.draw.renderer import Renderer
from render.formats.bop import BopImage
from render.scene.spec import Placed, SceneSpec, near_of, rows
from train.objects.twins.pair import UNSURE_RIM, visible_px

BINS = 16  # of a channel
BLUR = 0.7  # bins: a colour is also seen a little brighter
FLOOR = 2e-5  # share of a colour that was never seen; an even share is 1 / BINS^3, 2.4e-4
FEWEST_PIXELS = 100  # of an image that tell what surrounds an object in it
REACH = 1.5  # what surrounds an object in the images: this many times its box, each way
UNSURE_SILHOUETTE = np.ones((9, 9), np.uint8)  # four, where it is an estimate


@dataclass(frozen=True, eq=False)
class Colors:
    """How often which colours are seen.

    inside: (BINS^3,) shares of an object's pixels. around: the same of what surrounds it.
    """

    inside: np.ndarray
    around: np.ndarray

    def log_odds(self, rgb: np.ndarray, silhouette: np.ndarray) -> np.ndarray:
        """What each pixel's colour says about whether it shows the object.

        What surrounds the object is half what was seen elsewhere, half what is seen here.

        Args:
            rgb: (H, W, 3) uint8. silhouette: (H, W) bool, where the object may be.

        Returns:
            (H, W) float32, the logarithm of how much likelier the colour is inside.
        """
        around = self.around
        outside = cv2.dilate(silhouette.astype(np.uint8), UNSURE_SILHOUETTE) == 0
        if np.count_nonzero(outside) >= FEWEST_PIXELS:
            around = (around + _shares(_histogram(rgb[outside]))) / 2
        odds = (self.inside + FLOOR) / (around + FLOOR)
        said: np.ndarray = np.log(odds).astype(np.float32)[_bin(rgb)]
        return said


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
            inside.append(_shares(_histogram(rgb[visible])))
            around.append(_shares(_histogram(rgb[window][outside[window]])))
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


def _bin(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> (...) index into a histogram."""
    r, g, b = np.moveaxis(rgb.astype(np.int64) * BINS // 256, -1, 0)
    index: np.ndarray = (r * BINS + g) * BINS + b
    return index


def _histogram(rgb: np.ndarray) -> np.ndarray:
    return np.bincount(_bin(rgb), minlength=BINS**3).astype(np.float64)


def _shares(histogram: np.ndarray) -> np.ndarray:
    """A blurred histogram that sums to one; all zero where nothing was counted."""
    blurred = gaussian_filter(histogram.reshape(BINS, BINS, BINS), BLUR, mode="nearest").ravel()
    total = blurred.sum()
    return blurred / total if total else blurred
