"""HandModel: template, blend shapes, joints and skinning weights -> posed vertices and joints.

Arrays are laid out as MANO's, and posed in its order: shape blend, pose blend, linear blend
skinning (Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015, section 3;
Romero, Tzionas and Black, "Embodied Hands", SIGGRAPH Asia 2017). All functions take batches, and
each hand of a batch comes out as it would alone, to the last bit.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from render.transforms import rodrigues

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
JOINTS = ("wrist", *(f"{finger}{i}" for finger in FINGERS for i in (1, 2, 3)))
POINTS = (*JOINTS, *(f"{finger} tip" for finger in FINGERS))  # what `pose_hand` gives back
PARENTS = (-1, *(parent for first in range(1, 16, 3) for parent in (0, first, first + 1)))

MIRROR = np.array([-1.0, 1.0, 1.0])  # a left hand is a right hand with x reversed


@dataclass(frozen=True, eq=False)
class HandModel:
    """A hand that can be shaped and posed. Metres, in the hand's own frame.

    Joints come parents first; a hand has those of JOINTS: joint 1 of a finger is its knuckle (MCP;
    the thumb's is the CMC). Zero shape and zero pose give the template.

    side: "right" or "left". vertices: (V, 3) float64, the template. faces: (F, 3) int32.
    joints: (J, 3) float64, of the template. parents: (J,) int, -1 for the wrist.
    weights: (V, J) float64, rows sum to 1. tips: (T,) int, the vertices at the tips of FINGERS.
    shape_directions: (V, 3, S), and joint_directions: (J, 3, S): what one unit of each shape
    coefficient adds to vertices and joints (MANO's: its joint regressor times shape_directions).
    pose_directions: (V, 3, 9 (J - 1)), what each entry of R - I of each joint but the wrist adds to
    the vertices, or None. colors: (V, 3) uint8.
    """

    name: str
    side: str
    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    parents: np.ndarray
    weights: np.ndarray
    tips: np.ndarray
    shape_directions: np.ndarray
    joint_directions: np.ndarray
    pose_directions: np.ndarray | None
    colors: np.ndarray

    @property
    def shape_size(self) -> int:
        """S, the number of shape coefficients."""
        return self.shape_directions.shape[2]

    @cached_property
    def sparse_pose_directions(self) -> csr_array:
        """(3 V, 9 (J - 1)): most entries are 0, where a joint is far from a vertex."""
        assert self.pose_directions is not None
        return csr_array(self.pose_directions.reshape(3 * len(self.vertices), -1))


def shaped(model: HandModel, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (B, V, 3) and joints (B, J, 3) in the rest pose, for shapes (B, S)."""
    vertices = model.vertices + _blend(model.shape_directions, shape)
    joints = model.joints + _blend(model.joint_directions, shape)
    return vertices, joints


def forward_kinematics(joints: np.ndarray, parents: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Where each joint's frame goes; in the rest pose all are parallel to the hand's.

    Args:
        joints: (B, J, 3) in the rest pose, metres.
        parents: (J,), each before its children; -1 for the first.
        pose: (B, J, 3) axis times angle, radians, in the rest frame, relative to the parent. The
            wrist's turns the whole hand about its wrist.

    Returns:
        (B, J, 4, 4) hand_from_joint: the posed joint is its last column.
    """
    parents = np.asarray(parents)
    offsets = joints.copy()
    offsets[:, 1:] -= joints[:, parents[1:]]
    parent_from_joint = np.zeros((*joints.shape[:2], 4, 4))
    parent_from_joint[..., :3, :3] = rodrigues(pose)
    parent_from_joint[..., :3, 3] = offsets
    parent_from_joint[..., 3, 3] = 1

    hand_from_joint = parent_from_joint.copy()
    for joint, parent in enumerate(parents[1:], start=1):
        hand_from_joint[:, joint] = hand_from_joint[:, parent] @ parent_from_joint[:, joint]
    return hand_from_joint


def pose_hand(
    model: HandModel, pose: np.ndarray, shape: np.ndarray, cam_from_hand: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shape, pose and place hands.

    Args:
        pose: (B, J, 3) axis-angle, see `forward_kinematics`.
        shape: (B, S).
        cam_from_hand: (B, 4, 4).

    Returns:
        Vertices (B, V, 3) and points (B, J + T, 3) in the camera frame, metres: the joints, then
        the tips; of a hand those of POINTS.

    Raises:
        ValueError: an argument has another shape.
    """
    _check(model, pose, shape, cam_from_hand)
    vertices, joints = shaped(model, shape)
    if model.pose_directions is not None:
        bent = rodrigues(pose[:, 1:]) - np.eye(3)
        moves = [model.sparse_pose_directions @ feature for feature in bent.reshape(len(pose), -1)]
        vertices = vertices + np.reshape(moves, vertices.shape)

    cam_from_joint = cam_from_hand[:, None] @ forward_kinematics(joints, model.parents, pose)
    cam_from_rest = cam_from_joint[..., :3, :].copy()  # (B, J, 3, 4)
    cam_from_rest[..., 3] -= (cam_from_joint[..., :3, :3] @ joints[..., None])[..., 0]
    skinned = model.weights @ cam_from_rest.reshape(len(pose), -1, 12)
    skinned = skinned.reshape(len(pose), -1, 3, 4)  # (B, V, 3, 4)

    vertices = np.einsum("bvij,bvj->bvi", skinned[..., :3], vertices) + skinned[..., 3]
    points = np.concatenate([cam_from_joint[..., :3, 3], vertices[:, model.tips]], axis=1)
    return vertices, points


def mirrored(model: HandModel) -> HandModel:
    """The hand of the other side: its x reversed. It takes the pose of `mirrored_pose`."""
    pose_directions = model.pose_directions
    if pose_directions is not None:
        signs = np.tile(np.outer(MIRROR, MIRROR).reshape(-1), len(model.joints) - 1)
        pose_directions = pose_directions * MIRROR[:, None] * signs
    return dataclasses.replace(
        model,
        side="left" if model.side == "right" else "right",
        vertices=model.vertices * MIRROR,
        faces=np.ascontiguousarray(model.faces[:, ::-1]),
        joints=model.joints * MIRROR,
        shape_directions=model.shape_directions * MIRROR[:, None],
        joint_directions=model.joint_directions * MIRROR[:, None],
        pose_directions=pose_directions,
    )


def mirrored_pose(pose: np.ndarray) -> np.ndarray:
    """The same gesture, (..., 3) axis-angle, for the hand of the other side."""
    return -np.asarray(pose) * MIRROR


def hand_digest(model: HandModel) -> str:
    """16 hex digits that say whether a hand is the same, to the last bit."""
    made = hashlib.blake2b(digest_size=8)
    for field in dataclasses.fields(model):
        array = getattr(model, field.name)
        made.update(array.tobytes() if isinstance(array, np.ndarray) else str(array).encode())
    return made.hexdigest()


def _blend(directions: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """(N, 3, S) directions times (B, S) coefficients: (B, N, 3).

    One product a hand: a joint one would round differently from batch to batch.
    """
    flat = directions.reshape(-1, directions.shape[2])
    return (flat @ coefficients[..., None]).reshape(len(coefficients), -1, 3)


def _check(model: HandModel, pose: np.ndarray, shape: np.ndarray, placed: np.ndarray) -> None:
    expected = (len(pose), len(model.joints), 3), (len(pose), model.shape_size), (len(pose), 4, 4)
    got = pose.shape, shape.shape, placed.shape
    if got != expected:
        raise ValueError(f"pose, shape and cam_from_hand must be {expected}, got {got}")
