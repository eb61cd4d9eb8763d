"""A drawn object into a photograph: its rim by coverage, what is left of the real one painted out.

What stands in front of the object stays as it is.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from render.draw.renderer import Renderer
from render.frame import Frame
from render.scene.spec import SceneSpec, rows
from render.sensor.color import apply_color_sensor, through_lens
from render.sensor.spec import ColorSensor

SAMPLES = 4  # across a pixel, each way: shares are counted in sixteenths
OPAQUE = 1 - 1 / 512  # a share from which on nothing shines through, in 8 bits
INPAINT_PX = 3  # from so far a painted pixel takes its colour

Window = tuple[slice, slice]  # rows and columns of an image


@dataclass(frozen=True, eq=False)
class Layer:
    """A drawn object.

    color: (h, w, 3) uint8, its own alone; beyond its rim that of its nearest pixel. share: (h, w)
    float32, of a pixel in which it is seen, 0..1. covered: the same if nothing stood in front.
    """

    color: np.ndarray
    share: np.ndarray
    covered: np.ndarray


def alone(spec: SceneSpec, index: int) -> SceneSpec:
    """The spec with one of its objects only."""
    return replace(spec, objects=(spec.objects[index],))


def window_of(seen: np.ndarray, margin: int) -> Window:
    """The smallest window that holds all that is seen, (H, W) bool, and a margin in pixels."""
    x, y, width, height = cv2.boundingRect(seen.astype(np.uint8))
    bottom, right = min(y + height + margin, seen.shape[0]), min(x + width + margin, seen.shape[1])
    return slice(max(y - margin, 0), bottom), slice(max(x - margin, 0), right)


def draw_layer(renderer: Renderer, spec: SceneSpec, index: int, window: Window) -> Layer:
    """Draw one object, behind what is in front of it, with several samples a pixel.

    Args:
        index: into the spec's objects, all of which are annotated.
        window: (h, w), what is drawn of the image.
    """
    y, x = window
    middle = (SAMPLES - 1) / 2  # a pixel's samples lie around its centre
    fine_from_image = np.array(
        [
            [SAMPLES, 0, middle - SAMPLES * x.start],
            [0, SAMPLES, middle - SAMPLES * y.start],
        ]
    )
    width, height = SAMPLES * (x.stop - x.start), SAMPLES * (y.stop - y.start)
    camera = spec.camera.crop(fine_from_image, width, height)
    fine = replace(spec, K=rows(camera.K), size=camera.size)
    among, whole = renderer.render([fine, alone(fine, index)])
    assert among.rgb is not None and among.instance is not None and whole.instance is not None

    is_seen = among.instance == index + 1
    share = _pixel_mean(is_seen)
    color = _pixel_mean(among.rgb * is_seen[..., None]) / np.maximum(share, 1e-6)[..., None]
    color = np.rint(color).astype(np.uint8)[_nearest(share > 0)]
    return Layer(color, share, _pixel_mean(whole.instance > 0))


def in_front(
    among: Frame, whole: Frame, index: int, object_px: np.ndarray, hidden: np.ndarray
) -> np.ndarray:
    """Where something stands in front of an object, or reaches beyond its rim from there.

    Args:
        among, whole: drawings of all annotated objects, and of this one alone.
        index: of the object among the annotations.
        object_px: (H, W) bool, where it would be seen if nothing stood in front.
        hidden: (H, W) bool, where it is not, as far as the dataset knows.

    Returns:
        (H, W) bool.
    """
    assert among.instance is not None and among.depth is not None and whole.depth is not None
    other = (among.instance > 0) & (among.instance != index + 1)
    hidden = hidden | (other & (whole.depth > 0))
    # Beyond the rim the nearest pixel within decides: what hides that one goes on here.
    nearest = _nearest(object_px)
    nearer = other & (among.depth < whole.depth[nearest])
    return hidden | (~object_px & (hidden[nearest] | nearer))


def lay_over(
    rgb: np.ndarray,
    layer: Layer,
    sensor: ColorSensor,
    object_px: np.ndarray,
    kept: np.ndarray,
    halo_px: float,
) -> np.ndarray:
    """A photograph in which a layer, seen through a colour camera, takes the real object's place.

    Args:
        rgb: (h, w, 3) uint8.
        object_px: (h, w) bool, where the real object would be seen if nothing stood in front.
        kept: (h, w) bool, what stays as it is.
        halo_px: how far beyond `object_px` there may be something left of it.

    Returns:
        (h, w, 3) uint8.
    """
    behind = rgb
    if halo_px > 0:
        near = distance_transform_edt(~object_px) <= halo_px
        # By what lies beyond: not by the object, nor by what is in front of it.
        unknown = (near | kept).astype(np.uint8)
        painted = cv2.inpaint(rgb, unknown, INPAINT_PX, cv2.INPAINT_TELEA)
        shines_through = through_lens(layer.covered, sensor) < OPAQUE
        behind = np.where((near & shines_through)[..., None], painted, rgb)
    share = through_lens(np.where(kept, np.float32(0), layer.share), sensor)[..., None]
    color = apply_color_sensor(layer.color, sensor)
    mixed = np.rint(behind * (1 - share) + color * share).astype(np.uint8)
    return np.where(kept[..., None], rgb, mixed)


def _nearest(there: np.ndarray) -> tuple[np.ndarray, ...]:
    """Row and column of the nearest pixel that is there: two of (H, W)."""
    return tuple(distance_transform_edt(~there, return_distances=False, return_indices=True))


def _pixel_mean(values: np.ndarray) -> np.ndarray:
    """(SAMPLES * h, SAMPLES * w, ...) -> (h, w, ...) float32."""
    height, width = values.shape[0] // SAMPLES, values.shape[1] // SAMPLES
    samples = values.reshape(height, SAMPLES, width, SAMPLES, *values.shape[2:])
    return samples.mean(axis=(1, 3), dtype=np.float32)
