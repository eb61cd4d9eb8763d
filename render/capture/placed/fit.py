"""An object's pose on the board by all frames: the first guess refined, what they say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from render.capture.placed.align import (
    FINE,
    MIDDLE,
    Aligned,
    align,
    learn_colors,
)
from render.capture.placed.drawing import Drawer
from render.capture.placed.first_guess import LIKER, first_guess
from render.capture.placed.ground import Ground, see_ground
from render.capture.placed.motion import spread
from render.capture.placed.overlap import iou
from render.capture.placed.points import Clicked
from render.capture.placed.symmetry import (
    NAME_IT,
    axis_in_words,
    is_unseen_turn,
    likeness,
    names_axis,
    turn_by_likeness,
    weakest_axis,
)
from render.capture.views import BoardView
from render.contour.colors import Colors
from render.errors import InputError
from render.scene.resting import hull_of

SOME_VIEWS, MOST_VIEWS = 24, 60  # of the first rounds; of the last ones
SIZE = 128  # of windows in which silhouettes are compared


@dataclass(frozen=True, eq=False)
class Fitted:
    """An object's pose on the board, and what the frames say of it.

    iou: (n,) of each view; NaN where the object is not seen. ground, colors: what the pose was
    found by. unsure_deg, unsure_mm: one standard deviation of the least known turn and shift, by
    the contours alone; a turn about a named axis does not count. likeness: -1 to 1.
    """

    aligned: Aligned
    iou: np.ndarray
    ground: Ground
    colors: Colors
    unsure_deg: float
    unsure_mm: float
    likeness: float

    @property
    def board_from_obj(self) -> np.ndarray:
        """(4, 4) metres."""
        return self.aligned.standing.board_from_obj

    @property
    def size_off(self) -> float:
        """Share by which the object looks larger than its mesh."""
        return float(np.expm1(self.aligned.standing.grown))


def fit_object(
    drawer: Drawer,
    views: Sequence[BoardView],
    start: np.ndarray,
    clicked: Clicked | None = None,
) -> Fitted:
    """Find the pose near a start that explains all views.

    Args:
        start: board_from_obj; without clicked points its turn about the board's normal is not
            relied on.
        clicked: points that a person has found.

    Raises:
        InputError: the object is in no view, or several poses explain the views equally well.
    """
    chosen = first_guess(drawer, views, start, clicked)
    hull = hull_of(drawer.model.mesh.vertices.astype(np.float64)).vertices
    ground = see_ground(views, drawer.placed(chosen.board_from_obj)[hull])
    some, many = spread(views, SOME_VIEWS), spread(views, MOST_VIEWS)
    chosen = align(drawer, some, chosen, MIDDLE, None, clicked, ground).standing
    aligned = align(drawer, many, chosen, FINE, None, clicked, ground)
    axis = weakest_axis(aligned.information)
    if clicked is None and not names_axis(drawer.model.info, aligned.standing.board_from_obj, axis):
        aligned = _turned_right(drawer, many, aligned, axis)
    return _described(drawer, views, aligned, ground)


def _turned_right(
    drawer: Drawer, views: Sequence[BoardView], aligned: Aligned, axis: np.ndarray
) -> Aligned:
    """The pose turned, where contours do not show its turn about an axis, by its surface.

    Raises:
        InputError: neither does the surface show it.
    """
    standing = aligned.standing
    if not is_unseen_turn(drawer, views, standing, axis):
        return aligned
    found, lead = turn_by_likeness(drawer, views, standing, axis)
    if lead < LIKER:
        raise InputError(
            f"{drawer.model.source}: looks the same however it is turned about its axis"
            f" {axis_in_words(standing.board_from_obj, axis)}; {NAME_IT}"
        )
    return Aligned(found, aligned.information, aligned.frame_rms_px, aligned.lines)


def _described(
    drawer: Drawer, views: Sequence[BoardView], aligned: Aligned, ground: Ground
) -> Fitted:
    """What all views say of a pose."""
    standing = aligned.standing
    by_view, windows = np.full(len(views), np.nan), []
    for i, view in enumerate(views):
        found = drawer.windows([view], standing.board_from_obj, SIZE)
        windows += [(i, window) for window in found]
    colors = learn_colors([window for _, window in windows])
    for i, window in windows:
        by_view[i] = iou(window, colors, ground)
    turn, shift = _unsure(drawer, aligned)
    alike = likeness([window for _, window in windows])
    return Fitted(aligned, by_view, ground, colors, turn, shift, alike)


def _unsure(drawer: Drawer, aligned: Aligned) -> tuple[float, float]:
    """Degrees and mm: one standard deviation of the least known turn and shift."""
    pose, information = aligned.standing.board_from_obj, aligned.information
    held = information + 1e-9 * np.trace(information) / 7 * np.eye(7) + 1e-9 * np.eye(7)
    cov = np.linalg.inv(held)
    turns, axes = np.linalg.eigh(cov[:3, :3])
    told = [
        float(turn)
        for turn, axis in zip(turns, axes.T, strict=True)
        if not names_axis(drawer.model.info, pose, axis)
    ]
    shift = float(np.linalg.eigvalsh(cov[3:6, 3:6])[-1])
    return float(np.degrees(np.sqrt(max(told)))), 1000 * float(np.sqrt(shift))
