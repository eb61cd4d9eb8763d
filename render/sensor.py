"""A perfect frame -> what a colour camera would have seen."""

import cv2
import numpy as np

from render.scene import ColorSensor


def apply_color_sensor(rgb: np.ndarray, sensor: ColorSensor) -> np.ndarray:
    """Pass a perfect image through a colour camera: blur, exposure, white balance, gamma, noise.

    Args:
        rgb: (H, W, 3) uint8.
        sensor: its defaults leave the image as it is.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    if sensor == ColorSensor(seed=sensor.seed):
        return rgb.copy()

    image: np.ndarray = rgb.astype(np.float32) / 255
    if sensor.blur_px > 0:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    image *= np.float32(sensor.gain) * np.asarray(sensor.white_balance, np.float32)
    if sensor.gamma != 1:
        image = np.clip(image, 0, 1) ** np.float32(sensor.gamma)
    if sensor.noise > 0:
        rng = np.random.default_rng(sensor.seed)
        image += np.float32(sensor.noise) * rng.standard_normal(image.shape, np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
