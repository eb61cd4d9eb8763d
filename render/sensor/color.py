"""A perfect frame -> what a colour camera would have seen."""

import cv2
import numpy as np

from render.sensor.spec import ColorSensor

BLACK_LEVEL = 1 / 16  # of white: what keeps the noise of dark photosites from being cut off
LEVELS = 0xFFFF / (1 + BLACK_LEVEL)  # of 16 bits, to one unit of intensity


def apply_color_sensor(rgb: np.ndarray, sensor: ColorSensor) -> np.ndarray:
    """Pass a perfect image through a colour camera, in the order of the light.

    Lens (defocus, motion), exposure, photosites (shot and read noise, mosaic), white balance,
    gamma, additive noise, JPEG. The image's values are taken for linear intensities.

    Args:
        rgb: (H, W, 3) uint8.
        sensor: its defaults leave the image as it is.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    if sensor == ColorSensor(seed=sensor.seed):
        return rgb.copy()

    image = through_lens(np.divide(rgb, 255, dtype=np.float32), sensor)
    gain, factors = np.float32(sensor.gain), np.asarray(sensor.white_balance, np.float32)
    if sensor.full_well_e > 0 or sensor.bayer:
        image = _photosites(image * gain, sensor) * factors
    else:
        image *= gain * factors  # one rounding less
    if sensor.gamma != 1:
        np.clip(image, 0, 1, out=image)
        image **= np.float32(sensor.gamma)
    if sensor.noise > 0:
        rng = np.random.default_rng(sensor.seed)
        noise = rng.standard_normal(image.shape, np.float32)
        noise *= np.float32(sensor.noise)
        image += noise
    np.clip(image, 0, 1, out=image)
    image *= 255
    image += 0.5
    seen = image.astype(np.uint8)
    return _through_jpeg(seen, sensor.jpeg_quality) if sensor.jpeg_quality else seen


def through_lens(image: np.ndarray, sensor: ColorSensor) -> np.ndarray:
    """What a colour camera's defocus and motion make of intensities.

    Args:
        image: (H, W) or (H, W, 3) float32.

    Returns:
        The same shape; `image` itself where the camera is sharp and still.
    """
    if sensor.blur_px > 0:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    if any(sensor.motion_px):
        image = cv2.filter2D(image, -1, _motion_kernel(*sensor.motion_px))
    return image


def _photosites(image: np.ndarray, sensor: ColorSensor) -> np.ndarray:
    """Exposed intensities, (H, W, 3) float32, as the photosites count them; white saturates.

    The linear model of EMVA Standard 1288 (release 4.0 Linear, section 2): the variance of a
    photosite that holds n electrons is n for the light's own (shot) noise and that of the
    read-out. Poisson's distribution is taken for Gaussian, which it is but for a few electrons.
    """
    raw = _mosaic(image) if sensor.bayer else image
    if sensor.full_well_e > 0:
        # A stream of its own: the additive noise stays as it is when this is switched off.
        rng = np.random.default_rng([*sensor.seed, 1])
        electrons = np.float32(sensor.full_well_e) * raw
        sigma = np.sqrt(electrons + np.float32(sensor.read_noise_e**2))
        electrons += sigma * rng.standard_normal(raw.shape, np.float32)
        raw = electrons / np.float32(sensor.full_well_e)
    raw = np.minimum(raw, 1)
    return _demosaic(raw) if sensor.bayer else raw


def _mosaic(image: np.ndarray) -> np.ndarray:
    """What is left behind an RGGB colour filter array: (H, W, 3) -> (H, W)."""
    raw = image[..., 1].copy()
    raw[0::2, 0::2] = image[0::2, 0::2, 0]
    raw[1::2, 1::2] = image[1::2, 1::2, 2]
    return raw


def _demosaic(raw: np.ndarray) -> np.ndarray:
    """(H, W) intensities of an RGGB mosaic -> (H, W, 3) float32, by OpenCV's edge-aware filter."""
    levels = np.clip(np.rint((raw + BLACK_LEVEL) * LEVELS), 0, 0xFFFF).astype(np.uint16)
    rgb = cv2.cvtColor(levels, cv2.COLOR_BayerRGGB2RGB_EA)
    return rgb / np.float32(LEVELS) - np.float32(BLACK_LEVEL)


def _motion_kernel(du: float, dv: float) -> np.ndarray:
    """The path of a point that moves by (du, dv) px about its middle: float32, sums to 1."""
    reach = int(np.ceil(max(abs(du), abs(dv)) / 2)) + 1
    along = np.linspace(-0.5, 0.5, int(np.ceil(np.hypot(du, dv))) * 8 + 1)
    u, v = along * du + reach, along * dv + reach
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for j, i in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (1 - abs(v - row - j)) * (1 - abs(u - column - i))
        np.add.at(kernel, (row + j, column + i), share)
    return (kernel / kernel.sum()).astype(np.float32)


def _through_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    """(H, W, 3) uint8 written as JPEG, with half the chroma resolution, and read again."""
    done, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError(f"OpenCV could not encode an image of shape {rgb.shape} as JPEG")
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
