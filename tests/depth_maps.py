"""Depth maps with known geometry that the tests of depth cameras share."""

import numpy as np

from render.camera import Camera

KINECT = Camera(np.array([[586.0, 0, 319.5], [0, 586.0, 239.5], [0, 0, 1]]), 640, 480)


def wall(z: float, camera: Camera = KINECT) -> np.ndarray:
    """A plane that faces the camera, (H, W) float32 metres."""
    return np.full((camera.height, camera.width), z, np.float32)


def plane(normal, point, camera: Camera = KINECT) -> tuple[np.ndarray, np.ndarray]:
    """Depth of a plane, 0 where it is not before the camera, and the cosine of incidence on it."""
    normal = np.asarray(normal, np.float64) / np.linalg.norm(normal)
    rays = camera.unproject(np.ones((camera.height, camera.width)))
    towards = rays @ normal
    with np.errstate(divide="ignore"):
        depth = normal @ np.asarray(point) / towards
    seen = (depth > 0) & (depth < 20)
    cosine = np.abs(towards) / np.linalg.norm(rays, axis=-1)
    return np.where(seen, depth, 0).astype(np.float32), cosine * seen


def tilted(degrees: float, z: float = 1.0, camera: Camera = KINECT):
    """A plane through (0, 0, z), turned about the y axis; see `plane`."""
    angle = np.radians(degrees)
    return plane([np.sin(angle), 0, np.cos(angle)], [0, 0, z], camera)
