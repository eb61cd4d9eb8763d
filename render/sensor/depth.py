"""A perfect depth map -> what a depth camera would have measured."""

import cv2
import numpy as np

from render.sensor.spec import DepthSensor, StructuredLight, TimeOfFlight
from render.sensor.structured_light import see_structured_light

NOWHERE = np.float32(1e-6)  # metres: stands for a depth of 0 where one is divided by it
FAINTEST = np.float32(1e-9)  # amplitude of a surface that faces the camera at 30 km


def apply_depth_sensor(depth: np.ndarray, K: np.ndarray, sensor: DepthSensor | None) -> np.ndarray:
    """Pass a perfect depth map through a depth camera.

    Args:
        depth: (H, W) z in metres, 0 where there is nothing.
        K: (3, 3) pinhole intrinsics in pixels, the camera's x axis along the image's rows.
        sensor: None leaves the depth as it is.

    Returns:
        (H, W) float32 z in metres, 0 where nothing was measured; a new array.

    Raises:
        ValueError: the depth is not (H, W), or the image is rotated in its plane.
    """
    if depth.ndim != 2:
        raise ValueError(f"depth must be (H, W), got {depth.shape}")
    if K.shape != (3, 3) or K[1, 0] != 0:
        raise ValueError(f"K must be (3, 3) with K[1, 0] = 0, got {K.tolist()}")
    depth = depth.astype(np.float32)
    if isinstance(sensor, StructuredLight):
        steep = np.cos(np.radians(sensor.grazing_deg))
        if sensor.grazing_deg < 90:
            depth[cos_incidence(depth, K) < steep] = 0
        return see_structured_light(depth, K, sensor)
    return depth if sensor is None else _see_time_of_flight(depth, K, sensor)


def cos_incidence(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Cosine of the angle between the surface's normal and the line of sight.

    1 / z is linear in the pixel on a plane, 1 / z = a u + b v + c, so that differences of it give
    planes their normal K^T (a, b, c) exactly. Of the two neighbours on a line that one counts whose
    1 / z is nearer, so that pixels beside an edge have the normal of their own surface.

    Args:
        depth: (H, W) float32 metres, 0 where there is nothing.
        K: (3, 3) pinhole intrinsics in pixels.

    Returns:
        (H, W) float32 in 0..1; 0 where there is nothing.
    """
    inverse = 1 / np.maximum(depth, NOWHERE)
    a, b = slope(inverse, 1), slope(inverse, 0)
    u, v, length = _rays(depth.shape, K)
    (k00, k01, k02), (_, k11, k12), _ = K.astype(np.float32)
    z = inverse - a * (u - k02)
    z -= b * (v - k12)
    x, y = k00 * a, k01 * a + k11 * b
    # The normal times the ray through the pixel, whose z is 1, is 1 / z.
    norm = np.sqrt(x * x + y * y + z * z)
    return inverse / (norm * length) * (depth > 0)


def _see_time_of_flight(depth: np.ndarray, K: np.ndarray, sensor: TimeOfFlight) -> np.ndarray:
    """Distances with noise by amplitude, after a pixel's surfaces have mixed.

    Light that falls on a surface and comes back fades with the cosine of the angle and the square
    of the distance. Noise: Lange and Seitz, "Solid-state time-of-flight range camera", IEEE J.
    Quantum Electronics 37(3), 2001: sqrt(signal and other light) / signal.
    """
    seen, length = depth > 0, _rays(depth.shape, K)[2]
    amplitude = cos_incidence(depth, K) / np.square(np.maximum(depth, NOWHERE) * length)
    sigma_px = sensor.mixing_px * K[0, 0] / sensor.focal_px
    if sigma_px > 0:
        mixed = cv2.GaussianBlur(amplitude, (0, 0), sigma_px)
        total = cv2.GaussianBlur(amplitude * depth, (0, 0), sigma_px)
        depth, amplitude = total / np.maximum(mixed, FAINTEST), mixed
    seen &= amplitude > max(sensor.least_amplitude, FAINTEST)

    if sensor.noise > 0:
        noise = np.random.default_rng(sensor.seed).standard_normal(depth.shape, np.float32)
        noise *= np.sqrt(amplitude + np.float32(sensor.ambient))
        depth = depth + np.float32(sensor.noise) * noise / (
            np.maximum(amplitude, FAINTEST) * length
        )
    return depth * (seen & (depth > 0))


def slope(inverse: np.ndarray, axis: int) -> np.ndarray:
    """(H, W) difference of 1 / z along an axis, to the neighbour that is nearer in it."""
    lines = np.swapaxes(inverse, 0, axis)
    step = lines[1:] - lines[:-1]
    size = np.abs(step)
    slope = np.empty_like(lines)
    slope[1:-1] = np.where(size[1:] < size[:-1], step[1:], step[:-1])
    slope[0], slope[-1] = step[0], step[-1]
    return np.swapaxes(slope, 0, axis)


def _rays(shape: tuple[int, ...], K: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u (1, W), v (H, 1), and the length of the ray with z = 1 through each pixel (H, W)."""
    u = np.arange(shape[1], dtype=np.float32)[None]
    v = np.arange(shape[0], dtype=np.float32)[:, None]
    (i00, i01, i02), (_, i11, i12), _ = np.linalg.inv(K).astype(np.float32)
    x, y = i00 * u + (i01 * v + i02), i11 * v + i12
    return u, v, np.sqrt(x * x + (y * y + 1))
