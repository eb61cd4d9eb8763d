"""Frames -> normalised crops and targets, one path for real and synthetic, training and test.

Of objects in colour images; hand_crops.py does the same for hands in depth images.
"""

import zlib
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from render.camera import Camera
from render.frame import Box
from render.transforms import apply
from train.learn.targets import NO_POINTS, ObjectInfo
from train.objects.augment import augment
from train.objects.data import Instance
from train.options import CropConfig

SHRINKS = 0.75  # zoom of a crop below which it is drawn at twice its size, and averaged


class Pictured(Protocol):
    """What crops are cut from: an `Instance`, or a `Picture`."""

    @property
    def window(self) -> np.ndarray: ...

    @property
    def corner(self) -> tuple[int, int]: ...

    @property
    def camera(self) -> Camera: ...


@dataclass(frozen=True, eq=False)
class Picture:
    """A whole image, (H, W, 3) uint8, of which nothing is known but its camera."""

    window: np.ndarray
    camera: Camera
    corner: tuple[int, int] = (0, 0)


def square_crop(
    box: Box,
    config: CropConfig,
    angle: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
) -> np.ndarray:
    """crop_from_image (2, 3): the square around a box, resampled to config.size pixels.

    Args:
        box: x, y, width, height in pixels; its centre becomes the crop's.
        angle: in-plane rotation of the picture, radians.
        shift: of the centre, in units of the box's longer side.
        scale: of the crop's side.
    """
    x, y, width, height = box
    longer = max(width, height, 1.0)
    center = np.array([x + width / 2, y + height / 2]) + longer * np.asarray(shift)
    zoom = config.size / (longer * config.margin * scale)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = zoom * np.array([[cos, -sin], [sin, cos]])
    middle = (config.size - 1) / 2
    return np.column_stack([linear, middle - linear @ center])


def training_crop(rng: np.random.Generator, box: Box, config: CropConfig) -> np.ndarray:
    """square_crop with random rotation, shift and scale; both images of a pair share one."""
    angle = np.radians(config.angle_deg) * rng.uniform(-1, 1)
    shift = config.shift * rng.uniform(-1, 1, 2)
    scale = 1 + config.scale * rng.uniform(-1, 1)
    return square_crop(box, config, angle, tuple(shift), scale)


def detector_crop(seed: int, key: tuple[int, int, int], box: Box, config: CropConfig) -> np.ndarray:
    """square_crop of a test instance, jittered by (seed, scene, image, gt), all methods alike."""
    rng = np.random.default_rng([seed, *key])
    shift = config.test_shift * rng.uniform(-1, 1, 2)
    return square_crop(box, config, 0.0, tuple(shift), 1 + config.test_scale * rng.uniform(-1, 1))


def warp(image: np.ndarray, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """Resample an image (H, W, 3) uint8 through an affine crop: (size, size, 3) uint8.

    A crop that shrinks the image is drawn at twice its size and averaged, so that fine texture does
    not alias; positions beyond the image mirror it.
    """
    shrinks = np.sqrt(abs(np.linalg.det(crop_from_image[:, :2]))) < SHRINKS
    if not shrinks:
        return _warp(image, crop_from_image, size)
    # Pixel centres at integers: doubling the size maps u to 2 u + 0.5.
    doubled = 2 * crop_from_image
    doubled[:, 2] += 0.5
    return cv2.resize(_warp(image, doubled, 2 * size), (size, size), interpolation=cv2.INTER_AREA)


def _warp(image: np.ndarray, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    return cv2.warpAffine(
        image,
        crop_from_image,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def to_crop(points: np.ndarray, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """Image positions (..., 2) -> relative to the crop's centre, in half sides of the crop."""
    in_crop = points @ crop_from_image[:, :2].T + crop_from_image[:, 2]
    return (in_crop - (size - 1) / 2) / (size / 2)


def from_crop(points: np.ndarray, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """Undo `to_crop`: (..., 2) -> pixels of the full image."""
    in_crop = points * (size / 2) + (size - 1) / 2
    return (in_crop - crop_from_image[:, 2]) @ np.linalg.inv(crop_from_image[:, :2]).T


def normalize(crops: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> float32 in [-1, 1): x / 128 - 1, as the paper's networks take it."""
    return crops.astype(np.float32) / 128 - 1


def cut(seen: Pictured, crop_from_image: np.ndarray, size: int) -> np.ndarray:
    """Crop what is seen out of its window: (size, size, 3) uint8."""
    crop_from_window = crop_from_image.copy()
    crop_from_window[:, 2] += crop_from_image[:, :2] @ seen.corner
    return warp(seen.window, crop_from_window, size)


class ObjectCrops:
    """`batches.Crops` of object instances: their crops are affine maps crop_from_image (2, 3).

    surface: (n, 3) points that are read beside the box's corners; see `ObjectInfo`.
    """

    channels = ObjectInfo.channels

    def __init__(self, config: CropConfig, surface: np.ndarray = NO_POINTS) -> None:
        self.config, self.size, self.surface = config, config.size, surface
        self.outputs = 2 * (8 + len(surface))

    def draw(self, rng: np.random.Generator, sample: Instance) -> np.ndarray:
        return training_crop(rng, sample.box, self.config)

    def image(self, sample: Instance, crop: np.ndarray) -> np.ndarray:
        return normalize(cut(sample, crop, self.size))

    def targets(self, sample: Instance, crop: np.ndarray) -> np.ndarray:
        """(s, outputs): the points' places in the crop under each of the object's symmetries."""
        return to_crop(self._points(sample), crop, self.size).reshape(len(sample.poses), -1)

    def augment(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return augment(images, rng, self.config.augment)

    def checksum(self, sample: Instance, before: int) -> int:
        of_points = zlib.crc32(self._points(sample).tobytes(), before)
        return zlib.crc32(sample.window.tobytes(), of_points)

    def _points(self, sample: Instance) -> np.ndarray:
        """(s, n, 2) image positions: the box's corners, then those of the surface."""
        if not len(self.surface):
            return sample.corners
        on_it = sample.camera.project(apply(sample.poses, self.surface))
        return np.concatenate([sample.corners, on_it], axis=1)
