"""What a camera and its light may make of a crop: random changes of its colours and sharpness."""

import cv2
import numpy as np

MILD, STRONG = "mild", "strong"


def augment(images: np.ndarray, rng: np.random.Generator, strength: str) -> np.ndarray:
    """Change images at random, each by a draw of its own that does not depend on what it shows.

    Args:
        images: (n, size, size, 3) float32 in [-1, 1].
        strength: MILD or STRONG.

    Returns:
        A new array of that shape.
    """
    if strength == MILD:
        return _mild(images, rng)
    seeds = rng.integers(1 << 32, size=len(images))
    changed = [
        _strong(image, np.random.default_rng(seed))
        for image, seed in zip(images, seeds, strict=True)
    ]
    return np.stack(changed) if changed else images.copy()


def _mild(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, contrast, channel gains and noise."""
    n = len(images)
    gain = rng.uniform(0.75, 1.25, (n, 1, 1, 1)) * rng.uniform(0.92, 1.08, (n, 1, 1, 3))
    offset = rng.uniform(-0.2, 0.2, (n, 1, 1, 1))
    sigma = rng.uniform(0, 0.05, (n, 1, 1, 1)).astype(np.float32)
    noise = sigma * rng.standard_normal(images.shape, np.float32)
    return np.clip(images * gain.astype(np.float32) + offset.astype(np.float32) + noise, -1, 1)


def _strong(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What CosyPose (Labbe et al., ECCV 2020) changes: blur or sharpness, contrast, brightness,
    colour; and channel gains, grey and noise, each in some images only.

    Args:
        image: (size, size, 3) float32 in [-1, 1].
    """
    chance = rng.random(7)
    # All are drawn, whichever are used: images that share a draw then differ in nothing else.
    sigma, sharper = rng.uniform(0.4, 1.6), rng.uniform(0.3, 1.5)
    contrast, saturation, exposure = rng.uniform((0.5, 0.2, 0.6), (1.6, 1.8, 1.5))
    offset, gains = rng.uniform(-0.35, 0.35), rng.uniform(0.8, 1.25, 3).astype(np.float32)
    noise_sigma = rng.uniform(0.015, 0.11)

    x = image
    if chance[0] < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), sigma)
    elif chance[0] < 0.6:
        x = x + np.float32(sharper) * (x - cv2.GaussianBlur(x, (0, 0), 1.2))
    if chance[1] < 0.6:
        mean = x.mean()
        x = mean + np.float32(contrast) * (x - mean)
    if chance[2] < 0.5:
        gray = x.mean(axis=2, keepdims=True)
        x = gray + np.float32(0 if chance[3] < 0.1 else saturation) * (x - gray)
    if chance[4] < 0.6:
        x = np.float32(exposure) * (x + 1) - 1
    if chance[5] < 0.5:
        x = (x + 1) * gains - 1 + np.float32(offset)
    if chance[6] < 0.5:
        x = x + np.float32(noise_sigma) * rng.standard_normal(x.shape, np.float32)
    return np.clip(x, -1, 1)
