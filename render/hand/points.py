"""Named points fixed to a hand's bones, where a pose puts them, and how they move with it."""

from dataclasses import dataclass

import numpy as np

from render.hand.model import POINTS, HandModel, forward_kinematics, shaped
from render.hand.pose import HandAngles, angle_rotations
from render.transforms import apply

EXACT = 1e-4  # metres: loose enough to be computed with


@dataclass(frozen=True, eq=False)
class BonePoints:
    """K points, each fixed to one bone of a hand model.

    names: (K,). bones: (K,) int, the joint whose frame carries each. places: (K, 3) metres, where
    it is in the rest pose. directions: (K, 3, S), what one unit of each shape coefficient adds.
    loose: (K,) metres, above 0, how far from its place the point of a person may be expected.
    """

    names: tuple[str, ...]
    bones: np.ndarray
    places: np.ndarray
    directions: np.ndarray
    loose: np.ndarray

    def subset(self, names: tuple[str, ...]) -> "BonePoints":
        """The points of these names, in this order. ValueError: one is unknown."""
        chosen = [self.names.index(name) for name in names]
        return BonePoints(
            names, self.bones[chosen], self.places[chosen], self.directions[chosen],
            self.loose[chosen],
        )  # fmt: skip


def model_points(model: HandModel) -> BonePoints:
    """The joints and fingertips of the model itself: `render.hand.model.POINTS`."""
    tips, J = model.tips, len(model.joints)
    return BonePoints(
        POINTS,
        np.concatenate([np.arange(J), model.weights[tips].argmax(axis=1)]),
        np.concatenate([model.joints, model.vertices[tips]]),
        np.concatenate([model.joint_directions, model.shape_directions[tips]]),
        np.full(J + len(tips), EXACT),
    )


def posed_points(
    model: HandModel,
    points: BonePoints,
    pose: np.ndarray,
    shape: np.ndarray,
    cam_from_hand: np.ndarray,
) -> np.ndarray:
    """(B, K, 3) metres: points on hands, given as to `render.hand.model.pose_hand`."""
    joints = shaped(model, shape)[1]
    cam_from_joint = cam_from_hand[:, None] @ forward_kinematics(joints, model.parents, pose)
    places = points.places + np.einsum("kis,bs->bki", points.directions, shape)
    arms = places - joints[:, points.bones]
    return apply(cam_from_joint[:, points.bones], arms[..., None, :])[..., 0, :]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where N hands are and how they are bent.

    R: (N, 3, 3), of cam_from_hand. wrist: (N, 3) metres, in the camera frame. angles: (N, D).
    """

    R: np.ndarray
    wrist: np.ndarray
    angles: np.ndarray

    def __getitem__(self, frames: np.ndarray | slice) -> "Placement":
        return Placement(self.R[frames], self.wrist[frames], self.angles[frames])


class PointKinematics:
    """Points of one hand shape as a function of where it is and how it is bent.

    The derivatives are the geometric ones: a joint's angle moves every point beyond it about the
    angle's axis, at right angles to the arm.
    """

    def __init__(
        self, model: HandModel, hand: HandAngles, points: BonePoints, shape: np.ndarray
    ) -> None:
        self.hand, self.points = hand, points
        self.parents = np.asarray(model.parents)
        self.joints = model.joints + model.joint_directions @ shape  # (J, 3)
        self.joint_directions = model.joint_directions  # (J, 3, S)
        self.places = points.places + points.directions @ shape  # (K, 3)
        self.angles_of = [np.flatnonzero(hand.joints == j) for j in range(len(self.joints))]

        carries = np.zeros((len(hand.joints), len(points.bones)), bool)
        for k, bone in enumerate(points.bones):
            while bone >= 0:
                carries[hand.joints == bone, k] = True
                bone = self.parents[bone]
        self.moving_angle, self.moved_point = np.nonzero(carries)

    def pose(self, at: Placement) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotations (J, N, 3, 3) and places (J, N, 3) of joints, and axes (D, N, 3) of angles."""
        turns = np.moveaxis(angle_rotations(self.hand, at.angles), 1, 0)
        axes = np.empty((len(turns), len(at.wrist), 3))
        R, X = [at.R], [at.wrist]
        for j, parent in enumerate(self.parents[1:], start=1):
            X.append(X[parent] + R[parent] @ (self.joints[j] - self.joints[parent]))
            turned = R[parent]
            for d in self.angles_of[j]:
                axes[d] = turned @ self.hand.axes[d]
                turned = turned @ turns[d]
            R.append(turned)
        return np.array(R), np.array(X), axes

    def locate(self, at: Placement) -> np.ndarray:
        """The points in the camera frame, (N, K, 3) metres."""
        R, X, _ = self.pose(at)
        return self._points(R, X)

    def locate_and_differentiate(self, at: Placement) -> tuple[np.ndarray, np.ndarray]:
        """The points, and their (N, K, 3, 6 + D) derivatives.

        By the turn of the hand about its wrist (camera axes, radians), its shift (metres), and each
        angle.
        """
        R, X, axes = self.pose(at)
        points = self._points(R, X)
        N, K = points.shape[:2]
        J = np.zeros((N, K, 3, 6 + len(axes)))
        arms = points - at.wrist[:, None]
        J[..., 0, 1], J[..., 0, 2] = arms[..., 2], -arms[..., 1]  # columns: axis x arm
        J[..., 1, 0], J[..., 1, 2] = -arms[..., 2], arms[..., 0]
        J[..., 2, 0], J[..., 2, 1] = arms[..., 1], -arms[..., 0]
        J[..., [0, 1, 2], [3, 4, 5]] = 1

        d, k = self.moving_angle, self.moved_point
        arms = np.moveaxis(points, 1, 0)[k] - X[self.hand.joints[d]]
        J[:, k, :, 6 + d] = _cross(axes[d], arms)
        return points, J

    def by_shape(self, at: Placement) -> np.ndarray:
        """Derivatives (N, K, 3, S + 3K) of the points by shape and by each point's place."""
        R, _, _ = self.pose(at)
        moved = [np.zeros((len(at.wrist), *self.joint_directions.shape[1:]))]
        for j, parent in enumerate(self.parents[1:], start=1):
            bone = self.joint_directions[j] - self.joint_directions[parent]
            moved.append(moved[parent] + R[parent] @ bone)

        K, S = len(self.points.bones), self.joint_directions.shape[2]
        J = np.zeros((len(at.wrist), K, 3, S + 3 * K))
        for k, bone in enumerate(self.points.bones):
            arm = self.points.directions[k] - self.joint_directions[bone]
            J[:, k, :, :S] = moved[bone] + R[bone] @ arm
            J[:, k, :, S + 3 * k : S + 3 * k + 3] = R[bone]
        return J

    def _points(self, R: np.ndarray, X: np.ndarray) -> np.ndarray:
        bones = self.points.bones
        arms = (self.places - self.joints[bones])[:, None, :, None]
        return np.moveaxis(X[bones] + (R[bones] @ arms)[..., 0], 0, 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """np.cross for (..., 3), written out: several times as fast on long stacks."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )
