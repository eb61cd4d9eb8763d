"""The first guess at an object's pose: turns of the start, of which the best explains the views."""

from collections.abc import Sequence

import cv2
import numpy as np

from render.capture.placed.align import COARSE, MIDDLE, Round, align, learn_colors, start_at
from render.capture.placed.drawing import Drawer
from render.capture.placed.ground import Ground, see_ground
from render.capture.placed.motion import Standing, spread
from render.capture.placed.overlap import iou
from render.capture.placed.points import Clicked
from render.capture.placed.symmetry import NAME_IT, is_same, is_unseen_turn, likeness, turn_pose
from render.capture.views import BoardView
from render.contour.colors import Colors, histogram, shares
from render.errors import InputError
from render.scene.resting import hull_of
from render.transforms import rotation_angle

YAWS_DEG = (0.0, 180.0, 90.0, -90.0, 45.0, -45.0, 135.0, -135.0)
VIEWS = 8
SIZE = 128  # of windows in which silhouettes are compared
PROMISING = 4  # starts that are followed further, after the first round
EQUAL = 0.012  # of intersection over union: hypotheses that are no worse explain as much
LIKER = 0.04  # of `likeness`: by so much a surface must resemble frames better to decide


def first_guess(
    drawer: Drawer, views: Sequence[BoardView], start: np.ndarray, clicked: Clicked | None
) -> Standing:
    """The pose near a start, or turned about the board's normal, that explains the views best.

    Args:
        start: board_from_obj. clicked: points from which it came; it is then the only start.

    Raises:
        InputError: the object is in no view, or several poses explain the views equally well.
    """
    few = spread(views, VIEWS)
    if not drawer.windows(few, start, SIZE):
        raise InputError(
            f"{drawer.model.source}: would not be seen in any frame at its place on the board"
        )
    starts = _starts(drawer, start, YAWS_DEG if clicked is None else (0.0,))
    hull = hull_of(drawer.model.mesh.vertices.astype(np.float64)).vertices
    around = np.concatenate([drawer.placed(pose)[hull] for pose in starts])
    ground = see_ground(views, around)
    colors = _agreed_colors(drawer, few, starts)

    def follow(standings: Sequence[Standing], rounds: Sequence[Round]) -> list[Standing]:
        return [align(drawer, few, s, rounds, colors, clicked, ground).standing for s in standings]

    found = follow([start_at(drawer, pose) for pose in starts], COARSE[:1])
    scores = _scores(drawer, few, found, colors, ground)
    promising = [found[int(i)] for i in np.argsort(-scores, kind="stable")[:PROMISING]]
    return _choose(drawer, few, follow(promising, COARSE[1:]), colors, ground)


def _starts(drawer: Drawer, start: np.ndarray, yaws_deg: Sequence[float]) -> list[np.ndarray]:
    """A pose turned about the board's normal, without what a named symmetry makes the same."""
    middle, model = start_at(drawer, start).center, drawer.model
    kept: list[np.ndarray] = []
    for yaw in yaws_deg:
        pose = turn_pose(start, yaw, middle)
        if not any(is_same(pose, k, model.symmetries, model.diameter) for k in kept):
            kept.append(pose)
    return kept


def _agreed_colors(
    drawer: Drawer, views: Sequence[BoardView], starts: Sequence[np.ndarray]
) -> Colors:
    """Colours of what is the object by all starts, and of what is it by none."""
    windows = drawer.windows(views, starts[0], SIZE)
    masks = [drawer.masks(windows, pose) for pose in starts]
    inside, outside = [], []
    for i, window in enumerate(windows):
        here = np.array([of_start[i] for of_start in masks])
        core = here.all(axis=0) & window.within
        any_of = np.array(here.any(axis=0), np.uint8)
        beyond = (cv2.dilate(any_of, np.ones((9, 9), np.uint8)) == 0) & window.within
        if core.any() and beyond.any():
            inside.append(shares(histogram(window.rgb[core])))
            outside.append(shares(histogram(window.rgb[beyond])))
    if not inside:
        return learn_colors(windows)
    return Colors(np.mean(inside, axis=0), np.mean(outside, axis=0))


def _choose(
    drawer: Drawer,
    views: Sequence[BoardView],
    found: Sequence[Standing],
    colors: Colors,
    ground: Ground,
) -> Standing:
    """The pose that explains the views best.

    Raises:
        InputError: two that are not the same explain them equally well.
    """
    contenders = _best_of(drawer, views, found, colors, ground)
    if len(contenders) > 1:  # some may only not have arrived yet
        further = [align(drawer, views, s, MIDDLE, None, None, ground) for s in contenders]
        contenders = _best_of(drawer, views, [a.standing for a in further], colors, ground)
    if len(contenders) == 1 or _turns_freely(drawer, views, contenders[0]):
        return contenders[0]
    alike = [likeness(drawer.windows(views, s.board_from_obj, SIZE)) for s in contenders]
    first, second = np.argsort(alike)[::-1][:2]
    if alike[second] > alike[first] - LIKER:
        apart = _apart_deg(contenders[first], contenders[second])
        raise InputError(
            f"{drawer.model.source}: two poses {apart:.0f} degrees apart explain the frames equally"
            f" well; {NAME_IT}"
        )
    return contenders[first]


def _best_of(
    drawer: Drawer,
    views: Sequence[BoardView],
    found: Sequence[Standing],
    colors: Colors,
    ground: Ground,
) -> list[Standing]:
    """Those that explain the views as well as the best one, each once; the best first."""
    scores = _scores(drawer, views, found, colors, ground)
    kept: list[Standing] = []
    for i in np.argsort(-scores):
        if scores[i] >= scores.max() - EQUAL and not any(
            _alike(found[int(i)], other, drawer) for other in kept
        ):
            kept.append(found[int(i)])
    return kept


def _turns_freely(drawer: Drawer, views: Sequence[BoardView], standing: Standing) -> bool:
    """Whether the outline is that of a solid of revolution about the board's normal."""
    return is_unseen_turn(drawer, views, standing, np.array([0.0, 0, 1]))


def _alike(a: Standing, b: Standing, drawer: Drawer) -> bool:
    model = drawer.model
    return is_same(a.board_from_obj, b.board_from_obj, model.symmetries, model.diameter)


def _apart_deg(a: Standing, b: Standing) -> float:
    turn = rotation_angle(a.board_from_obj[:3, :3], b.board_from_obj[:3, :3])
    return float(np.degrees(turn))


def _scores(
    drawer: Drawer,
    views: Sequence[BoardView],
    found: Sequence[Standing],
    colors: Colors,
    ground: Ground,
) -> np.ndarray:
    """(n,) median intersection over union of each pose's silhouettes and what colours show."""
    scores = []
    for standing in found:
        windows = drawer.windows(views, standing.board_from_obj, SIZE)
        values = [iou(window, colors, ground) for window in windows]
        scores.append(float(np.nanmedian(values)) if values else 0.0)
    return np.array(scores)
