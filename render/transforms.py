"""Rigid transforms as (4, 4) float64 matrices in metres, named `dst_from_src`."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation


def rigid(R: ArrayLike, t: ArrayLike) -> np.ndarray:
    """Compose a (4, 4) transform from a (3, 3) rotation and a (3,) translation in metres."""
    R, t = np.asarray(R, np.float64), np.asarray(t, np.float64)
    if R.shape != (3, 3) or t.shape != (3,):
        raise ValueError(f"R must be (3, 3) and t (3,), got {R.shape} and {t.shape}")
    dst_from_src = np.eye(4)
    dst_from_src[:3, :3] = R
    dst_from_src[:3, 3] = t
    return dst_from_src


def invert(dst_from_src: np.ndarray) -> np.ndarray:
    """Invert a rigid transform: (..., 4, 4) -> (..., 4, 4)."""
    R_inverse = np.swapaxes(dst_from_src[..., :3, :3], -1, -2)
    src_from_dst = np.zeros_like(dst_from_src)
    src_from_dst[..., :3, :3] = R_inverse
    src_from_dst[..., :3, 3] = -np.einsum("...ij,...j->...i", R_inverse, dst_from_src[..., :3, 3])
    src_from_dst[..., 3, 3] = 1
    return src_from_dst


def apply(dst_from_src: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move points from src to dst: (..., 4, 4) and (..., n, 3) -> (..., n, 3)."""
    R, t = dst_from_src[..., :3, :3], dst_from_src[..., :3, 3]
    return points @ np.swapaxes(R, -1, -2) + t[..., None, :]


def rodrigues(rotvec: np.ndarray) -> np.ndarray:
    """Turn rotation vectors (..., 3), axis times angle in radians, into (..., 3, 3) matrices."""
    return Rotation.from_rotvec(rotvec).as_matrix()


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Draw a (3, 3) rotation, uniform over all rotations."""
    return Rotation.random(rng=rng).as_matrix()


def rotation_angle(R_a: np.ndarray, R_b: np.ndarray) -> np.ndarray:
    """Geodesic angle between rotations, in radians: (..., 3, 3) twice -> (...).

    Taken from both the sine and the cosine, so that it is exact near 0 and near pi alike.
    """
    R = np.swapaxes(R_a, -1, -2) @ R_b
    skew = np.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]],
        axis=-1,
    )
    return np.arctan2(np.linalg.norm(skew, axis=-1), np.trace(R, axis1=-2, axis2=-1) - 1)


def look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """cam_from_world of a camera at `eye` that looks at `target`, its image upright along `up`.

    All three are (3,) in the world frame, metres; the camera frame is OpenCV's (y down, z forward).

    Raises:
        ValueError: eye and target coincide, or the view direction is parallel to up.
    """
    forward = np.asarray(target, np.float64) - eye
    right = np.cross(forward, up)
    if np.linalg.norm(forward) < 1e-12 or np.linalg.norm(right) < 1e-12:
        raise ValueError("look_at needs eye apart from target and a view not parallel to up")
    z = forward / np.linalg.norm(forward)
    x = right / np.linalg.norm(right)
    world_from_cam = rigid(np.stack([x, np.cross(z, x), z], axis=1), np.asarray(eye))
    return invert(world_from_cam)
