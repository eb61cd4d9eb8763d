"""What of the object a frame shows: the drawn silhouette, less what a hand or so hides.

Each place of the object's surface has about the same colour in all frames. Where a frame has
another one, over an area that is no highlight, something stands before the object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from render.capture.placed.drawing import Drawer
from render.capture.views import BoardView

CELLS = 20  # along the longest side of the box: what is in one cell is one place of the surface
FEWEST_FRAMES = 5  # that must show a place before its colour is known
LOOSE, TIMES = 18.0, 4.0  # grey levels, and spreads, by which a colour may be off
BLUR = 0.02  # of a silhouette's size
LEAST = 0.02  # of the silhouette: what hides less is a highlight, or an edge that is a pixel off
MOST_FRAMES = 0.4  # if more of them seem hidden, colours change for another reason


@dataclass(frozen=True, eq=False)
class Visible:
    """masks: (H, W) bool of each view. hidden: (n,) share of each silhouette that is hidden.

    told: False where the film does not tell what hides the object: nothing is cut out then.
    """

    masks: list[np.ndarray]
    hidden: np.ndarray
    told: bool


def visible_masks(
    drawer: Drawer, views: Sequence[BoardView], board_from_obj: np.ndarray, cut: bool
) -> Visible:
    """The visible part of the object in each view.

    Args:
        cut: look for what hides it; otherwise whole silhouettes.
    """
    whole, cells, colors = [], [], []
    for view in views:
        (frame,) = drawer.frames([view], board_from_obj)
        assert frame.instance is not None and frame.coordinates is not None
        mask = frame.instance > 0
        whole.append(mask)
        cells.append(_cell_of(frame.coordinates[mask], drawer.model.box))
        colors.append(cv2.GaussianBlur(view.rgb, (0, 0), 1.0)[mask].astype(np.float32))
    nothing = np.zeros(len(views))
    if not cut or len(views) < FEWEST_FRAMES:
        return Visible(whole, nothing, False)
    hidden = _hidden(whole, cells, colors)
    shares = np.array([h.sum() / max(w.sum(), 1) for h, w in zip(hidden, whole, strict=True)])
    if np.mean(shares > 0) > MOST_FRAMES:
        return Visible(whole, nothing, False)
    return Visible([w & ~h for w, h in zip(whole, hidden, strict=True)], shares, True)


def _cell_of(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(n,) number of the cell that each of (n, 3) points of the mesh is in."""
    step = float((box[1] - box[0]).max()) / CELLS
    at = np.clip(((points - box[0]) / step).astype(int), 0, CELLS - 1)
    cell: np.ndarray = (at[:, 0] * CELLS + at[:, 1]) * CELLS + at[:, 2]
    return cell


def _hidden(
    whole: Sequence[np.ndarray], cells: Sequence[np.ndarray], colors: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """(H, W) bool of each view: what is before the object."""
    count = CELLS**3
    seen = np.full((len(whole), count, 3), np.nan, np.float32)
    for i, (cell, color) in enumerate(zip(cells, colors, strict=True)):
        pixels = np.bincount(cell, minlength=count)
        there = pixels > 0
        sums = np.stack([np.bincount(cell, color[:, c], count) for c in range(3)], axis=-1)
        seen[i, there] = sums[there] / pixels[there, None]
    used = np.flatnonzero(np.isfinite(seen[..., 0]).sum(axis=0) >= FEWEST_FRAMES)
    usual, spread = np.full((count, 3), np.nan, np.float32), np.full(count, np.inf, np.float32)
    for _ in range(2):  # a frame's exposure is told by the usual colours, and they by exposures
        usual[used] = np.nanmedian(seen[:, used], axis=0)
        ratio = usual[None, used].sum(axis=-1) / np.maximum(seen[:, used].sum(axis=-1), 1)
        gains = np.nanmedian(ratio, axis=1)
        gains = np.where(np.isfinite(gains), gains, 1).astype(np.float32)
        seen *= gains[:, None, None]
        colors = [color * gain for color, gain in zip(colors, gains, strict=True)]
    off = np.abs(seen[:, used] - usual[used]).max(axis=-1)
    spread[used] = np.nanmedian(off, axis=0)
    return [
        _cut_out(mask, cell, color, usual, spread)
        for mask, cell, color in zip(whole, cells, colors, strict=True)
    ]


def _cut_out(
    mask: np.ndarray, cell: np.ndarray, color: np.ndarray, usual: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """(H, W) bool, the areas of a silhouette whose colours are not the usual ones."""
    known = np.isfinite(usual[cell, 0])
    off = np.abs(color - usual[cell]).max(axis=-1)  # (n,)
    strange = np.zeros(mask.shape, np.float32)
    strange[mask] = np.where(known, off > LOOSE + TIMES * spread[cell], 0.0)
    area = int(mask.sum())
    if not area:
        return mask
    sigma = max(1.0, BLUR * np.sqrt(area))
    around = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    share = cv2.GaussianBlur(strange, (0, 0), sigma) / np.maximum(around, 1e-3)
    regions = ((share > 0.5) & mask).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(regions)
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= LEAST * area]
    return np.isin(labels, large)
