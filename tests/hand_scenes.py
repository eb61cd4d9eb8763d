"""Hands that are balls at the joints, and a dataset of them in NYU's layout: drawn by formula."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.formats.nyu import CAMERA, uvd_from_joints
from render.formats.nyu_dataset import NyuFrame, finish_split, write_shard
from render.transforms import random_rotation

# A flat open hand: x to the thumb, y down to the wrist, in metres from the palm.
FLAT = np.array(
    [
        *((-0.055, -0.085, 0), (-0.045, -0.045, 0), (-0.025, -0.11, 0), (-0.02, -0.06, 0)),
        *((0.005, -0.12, 0), (0.005, -0.065, 0), (0.035, -0.11, 0), (0.03, -0.06, 0)),
        *((0.085, -0.02, 0), (0.07, 0.0, 0), (0.04, 0.035, 0)),
        *((-0.015, 0.075, 0), (0.02, 0.075, 0), (0, 0, 0)),
    ]
)


def draw_balls(centers: np.ndarray, radii: Sequence[float] | np.ndarray) -> np.ndarray:
    """(480, 640) float64 depth in metres of balls seen by NYU's camera, 0 where there is none.

    The nearer root of |z ray - center|^2 = radius^2, with ray = K^-1 (u, v, 1).
    """
    depth = np.full((CAMERA.height, CAMERA.width), np.inf)
    rays = CAMERA.unproject(np.ones_like(depth))
    for center, radius in zip(centers, radii, strict=True):
        pixel, reach = CAMERA.project(center), 1.5 * radius / (center[2] - radius) * 590
        (left, top), (right, bottom) = np.clip(
            [pixel - reach, pixel + reach + 2], 0, CAMERA.size
        ).astype(int)
        part, ray = depth[top:bottom, left:right], rays[top:bottom, left:right]
        a, b = (ray**2).sum(axis=-1), ray @ center
        root = b**2 - a * (center @ center - radius**2)
        nearer = np.where(root >= 0, (b - np.sqrt(np.abs(root))) / a, np.inf)
        np.minimum(part, nearer, out=part)
    return np.where(np.isfinite(depth), depth, 0)


def random_hand(rng: np.random.Generator) -> np.ndarray:
    """(14, 3) joints in metres, camera frame: bent a little, turned, in front of the camera."""
    bent = FLAT * rng.uniform(0.85, 1.1, (14, 1)) + rng.normal(0, 0.004, FLAT.shape)
    turn = random_rotation(rng)
    place = np.array([*rng.uniform(-0.1, 0.1, 2), rng.uniform(0.6, 0.9)])
    return (bent - bent[-1]) @ turn.T + place


def hand_depth(joints: np.ndarray, radius: float = 0.012) -> np.ndarray:
    """Depth of a hand: balls at its joints, and along the lines from the palm to them."""
    parts = np.linspace(0, 1, 4)[1:, None, None]
    centers = joints[-1] + parts * (joints[:-1] - joints[-1])  # (3, 13, 3)
    radii = np.repeat([2 * radius, 1.5 * radius, radius], 13)
    return draw_balls(
        np.vstack([centers.reshape(-1, 3), joints[-1:]]), np.append(radii, 2.5 * radius)
    )


def write_hands(root: Path, rng: np.random.Generator, counts: dict[str, int]) -> Path:
    """Write splits of hands in NYU's layout; the sensor's images have noise, twins have none."""
    for split, count in counts.items():
        frames = []
        for _ in range(count):
            joints = random_hand(rng)
            drawn = hand_depth(joints)
            noise = rng.normal(0, 0.002, drawn.shape)
            seen = np.where(drawn > 0, drawn + noise, 2.001)
            frames.append(NyuFrame(uvd_from_joints(joints), seen, drawn))
        write_shard(root / split, 1, frames)
        finish_split(root / split, count)
    return root
