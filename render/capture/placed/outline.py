"""An object's outline as it is printed on the board, to be covered by the object."""

import cv2
import numpy as np

from render.errors import InputError
from render.mesh.mesh import ObjectModel
from render.transforms import apply

STEP = 0.0002  # metres of a pixel in which the outline is found, unless it were too large
MOST_PIXELS = 4000  # of the longer side
STRAIGHT = 1.0  # pixels that a line may leave out
FOOT = 0.003  # metres above the board: what is lower stands on it
SPECK = 0.01  # of the largest loop's area: smaller ones are not printed
APART = 0.02  # of the outline's area: a footprint that is so much smaller is printed too


def outline(model: ObjectModel, board_from_obj: np.ndarray) -> list[np.ndarray]:
    """The lines that show a person where the object stands.

    Its outline seen from straight above, and, where the part that touches the board is smaller,
    the outline of that too: what is 3 mm above the board or lower.

    Args:
        board_from_obj: (4, 4), see `resting_pose`.

    Returns:
        Closed polylines, (n, 2) metres on the board, the first point not repeated.

    Raises:
        InputError: something is cut out of its surface.
    """
    if model.mesh.opacity is not None:
        raise InputError(
            f"{model.source}: its surface is cut out by alpha (MASK), and an outline shows"
            " triangles; give a mesh whose triangles end where the object does"
        )
    placed = apply(board_from_obj, model.mesh.vertices.astype(np.float64))
    triangles = placed[model.mesh.faces]  # (m, 3, 3)
    low = placed[:, :2].min(axis=0)
    size = float(np.ptp(placed[:, :2], axis=0).max())
    step = max(STEP, size / MOST_PIXELS)
    whole = _covered(list(triangles[..., :2]), low, size, step)
    foot = _covered(_below(triangles, placed[:, 2].min() + FOOT), low, size, step)
    loops = _loops(whole)
    if foot.sum() < (1 - APART) * whole.sum():
        loops += _loops(foot)
    # A pixel's centre is at a whole number; the border runs through the outermost pixels' centres.
    return [low + (loop - 1) * step for loop in loops]


def _covered(polygons: list[np.ndarray], low: np.ndarray, size: float, step: float) -> np.ndarray:
    """(H, W) uint8, 1 where any of (n, 2) convex polygons is; one pixel of margin."""
    side = round(size / step) + 3
    image = np.zeros((side, side), np.uint8)
    shift = 4
    for polygon in polygons:
        px = np.round(((polygon - low) / step + 1) * (1 << shift)).astype(np.int32)
        cv2.fillConvexPoly(image, px, 1, shift=shift)
    return image


def _below(triangles: np.ndarray, height: float) -> list[np.ndarray]:
    """What of (m, 3, 3) triangles lies below a height: (n, 2) convex polygons."""
    polygons = []
    for triangle in triangles[triangles[..., 2].min(axis=1) < height]:
        kept = []
        for a, b in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
            if a[2] <= height:
                kept.append(a[:2])
            if (a[2] <= height) != (b[2] <= height):
                kept.append((a + (height - a[2]) / (b[2] - a[2]) * (b - a))[:2])
        polygons.append(np.array(kept))
    return polygons


def _loops(covered: np.ndarray) -> list[np.ndarray]:
    """The outer borders of what is covered, (n, 2) pixels, the largest first; specks left out."""
    found, _ = cv2.findContours(covered, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = sorted(found, key=cv2.contourArea, reverse=True)
    areas = [cv2.contourArea(loop) for loop in found]
    large = [loop for loop, area in zip(found, areas, strict=True) if area >= SPECK * areas[0]]
    return [cv2.approxPolyDP(loop, STRAIGHT, True)[:, 0].astype(np.float64) for loop in large]
