"""What a renderer adds to drawn pixels to make a Frame: the background, the annotations."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from render.frame import Annotation
from render.hand_skin import HandSkin
from render.scene import Placed, SceneSpec
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
