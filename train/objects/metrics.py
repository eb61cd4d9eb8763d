"""Errors of an object's estimated pose. Numpy only; metres, pixels and radians.

Poses are (4, 4) `cam_from_obj`, points (n, 3) in the object's frame, symmetries (s, 4, 4)
`obj_from_obj` that leave the object unchanged, the identity among them. Where an error is an image
distance, a point at or behind the camera makes it infinite.

Sources: ADD and ADI, Hinterstoisser et al., ACCV 2012; 2D projection, Brachmann et al., CVPR 2016;
VSD, MSSD, MSPD and their thresholds, Hodan et al., ECCV 2020 workshops (BOP Challenge 2020).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from render.camera import Camera
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.mesh.symmetry import symmetry_transforms
from render.transforms import apply, rotation_angle

IDENTITY = np.eye(4)[None]

MSSD_THRESHOLDS = tuple(np.arange(1, 11) * 0.05)  # of the diameter
MSPD_THRESHOLDS = tuple(np.arange(1, 11) * 5.0)  # px, in an image 640 px wide
VSD_TAUS = tuple(np.arange(1, 11) * 0.05)  # of the diameter
VSD_THRESHOLDS = tuple(np.arange(1, 11) * 0.05)
VSD_DELTA = 0.015  # metres
SYMMETRY_STEPS = (
    315  # of a turn, in MSSD and MSPD: ceil(pi / 0.01), bop_toolkit's max_sym_disc_step
)

CHUNK = 1 << 16  # numbers worked on at once: they stay in the processor's cache


@dataclass(frozen=True)
class PoseErrors:
    """How far one pose is from a true one.

    add: metres, ADI for an object with symmetries. proj_px, corner_px: pixels of the full image.
    rotation: radians. translation, mssd: metres. mspd_640: MSPD in px, in an image scaled to 640 px
    width. vsd: one value for each of VSD_TAUS; None where there is no depth to compare with.
    """

    add: float
    proj_px: float
    corner_px: float
    rotation: float
    translation: float
    mssd: float
    mspd_640: float
    vsd: tuple[float, ...] | None = None


def pose_errors(est: np.ndarray, gt: np.ndarray, model: ObjectModel, camera: Camera) -> PoseErrors:
    """All errors of a pose that need no depth image, over the model's vertices and symmetries."""
    points, symmetries = model.mesh.vertices.astype(np.float64), model.symmetries
    fine = _bop_symmetries(model)
    distance = adi if len(symmetries) > 1 else add
    rotation, translation = rotation_translation_error(est, gt, symmetries)
    return PoseErrors(
        add=distance(est, gt, points),
        proj_px=projection_error(est, gt, points, camera, symmetries),
        corner_px=corner_error(est, gt, box_corners(model.box), camera, symmetries),
        rotation=rotation,
        translation=translation,
        mssd=mssd(est, gt, points, fine),
        mspd_640=mspd(est, gt, points, camera, fine) * 640 / camera.width,
    )


def add(est: np.ndarray, gt: np.ndarray, points: np.ndarray) -> float:
    """Mean distance between the points under the two poses, metres."""
    return float(np.linalg.norm(apply(est, points) - apply(gt, points), axis=1).mean())


def adi(est: np.ndarray, gt: np.ndarray, points: np.ndarray) -> float:
    """Mean distance of each true point to the nearest estimated one, metres."""
    distances, _ = cKDTree(apply(est, points)).query(apply(gt, points))
    return float(distances.mean())


def mssd(est: np.ndarray, gt: np.ndarray, points: np.ndarray, symmetries: np.ndarray) -> float:
    """Maximum distance between the points under the two poses, metres, over the best symmetry."""
    best = np.inf
    for chunk in _chunks(gt @ symmetries, points):
        # One affine map gives the distance itself: exact even where it all but vanishes.
        offset = est - chunk  # (c, 4, 4)
        difference = offset[:, :3, :3] @ points.T + offset[:, :3, 3:]  # (c, 3, n)
        best = min(best, float((difference**2).sum(axis=1).max(axis=1).min()))
    return float(np.sqrt(best))


def mspd(
    est: np.ndarray, gt: np.ndarray, points: np.ndarray, camera: Camera, symmetries: np.ndarray
) -> float:
    """Maximum distance between the points' projections, px, over the best symmetry."""
    distances = _projected_distances(est, gt, points, camera, symmetries)
    return min(float(chunk.max(axis=1).min()) for chunk in distances)


def projection_error(
    est: np.ndarray,
    gt: np.ndarray,
    points: np.ndarray,
    camera: Camera,
    symmetries: np.ndarray = IDENTITY,
) -> float:
    """Mean distance between the points' projections, px, over the best symmetry."""
    distances = _projected_distances(est, gt, points, camera, symmetries)
    return min(float(chunk.mean(axis=1).min()) for chunk in distances)


def corner_error(
    est: np.ndarray, gt: np.ndarray, corners: np.ndarray, camera: Camera, symmetries: np.ndarray
) -> float:
    """Mean distance between the projected (8, 3) box corners, px, over the best symmetry."""
    return projection_error(est, gt, corners, camera, symmetries)


def rotation_translation_error(
    est: np.ndarray, gt: np.ndarray, symmetries: np.ndarray = IDENTITY
) -> tuple[float, float]:
    """Angle in radians and distance in metres to the symmetric true pose of nearest rotation."""
    equivalent = gt @ symmetries  # (s, 4, 4)
    angles = rotation_angle(est[:3, :3], equivalent[:, :3, :3])
    best = int(np.argmin(angles))
    return float(angles[best]), float(np.linalg.norm(est[:3, 3] - equivalent[best, :3, 3]))


def vsd(
    depth_est: np.ndarray,
    depth_gt: np.ndarray,
    depth_test: np.ndarray,
    camera: Camera,
    diameter: float,
    delta: float = VSD_DELTA,
    taus: Sequence[float] = VSD_TAUS,
) -> np.ndarray:
    """Visible surface discrepancy as BOP has it since 2019: step cost, distances over the diameter.

    Args:
        depth_est, depth_gt: (H, W) metres, the object alone in either pose, 0 where it is not.
        depth_test: (H, W) metres, what the depth camera saw, 0 where nothing; there the object
            counts as visible.
        diameter: of the object, metres.
        delta: how far behind the seen surface a visible one may lie, metres.
        taus: the distances, over the diameter, from which on a pixel is wrong.

    Returns:
        (taus,) share of wrong pixels among all that are visible in one pose or the other.
    """
    ray_length = np.linalg.norm(camera.unproject(np.ones_like(depth_test)), axis=-1)
    est, gt, test = (ray_length * depth for depth in (depth_est, depth_gt, depth_test))

    visible_gt = (gt > 0) & ((gt - test <= delta) | (test == 0))
    visible_est = (est > 0) & ((est - test <= delta) | (test == 0) | visible_gt)
    both, either = visible_gt & visible_est, visible_gt | visible_est
    if not either.any():
        return np.ones(len(taus))

    distances = np.abs(gt[both] - est[both]) / diameter
    wrong = (distances >= np.asarray(taus)[:, None]).sum(axis=1)
    return (wrong + either.sum() - both.sum()) / either.sum()


@lru_cache(maxsize=64)
def _bop_symmetries(model: ObjectModel) -> np.ndarray:
    """(s, 4, 4) symmetries, the continuous ones in steps as fine as the benchmark's."""
    return symmetry_transforms(model.info, SYMMETRY_STEPS)


def _projected_distances(
    est: np.ndarray, gt: np.ndarray, points: np.ndarray, camera: Camera, symmetries: np.ndarray
) -> Iterator[np.ndarray]:
    """(c, n) distances in px for c symmetries at a time."""
    (estimated,) = _project(est[None], points, camera)
    for chunk in _chunks(gt @ symmetries, points):
        difference = _project(chunk, points, camera) - estimated  # (c, 2, n)
        distances = np.sqrt((difference**2).sum(axis=1))
        yield np.where(np.isnan(distances), np.inf, distances)


def _project(cam_from_obj: np.ndarray, points: np.ndarray, camera: Camera) -> np.ndarray:
    """(c, 4, 4) poses and (n, 3) points -> (c, 2, n) px, NaN at or behind the camera."""
    image_from_obj = camera.K @ cam_from_obj[:, :3]
    uvw = image_from_obj[:, :, :3] @ points.T + image_from_obj[:, :, 3:]  # (c, 3, n)
    return uvw[:, :2] / np.where(uvw[:, 2:] > 0, uvw[:, 2:], np.nan)


def _chunks(poses: np.ndarray, points: np.ndarray) -> Iterator[np.ndarray]:
    """Cut (s, 4, 4) poses so that a chunk's points stay within CHUNK numbers."""
    count = max(1, CHUNK // (3 * len(points)))
    for first in range(0, len(poses), count):
        yield poses[first : first + count]
