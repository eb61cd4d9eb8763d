"""The board out of the picture, so that no network reads the pose off it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from render.scene.background import draw_background, random_crop
from render.scene.spec import Background

KINDS = ("noise", "plain")
SOFT = 0.8  # pixels: how soft the border is between object and background
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
    """The visible object before another background.

    Its outermost pixel is mixed with it: there the film shows some of the board.

    Args:
        rgb, picture: (H, W, 3) uint8. visible: (H, W) bool.
    """
    inner = cv2.erode(visible.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    share = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), SOFT)
    share = np.where(visible, np.minimum(share * 1.3, 1), 0)[..., None]
    mixed = share * rgb + (1 - share) * picture
    return np.rint(mixed).astype(np.uint8)
