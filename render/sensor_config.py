"""The ranges of the `[sensor]` section, and the sensor models drawn from them."""

from dataclasses import dataclass

import numpy as np

from render.config import option
from render.scene import ColorSensor

Range = tuple[float, float]


@dataclass(frozen=True)
class SensorConfig:
    """Ranges of everything random in a camera; a range is drawn from uniformly."""

    gain: Range = option((0.7, 1.3), "Exposure factor of the colour camera")
    white_balance: float = option(0.05, "Spread of the colour camera's channel gains", minimum=0)
    gamma: Range = option((0.9, 1.1), "Exponent on the colour camera's intensities")
    blur_px: Range = option((0.0, 0.8), "Blur of the colour camera, sigma")
    noise: Range = option((0.0, 0.03), "Noise of the colour camera, on a 0..1 scale")


DEFAULT_SENSOR = SensorConfig()


def draw_color_sensor(config: SensorConfig, rng: np.random.Generator) -> ColorSensor:
    """A random colour camera."""
    return ColorSensor(
        gain=rng.uniform(*config.gain),
        white_balance=tuple((1 + config.white_balance * rng.uniform(-1, 1, 3)).tolist()),
        gamma=rng.uniform(*config.gamma),
        blur_px=rng.uniform(*config.blur_px),
        noise=rng.uniform(*config.noise),
        seed=tuple(rng.integers(2**31, size=2).tolist()),
    )
