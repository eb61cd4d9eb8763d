"""What a renderer adds to drawn pixels to make a Frame: the background, the annotations."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from render.draw.records import Part
from render.frame import Annotation
from render.hand.skin import HandSkin
from render.scene.spec import Placed, SceneSpec
from render.transforms import apply


def annotations(
    spec: SceneSpec, hands: Mapping[int, HandSkin] = MappingProxyType({})
) -> tuple[Annotation, ...]:
    """One annotation for each annotated object of a spec, in its order; of `hands` with joints."""
    return tuple(
        Annotation(p.obj_id, p.matrix, joints=_joints(p, hands))
        for p in spec.objects
        if p.annotated
    )


def _joints(placed: Placed, hands: Mapping[int, HandSkin]) -> np.ndarray | None:
    if placed.obj_id not in hands:
        return None
    points = hands[placed.obj_id].points(placed.posture)
    return apply(placed.matrix, points * np.array(placed.stretch))


def check_background(spec: SceneSpec, background: np.ndarray | None) -> None:
    """Raise ValueError if a background is not (H, W, 3) uint8 of the spec's size."""
    shape = (spec.size[1], spec.size[0], 3)
    if background is not None and (background.shape != shape or background.dtype != np.uint8):
        got = f"{background.shape} {background.dtype}"
        raise ValueError(f"a background must be {shape} uint8, got {got}")


def compose(
    color: np.ndarray,
    depth: np.ndarray,
    smooth: np.ndarray | None,
    part: Part,
    size: tuple[int, int],
    background: np.ndarray | None,
) -> np.ndarray:
    """The colour image: a drawn part of it before its background.

    Args:
        color: (h, w, 4) uint8, RGB and anything. depth: (h, w, 1), 0 where nothing is drawn.
        smooth: the same RGB, anti-aliased, as `put_before` takes it; or None.
        part: where the part lies in the image. size: (W, H) of the image.
        background: (H, W, 3) uint8, or None for black.

    Returns:
        (H, W, 3) uint8.
    """
    x, y, width, height = part
    behind = None if background is None else background[y : y + height, x : x + width]
    if smooth is not None:
        rgb = put_before(smooth, behind)
    else:
        rgb = cv2.cvtColor(color, cv2.COLOR_RGBA2RGB)
        if behind is not None:
            rgb = cv2.copyTo(behind, (depth == 0).view(np.uint8), rgb)
    if background is None:
        return embed(rgb, part, size)
    image = background.copy()
    image[y : y + height, x : x + width] = rgb
    return image


def embed(values: np.ndarray, part: Part, size: tuple[int, int]) -> np.ndarray:
    """A part (h, w, ...) of an image of size (W, H), in a new image that is 0 elsewhere."""
    x, y, width, height = part
    image = np.zeros((size[1], size[0], *values.shape[2:]), values.dtype)
    image[y : y + height, x : x + width] = values
    return image


def put_before(color: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Put drawn colour before a background.

    Args:
        color: (H, W, 4) uint8, RGB times the share of the pixel that is covered, and that share.
        background: (H, W, 3) uint8, or None for black.

    Returns:
        (H, W, 3) uint8, exactly the background's where nothing is covered.
    """
    rgb, share = cv2.cvtColor(color, cv2.COLOR_RGBA2RGB), color[..., 3]
    if background is None:
        return rgb
    rgb = cv2.copyTo(background, (share == 0).view(np.uint8), rgb)
    edge = (share > 0) & (share < 255)
    through = background[edge] * ((255 - share[edge, None]) / np.float32(255))
    rgb[edge] = np.minimum(color[edge, :3] + np.round(through), 255)
    return rgb
