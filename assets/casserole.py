"""An enamelled oval casserole: a half turn about its upright axis leaves it as it is. Textured."""

import numpy as np

from assets.painting import coat, disc, paint, petals, plain, textured
from assets.shapes import Curve, Place, Surface, circle, curve, resampled, rounded
from render.mesh.mesh import Mesh

ASPECT, SQUARENESS = 1.26, 2.3  # of the oval: length to width, exponent of the superellipse
SEGMENTS = 80  # around the oval
CREAM, INK, BLUE, LEAF, SUN = (
    (250, 240, 218), (44, 38, 40), (60, 108, 168), (70, 124, 84), (250, 190, 60)
)  # fmt: skip

BODY = [(0, 0, 0), (41, 0, 15), (46, 54, 1.5), (48.5, 55.5, 1), (48.5, 58.5, 1), (0, 58.5, 0)]
LID = [
    (0, 60, 0), (49.5, 60, 1), (49.5, 64, 1.6), (45.5, 65, 2), (43, 69.5, 3), (24, 77.5, 30),
    (12, 79, 2), (0, 79, 0),
]  # fmt: skip
KNOB = [(0, 77, 0), (8, 77, 1), (5.5, 83, 3), (6, 87, 2), (13.5, 90, 2.5), (13, 96, 4), (0, 97, 0)]


def build() -> Mesh:
    """The casserole, its long axis along x; the second half is the first one turned."""
    oval, ring = _half(ASPECT, SQUARENESS, SEGMENTS), _half(1.0, 2.0, 28)
    handle = resampled(_superellipse(0.72, 2.3), 36)
    half = [
        Surface(oval, rounded(BODY), _paint_body),
        Surface(oval, rounded(LID), _paint_lid),
        Surface(ring, rounded(KNOB), coat(INK)),
        Surface(handle, circle(5.2, 16, (19.5, 0.0)), _paint_handle, _to_handle),
    ]
    turned = [Surface(s.outline, s.profile, s.painter, _half_turn(s.place)) for s in half]
    return textured(half, 512, 2.5, copies=turned)


def _superellipse(aspect: float, squareness: float) -> np.ndarray:
    angle = 2 * np.pi * np.arange(8001) / 8000
    wave = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    oval = np.sign(wave) * np.abs(wave) ** (2 / squareness) * [aspect, 1.0]
    oval[-1] = oval[0]
    return oval


def _half(aspect: float, squareness: float, segments: int) -> Curve:
    """The half of an oval with y > 0."""
    whole = resampled(_superellipse(aspect, squareness), segments)
    end = segments // 2 + 1
    return curve(whole.points[:end], whole.tangents[:end])


def _half_turn(place: Place) -> Place:
    return lambda points: place(points) * [-1.0, -1.0, 1.0]


def _to_handle(points: np.ndarray) -> np.ndarray:
    return points * [1.0, 1.0, 1.15] + [60.0, 0.0, 46.0]


def _enamel(z: np.ndarray) -> np.ndarray:
    """Flame red at the bottom, orange above."""
    return paint(plain((178, 40, 26), z), (240, 118, 38), np.clip(z / 62, 0, 1) ** 1.3)


def _paint_body(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    z = points[..., 2]
    color = _enamel(z)
    x = (0.5 - u) * 168  # mm around the wall from the middle of this side, to the right
    y = z - 30
    wall = points[..., 1] > 0

    for side in (-1, 1):  # two sprigs, one blue and low, one cream and high
        bend = side * 8 * np.sin(side * x / 26)
        along = (side * x > 6) & (side * x < 52)
        color = paint(color, LEAF, along & (np.abs(y - bend) < 0.9) & wall)
        for at, angle in ((17, 50), (26, -35), (36, 60), (44, -40)):
            height = side * 8 * np.sin(at / 26)
            leaf = petals(x - side * at, y - height, 8, 1, side * angle, 0.42)
            color = paint(color, LEAF, leaf & wall)
    color = paint(color, BLUE, petals(x + 54, y + 7, 9, 5, 10, 0.5) & wall)
    color = paint(color, CREAM, petals(x - 54, y - 7, 9, 5, 0, 0.5) & wall)
    color = paint(color, CREAM, petals(x, y, 17, 9, 0, 0.3) & wall)
    for center, height, radius in ((0, 0, 4.6), (-54, -7, 2.7), (54, 7, 2.7)):
        color = paint(color, SUN, disc(x - center, y - height, radius) & wall)
    return paint(color, INK, z > 58)


def _paint_lid(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    z = points[..., 2]
    color = _enamel(z - 14)
    radius = np.hypot(points[..., 0] / ASPECT, points[..., 1])
    across = (np.mod(u * 14, 1) - 0.5) * 9
    color = paint(color, CREAM, disc(across, radius - 34, 1.8) & (z > 66))
    color = paint(color, CREAM, (np.abs(radius - 28) < 0.7) & (z > 66))
    return paint(color, INK, z < 60.6)


def _paint_handle(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _enamel(points[..., 2] + 50)
