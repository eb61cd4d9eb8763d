"""The bones of the bundled hand: a right hand, flat, its fingers straight and a little apart.

Millimetres. The origin is the wrist, where its crease meets the axis of the middle finger's
metacarpal; x points to the little finger, y to the fingertips, z out of the back of the hand.

Places of the knuckles and lengths of the phalanges are shares of hand length and breadth:
Buchholz, Armstrong and Goldstein, "Anthropometric data for describing the kinematics of the human
hand", Ergonomics 35(3), 1992. Hand length and breadth are half way between the means of men (194
and 90 mm) and women (180 and 79 mm) of Greiner, "Hand anthropometry of U.S. Army personnel", 1991.
Depths and directions, which those do not give, are drawn from life.
"""

import numpy as np

from render.hand.model import FINGERS

HAND_LENGTH, HAND_BREADTH = 187.0, 85.0

# A finger's first joint: share of breadth to the ulnar side, share of length from the wrist.
KNUCKLES = {
    "index": (-0.251, 0.447),
    "middle": (0.0, 0.446),
    "pinky": (0.402, 0.368),
    "ring": (0.206, 0.409),
    "thumb": (-0.196, 0.073),
}
# Of length: the three bones after it, the last one to the tip of the flesh.
BONES = {
    "index": (0.245, 0.143, 0.097),
    "middle": (0.266, 0.170, 0.108),
    "pinky": (0.204, 0.117, 0.093),
    "ring": (0.244, 0.165, 0.107),
    "thumb": (0.251, 0.196, 0.158),
}

# Height of the first joint over the wrist, mm: the arch of the palm.
HEIGHTS = {"index": 1.0, "middle": 2.5, "pinky": -3.5, "ring": 0.5, "thumb": -9.0}

# Directions of the three bones, and the one towards which the finger bends.
_SPREAD_DEG = {"index": -8.0, "middle": -1.0, "pinky": 17.0, "ring": 7.0}
_THUMB_BONES = ((-0.66, 0.65, -0.38), (-0.55, 0.80, -0.25), (-0.50, 0.85, -0.18))
_THUMB_BENDS_TO = (0.70, 0.40, -0.59)


def directions(finger: str) -> np.ndarray:
    """(3, 3) unit directions of a finger's bones."""
    if finger == "thumb":
        bones = np.array(_THUMB_BONES)
        return bones / np.linalg.norm(bones, axis=1, keepdims=True)
    spread = np.radians(_SPREAD_DEG[finger])
    return np.tile([np.sin(spread), np.cos(spread), 0.0], (3, 1))


def flexion_axes() -> np.ndarray:
    """(16, 3) unit axes, in the rest frame, about which a positive angle bends a joint."""
    axes = [np.array([-1.0, 0.0, 0.0])]
    for finger in FINGERS:
        bends_to = _THUMB_BENDS_TO if finger == "thumb" else (0.0, 0.0, -1.0)
        axes.extend(np.cross(directions(finger), bends_to))
    stacked = np.array(axes)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def joints() -> tuple[np.ndarray, np.ndarray]:
    """Joints (16, 3) in the order of `render.hand.model.JOINTS`, and fingertips (5, 3), mm."""
    places, tips = [np.zeros(3)], []
    for finger in FINGERS:
        across, along = KNUCKLES[finger]
        knuckle = np.array([across * HAND_BREADTH, along * HAND_LENGTH, HEIGHTS[finger]])
        lengths = np.array(BONES[finger])[:, None] * HAND_LENGTH
        ends = knuckle + np.cumsum(lengths * directions(finger), axis=0)
        places += [knuckle, *ends[:2]]
        tips.append(ends[2])
    return np.array(places), np.array(tips)
