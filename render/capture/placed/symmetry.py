"""Turns of an object that frames do not show: symmetries of its outline that nobody named."""

from collections.abc import Sequence

import cv2
import numpy as np

from render.capture.placed.drawing import Drawer, Window
from render.capture.placed.motion import Standing, spread
from render.capture.views import BoardView
from render.transforms import rigid, rodrigues, rotation_angle

TURNS_DEG = (20.0, 50.0, 110.0)  # none of them a part of a full turn that polygons have
UNCHANGED = 0.5  # window pixels that an outline moves by where it is the same
SIZE, VIEWS = 128, 6
NAMED_DEG = 10.0  # from a named axis
SAME_DEG, SAME_SHARE = 6.0, 0.1  # of the diameter: poses that are no further apart are the same

NAME_IT = (
    "name the symmetry in a models_info.json beside the mesh, as BOP has it (symmetries_continuous,"
    " symmetries_discrete), or give --place points with points that tell"
)


def is_same(a: np.ndarray, b: np.ndarray, symmetries: np.ndarray, diameter: float) -> bool:
    """Whether two board_from_obj are the same pose, up to a symmetry and a little."""
    others = b @ symmetries  # (s, 4, 4)
    turned = np.degrees(rotation_angle(a[None, :3, :3], others[:, :3, :3]))
    moved = np.linalg.norm(others[:, :3, 3] - a[:3, 3], axis=1)
    return bool(((turned < SAME_DEG) & (moved < SAME_SHARE * diameter)).any())


def weakest_axis(information: np.ndarray) -> np.ndarray:
    """(3,) unit axis, board frame, about which a turn is known least."""
    cov = np.linalg.inv(information + 1e-6 * np.diag(np.diag(information)) + 1e-9 * np.eye(7))
    axis: np.ndarray = np.linalg.eigh(cov[:3, :3])[1][:, -1]
    return axis


def turned_about(standing: Standing, axis: np.ndarray, angle: float) -> Standing:
    """Turned about an axis (3,) of the board's frame through the middle of the object's box."""
    return standing.moved(np.array([*(angle * axis), 0, 0, 0, 0]))


def is_unseen_turn(
    drawer: Drawer, views: Sequence[BoardView], standing: Standing, axis: np.ndarray
) -> bool:
    """Whether the object's outline stays the same in all views, however it turns about an axis."""
    few = spread(views, VIEWS)
    windows = drawer.windows(few, standing.board_from_obj, SIZE)
    moved = []
    for angle in np.radians(TURNS_DEG):
        pose = turned_about(standing, axis, float(angle)).board_from_obj
        masks = drawer.masks(windows, pose)
        moved.append(np.mean([_apart(w.mask, m) for w, m in zip(windows, masks, strict=True)]))
    return bool(np.max(moved) < UNCHANGED)


def names_axis(info: dict, board_from_obj: np.ndarray, axis: np.ndarray) -> bool:
    """Whether a record of models_info.json has a continuous symmetry about an axis of the board."""
    in_obj = board_from_obj[:3, :3].T @ axis
    named = [np.array(s["axis"], np.float64) for s in info.get("symmetries_continuous", ())]
    limit = np.cos(np.radians(NAMED_DEG))
    return any(abs(in_obj @ a) / np.linalg.norm(a) > limit for a in named)


def axis_in_words(board_from_obj: np.ndarray, axis: np.ndarray) -> str:
    """An axis of the board as one of the object's."""
    in_obj = board_from_obj[:3, :3].T @ axis
    in_obj = np.round(in_obj * np.sign(in_obj[np.argmax(np.abs(in_obj))]), 2) + 0.0
    return f"[{', '.join(f'{c:g}' for c in in_obj)}]"


def likeness(windows: Sequence[Window], drawn: Sequence[np.ndarray] | None = None) -> float:
    """How well the drawn surface resembles what is seen: correlation of colours, mean over windows.

    Args:
        drawn: (S, S, 3) pictures of the object in each window; None takes the windows' own.
    """
    found = []
    for i, window in enumerate(windows):
        picture = window.frame.rgb if drawn is None else drawn[i]
        inner = cv2.erode(window.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        inner &= window.within
        if picture is None or np.count_nonzero(inner) < 100:
            continue
        a, b = (_standard(image[inner]) for image in (picture, window.rgb))
        found.append(float((a * b).mean()))
    return float(np.mean(found)) if found else 0.0


def turn_by_likeness(
    drawer: Drawer, views: Sequence[BoardView], standing: Standing, axis: np.ndarray
) -> tuple[Standing, float]:
    """The turn about an axis at which the surface looks most like the frames, and its lead.

    Returns:
        The pose, and by how much its `likeness` leads over the middle one of all turns.
    """
    few = spread(views, 2 * VIEWS)
    windows = drawer.windows(few, standing.board_from_obj, SIZE)

    def look(angle: float) -> float:
        pose = turned_about(standing, axis, angle).board_from_obj
        pictures = [frame.rgb for frame in drawer.draw(windows, pose) if frame.rgb is not None]
        return likeness(windows, pictures)

    step = np.radians(10.0)
    angles = np.arange(0, 2 * np.pi, step)
    scores = np.array([look(a) for a in angles])
    best, lead = float(angles[np.argmax(scores)]), float(scores.max() - np.median(scores))
    while step > np.radians(0.05):
        step /= 3
        near = best + step * np.arange(-2, 3)
        best = float(near[np.argmax([look(a) for a in near])])
    return turned_about(standing, axis, best), lead


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Pixels between the borders of two masks, (S, S) bool, on average."""
    border = cv2.morphologyEx(a.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float(np.count_nonzero(a != b) / max(np.count_nonzero(border) / 2, 1))


def _standard(colors: np.ndarray) -> np.ndarray:
    """(n, 3) colours, each channel about 0, all together of spread 1."""
    centred = colors - colors.mean(axis=0, dtype=np.float64)
    standard: np.ndarray = centred / max(float(np.sqrt((centred**2).mean())), 1.0)
    return standard


def turn_pose(board_from_obj: np.ndarray, angle_deg: float, at: np.ndarray) -> np.ndarray:
    """A pose turned about the board's normal through a place (3,) of the board."""
    R = rodrigues(np.array([0, 0, np.radians(angle_deg)]))
    return rigid(R, at - R @ at) @ board_from_obj
