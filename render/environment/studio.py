"""A studio: soft boxes before a backdrop that runs into the floor, drawn from a seed."""

import numpy as np

SOFT = 0.15  # of a box's half side, over which its light falls off at the rim


class Studio:
    """Radiance of a photographer's studio, relative."""

    def __init__(self, rng: np.random.Generator) -> None:
        tones = np.sort(rng.uniform(0.05, 0.9, 2))[:: rng.choice([-1, 1])]
        self._floor, self._top = tones.astype(np.float32)
        self._tone = (1 + 0.04 * rng.uniform(-1, 1, 3)).astype(np.float32)
        azimuth = rng.uniform(0, 2 * np.pi)
        self._backdrop = np.array([np.cos(azimuth), np.sin(azimuth), 0], np.float32)
        self._boxes = [_box(rng) for _ in range(rng.integers(2, 6))]

    def __call__(self, directions: np.ndarray) -> np.ndarray:
        """(..., 3) radiance of (..., 3) unit directions, z up."""
        height = 0.5 + 0.5 * directions[..., 2:]
        behind = 0.5 + 0.5 * (directions @ self._backdrop)[..., None]
        gray = self._floor + (self._top - self._floor) * height * np.sqrt(height)
        color = gray * (0.4 + 0.8 * behind) * self._tone
        for frame, half, light in self._boxes:
            local = directions @ frame.T
            ahead = np.maximum(local[..., 2], 1e-3)
            across = np.abs(local[..., :2]) / ahead[..., None] / half
            lit = np.clip((1 - across) / SOFT, 0, 1).prod(axis=-1) * (local[..., 2] > 0)
            # Brightest in the middle, as a bulb behind cloth is.
            lit *= 1 - 0.3 * np.minimum((across**2).sum(axis=-1), 1)
            color = color + lit[..., None] * light
        return color.astype(np.float32)


def _box(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A soft box: rows are its axes, the last towards its middle; half sides at distance 1; light.

    Most hang high, since that is where photographers put them.
    """
    azimuth, height = rng.uniform(0, 2 * np.pi), np.radians(rng.triangular(5, 45, 85))
    middle = np.array([np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), 0])
    middle[2] = np.sin(height)
    across = np.cross([0, 0, 1.0], middle)
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(middle, across), middle])
    half = rng.uniform(0.15, 0.6) * np.array([rng.uniform(0.4, 1.0), 1.0])
    light = rng.uniform(3, 12) * (1 + 0.06 * rng.uniform(-1, 1, 3))
    parts = frame, half[:: rng.choice([-1, 1])], light
    one, two, three = (part.astype(np.float32) for part in parts)
    return one, two, three
