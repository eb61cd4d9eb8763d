"""How well a drawn silhouette covers what a frame shows of the object."""

import cv2
import numpy as np

from render.capture.placed.align import log_odds
from render.capture.placed.drawing import Window
from render.capture.placed.ground import Ground
from render.contour.colors import Colors

NEAR = 0.12  # of a silhouette's size: no further from it is looked at for what colours show
UNSURE = 1.5  # log odds: a colour that says less, as white before white paper, says nothing
TOLD = 0.2  # of a silhouette's pixels at least must say something for the others not to count


def iou(window: Window, colors: Colors, ground: Ground | None) -> float:
    """Intersection over union of what is drawn and what colours show, near to what is drawn.

    Pixels that could be either do not count, unless nearly all could.
    """
    said = cv2.GaussianBlur(log_odds(window, colors, ground), (0, 0), 1.0)
    mask = window.mask
    area = int(np.count_nonzero(mask))
    if not area:
        return float("nan")
    reach = max(3, round(NEAR * np.sqrt(area)))
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    near = (cv2.dilate(mask.astype(np.uint8), kernel) > 0) & window.within
    # Holes within the object, of a colour that the ground has too, are not told from it.
    shown = _filled((said > 0) & near) & near
    counts = np.abs(said) > UNSURE
    if np.count_nonzero(mask & counts) < TOLD * area:
        counts = np.ones_like(mask)
    both = int((mask & shown & counts).sum())
    either = int((((mask & near) | shown) & counts).sum())
    return both / max(either, 1)


def _filled(shown: np.ndarray) -> np.ndarray:
    """What is enclosed belongs to it, specks do not."""
    opened = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    loops, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(opened), loops, -1, 1, cv2.FILLED) > 0
