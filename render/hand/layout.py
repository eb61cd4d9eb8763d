"""What files of hands leave unsaid: where the fingertips are, and which hand it is."""

import numpy as np

from render.hand.model import FINGERS


def find_tips(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(5,) vertices at the tips of FINGERS.

    Of the vertices (V, 3) that the last joint of a finger moves most, the one farthest along its
    last bone.
    """
    tips = []
    for i in range(len(FINGERS)):
        second, last = joints[2 + 3 * i], joints[3 + 3 * i]
        moved = np.flatnonzero(weights.argmax(axis=1) == 3 + 3 * i)
        if not len(moved):
            raise ValueError(f"no vertex belongs to the end of the {FINGERS[i]} finger")
        tips.append(moved[np.argmax(vertices[moved] @ (last - second))])
    return np.array(tips)


def find_side(joints: np.ndarray, tips: np.ndarray) -> str:
    """ "right" or "left": the thumb of a relaxed hand, tip (3,) of tips (5, 3), is in front of the
    palm, which shows whether the index finger or the little one stands to its right.
    """
    wrist, index, pinky, thumb = joints[0], joints[1], joints[7], tips[4]
    palmar = np.cross(index - wrist, pinky - wrist)
    return "right" if palmar @ (thumb - wrist) > 0 else "left"
