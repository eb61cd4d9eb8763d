"""Where an image changes across a contour that is known to two pixels: to a part of a pixel.

On a line across the contour colours go from the object's, some pixels inside, to what is behind it,
some pixels outside, and however blurred the way is, as much of it lies on either side of the
contour: R. Hanek and M. Beetz, "The contracting curve density algorithm", IJCV 2004.
"""

import cv2
import numpy as np

from render.contour.contour import along

HALF = 3  # pixels on either side of a contour across which an image is taken to change
BASE = 3  # and beyond them, whose mean is the colour of a side
NOISE = 12.0  # grey levels by which colours change anyway; edges of less say little
DRAWN = 20.0  # grey levels by which a drawn object may change beside its contour
EVEN = 0.15  # of the change from side to side: a profile that is so far from one is half trusted


def evenness(
    rgb: np.ndarray, inside: np.ndarray, px: np.ndarray, outward: np.ndarray
) -> np.ndarray:
    """How far a drawn object has one colour beside its contour, (n,) in 0..1.

    Where it has not, such as at a thin lip, an image changes at its inner edge too, and
    `edge_offsets` might take that for the contour.

    Args:
        rgb: (H, W, 3) uint8, the object drawn. inside: (H, W) bool, where it is. px, outward: as
            `edge_offsets` takes them.
    """
    k = -np.arange(0.0, HALF + BASE + 1)
    seen = along(rgb, px, outward, k).astype(np.float64)  # (n, k, 3)
    there = along(inside.astype(np.float32), px, outward, k, cv2.BORDER_CONSTANT)
    off = np.linalg.norm(seen - seen.mean(axis=1, keepdims=True), axis=-1).max(axis=1)
    weight: np.ndarray = there.min(axis=1) / (1 + (off / DRAWN) ** 2)
    return weight


def edge_offsets(
    rgb: np.ndarray, px: np.ndarray, outward: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far outward of each place of a contour the image changes from one side to the other.

    Args:
        rgb: (H, W, 3) uint8. px: (n, 2) outermost pixels of the object. outward: (n, 2) unit.

    Returns:
        (n,) offsets in pixels, at most HALF, and (n,) weights, 1 / pixels^2; small where there is
        no change, or more than one.
    """
    reach = HALF + BASE
    k = np.arange(-reach, reach + 1.0)
    # The contour is half a pixel outward of the last pixel's centre.
    seen = along(rgb, px, outward, k + 0.5).astype(np.float64)  # (n, k, 3)
    inside, outside = seen[:, :BASE].mean(axis=1), seen[:, -BASE:].mean(axis=1)
    change = inside - outside
    contrast2 = (change**2).sum(axis=-1)  # (n,)
    share = ((seen - outside[:, None]) * change[:, None]).sum(axis=-1) / (contrast2[:, None] + 1)
    middle = share[:, BASE:-BASE]  # (n, 2 HALF + 1), 1 inside and 0 outside
    offset = np.clip(middle, -0.2, 1.2).sum(axis=1) - (HALF + 0.5)
    falls = np.clip(offset[:, None] + 0.5 - np.arange(-HALF, HALF + 1.0), 0, 1)
    uneven = ((middle - falls) ** 2).mean(axis=1)
    weight = contrast2 / (contrast2 + (4 * NOISE) ** 2) / (1 + uneven / EVEN**2)
    return offset, weight * (np.abs(offset) < HALF - 0.5)
