"""The sky: sun, gradient, haze, a few clouds, and the ground below, drawn from a seed."""

import numpy as np

SUN_SHARPNESS = 500.0  # of its lobe exp(k (cos - 1)): 4 degrees across, which a small map can hold
HORIZON = 0.06  # sine of the height in which ground and sky blend


class Sky:
    """Radiance of an outdoor scene, relative."""

    def __init__(self, rng: np.random.Generator) -> None:
        azimuth, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(15, 70))
        self._sun = _direction(azimuth, height).astype(np.float32)
        cloudy = rng.random()
        gray = np.array([1.0, 1.0, 1.05])
        self._zenith = _mixed(np.array([0.25, 0.45, 1.0]), 0.8 * gray, cloudy)
        self._horizon = _mixed(np.array([0.8, 0.95, 1.15]), gray, cloudy)
        warm = _mixed(np.array([1.0, 0.97, 0.9]), np.array([1.0, 0.7, 0.4]), 1 - np.sin(height))
        # Its irradiance on a surface that faces it, over pi, where the sky's is about 0.7.
        strength = rng.uniform(0.0, 2.5) * (1 - cloudy)
        self._sunlight = warm * strength * SUN_SHARPNESS / 2
        self._haze = warm * strength * rng.uniform(0.3, 0.8)
        self._waves = (rng.normal(size=(6, 3)) * rng.uniform(3, 9, (6, 1))).astype(np.float32)
        self._phases = rng.uniform(0, 2 * np.pi, 6).astype(np.float32)
        self._furrows = (rng.normal(size=(8, 2)) * rng.uniform(1, 12, (8, 1))).astype(np.float32)
        self._clouds = rng.uniform(0.0, 0.6)
        tone = rng.uniform(0.08, 0.35) * np.array([1.0, 0.95, 0.85]) * rng.uniform(0.8, 1.2, 3)
        self._ground = tone * (0.7 + strength * np.sin(height))
        for name in ("_zenith", "_horizon", "_sunlight", "_haze", "_ground"):
            setattr(self, name, np.asarray(getattr(self, name), np.float32))

    def __call__(self, directions: np.ndarray) -> np.ndarray:
        """(..., 3) radiance of (..., 3) unit directions, z up."""
        up = directions[..., 2:]
        to_sun = (directions @ self._sun)[..., None]
        color = _mixed(self._horizon, self._zenith, np.sqrt(np.clip(up, 0, 1)))
        noise = np.sin(directions @ self._waves.T + self._phases).sum(axis=-1)
        cover = self._clouds * np.clip(0.5 + 0.3 * noise, 0, 1)[..., None]
        color = _mixed(color, 1.1 * self._horizon, cover)
        color += self._haze * np.exp(12 * (to_sun - 1))
        color += (1 - cover) * self._sunlight * np.exp(SUN_SHARPNESS * (to_sun - 1))
        # On the ground's plane, a metre or two below.
        below = directions[..., :2] / np.maximum(-up, 0.1)
        soil = np.sin(below @ self._furrows.T).sum(axis=-1)
        far = np.clip(-3 * up, 0, 1)
        ground = self._ground * (1 + 0.08 * far * soil[..., None])
        return _mixed(ground, color, np.clip(0.5 + up / HORIZON, 0, 1)).astype(np.float32)


def _direction(azimuth: float, height: float) -> np.ndarray:
    around = np.array([np.cos(azimuth), np.sin(azimuth)]) * np.cos(height)
    return np.array([*around, np.sin(height)])


def _mixed(one, other, share):
    return one + share * (other - one)
