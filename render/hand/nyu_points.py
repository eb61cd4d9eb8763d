"""Where NYU's joints, `render.formats.nyu_joints`, are to be expected on a hand model."""

import numpy as np

from render.formats.nyu_joints import DIGITS, EVALUATED, NYU_JOINTS
from render.hand.model import FINGERS, JOINTS, HandModel
from render.hand.points import BonePoints

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
    finger, bone, end = DIGITS[name[:2]], int(name[-3]), name[-1]
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
