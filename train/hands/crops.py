"""Depth frames of hands -> normalised cubes and targets, one path for real and synthetic frames.

As DeepPrior++ cuts them (Oberweger and Lepetit, ICCV workshops 2017): a cube around the hand's
centre is seen as a square picture, its depth from -1 at the near face to +1 at the far one.
"""

import itertools
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from render.camera import Camera
from render.formats.nyu import CAMERA
from train.hand_options import HandCropConfig
from train.learn.targets import HandInfo


@dataclass(frozen=True, eq=False)
class HandFrame:
    """One depth image of a hand, reduced to what crops may need.

    number: of the frame in its split. center: (3,) what crops are centred on, and joints: (14, 3),
    metres in the camera frame of nyu.CAMERA. small: whether the hand gets the small cube. corner:
    (u, v) of the window's first pixel. packed: the window, compressed: all frames of a dataset then
    fit into memory.
    """

    number: int
    center: np.ndarray
    joints: np.ndarray
    small: bool
    corner: tuple[int, int]
    shape: tuple[int, int]
    packed: bytes

    @property
    def window_mm(self) -> np.ndarray:
        """(h, w) uint16 depth, 0 where nothing was seen or only what lies behind every cube."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint16).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class HandCrop:
    """A cube in space and the square picture of it.

    center: (3,) of the cube, metres, camera frame, in front of the camera. half: of the cube's
    side, metres. size: of the picture, pixels. angle: by which the picture is turned about the
    centre's pixel, radians; depth stays as it is.
    """

    camera: Camera
    center: np.ndarray
    half: float
    size: int
    angle: float = 0.0

    @cached_property
    def rotation(self) -> np.ndarray:
        """(2, 2) turn of pixel positions about the centre's."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    @cached_property
    def crop_from_image(self) -> np.ndarray:
        """(2, 3): the picture spans the cube's face through the centre, parallel to the image."""
        pixels_per_metre = np.diag(self.camera.K)[:2] / self.center[2]
        zoom = self.size / (2 * self.half * pixels_per_metre)
        linear = zoom[:, None] * self.rotation
        middle = (self.size - 1) / 2
        return np.column_stack([linear, middle - linear @ self.camera.project(self.center)])

    def image(
        self, depth: np.ndarray, corner: tuple[int, int] = (0, 0), unit: float = 1.0
    ) -> np.ndarray:
        """The picture of the cube: each pixel takes the depth that is nearest to its centre.

        Args:
            depth: (h, w), 0 where nothing was seen.
            corner: (u, v) of its first pixel in the camera's image.
            unit: of depth, metres.

        Returns:
            (size, size, 1) float32: -1 at the near face and before it, +1 at the far one, behind
            it, beyond the image and where nothing was seen.
        """
        image_from_crop = np.linalg.inv(self.crop_from_image[:, :2])
        pixels = np.indices((self.size, self.size)).reshape(2, -1)[::-1]  # (2, n) u, v
        offset = image_from_crop @ self.crop_from_image[:, 2] + corner
        u, v = np.rint(image_from_crop @ pixels - offset[:, None]).astype(int)

        inside = (u >= 0) & (u < depth.shape[1]) & (v >= 0) & (v < depth.shape[0])
        found = np.zeros(len(u))
        found[inside] = depth[v[inside], u[inside]] * unit
        relative = np.clip((found - self.center[2]) / self.half, -1, 1)
        relative[found <= 0] = 1
        return relative.astype(np.float32).reshape(self.size, self.size, 1)

    def normalize(self, points: np.ndarray) -> np.ndarray:
        """Turn points (..., 3) in metres as the picture, and give them as offsets in half cubes.

        x and y are those of space; in the picture a nearer point lies farther from the centre.
        """
        return (self._turned(points, self.rotation) - self.center) / self.half

    def restore(self, points: np.ndarray) -> np.ndarray:
        """Undo `normalize`: (..., 3) -> metres, camera frame."""
        return self._turned(points * self.half + self.center, self.rotation.T)

    def _turned(self, points: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Turn points in the image about the centre, each at its own depth."""
        center = self.camera.project(self.center)
        pixels = (self.camera.project(points) - center) @ rotation.T + center
        rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
        return rays @ np.linalg.inv(self.camera.K).T * points[..., 2:]


class HandCrops:
    """`batches.Crops` of hand frames; their crops are HandCrops."""

    channels = HandInfo.channels

    def __init__(self, config: HandCropConfig, target: HandInfo) -> None:
        self.config, self.size, self.outputs = config, config.size, target.outputs
        self.joints = list(target.joints)

    def plain(self, sample: HandFrame) -> HandCrop:
        """The crop without jitter, as it is predicted from."""
        return HandCrop(CAMERA, sample.center, _half(self.config, sample.small), self.size)

    def draw(self, rng: np.random.Generator, sample: HandFrame) -> HandCrop:
        angle = np.radians(self.config.angle_deg) * rng.uniform(-1, 1)
        shift = self.config.shift_mm / 1000 * rng.uniform(-1, 1, 3)
        half = _half(self.config, sample.small) * (1 + self.config.scale * rng.uniform(-1, 1))
        return HandCrop(CAMERA, sample.center + shift, half, self.size, angle)

    def image(self, sample: HandFrame, crop: HandCrop) -> np.ndarray:
        return crop.image(sample.window_mm, sample.corner, unit=0.001)

    def targets(self, sample: HandFrame, crop: HandCrop) -> np.ndarray:
        """(1, outputs): the joints relative to the cube."""
        return crop.normalize(sample.joints[self.joints]).reshape(1, -1)

    def augment(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Depth is left as it is: what a sensor does to it is in the frames."""
        return images

    def checksum(self, sample: HandFrame, before: int) -> int:
        numbers = np.concatenate([sample.joints.ravel(), sample.center]).tobytes()
        return zlib.crc32(sample.packed, zlib.crc32(numbers, before))


def hand_frame(
    number: int,
    depth: np.ndarray,
    center: np.ndarray,
    joints: np.ndarray,
    config: HandCropConfig,
    small: bool = False,
) -> HandFrame:
    """Keep of a frame's depth (480, 640) in metres what the config's crops around `center` may see.

    Depth is kept in whole millimetres, as NYU's files hold it.
    """
    half, shift = _half(config, small) * (1 + config.scale), config.shift_mm / 1000
    (left, top), (right, bottom) = _seen(center, half, shift)
    window_mm = np.round(1000 * depth[top:bottom, left:right].astype(np.float64))
    farthest_mm = 1000 * (center[2] + shift + half)
    window_mm = np.where(window_mm <= farthest_mm, window_mm, 0).astype(np.uint16)
    return HandFrame(
        number=number,
        center=center,
        joints=joints,
        small=small,
        corner=(left, top),
        shape=window_mm.shape,
        packed=zlib.compress(window_mm.tobytes(), 1),
    )


def _seen(center: np.ndarray, half: float, shift: float) -> list[list[int]]:
    """First and last + 1 pixel (u, v) that turned cubes around centres this near may see."""
    shifts = shift * np.array(list(itertools.product((-1, 1), repeat=3)))
    centers = center + shifts  # where positions and sizes in the image are extreme
    radius = np.sqrt(2) * half * np.diag(CAMERA.K)[:2] / centers[:, 2:]
    pixels = CAMERA.project(centers)
    low = np.floor((pixels - radius).min(axis=0))
    high = np.ceil((pixels + radius).max(axis=0)) + 1
    return np.clip([low, high], 0, CAMERA.size).astype(int).tolist()


def _half(config: HandCropConfig, small: bool) -> float:
    """Half a cube's side in metres."""
    return (config.small_cube_mm if small else config.cube_mm) / 2000
