"""NYU's 36 joints: their names, the bones that carry them, and which 14 are evaluated.

They are no anatomical joints: each is the centre of a sphere fixed to one bone of the hand model
(LibHand's) that the labels were made with (Tompson et al., "Real-Time Continuous Pose Recovery of
Human Hands Using Convolutional Networks", ACM TOG 2014). F1 is the pinky, F4 the index finger; KNU1
is carried by the proximal, KNU2 by the middle, KNU3 by the distal phalanx (of the thumb, by the
metacarpal and the two phalanges), A lies nearer to the fingertip than B.
"""

import numpy as np

from render.camera import Camera
from render.hand import FINGERS, JOINTS, HandModel
from render.hand_points import BonePoints
from render.nyu import EVALUATED as EVALUATED_IDS

_DIGITS = {"F1": "pinky", "F2": "ring", "F3": "middle", "F4": "index", "TH": "thumb"}

# joint_data.mat's joint_names, by id.
NYU_JOINTS = (
    *(f"{digit}_KNU{bone}_{end}" for digit in _DIGITS for bone in (3, 2, 1) for end in "AB"),
    *(f"PALM_{i}" for i in range(1, 7)),
)

# The evaluated ones, in the order of `render.nyu.JOINTS`: two of each finger, three of the thumb,
# the wrist's ulnar and radial side, the palm.
EVALUATED = tuple(NYU_JOINTS[i] for i in EVALUATED_IDS)

# The labels' own focal length: only with it are the wrist and palm of the test labels rigid, to
# 0.0005 mm. Published scores take 588.03 for fx (`render.nyu.CAMERA`). So a hand is fitted, and its
# twin drawn, with this one: pixels and depths then agree with the labels to the last digit.
LABEL_CAMERA = Camera(np.array([[587.07, 0, 320], [0, 587.07, 240], [0, 0, 1]]), 640, 480)

# One person each; a person's hand keeps its shape.
TEST_SUBJECTS = (slice(0, 2440), slice(2440, None))

# Where along its bone a point is to be expected, 0 at the near joint, 1 at the far one (or at the
# tip of the flesh, which lies one radius, 5 mm, beyond the centre of the last sphere), from the
# distances in the authors' published model. Fits shift each point from there, by about _LOOSE
# metres: little at the tips, where the flesh is known, and so the lengths of the fingers.
_ALONG = {"1B": 0.0, "1A": 0.45, "2B": 0.0, "2A": 0.45, "3B": 0.3, "3A": 0.8}
_ALONG_THUMB = _ALONG | {"3B": 0.12}
_LOOSE = {"1B": 0.005, "1A": 0.005, "2B": 0.003, "2A": 0.005, "3B": 0.005, "3A": 0.002}

# The palm's: from the middle knuckle this share of the way to the wrist, and aside by this share of
# the way from the index's to the pinky's knuckle: the published model's own triangle, on a hand.
_PALM = {
    "PALM_1": (1.15, 0.28),
    "PALM_2": (1.15, -0.28),
    "PALM_3": (0.28, 0.0),
    "PALM_4": (0.38, 0.38),
    "PALM_5": (0.58, 0.0),
    "PALM_6": (1.22, 0.0),
}
_PALM_LOOSE = 0.02


def lift_labels(uvd: np.ndarray, camera: Camera = LABEL_CAMERA) -> np.ndarray:
    """NYU's labels in the camera frame, y down: (..., 3) px, px, mm -> (..., 3) metres."""
    uvd = np.asarray(uvd, np.float64)
    uv1 = np.concatenate([uvd[..., :2], np.ones_like(uvd[..., 2:])], axis=-1)
    return uv1 @ np.linalg.inv(camera.K).T * uvd[..., 2:] / 1000


def nyu_points(model: HandModel, names: tuple[str, ...] = EVALUATED) -> BonePoints:
    """Where NYU's joints are to be expected on a hand model.

    Raises:
        ValueError: a name is not in NYU_JOINTS.
    """
    unknown = [name for name in names if name not in NYU_JOINTS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of NYU's joints: {', '.join(NYU_JOINTS)}")
    find = [_on_palm if name in _PALM else _on_finger for name in names]
    found = [f(model, name) for f, name in zip(find, names, strict=True)]
    bones, places, directions = zip(*found, strict=True)
    loose = np.array([_PALM_LOOSE if n in _PALM else _LOOSE[n[-3] + n[-1]] for n in names])
    return BonePoints(names, np.array(bones), np.array(places), np.array(directions), loose)


def _on_finger(model: HandModel, name: str) -> tuple[int, np.ndarray, np.ndarray]:
    finger, bone, end = _DIGITS[name[:2]], int(name[-3]), name[-1]
    near = JOINTS.index(f"{finger}{bone}")
    along = (_ALONG_THUMB if finger == "thumb" else _ALONG)[f"{bone}{end}"]
    if bone == 3:
        far = model.tips[FINGERS.index(finger)]
        place, directions = model.vertices[far], model.shape_directions[far]
    else:
        place, directions = model.joints[near + 1], model.joint_directions[near + 1]
    return (
        near,
        (1 - along) * model.joints[near] + along * place,
        (1 - along) * model.joint_directions[near] + along * directions,
    )


def _on_palm(model: HandModel, name: str) -> tuple[int, np.ndarray, np.ndarray]:
    wrist, index, middle, pinky = (
        JOINTS.index(joint) for joint in ("wrist", "index1", "middle1", "pinky1")
    )
    down, aside = _PALM[name]
    place, directions = (
        of[middle] + down * (of[wrist] - of[middle]) + aside * (of[pinky] - of[index])
        for of in (model.joints, model.joint_directions)
    )
    return wrist, place, directions
