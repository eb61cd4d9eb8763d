"""An object's pose on the board moved until its contour lies where colours end, in all frames.

`train/objects/refine` does the same for one frame; here the camera of every frame is known, and one
pose must explain all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from render.capture.placed.drawing import Drawer, Window
from render.capture.placed.ground import Ground
from render.capture.placed.motion import FREE, Standing, middle_of
from render.capture.placed.points import Clicked, points_normal
from render.capture.views import BoardView
from render.contour.colors import Colors, histogram, shares
from render.contour.contour import contour_of, offsets
from render.contour.edge import edge_offsets, evenness
from render.transforms import apply

ALIKE = 6  # neighbouring lines err alike: so many say as much as one that errs alone
HALF_TRUSTED = 1.5  # window pixels: a line that is so far off counts half (Cauchy's weight)
STEPS = 2  # of least squares a drawing
EDGE = 2  # pixels: nearer to a frame's border, or a fold of the mask, a contour is the border's
# One standard deviation of how far a start may be off: turn, radians; shift, shares of the
# diameter; size.
UNSURE_TURN, UNSURE_SHIFT, UNSURE_SIZE = np.radians(20), 0.3, 0.05
RIM = np.ones((5, 5), np.uint8)  # two pixels of a silhouette's border that teach no colours
SAID = 2.5  # log odds of one pixel; a histogram of few frames is never surer


@dataclass(frozen=True, eq=False)
class Round:
    """size: of the windows, pixels. reach: pixels that lines look each way; None: to the edge."""

    size: int
    reach: int | None


COARSE = (Round(96, 20), Round(96, 14), Round(96, 10))
MIDDLE = (Round(128, 10), Round(192, 9), Round(192, 6))
FINE = (Round(256, 6), Round(256, None), Round(256, None), Round(256, None))


@dataclass(frozen=True, eq=False)
class Aligned:
    """A pose after its rounds.

    information: (7, 7) inverse covariance of a motion, without what was assumed of the start.
    frame_rms_px: (n,) of each frame that shows the object, pixels of the film; NaN where no line
    says anything. lines: how many lines said something, over all frames.
    """

    standing: Standing
    information: np.ndarray
    frame_rms_px: np.ndarray
    lines: int

    @property
    def rms_px(self) -> float:
        """Root mean square over the frames."""
        seen = self.frame_rms_px[np.isfinite(self.frame_rms_px)]
        return float(np.sqrt(np.mean(seen**2))) if len(seen) else float("nan")


def start_at(drawer: Drawer, board_from_obj: np.ndarray) -> Standing:
    """A pose before any round."""
    return Standing(board_from_obj, middle_of(drawer.model.box))


def learn_colors(windows: Sequence[Window]) -> Colors:
    """The colours within and around the object as it is drawn, each frame with the same weight."""
    inside, around = [], []
    for window in windows:
        mask = window.mask.astype(np.uint8)
        core = (cv2.erode(mask, RIM) > 0) & window.within
        outside = (cv2.dilate(mask, RIM, iterations=2) == 0) & window.within
        if core.any() and outside.any():
            inside.append(shares(histogram(window.rgb[core])))
            around.append(shares(histogram(window.rgb[outside])))
    if not inside:
        empty = np.zeros(shares(histogram(np.zeros((1, 3), np.uint8))).shape)
        return Colors(empty, empty)
    return Colors(np.mean(inside, axis=0), np.mean(around, axis=0))


def align(
    drawer: Drawer,
    views: Sequence[BoardView],
    start: Standing,
    rounds: Sequence[Round],
    colors: Colors | None = None,
    clicked: Clicked | None = None,
    ground: Ground | None = None,
) -> Aligned:
    """Move a pose to where all views together show the object.

    Args:
        colors: of the object and around it; None learns them anew in each round.
        clicked: points that were given, which count beside the contours.
        ground: what is behind the object, if it is known.
    """
    unsure = np.array(
        [*[UNSURE_TURN] * 3, *[UNSURE_SHIFT * drawer.model.diameter] * 3, UNSURE_SIZE]
    )
    found, normal, towards = start, np.zeros((FREE, FREE)), np.zeros(FREE)
    rms: list[float] = []
    lines = 0
    for round_ in rounds:
        windows = drawer.windows(views, found.board_from_obj, round_.size)
        known = learn_colors(windows) if colors is None else colors
        seen = [_Lines.of(window, known, ground) for window in windows]
        for _ in range(STEPS):
            normal, towards, rms, lines = np.zeros((FREE, FREE)), np.zeros(FREE), [], 0
            for part in seen:
                added, pulls, off, count = part.normal_equations(found, round_.reach)
                normal, towards, lines = normal + added, towards + pulls, lines + count
                rms.append(off)
            if clicked is not None:
                added, pulls = points_normal(clicked, found)
                normal, towards = normal + added, towards + pulls
            held = towards - start.motion_to(found) / unsure**2
            found = found.moved(np.linalg.solve(normal + np.diag(unsure**-2.0), held))
    return Aligned(found, normal, np.array(rms), lines)


def log_odds(window: Window, colors: Colors, ground: Ground | None) -> np.ndarray:
    """(S, S) float32, how much likelier each pixel shows the object, as a logarithm."""
    if ground is None:
        return colors.log_odds(window.rgb, window.mask)
    return ground.log_odds(window, colors)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines across the contour in one window.

    px: (n, 2) where it is drawn. points: (n, 3) of the mesh there. outward: (n, 2) unit.
    said: (S, S) log odds.
    """

    window: Window
    px: np.ndarray
    outward: np.ndarray
    points: np.ndarray
    said: np.ndarray

    @staticmethod
    def of(window: Window, colors: Colors, ground: Ground | None) -> "_Lines":
        contour = contour_of(window.frame)
        inside = cv2.erode(window.within.astype(np.uint8), np.ones((2 * EDGE + 1,) * 2, np.uint8))
        x, y = contour.px.astype(int).T
        kept = inside[y, x] > 0 if len(contour.px) else np.zeros(0, bool)
        said = log_odds(window, colors, ground)
        return _Lines(window, contour.px[kept], contour.outward[kept], contour.points[kept], said)

    def normal_equations(
        self, standing: Standing, reach: int | None
    ) -> tuple[np.ndarray, np.ndarray, float, int]:
        """(7, 7) and (7,) of least squares; the lines' rms in pixels of the film; their number."""
        if not len(self.px):
            return np.zeros((FREE, FREE)), np.zeros(FREE), float("nan"), 0
        window = self.window
        # Where the points are now; `grown` 0 and the pose of the drawing gave `px`.
        now = window.camera.project(apply(window.cam_from_board, standing.place(self.points)))
        offset, weight = self._offsets(now, reach)
        robust = weight / (1 + (offset / HALF_TRUSTED) ** 2) / ALIKE
        moves = standing.jacobian(window.camera, window.cam_from_board, self.points)
        across = np.einsum("nij,ni->nj", moves, self.outward)  # (n, 7) pixels outward
        weighted = robust[:, None] * across
        total = robust.sum()
        rms = float(np.sqrt(robust @ offset**2 / total)) / window.scale if total else float("nan")
        return weighted.T @ across, weighted.T @ offset, rms, int((weight > 0).sum())

    @cached_property
    def _even(self) -> np.ndarray:
        frame = self.window.frame
        assert frame.rgb is not None
        return evenness(frame.rgb, self.window.mask, self.px, self.outward)

    def _offsets(self, px: np.ndarray, reach: int | None) -> tuple[np.ndarray, np.ndarray]:
        if reach is None:
            offset, weight = edge_offsets(self.window.rgb, px, self.outward)
            return offset, weight * self._even
        return offsets(self.said, px, self.outward, reach)
