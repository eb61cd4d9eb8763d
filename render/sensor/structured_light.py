"""What a structured-light camera makes of depth: shadows, ragged edges, steps of disparity."""

from functools import lru_cache

import cv2
import numpy as np

from render.sensor.spec import StructuredLight

# Differences of disparity that cast no shadow: the pattern is matched in windows, and pixels of one
# surface that is steep to the projector must not shadow each other.
LEAST_SHADOW_PX = 2


def see_structured_light(depth: np.ndarray, K: np.ndarray, sensor: StructuredLight) -> np.ndarray:
    """Depth as found by triangulation with a projector beside the camera.

    The order is that of Handa et al., "A benchmark for RGB-D visual odometry, 3D reconstruction and
    SLAM", ICRA 2014: pixels are displaced, then their disparity gets noise and is rounded.

    Args:
        depth: (H, W) float32 metres, 0 where there is nothing.
        K: (3, 3) pinhole intrinsics in pixels, the baseline along the image's rows.

    Returns:
        (H, W) float32 metres, 0 where nothing was measured.
    """
    rng = np.random.default_rng(sensor.seed)
    scale = K[0, 0] / sensor.focal_px  # pixels of this image to one of the sensor's
    grain = sensor.grain_px * scale
    # Always drawn alike, so that an effect that is switched off leaves the others as they are.
    shift_u, shift_v, noise = (noise_field(rng, depth.shape, grain) for _ in range(3))

    if sensor.shadows:
        depth = np.where(lit(depth, K[0, 0] * sensor.baseline), depth, np.float32(0))
    if sensor.lateral_px > 0:
        sigma = np.float32(sensor.lateral_px * scale)
        depth = _displaced(depth, sigma * shift_u, sigma * shift_v)
    if sensor.disparity_noise_px > 0 or sensor.disparity_step_px > 0:
        depth = _triangulated(depth, sensor, noise)
    return depth


def _triangulated(depth: np.ndarray, sensor: StructuredLight, noise: np.ndarray) -> np.ndarray:
    """Depth by way of a disparity with noise, in steps."""
    reach = np.float32(sensor.focal_px * abs(sensor.baseline))
    with np.errstate(divide="ignore"):
        disparity = reach / depth  # infinite where there is nothing, and so back to 0 in the end
        disparity += np.float32(sensor.disparity_noise_px) * noise
        if sensor.disparity_step_px > 0:
            step = np.float32(sensor.disparity_step_px)
            disparity = np.rint(disparity / step) * step
        return reach / np.where(disparity > 0, disparity, np.float32(np.inf))


def lit(depth: np.ndarray, reach: float) -> np.ndarray:
    """Where a projector beside the camera casts its light, (H, W) bool.

    A surface point at (u, z) stands at u - reach / z in the projector's image. Of those that stand
    at the same place the nearest is lit; it is the rightmost if the projector is on the right.

    Args:
        depth: (H, W) float32 metres, 0 where there is nothing.
        reach: focal length in px times baseline in metres; positive if the projector is on the
            right.
    """
    if reach < 0:
        return lit(depth[:, ::-1], -reach)[:, ::-1]
    height, width = depth.shape
    with np.errstate(divide="ignore"):
        disparity = np.where(depth > 0, np.float32(reach) / depth, np.float32(0))
    left = int(np.ceil(disparity.max(initial=0)))
    place = np.arange(left, left + width, dtype=np.float32) - disparity
    place[depth <= 0] = width + left  # beyond the image, where nothing else stands
    first = place.astype(np.intp)
    first += (width + left + 2) * np.arange(height)[:, None]
    first = first.ravel()

    # Each point covers the two columns about its place, `first` and the next, and is hidden if both
    # are covered by something nearer. Of several in a column the last one written stays.
    covered = np.zeros(height * (width + left + 2), np.float32)
    covered[first] = disparity.ravel()
    nearest = covered.copy()
    np.maximum(covered[1:], covered[:-1], out=nearest[1:])
    np.minimum(nearest[1:], nearest[:-1], out=nearest[:-1])
    return nearest[first].reshape(height, width) <= disparity + LEAST_SHADOW_PX


def noise_field(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> np.ndarray:
    """Gaussian noise of mean 0 and variance 1 that is alike over about `grain` pixels.

    Args:
        grain: spacing in pixels of the values between which it is interpolated; 1 or less gives
            white noise.

    Returns:
        (H, W) float32.
    """
    if grain <= 1:
        return rng.standard_normal(shape, np.float32)
    height, width = shape
    coarse = int(np.ceil(height / grain)) + 1, int(np.ceil(width / grain)) + 1
    values = cv2.resize(rng.standard_normal(coarse, np.float32), (width, height))
    values *= _variance_lost(coarse[0], height)[:, None]
    values *= _variance_lost(coarse[1], width)
    return values


@lru_cache(maxsize=16)
def _variance_lost(count: int, side: int) -> np.ndarray:
    """Factors that give white noise, resized along one axis from count to side, variance 1 again.

    Between the values the interpolation averages.
    """
    weights = cv2.resize(np.eye(count), (count, side))
    return (1 / np.sqrt(np.square(weights).sum(axis=1))).astype(np.float32)


def _displaced(depth: np.ndarray, shift_u: np.ndarray, shift_v: np.ndarray) -> np.ndarray:
    """Each pixel takes the depth of another, (shift_u, shift_v) px away, rounded."""
    height, width = depth.shape
    shift_u += np.arange(width, dtype=np.float32)
    shift_v += np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(depth, shift_u, shift_v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
