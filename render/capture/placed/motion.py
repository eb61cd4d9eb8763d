"""Small motions of an object on the board, and where they move what frames show of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from render.camera import Camera
from render.transforms import apply, rigid, rodrigues

FREE = 7


@dataclass(frozen=True, eq=False)
class Standing:
    """An object on the board, and how large it looks beside its mesh.

    board_from_obj: (4, 4). grown: logarithm of the size that frames show over the mesh's, about the
    middle of the box. A motion is (7,): turn about the board's axes through that middle, radians;
    shift along them, metres; change of `grown`.
    """

    board_from_obj: np.ndarray
    middle: np.ndarray  # (3,) of the object's box, object frame
    grown: float = 0.0

    @property
    def center(self) -> np.ndarray:
        """(3,) where the middle is, board frame."""
        return apply(self.board_from_obj, self.middle[None])[0]

    def place(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) points of the mesh -> (n, 3) on the board."""
        return apply(self.board_from_obj, self.middle + np.exp(self.grown) * (points - self.middle))

    def moved(self, motion: np.ndarray) -> "Standing":
        """After a motion."""
        R = rodrigues(motion[:3]) @ self.board_from_obj[:3, :3]
        pose = rigid(R, self.center + motion[3:6] - R @ self.middle)
        return Standing(pose, self.middle, self.grown + float(motion[6]))

    def motion_to(self, other: "Standing") -> np.ndarray:
        """The motion that leads to another one of the same object."""
        from scipy.spatial.transform import Rotation

        R = other.board_from_obj[:3, :3] @ self.board_from_obj[:3, :3].T
        turn = Rotation.from_matrix(R).as_rotvec()
        return np.array([*turn, *(other.center - self.center), other.grown - self.grown])

    def jacobian(
        self, camera: Camera, cam_from_board: np.ndarray, points: np.ndarray
    ) -> np.ndarray:
        """(n, 2, 7) pixels that (n, 3) points of the mesh move by a motion."""
        on_board = self.place(points)
        x, y, z = (on_board - self.center).T
        by_motion = np.zeros((len(points), 3, FREE))  # metres
        by_motion[:, 0, 1], by_motion[:, 0, 2] = z, -y
        by_motion[:, 1, 0], by_motion[:, 1, 2] = -z, x
        by_motion[:, 2, 0], by_motion[:, 2, 1] = y, -x
        by_motion[:, :, 3:6] = np.eye(3)
        by_motion[:, :, 6] = on_board - self.center
        seen = apply(cam_from_board, on_board)
        px = camera.project(seen)
        by_point = (camera.K[None, :2] - px[..., None] * camera.K[2]) / seen[:, 2, None, None]
        jacobian: np.ndarray = by_point @ cam_from_board[:3, :3] @ by_motion
        return jacobian


def middle_of(box: np.ndarray) -> np.ndarray:
    """(3,) of a (2, 3) box."""
    middle: np.ndarray = box.mean(axis=0)
    return middle


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` indices, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int)).tolist()


def spread(items: Sequence, wanted: int) -> list:
    """At most `wanted` of the items, evenly."""
    return [items[i] for i in evenly(len(items), wanted)]
