"""Checkpoint and crops -> points -> poses."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from render.camera import Camera
from render.transforms import apply, rigid
from train.learn.checkpoint import Checkpoint
from train.objects.crops import from_crop, normalize

HALF_SURE = 0.05  # of the crop's side: points that are so far from the pose's are half believed


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was read from one crop.

    corners: (8, 2) box corners in the full image, pixels, as the network gave them, before PnP from
        them and what else it reads.
    cam_from_obj: (4, 4) pose from PnP, metres, or None where PnP found none.
    side: the crop's side in pixels of the full image.
    confidence: see `agreement`; 0 where there is no pose.
    """

    corners: np.ndarray
    cam_from_obj: np.ndarray | None
    side: float
    confidence: float


def predict_points(
    checkpoint: Checkpoint, crops: np.ndarray, device: torch.device, batch: int = 256
) -> np.ndarray:
    """Run the network on real images: (n, size, size, 3) uint8 -> (n, points, 2) in half sides."""
    net, count = checkpoint.net.to(device).eval(), len(checkpoint.object.points)
    points = []
    with torch.inference_mode():
        for first in range(0, len(crops), batch):
            images = torch.from_numpy(normalize(crops[first : first + batch]))  # (b, size, size, 3)
            images = images.permute(0, 3, 1, 2).to(device)  # (b, 3, size, size)
            points.append(net(images).float().cpu().numpy().reshape(-1, count, 2))
    return np.concatenate(points).astype(np.float64) if points else np.zeros((0, count, 2))


def predict(
    checkpoint: Checkpoint,
    crops: np.ndarray,
    crops_from_image: Sequence[np.ndarray],
    cameras: Sequence[Camera],
    device: torch.device,
) -> list[Prediction]:
    """Read poses from crops.

    Args:
        crops: (n, size, size, 3) uint8.
        crops_from_image: n affine maps (2, 3) that the crops were made with.
        cameras: n cameras of the full images.
    """
    size, points = checkpoint.crop.size, checkpoint.object.points
    predictions = []
    for read, crop_from_image, camera in zip(
        predict_points(checkpoint, crops, device), crops_from_image, cameras, strict=True
    ):
        in_image = from_crop(read, crop_from_image, size)
        side = size / float(np.sqrt(abs(np.linalg.det(crop_from_image[:, :2]))))
        pose = solve_pose(in_image, points, camera)
        sure = 0.0
        if pose is not None:
            sure = agreement(in_image, camera.project(apply(pose, points)), side)
        predictions.append(Prediction(in_image[:8], pose, side, sure))
    return predictions


def agreement(read: np.ndarray, posed: np.ndarray, side: float) -> float:
    """How well points that were read one by one are those of one object in one pose, in (0, 1].

    A network that is lost rarely says points that fit together; one that is wrong as a whole may.
    So it ranks poses of one network, and is no probability. 1 / (1 + r), r the points' mean
    distance from the pose's in units of HALF_SURE.

    Args:
        read: (n, 2) px, as the network gave them. posed: (n, 2) px, under the pose.
        side: of the crop, px.
    """
    distance = float(np.linalg.norm(read - posed, axis=-1).mean())
    return 1 / (1 + distance / (HALF_SURE * side))


def solve_pose(pixels: np.ndarray, points: np.ndarray, camera: Camera) -> np.ndarray | None:
    """Perspective-n-point: the pose under which points are seen at pixels, by least squares.

    SQPnP (Terzakis and Lourakis, ECCV 2020) refined by Levenberg-Marquardt on the pixels.

    Args:
        pixels: (n, 2), full image. points: (n, 3) metres, object frame.

    Returns:
        (4, 4) cam_from_obj, or None where no pose in front of the camera fits.
    """
    if not np.isfinite(pixels).all():
        return None
    try:
        found, rotvec, t = cv2.solvePnP(points, pixels, camera.K, None, flags=cv2.SOLVEPNP_SQPNP)
        if not found:
            return None
        rotvec, t = cv2.solvePnPRefineLM(points, pixels, camera.K, None, rotvec, t)
    except cv2.error:
        return None
    if not (np.isfinite(rotvec).all() and np.isfinite(t).all()):
        return None
    cam_from_obj = rigid(cv2.Rodrigues(rotvec)[0], t[:, 0])
    return cam_from_obj if apply(cam_from_obj, points)[:, 2].min() > 0 else None
