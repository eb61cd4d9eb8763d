"""Light as a picture shows it, and the picture of an environment behind all else."""

import cv2
import numpy as np

from render.camera import Camera
from render.environment.light import prepare
from render.environment.spec import Environment
from render.sensor.spec import Vector

KNEE = 0.8  # of white; beyond it, highlights run into it softly
FEW = 160  # directions along the longer side of a picture of what is drawn: it is out of focus
BLUR = 1.0  # of these, sigma


def encoded(light: np.ndarray) -> np.ndarray:
    """Linear light in 0..1 -> what sRGB stores of it, 0..1 (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def decoded(color: np.ndarray) -> np.ndarray:
    """What sRGB stores, 0..1 -> linear light."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def displayed(radiance: np.ndarray) -> np.ndarray:
    """Radiance (..., 3), of which 1 is a white surface in irradiance pi, as (..., 3) uint8.

    sRGB up to the knee, and then slower towards white; `displayed` of physical.frag is the same.
    """
    over = np.maximum(radiance - KNEE, 0) / (1 - KNEE)
    soft = np.minimum(radiance, KNEE) + (1 - KNEE) * (1 - np.exp(-over))
    return np.round(255 * encoded(soft)).astype(np.uint8)


def draw_environment(environment: Environment, ambient: Vector, camera: Camera) -> np.ndarray:
    """What a camera sees of an environment: (H, W, 3) uint8.

    Args:
        ambient: RGB factor on its light.
    """
    light, size = prepare(environment), camera.size
    few = FEW if environment.kind != "image" else max(size)
    step = max(size) / min(few, max(size))
    width, height = (max(1, round(side / step)) for side in size)
    u = (np.arange(width) + 0.5) * size[0] / width - 0.5
    v = (np.arange(height) + 0.5) * size[1] / height - 0.5
    pixels = np.stack([*np.meshgrid(u, v), np.ones((height, width))], axis=-1)
    env_from_pixel = np.array(environment.env_from_cam) @ np.linalg.inv(camera.K)
    rays = pixels @ env_from_pixel.T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    factor = (light.scale * np.array(ambient)).astype(np.float32)
    seen: np.ndarray = light.radiance(rays.astype(np.float32)) * factor
    if environment.kind != "image":
        seen = cv2.GaussianBlur(seen, (0, 0), BLUR)
    return cv2.resize(displayed(seen), size, interpolation=cv2.INTER_CUBIC)
