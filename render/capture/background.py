"""The board out of the picture, so that no network reads the pose off it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from render.scene.background import draw_background, random_crop
from render.scene.spec import Background

KINDS = ("noise", "plain")
SOFT = 0.8  # pixels: how soft the border is between object and background
RIM_PX = 1.5  # so far in the board may shine through
STREAM = 31  # of random numbers


def behind(
    kind: str, files: Sequence[Path], size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """A background for an image of (width, height): (H, W, 3) uint8.

    Args:
        kind: noise, plain, or a folder. files: the images in it, see `background_files`.
    """
    if kind == "noise":
        seed = tuple(int(x) for x in rng.integers(0, 2**31, 4))
        return draw_background(Background("noise", seed=seed), size)
    if kind == "plain":
        color = tuple(float(c) for c in rng.uniform(0, 1, 3))
        return draw_background(Background("plain", color=color), size)
    path = files[int(rng.integers(len(files)))]
    return draw_background(
        Background("image", path=str(path), crop_from_image=random_crop(rng, path, size)), size
    )


def replaced(rgb: np.ndarray, visible: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The visible object before another background, as large as it was filmed.

    Where its rim lies it is half the object, half what is behind; there the film shows some of the
    board, and the object has the colour of a little further in.

    Args:
        rgb, picture: (H, W, 3) uint8. visible: (H, W) bool.
    """
    if not visible.any():
        return picture
    share = cv2.GaussianBlur(visible.astype(np.float32), (0, 0), SOFT)[..., None]
    mixed = share * _without_rim(rgb, visible) + (1 - share) * picture
    return np.rint(mixed).astype(np.uint8)


def _without_rim(rgb: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The object's colours up to its rim and beyond; what is thinner than rims keeps its own."""
    nearest = distance_transform_edt(~visible, return_distances=False, return_indices=True)
    own = rgb[tuple(nearest)]  # beyond the rim that of its nearest pixel
    core = distance_transform_edt(visible) > RIM_PX
    if not core.any():
        return own
    away, nearest = distance_transform_edt(~core, return_indices=True)
    near = (away <= 2 * RIM_PX + 1)[..., None]
    return np.where(near, rgb[tuple(nearest)], own)
