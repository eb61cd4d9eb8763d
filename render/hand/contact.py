"""Fingers that would go through one another: the hand as capsules, and how deep they overlap."""

import itertools

import numpy as np

from render.hand.model import FINGERS, JOINTS, POINTS, HandModel
from render.hand.points import Placement, PointKinematics, model_points
from render.hand.pose import hand_angles

SQUEEZE = 0.85  # how near two bones may come, of what flesh keeps them apart: it gives
CHUNK = 128  # hands at once: more do not fit the processor's cache, and take twice as long


class HandCapsules:
    """A capsule around every bone of a hand of one shape, as thick as the flesh around it.

    starts, ends: (C,) index into `render.hand.model.POINTS`. radii: (C,) metres. pairs: (P, 2)
    capsules that could meet: no two of one joint. apart: (P,) metres, the least distance of
    their axes.
    """

    def __init__(self, model: HandModel, shape: np.ndarray) -> None:
        bones = [*_metacarpals(), *_phalanges()]
        self.starts, self.ends = np.array(bones).T
        hand = hand_angles(model)
        self._kinematics = PointKinematics(model, hand, model_points(model), shape)
        rest = self._kinematics.places
        self.radii = _radii(model.vertices + model.shape_directions @ shape, rest, bones)

        first, second = np.triu_indices(len(bones), 1)
        joints = [{int(start), int(end)} for start, end in bones]
        free = [joints[a].isdisjoint(joints[b]) for a, b in zip(first, second, strict=True)]
        self.pairs = np.stack([first, second], axis=1)[free]

        # Flesh that already overlaps in the rest pose, as in the web of the thumb, gives way.
        flesh = self.radii[self.pairs].sum(axis=1)
        self.apart = SQUEEZE * np.minimum(flesh, self._distances(rest[None])[0])

    def overlap(self, angles: np.ndarray) -> np.ndarray:
        """How deep bones are in one another's flesh, beyond what it gives: (N, D) -> (N,) metres.

        Negative where nothing touches: the smallest room that is left.
        """
        deepest = np.empty(len(angles))
        for i in range(0, len(angles), CHUNK):
            some = slice(i, i + CHUNK)
            count = len(angles[some])
            R, wrist = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))
            points = self._kinematics.locate(Placement(R, wrist, angles[some]))
            deepest[some] = (self.apart - self._distances(points)).max(axis=1)
        return deepest

    def _distances(self, points: np.ndarray) -> np.ndarray:
        """(N, P) distances of the axes of each pair, for points (N, 21, 3)."""
        starts, ends = points[:, self.starts], points[:, self.ends]
        axes = ends - starts
        lengths = np.linalg.norm(axes, axis=2, keepdims=True)
        tips = self.ends >= len(JOINTS)  # there the capsule's round end, not its axis, ends
        short = np.where(tips, self.radii, 0)[:, None]
        ends = ends - axes / lengths * np.minimum(short, 0.9 * lengths)
        starts, ends = (np.ascontiguousarray(np.moveaxis(x, 2, 0)) for x in (starts, ends))
        a, b = self.pairs.T
        corners = (starts[..., a], ends[..., a], starts[..., b], ends[..., b])
        return segment_distance(*(np.moveaxis(corner, 0, 2) for corner in corners))


def segment_distance(a0: np.ndarray, a1: np.ndarray, b0: np.ndarray, b1: np.ndarray) -> np.ndarray:
    """Distance of segments a0-a1 and b0-b1, (..., 3) each -> (...).

    The nearest points of the lines, brought into the segments one after the other: Ericson,
    "Real-Time Collision Detection", 2005, section 5.1.9. A segment may be a point.
    """
    u, v, w = (np.moveaxis(x, -1, 0) for x in (a1 - a0, b1 - b0, a0 - b0))
    uu, vv, uv, uw, vw = _dot(u, u), _dot(v, v), _dot(u, v), _dot(u, w), _dot(v, w)
    tiny = np.finfo(np.float64).tiny

    across = uu * vv - uv * uv
    s = np.where(across > 1e-12 * uu * vv, (uv * vw - vv * uw) / np.maximum(across, tiny), 0)
    s = np.clip(s, 0, 1)
    t = np.clip((uv * s + vw) / np.maximum(vv, tiny), 0, 1)
    s = np.clip((uv * t - uw) / np.maximum(uu, tiny), 0, 1)
    between = w + s * u - t * v
    return np.sqrt(_dot(between, between))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, ...) twice -> (...); written out, several times as fast as einsum on short vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _metacarpals() -> list[tuple[int, int]]:
    return [(0, JOINTS.index(f"{finger}1")) for finger in FINGERS if finger != "thumb"]


def _phalanges() -> list[tuple[int, int]]:
    chains = [(*(f"{finger}{i}" for i in (1, 2, 3)), f"{finger} tip") for finger in FINGERS]
    return [
        (POINTS.index(near), POINTS.index(far))
        for chain in chains
        for near, far in itertools.pairwise(chain)
    ]


def _radii(vertices: np.ndarray, points: np.ndarray, bones: list[tuple[int, int]]) -> np.ndarray:
    """(C,) the median distance of each bone's axis to the skin that is nearest to that bone."""
    starts, ends = (points[list(i)] for i in zip(*bones, strict=True))
    here = vertices[:, None]
    distances = segment_distance(here, here, starts[None], ends[None])  # (V, C)
    nearest = distances.argmin(axis=1)
    radii = np.array([np.median(distances[nearest == i, i]) for i in range(len(bones))])

    # The forearm and the edges of the palm count as skin of the outer metacarpals.
    metacarpal = np.array([start == 0 for start, _ in bones])
    return np.where(metacarpal, radii[metacarpal].min(), radii)
