"""The colours of an object and of what surrounds it, counted in images, and what a pixel says."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

BINS = 16  # of a channel
BLUR = 0.7  # bins: a colour is also seen a little brighter
FLOOR = 2e-5  # share of a colour that was never seen; an even share is 1 / BINS^3, 2.4e-4
FEWEST_PIXELS = 100  # of an image that tell what surrounds an object in it
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
            around = (around + shares(histogram(rgb[outside]))) / 2
        odds = (self.inside + FLOOR) / (around + FLOOR)
        said: np.ndarray = np.log(odds).astype(np.float32)[color_bins(rgb)]
        return said


def histogram(rgb: np.ndarray) -> np.ndarray:
    """(BINS^3,) float64, how many of (..., 3) uint8 colours fall into each bin."""
    return np.bincount(color_bins(rgb).ravel(), minlength=BINS**3).astype(np.float64)


def shares(counts: np.ndarray) -> np.ndarray:
    """A blurred histogram that sums to one; all zero where nothing was counted."""
    blurred = gaussian_filter(counts.reshape(BINS, BINS, BINS), BLUR, mode="nearest").ravel()
    total = blurred.sum()
    return blurred / total if total else blurred


def color_bins(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> (...) index into a histogram."""
    r, g, b = np.moveaxis(rgb.astype(np.int64) * BINS // 256, -1, 0)
    index: np.ndarray = (r * BINS + g) * BINS + b
    return index
