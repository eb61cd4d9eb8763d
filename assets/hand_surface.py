"""The skin of the bundled hand as an implicit surface: tapered capsules, smoothly joined.

Millimetres, in the frame of `hand_skeleton`. Breadths of fingers, palm and wrist are about those of
Greiner (see there), scaled to the hand's length; the rest is drawn from life.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from assets import hand_skeleton
from render.hand.model import FINGERS

# Half the breadth of a finger at its first, second and third joint, and at the tip.
RADII = {
    "index": (9.9, 9.3, 8.2, 6.8),
    "middle": (10.1, 9.5, 8.4, 7.0),
    "pinky": (8.9, 8.0, 7.0, 5.8),
    "ring": (9.7, 9.0, 7.9, 6.6),
    "thumb": (13.5, 11.2, 10.1, 8.0),
}
WRIST_END = -60.0  # y where the forearm is cut off


@dataclass(frozen=True, eq=False)
class Part:
    """A capsule from a to b (3,) whose radius goes from one to the other.

    flat: its thickness along `up` (3,), unit length and square to the axis, as a share of its
    breadth.
    """

    a: np.ndarray
    b: np.ndarray
    radius_a: float
    radius_b: float
    flat: float
    up: np.ndarray

    def distance(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N,) mm to the surface, negative inside; near enough where flat is not 1."""
        offsets = points - self.a
        offsets = offsets + (offsets @ self.up * (1 / self.flat - 1))[:, None] * self.up
        axis = self.b - self.a
        along = np.clip(offsets @ axis / (axis @ axis), 0, 1)
        radius = self.radius_a + along * (self.radius_b - self.radius_a)
        return np.linalg.norm(offsets - along[:, None] * axis, axis=1) - radius


def hand_distance(points: np.ndarray) -> np.ndarray:
    """(N, 3) points to (N,) distances from the skin, about; negative inside."""
    palm = _join((part.distance(points) for part in _palm()), 11.0)
    distance = palm
    for finger in FINGERS:
        bones = _join((part.distance(points) for part in _finger(finger)), 3.0)
        # Fingers melt into the palm, but hardly into one another.
        distance = _join((distance, _join((palm, bones), 7.0)), 1.5)
    cut = WRIST_END - points[:, 1]
    return -_join((-distance, -cut), 14.0)


def _finger(finger: str) -> list[Part]:
    joints, tips = hand_skeleton.joints()
    number = FINGERS.index(finger)
    ends = np.array([*joints[1 + 3 * number : 4 + 3 * number], tips[number]])
    axes = hand_skeleton.flexion_axes()[1 + 3 * number : 4 + 3 * number]
    radii = np.array(RADII[finger])
    heading = hand_skeleton.directions(finger)
    ends[3] -= radii[3] * heading[2]
    flat = (1.0, 0.97, 0.88)
    return [
        _part(ends[i], ends[i + 1], radii[i], radii[i + 1], flat[i], np.cross(axes[i], heading[i]))
        for i in range(3)
    ]


def _palm() -> list[Part]:
    at = {finger: hand_skeleton.joints()[0][1 + 3 * i] for i, finger in enumerate(FINGERS)}
    low = np.array([0.0, -3.0, -3.5])
    return [
        _part((-11, 16, -4), at["index"] + low, 14.0, 12.6),
        _part((0, 16, -3), at["middle"] + low, 14.0, 11.8),
        _part((9, 16, -4), at["ring"] + low, 14.0, 11.8),
        _part((16, 16, -6), at["pinky"] + low, 14.0, 12.4),
        _part((-8, 18, -13), (-30, 40, -19), 12.0, 11.5),  # ball of the thumb
        _part((-19, 34, -9), (-22, 66, -6), 11.0, 9.5),  # web between thumb and index finger
        _part((20, 14, -10), (32, 50, -9), 11.5, 12.0),  # heel of the hand
        _part((0, 4, -4), (-1, WRIST_END - 40, -4), 26.5, 32.0, 0.7, np.array([0.0, 0, 1])),  # arm
    ]


def _part(
    a: Iterable[float],
    b: Iterable[float],
    radius_a: float,
    radius_b: float,
    flat: float = 1.0,
    up: np.ndarray | None = None,
) -> Part:
    start, end = np.array([*a]), np.array([*b])
    return Part(start, end, radius_a, radius_b, flat, np.zeros(3) if up is None else up)


def _join(distances: Iterable[np.ndarray], width: float) -> np.ndarray:
    """Smooth minimum, which rounds the seam over `width` mm.

    Quilez's quadratic one, https://iquilezles.org/articles/smin/.
    """
    first, *others = distances
    for other in others:
        blend = np.maximum(width - np.abs(first - other), 0) / width
        first = np.minimum(first, other) - blend * blend * width / 4
    return first
