"""The camera that took a film: focal length, distortion, how surely they are known; its file."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.camera_file import read_calibration
from render.json_file import write_text

SAME_SHAPE = 0.005  # as far as a scaled image's sides are rounded, share
ZOOMS = 0.3, 2.0  # of the undistorted image, within which the lens' rims must be gone
COARSE = 0.98
RIM_STEPS = 257  # points along each side that are looked at


@dataclass(frozen=True, eq=False)
class Lens:
    """A calibrated camera with lens distortion, of images as they were taken (upright).

    K: (3, 3) float64, pixels. distortion: (5,) float64, OpenCV's k1, k2, p1, p2, k3; a calibration
    that was given may have 8, 12 or 14. size: width and height. focal_std: of fx and fy, one
    standard deviation as a share; 0 where the calibration was given. rms_px: over all corners.
    views: how many it was made from, 0 likewise.
    """

    K: np.ndarray
    distortion: np.ndarray
    size: tuple[int, int]
    focal_std: float = 0.0
    rms_px: float = 0.0
    views: int = 0

    @property
    def words(self) -> str:
        """Focal length and how surely it is known, as a line to print."""
        fx, fy = self.K[0, 0], self.K[1, 1]
        focal = f"{fx:.1f} px" if abs(fx - fy) < 0.05 else f"{fx:.1f} and {fy:.1f} px"
        if not self.views:
            return f"focal length {focal}, as given"
        return (
            f"focal length {focal} +- {100 * self.focal_std:.2f} % (one standard deviation),"
            f" corners {self.rms_px:.2f} px off (rms), from {self.views} images"
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels of points in the camera frame, as the lens bends them: (n, 3) -> (n, 2)."""
        pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), self.K, self.distortion)
        return pixels.reshape(-1, 2)

    def scaled(self, size: tuple[int, int], where: str) -> "Lens":
        """The lens of images that were scaled to another size.

        Raises:
            InputError: they are of another shape, so that they are not of this camera, or cut.
        """
        if size == self.size:
            return self
        across, down = (new / old for new, old in zip(size, self.size, strict=True))
        if abs(across / down - 1) > SAME_SHAPE:
            hint = "; the camera was held otherwise" if size == self.size[::-1] else ""
            raise InputError(
                f"{where}: is of images of {self.size[0]}x{self.size[1]}, these have"
                f" {size[0]}x{size[1]}{hint}; give a calibration of such images, or leave it"
            )
        # Pixel centres are at integers: a pixel's corner, at -0.5, stays in its place.
        scale = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
        return replace(self, K=scale @ self.K, size=size)


class Straightener:
    """Takes a lens' distortion out of images.

    camera: of the straight images, which have the size of those that were taken. They show no rim:
    what is drawn is wholly within what was taken, at the least zoom for which that is so.
    """

    def __init__(self, lens: Lens) -> None:
        """
        Raises:
            InputError: the distortion is no lens', for which there is no such image.
        """
        self._lens = lens
        self.camera = _straight_camera(lens)
        self._maps = cv2.initUndistortRectifyMap(
            lens.K, lens.distortion, np.eye(3), self.camera.K, lens.size, cv2.CV_32FC1
        )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 as taken -> as a pinhole camera would have."""
        return cv2.remap(
            image, *self._maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )  # fmt: skip


def read_lens(path: Path) -> Lens:
    """A known calibration: a lens.json, BOP's camera.json, OpenCV's or ROS' YAML or XML.

    Raises:
        InputError: as `read_calibration`, or it is of no whole image.
    """
    camera, distortion = read_calibration(path)
    if not camera.looks_into_image:
        cx, cy = camera.K[:2, 2]
        raise InputError(
            f"{path}: the principal point {cx:g}, {cy:g} lies outside the {camera.width}x"
            f"{camera.height} image; give the calibration of this size, of a whole image"
        )
    return Lens(camera.K, distortion, camera.size)


def write_lens(path: Path, lens: Lens, straight: Camera) -> None:
    """Write lens.json, whole or not at all.

    Args:
        straight: the camera of the images that were undistorted.
    """
    record: dict[str, Any] = {
        **_pinhole(lens.K, lens.size),
        "distortion": [float(x) for x in lens.distortion],
        "focal_std_percent": 100 * lens.focal_std,
        "rms_px": lens.rms_px,
        "views": lens.views,
        "straight": _pinhole(straight.K, straight.size),
    }
    write_text(path, json.dumps(record, indent=2) + "\n")


def _pinhole(K: np.ndarray, size: tuple[int, int]) -> dict[str, float]:
    fx, fy, cx, cy = (float(x) for x in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    return {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "width": size[0], "height": size[1]}


def _straight_camera(lens: Lens) -> Camera:
    """The camera at the least zoom whose whole border was within the image as it was taken."""
    low, high = ZOOMS
    if not _is_filled(lens, high):
        raise InputError(
            f"the distortion {np.round(lens.distortion, 3).tolist()} is no lens': no part of the"
            " image is straight without a rim; calibrate again, with the board in all its corners"
        )
    # Below the least filled zoom there may be others again, of a polynomial that turns back: so
    # coarse steps go down only as long as all are filled.
    while high > low and _is_filled(lens, high * COARSE):
        high *= COARSE
    low = high * COARSE
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if _is_filled(lens, middle) else (middle, high)
    return Camera(_zoomed(lens, high), *lens.size)


def _zoomed(lens: Lens, zoom: float) -> np.ndarray:
    K = lens.K.copy()
    K[:2, :2] *= zoom
    K[0, 1] = 0
    return K


def _is_filled(lens: Lens, zoom: float) -> bool:
    """Whether every pixel of the border of the straight image comes from within the taken one."""
    width, height = lens.size
    x, y = np.linspace(0, width - 1, RIM_STEPS), np.linspace(0, height - 1, RIM_STEPS)
    sides = [
        np.column_stack([x, np.zeros_like(x)]),
        np.column_stack([x, np.full_like(x, height - 1)]),
        np.column_stack([np.zeros_like(y), y]),
        np.column_stack([np.full_like(y, width - 1), y]),
    ]
    border = np.concatenate(sides)
    rays = np.column_stack([border, np.ones(len(border))]) @ np.linalg.inv(_zoomed(lens, zoom)).T
    taken = lens.project(rays)
    # A border that the lens folds back would come from within, too.
    scale = np.linalg.norm(taken - lens.K[:2, 2], axis=1)
    inner = lens.project(rays * [0.99, 0.99, 1])
    grows = scale > np.linalg.norm(inner - lens.K[:2, 2], axis=1)
    inside = (taken >= 0).all(axis=1) & (taken <= [width - 1, height - 1]).all(axis=1)
    return bool((inside & grows).all())
