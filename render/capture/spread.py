"""Which of many views to keep: sharp ones, from as many sides as there are."""

from collections.abc import Sequence

import numpy as np

from render.capture.board import Board
from render.capture.lens import Lens
from render.capture.pose import BoardPose

# What counts as one step away: the side it is seen from, its turn in the image, the distance (as
# its logarithm), and where it is in the image, in shares of the image's longer side.
SIDE_DEG, TURN_DEG, DISTANCE, SHIFT = 10.0, 40.0, 0.2, 0.3
NEAREST = 0.25  # steps: what is nearer to a view that is kept shows nothing new


def spread_views(
    poses: Sequence[BoardPose], board: Board, lens: Lens, most: int
) -> list[BoardPose]:
    """At most so many views, each as far as can be from those before, sharp ones rather.

    The farthest point is taken again and again (T. Gonzalez, "Clustering to minimize the maximum
    intercluster distance", 1985), beginning with the sharpest.

    Returns:
        Some of `poses`, in their order.
    """
    if not poses:
        return []
    places = np.array([_place(pose.cam_from_board, board, lens) for pose in poses])
    sharpness = np.array([pose.seen.sharpness for pose in poses])
    worth = 0.5 + 0.5 * sharpness / max(sharpness.max(), 1e-9)
    chosen = [int(np.argmax(sharpness))]
    apart = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < most:
        best = int(np.argmax(apart * worth))
        if apart[best] < NEAREST:
            break
        chosen.append(best)
        apart = np.minimum(apart, np.linalg.norm(places - places[best], axis=1))
    return [poses[i] for i in sorted(chosen)]


def _place(cam_from_board: np.ndarray, board: Board, lens: Lens) -> np.ndarray:
    """(8,) where a view lies among all, in steps."""
    R, t = cam_from_board[:3, :3], cam_from_board[:3, 3]
    distance = np.linalg.norm(t)
    side = -R.T @ t / distance / np.radians(SIDE_DEG)
    turn = R[:2, 0] / max(np.linalg.norm(R[:2, 0]), 1e-9) / np.radians(TURN_DEG)
    middle = lens.project(t[None])[0] / max(lens.size) / SHIFT
    return np.concatenate([side, turn, [np.log(distance) / DISTANCE], middle])
