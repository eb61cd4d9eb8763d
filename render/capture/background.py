"""The board out of the picture, so that no network reads the pose off it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from render.capture.board import PAPERS_MM
from render.capture.board_sheet import draw_sheet, make_board
from render.scene.background import draw_background, random_crop
from render.scene.spec import Background

KINDS = ("noise", "plain")
SOFT = 0.8  # pixels: how soft the border is between object and background
RIM_PX = 1.5  # so far in the board may shine through
STREAM = 31  # of random numbers
PAPER_CHANCE = 0.5  # that a board that was never printed lies under the object
PX_PER_MM = 1.5  # of it, as it is drawn before it is seen from somewhere
INK = 0.1  # how bright black is, of white


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


def with_paper(picture: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A background on which, half the time, a board lies under the object, turned at random.

    Networks are tested and used on boards, too, and must not take white paper for a part of a white
    object; where this one lies says nothing of the object's pose.

    Args:
        picture: (H, W, 3) uint8. visible: (H, W) bool, where the object is seen.
    """
    y, x = np.nonzero(visible)
    if not len(x) or rng.random() >= PAPER_CHANCE:
        return picture
    sheet = _sheet(rng)
    height, width = sheet.shape
    extent = 1.0 + max(np.ptp(x), np.ptp(y))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width, height] / max(width, height)
    turn, tilt = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(10, 65))
    across = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    away = 1 - np.sin(tilt) * across[:, 1] / rng.uniform(4, 8)  # the camera is so far off
    seen = across * [1, np.cos(tilt)] / away[:, None] * extent * rng.uniform(1.0, 2.2)
    seen += [x.mean(), y.mean()] + rng.normal(0, 0.25 * extent, 2)
    ends = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    image_from_sheet = cv2.getPerspectiveTransform(ends.astype(np.float32), seen.astype(np.float32))
    shape = picture.shape[1::-1]
    light = sheet[..., None] * (rng.uniform(0.6, 1.0) * (1 - rng.uniform(0, 0.15, 3)))
    lit = cv2.warpPerspective(light, image_from_sheet, shape, flags=cv2.INTER_AREA)
    there = cv2.warpPerspective(np.ones_like(sheet), image_from_sheet, shape)[..., None]
    return np.rint((1 - there) * picture + 255 * there * lit).clip(0, 255).astype(np.uint8)


def _sheet(rng: np.random.Generator) -> np.ndarray:
    """(h, w) float64 of 0 to 1: a board that was never printed, some of it blank, in its ink."""
    across, down = 2 * rng.integers(3, 8) + 1, 2 * rng.integers(2, 6) + 1
    blank = int(rng.integers(1, across - 3)), int(rng.integers(1, down - 1))  # 8 corners stay
    board = make_board(str(rng.choice(list(PAPERS_MM))), (int(across), int(down)), blank=blank)
    return INK + (1 - INK) * draw_sheet(board, PX_PER_MM) / 255


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
