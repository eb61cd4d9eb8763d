"""A drawn object's contour, and how far from it an image shows it.

As in region-based tracking (RBOT, Tjaden et al., ICCV 2017; SRT3D, Stoiber et al., IJCV 2022): on a
line across the contour, pixels whose colours speak for the object end where the contour is. Which
colours do is known of all images together, and can be seen beside each part of the contour (R.
Hanek and M. Beetz, "The contracting curve density algorithm", IJCV 2004).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import uniform_filter1d

from render.frame import Frame

SHORTEST = 20  # pixels of a contour that is more than a speck
STEP = 2  # pixels of contour from line to line
SMOOTH = np.array([1, 2, 3, 2, 1]) / 9  # the contour goes in steps of a pixel, its normal must not
SIDE = 3.0  # pixels from the contour where its two sides are told apart

MOST_SAID = 2.5  # log odds of one pixel; a histogram of few frames is never surer
NEW_SHARE = 0.3  # of what a pixel says, the pixel before it on the line has not said
JUDGED = 4  # pixels on either side of the place that was found; they say whether it is one
FARTHEST = 20  # pixels from the contour; what is farther is not beside it
NEIGHBOURS = 9  # lines that see the same two colours
BESIDE = 0.5  # of what a pixel says by them: that its colour is like them is in part said already
NOISE = 10.0  # grey levels, one standard deviation, by which a colour differs from itself


@dataclass(frozen=True, eq=False)
class Contour:
    """Lines across a contour.

    px: (n, 2) outermost pixels. outward: (n, 2) unit normals. points: (n, 3) metres, what is seen
    there, object frame.
    """

    px: np.ndarray
    outward: np.ndarray
    points: np.ndarray


def contour_of(frame: Frame) -> Contour:
    """The contour of all that a frame shows, holes included; the frame has coordinates."""
    assert frame.instance is not None and frame.coordinates is not None
    mask = (frame.instance > 0).astype(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    loops = [loop[:, 0] for loop in found if len(loop) >= SHORTEST]
    if not loops:
        return Contour(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 3)))
    px = np.concatenate(loops)[::STEP]  # (n, 2)
    outward = np.concatenate([_normals(loop) for loop in loops])[::STEP]
    # Of the two sides the one that the mask leaves.
    sign = _at(mask, px - SIDE * outward) - _at(mask, px + SIDE * outward)  # (n,)
    told = sign != 0
    px, outward = px[told], (sign[:, None] * outward)[told]
    return Contour(px.astype(np.float64), outward, frame.coordinates[px[:, 1], px[:, 0]])


def offsets(
    log_odds: np.ndarray,
    px: np.ndarray,
    outward: np.ndarray,
    reach: int,
    rgb: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """How far outward of each place of a contour the image shows it.

    A line's contour at k says: inside of k is the object, outside is not. How likely each k is, is
    what the pixels inside say together; its mean and variance are the line's. Lines without the
    object on one side and something else on the other, where something hides it, say nothing.

    Args:
        log_odds: (H, W) float32, see `Colors.log_odds`. px: (n, 2) outermost pixels of the object.
        reach: pixels that are looked at each way.
        rgb: (H, W, 3) uint8, what the log odds are of; each place then knows the colours beside it,
            too, which tell a white object from white paper by its shade.

    Returns:
        (n,) offsets in pixels, and (n,) weights, 1 / pixels^2; 0 of a line that says nothing.
    """
    k = np.arange(-reach, reach + 1.0)
    # The contour is half a pixel outward of the last pixel's centre.
    said = along(log_odds, px, outward, k + 0.5)
    said = np.clip(said, -MOST_SAID, MOST_SAID).astype(np.float64)  # (n, k)
    if rgb is not None:
        beside = BESIDE * _beside(rgb, px, outward, reach)
        said = np.clip(said + beside, -MOST_SAID, MOST_SAID)
    together = NEW_SHARE * (np.cumsum(said, axis=1) - said / 2)
    likely = np.exp(together - together.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    mean = likely @ k
    variance = likely @ k**2 - mean**2
    inside, outside = _sides(said, np.rint(mean).astype(int) + reach)
    is_contour = np.clip(inside, 0, 1) * np.clip(-outside, 0, 1)
    weight = is_contour * (np.abs(mean) < reach - 1) / (1 + variance)
    return mean, weight


def along(
    image: np.ndarray,
    px: np.ndarray,
    outward: np.ndarray,
    k: np.ndarray,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """(n, k, ...) what an image shows so many pixels (k,) outward of each of (n, 2) places."""
    at = (px[:, None] + k[:, None] * outward[:, None]).astype(np.float32)  # (n, k, 2)
    return cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=border)


def _beside(rgb: np.ndarray, px: np.ndarray, outward: np.ndarray, reach: int) -> np.ndarray:
    """(n, 2 reach + 1) log odds, within MOST_SAID, by the colours on either side of each place.

    A side's colours are taken for normally distributed, with the mean and variance that the line
    and its neighbours have from half the reach to twice the reach away: they are its own, if the
    contour is off by less than half the reach.
    """
    k = np.arange(-reach, reach + 1.0)
    outside = np.arange(reach // 2 + 1.0, min(2 * reach, FARTHEST) + 1)
    seen = along(rgb, px, outward, k + 0.5).astype(np.float64)  # (n, k, 3)
    cost = []
    for side in (-outside[::-1], outside):
        colors = along(rgb, px, outward, side + 0.5).astype(np.float64)
        mean, square = (
            uniform_filter1d((colors**power).mean(axis=1), NEIGHBOURS, axis=0, mode="wrap")[:, None]
            for power in (1, 2)
        )
        variance = np.maximum(square - mean**2, 0) + NOISE**2  # (n, 1, 3)
        cost.append(((seen - mean) ** 2 / variance + np.log(variance)).mean(axis=-1) / 2)
    return np.clip(cost[1] - cost[0], -MOST_SAID, MOST_SAID)


def _normals(loop: np.ndarray) -> np.ndarray:
    """(n, 2) unit normals of a closed chain of pixels, on either side."""
    n, before = len(loop), 4
    around = np.take(loop, np.arange(-before, n + before), axis=0, mode="wrap").astype(np.float64)
    smooth = np.stack([np.convolve(around[:, i], SMOOTH, "valid") for i in (0, 1)], axis=1)
    along = smooth[4:] - smooth[:-4]  # (n, 2)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _at(mask: np.ndarray, px: np.ndarray) -> np.ndarray:
    """Nearest values of a mask (H, W) at (n, 2) places; 0 beyond it."""
    x, y = np.rint(px).astype(int).T
    within = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    values = np.zeros(len(px), int)
    values[within] = mask[y[within], x[within]]
    return values


def _sides(said: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) mean log odds of the pixels just inside and just outside of the places found.

    Args:
        said: (n, k). found: (n,) index of the place on each line.
    """
    padded = np.pad(said, ((0, 0), (JUDGED, JUDGED)), mode="edge")
    near = np.arange(1, JUDGED + 1)
    line, place = np.arange(len(said))[:, None], found[:, None] + JUDGED
    inside = padded[line, place - near].mean(axis=1)
    return inside, padded[line, place + near].mean(axis=1)
