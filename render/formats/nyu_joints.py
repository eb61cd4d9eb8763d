"""NYU's 36 joints: their names, the bones that carry them, and which 14 are evaluated.

They are no anatomical joints: each is the centre of a sphere fixed to one bone of the hand model
(LibHand's) that the labels were made with (Tompson et al., "Real-Time Continuous Pose Recovery of
Human Hands Using Convolutional Networks", ACM TOG 2014). F1 is the pinky, F4 the index finger; KNU1
is carried by the proximal, KNU2 by the middle, KNU3 by the distal phalanx (of the thumb, by the
metacarpal and the two phalanges), A lies nearer to the fingertip than B.
"""

import numpy as np

from render.camera import Camera
from render.formats.nyu import EVALUATED as EVALUATED_IDS

DIGITS = {"F1": "pinky", "F2": "ring", "F3": "middle", "F4": "index", "TH": "thumb"}

# joint_data.mat's joint_names, by id.
NYU_JOINTS = (
    *(f"{digit}_KNU{bone}_{end}" for digit in DIGITS for bone in (3, 2, 1) for end in "AB"),
    *(f"PALM_{i}" for i in range(1, 7)),
)

# The evaluated ones, in the order of `render.formats.nyu.JOINTS`: two of each finger, three of
# the thumb, the wrist's ulnar and radial side, the palm.
EVALUATED = tuple(NYU_JOINTS[i] for i in EVALUATED_IDS)

# The labels' own focal length: only with it are the wrist and palm of the test labels rigid, to
# 0.0005 mm. Published scores take 588.03 for fx (`render.formats.nyu.CAMERA`). So a hand is fitted,
# and its twin drawn, with this one: pixels and depths then agree with the labels to the last digit.
LABEL_CAMERA = Camera(np.array([[587.07, 0, 320], [0, 587.07, 240], [0, 0, 1]]), 640, 480)

# One person each; a person's hand keeps its shape.
TEST_SUBJECTS = (slice(0, 2440), slice(2440, None))


def lift_labels(uvd: np.ndarray, camera: Camera = LABEL_CAMERA) -> np.ndarray:
    """NYU's labels in the camera frame, y down: (..., 3) px, px, mm -> (..., 3) metres."""
    uvd = np.asarray(uvd, np.float64)
    uv1 = np.concatenate([uvd[..., :2], np.ones_like(uvd[..., 2:])], axis=-1)
    return uv1 @ np.linalg.inv(camera.K).T * uvd[..., 2:] / 1000


def label_uvd(points_m: np.ndarray) -> np.ndarray:
    """Undo `lift_labels`: (..., 3) metres before LABEL_CAMERA -> px, px, mm."""
    return np.concatenate([LABEL_CAMERA.project(points_m), 1000 * points_m[..., 2:]], axis=-1)
