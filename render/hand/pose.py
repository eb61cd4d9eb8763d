"""A hand's degrees of freedom: named joint angles, their axes and limits, and the pose they make.

Angles are anatomical: zero is the flat hand, whatever a model's rest pose is. Flexion is positive
towards the palm, abduction of fingers positive towards the thumb.

Limits: clinical ranges of motion of the American Academy of Orthopaedic Surgeons (fingers: knuckle
-45, passive, to 90 degrees, PIP 0..100, DIP 0..90, abduction 20; thumb: MCP 0..50, IP -20..80),
widened where others measured more: PIP 110 (Lin, Wu and Huang, "Modeling the constraints of human
hand motion", 2000); thumb MCP -10..60, IP to 88, 63 away from the index finger, 61 out of the palm
and 10 into it (Barakat, Field and Taylor, "The range of movement of the thumb", Hand 8, 2013: the
mean of 100 people, stretching of the MCP rounded up from 8).
Ours, for want of a source: little more than half of the knuckle's passive stretching, 5 degrees of
play behind a straight finger, 35 to the ulnar side for the pinky, and the thumb's turn about its
metacarpal and the sideways play of its MCP.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from render.hand.model import FINGERS, JOINTS, HandModel, shaped

# Degrees, by the number of the finger's joint; of one joint the outer rotation stands first.
FINGER_LIMITS_DEG = {
    (1, "flexion"): (-25.0, 90.0),
    (1, "abduction"): (-20.0, 20.0),
    (2, "flexion"): (-5.0, 110.0),
    (3, "flexion"): (-5.0, 90.0),
}
PINKY_LIMITS_DEG = FINGER_LIMITS_DEG | {(1, "abduction"): (-35.0, 20.0)}
THUMB_LIMITS_DEG = {
    (1, "radial abduction"): (-15.0, 63.0),
    (1, "palmar abduction"): (-10.0, 61.0),
    (1, "turn"): (-30.0, 30.0),
    (2, "flexion"): (-10.0, 60.0),
    (2, "abduction"): (-15.0, 15.0),
    (3, "flexion"): (-20.0, 88.0),
}
LIMITS_DEG = dict.fromkeys(FINGERS, FINGER_LIMITS_DEG) | {
    "pinky": PINKY_LIMITS_DEG,
    "thumb": THUMB_LIMITS_DEG,
}
# Lin, Wu and Huang 2000: nobody bends one without the other.
DIP_OF_PIP = 2 / 3

# Towards which the thumb's MCP and IP bend: ulnar, distal, palmar.
_THUMB_BENDS_TO = np.array([0.70, 0.40, 0.59])


@dataclass(frozen=True, eq=False)
class HandAngles:
    """The D joint angles of one hand model, radians.

    names: "index1 flexion" and so on. joints: (D,) int, the joint each angle turns. axes: (D, 3)
    unit, in the rest frame; of one joint the first angle's rotation is the outermost. rest: (D,)
    the angles of the rest pose. lower, upper: (D,) limits.
    """

    names: tuple[str, ...]
    joints: np.ndarray
    axes: np.ndarray
    rest: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def index(self, name: str) -> int:
        """Where an angle stands, by its name."""
        return self.names.index(name)


def hand_angles(model: HandModel) -> HandAngles:
    """Find the angles of a hand of `render.hand.model.JOINTS`, from its rest skeleton.

    Raises:
        ValueError: the model has other joints.
    """
    if len(model.joints) != len(JOINTS):
        raise ValueError(f"need the {len(JOINTS)} joints of a hand, got {len(model.joints)}")
    palm = _palm_axes(model)
    rows = []
    for finger in FINGERS:
        find = _thumb if finger == "thumb" else _finger
        for (number, motion), (axis, rest) in find(model, finger, palm).items():
            joint = JOINTS.index(f"{finger}{number}")
            limits_deg = LIMITS_DEG[finger][number, motion]
            rows.append((f"{finger}{number} {motion}", joint, axis, rest, limits_deg))
    names, joints, axes, rest, limits = zip(*rows, strict=True)
    lower, upper = np.radians(limits).T
    return HandAngles(names, np.array(joints), np.array(axes), np.array(rest), lower, upper)


def clamp(hand: HandAngles, angles: np.ndarray) -> np.ndarray:
    """Angles (..., D) brought into their limits."""
    return np.clip(angles, hand.lower, hand.upper)


def angle_rotations(hand: HandAngles, angles: np.ndarray) -> np.ndarray:
    """The rotation each angle alone makes, in the rest frame: (B, D) -> (B, D, 3, 3)."""
    return rotations_about(hand.axes, angles - hand.rest)


def pose_from_angles(hand: HandAngles, angles: np.ndarray) -> np.ndarray:
    """The pose of a hand, for `render.hand.model.pose_hand`, its wrist unturned.

    Args:
        angles: (B, D), radians; not clamped.

    Returns:
        (B, J, 3) axis times angle.
    """
    R = np.tile(np.eye(3), (len(angles), len(JOINTS), 1, 1))
    turns = angle_rotations(hand, angles)
    for i, joint in enumerate(hand.joints):
        R[:, joint] = R[:, joint] @ turns[:, i]
    return Rotation.from_matrix(R.reshape(-1, 3, 3)).as_rotvec().reshape(len(angles), -1, 3)


def palm_frame(model: HandModel, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of a hand's palm (3,), and the axes of its palm as columns (3, 3); hand's frame.

    x across it (of a right hand to the little finger), y to the fingertips, z out of its back.
    """
    joints = shaped(model, shape[None])[1][0]
    wrist, index, middle, pinky = (
        joints[JOINTS.index(name)] for name in ("wrist", "index1", "middle1", "pinky1")
    )
    y = (middle - wrist) / np.linalg.norm(middle - wrist)
    across = (pinky - index) * (1 if model.side == "right" else -1)
    x = across - (across @ y) * y
    x /= np.linalg.norm(x)
    return (wrist + middle) / 2, np.stack([x, y, np.cross(x, y)], axis=1)


def rotations_about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotations about fixed unit axes: (D, 3), (B, D) radians -> (B, D, 3, 3)."""
    K = np.cross(np.eye(3), axes[:, None])  # (D, 3, 3): K @ v = axis x v
    sine, versine = np.sin(angles)[..., None, None], 1 - np.cos(angles)[..., None, None]
    return np.eye(3) + sine * K + versine * (K @ K)


@dataclass(frozen=True)
class _Palm:
    """Unit directions of the palm, from its knuckles, and each finger's metacarpal in its plane."""

    ulnar: np.ndarray
    distal: np.ndarray
    palmar: np.ndarray
    metacarpals: dict[str, np.ndarray]


def _palm_axes(model: HandModel) -> _Palm:
    wrist, index, middle, pinky = (
        model.joints[JOINTS.index(name)] for name in ("wrist", "index1", "middle1", "pinky1")
    )
    distal = _unit(middle - wrist)
    ulnar = _unit(_without(pinky - index, distal))
    palmar = np.cross(distal, ulnar) * (1 if model.side == "right" else -1)

    # Metacarpals fan out from the carpus, some way in front of the wrist: by about half the angle
    # between the lines from the wrist to the knuckles.
    metacarpals = {}
    for finger in FINGERS[:4]:
        ray = _unit(_without(model.joints[JOINTS.index(f"{finger}1")] - wrist, palmar))
        metacarpals[finger] = _unit(ray + distal)
    return _Palm(ulnar, distal, palmar, metacarpals)


def _finger(
    model: HandModel, finger: str, palm: _Palm
) -> dict[tuple[int, str], tuple[np.ndarray, float]]:
    """Axis and rest angle of each motion: a finger bends in one plane, square to the palm."""
    bones = _bones(model, finger)
    flat = _unit(_without(bones[0], palm.palmar))
    bend = np.cross(flat, palm.palmar)
    radial = -bend * np.sign(bend @ palm.ulnar)
    abduct = _unit(np.cross(bones[0], radial))
    metacarpal = palm.metacarpals[finger]
    return {
        (1, "flexion"): (bend, np.arcsin(bones[0] @ palm.palmar)),
        (1, "abduction"): (abduct, _angle(metacarpal, flat, np.cross(flat, radial))),
        (2, "flexion"): (bend, _angle(bones[0], bones[1], bend)),
        (3, "flexion"): (bend, _angle(bones[1], bones[2], bend)),
    }


def _thumb(
    model: HandModel, finger: str, palm: _Palm
) -> dict[tuple[int, str], tuple[np.ndarray, float]]:
    """The same for the thumb, whose metacarpal's zero lies along that of the index finger."""
    bones = _bones(model, finger)
    bends_to = np.stack([palm.ulnar, palm.distal, palm.palmar], axis=1) @ _THUMB_BENDS_TO
    away = palm.palmar * np.sign(np.cross(palm.distal, -palm.ulnar) @ palm.palmar)
    flat = _unit(_without(bones[0], palm.palmar))
    bend = [_unit(np.cross(bone, bends_to)) for bone in bones]
    radial = -bend[1] * np.sign(bend[1] @ palm.ulnar)
    return {
        (1, "radial abduction"): (away, _angle(palm.metacarpals["index"], flat, away)),
        (1, "palmar abduction"): (np.cross(flat, palm.palmar), np.arcsin(bones[0] @ palm.palmar)),
        (1, "turn"): (bones[0] * (1 if model.side == "right" else -1), 0.0),
        (2, "flexion"): (bend[1], _angle(bones[0], bones[1], bend[1])),
        (2, "abduction"): (_unit(np.cross(bones[1], radial)), 0.0),
        (3, "flexion"): (bend[2], _angle(bones[1], bones[2], bend[2])),
    }


def _bones(model: HandModel, finger: str) -> np.ndarray:
    """(3, 3) unit directions of a finger's bones in the rest pose."""
    first = JOINTS.index(f"{finger}1")
    tip = model.vertices[model.tips[FINGERS.index(finger)]]
    chain = np.concatenate([model.joints[first : first + 3], [tip]])
    return np.array([_unit(bone) for bone in np.diff(chain, axis=0)])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _without(vector: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """What is left of a vector square to a unit vector."""
    return vector - (vector @ unit) * unit


def _angle(before: np.ndarray, after: np.ndarray, axis: np.ndarray) -> float:
    """The angle about an axis that turns one direction into another."""
    return float(np.arctan2(np.cross(before, after) @ axis, before @ after))
