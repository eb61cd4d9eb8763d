"""A glazed vase: looks the same from all sides. Coloured at its vertices."""

import numpy as np
from scipy.interpolate import CubicSpline

from assets.painting import colored, plain
from assets.shapes import Curve, Surface, circle, curve
from render.mesh.mesh import Mesh

SIDES = 64  # so that each of BOP's usual 64 steps of the symmetry maps vertices onto vertices
# (radius, z) from under the foot up the outside, over the lip and down the inside.
WALL = [
    (18, 0), (21, 0.6), (22.3, 3), (22, 7), (21.2, 10), (24.5, 17), (33, 33), (41, 51), (45, 72),
    (42.5, 91), (33, 108), (21.5, 122), (15.3, 136), (15.8, 148), (21.5, 157.5), (25.2, 160.6),
    (25.6, 161.9), (24.6, 162.4), (22.3, 161.3), (17.2, 156.5), (12.9, 148), (12.4, 136),
    (18.5, 122), (30, 107), (39, 90), (41, 72), (36, 50), (24, 29), (10, 20.8), (0, 20),
]  # fmt: skip
# (z of the lower edge on the outside, colour above it)
GLAZE = [
    (-1, (150, 92, 56)),
    (6.5, (232, 224, 205)),
    (30, (38, 84, 140)),
    (33, (232, 224, 205)),
    (36, (206, 150, 62)),
    (40, (232, 224, 205)),
    (43, (38, 84, 140)),
    (84, (206, 150, 62)),
    (88, (38, 84, 140)),
    (91, (232, 224, 205)),
    (94, (38, 84, 140)),
    (97, (96, 164, 176)),
    (118, (38, 84, 140)),
    (121, (232, 224, 205)),
    (153, (206, 150, 62)),
]
INSIDE = (74, 118, 130)
BLUR = 0.3  # mm over which one glaze turns into the next


def build() -> Mesh:
    """The vase, its axis along z."""
    profile = _profile()
    lip = profile.t[np.argmax(profile.points[:, 1])]

    def painter(points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.where((v > lip)[..., None], plain(INSIDE, v), _glaze(points[..., 2]))

    return colored([Surface(circle(1.0, SIDES), profile, painter)])


def _profile() -> Curve:
    """The wall, with rows on both sides of each edge in the glaze."""
    points = np.array([(0, 0), *WALL], np.float64)
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points[1:], axis=0), axis=1))])
    spline = CubicSpline(s, points[1:])

    lip = s[np.argmax(points[1:, 1])]
    outside = np.linspace(0, lip, 4000)
    edges = np.interp([z for z, _ in GLAZE[1:]], spline(outside)[:, 1], outside)
    even = [np.linspace(0, lip - 4, 38), np.linspace(lip + 4, s[-1], 16)]
    lips = lip + np.linspace(-3.3, 3.3, 11)
    rows = np.sort(np.concatenate([*even, lips, edges - BLUR / 2, edges + BLUR / 2]))
    wall, tangents = spline(rows), spline(rows, 1)
    wall[-1, 0] = 0.0
    foot = np.array([(0.0, 0.0), wall[0]])
    return curve(np.concatenate([foot, wall]), np.concatenate([[(1.0, 0.0), (1.0, 0.0)], tangents]))


def _glaze(z: np.ndarray) -> np.ndarray:
    """(..., 3) colour of the outside at height z; darker below, as glaze runs."""
    edges = np.array([edge for edge, _ in GLAZE])
    colors = np.array([color for _, color in GLAZE], np.float64)
    shade = 0.85 + 0.15 * np.clip(z / 70, 0, 1)
    return colors[np.searchsorted(edges, z) - 1] * shade[..., None]
