"""Polygons of any number of corners, concave ones too -> triangles."""

import numpy as np

MOST_WORK = 30_000_000  # corners looked at to cut one polygon, some seconds: those of no shape
# at all take the third power of their number
CALL = 200  # corners that could be looked at while one look begins


def triangulate(
    vertices: np.ndarray, corners: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons into triangles of their own corners, wound as they are.

    A fan around the first corner where that stays within the polygon, as in every convex one; else
    by cutting off ears.

    Args:
        vertices: (n, 3).
        corners: (c,) vertex of each corner, the polygons one after another.
        lengths: (p,) number of corners of each polygon.

    Returns:
        (m, 3) positions in `corners`, and (m,) the polygon of each triangle.

    Raises:
        ValueError: a polygon of many corners crosses itself everywhere.
    """
    lengths = lengths.astype(np.int64)
    counts = np.maximum(lengths - 2, 0)
    polygon = np.repeat(np.arange(len(lengths)), counts)
    within = np.arange(len(polygon)) - (np.cumsum(counts) - counts)[polygon]
    starts = np.cumsum(lengths) - lengths
    first = starts[polygon]
    triangles = np.stack([first, first + within + 1, first + within + 2], axis=1)
    behind = np.cumsum(counts)
    for i in _not_fans(vertices[corners], triangles, polygon, len(lengths)):
        points = vertices[corners[starts[i] : starts[i] + lengths[i]]]
        triangles[behind[i] - counts[i] : behind[i]] = starts[i] + _cut_ears(points)
    return triangles, polygon


def _not_fans(
    points: np.ndarray, triangles: np.ndarray, polygon: np.ndarray, count: int
) -> np.ndarray:
    """Indices of the polygons whose fan turns back, and so leaves them."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    areas = np.cross(b - a, c - a)
    wholes = np.stack([np.bincount(polygon, areas[:, i], count) for i in range(3)], axis=1)[polygon]
    backward = (areas * wholes).sum(axis=1) < -1e-9 * (wholes**2).sum(axis=1)
    return np.unique(polygon[backward])


def _cut_ears(points: np.ndarray) -> np.ndarray:
    """Triangulate a simple polygon, (k, 3) -> (k - 2, 3), by cutting off ears.

    Meisters, "Polygons have ears" (1975): of each with four or more corners, two can be cut off.
    """
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    axis = int(np.argmax(np.abs(normal)))
    flat = np.delete(points, axis, axis=1)  # seen along the axis that it faces most
    if (normal[axis] < 0) != (axis == 1):  # leaving y out turns the plane over
        flat = flat * [1, -1]

    left, ears, work = list(range(len(points))), [], 0
    while len(left) > 3:
        # What is no simple polygon may have no ear: then any corner goes.
        k = next((k for k in range(len(left)) if _is_ear(flat, left, k)), -1)
        work += (len(left) if k < 0 else k + 1) * (CALL + len(left))
        if work > MOST_WORK:
            raise ValueError(f"a polygon of {len(points)} corners that is no simple one; cut it up")
        k = max(k, 0)
        ears.append((left[k - 1], left[k], left[(k + 1) % len(left)]))
        del left[k]
    return np.array([*ears, left])


def _is_ear(flat: np.ndarray, left: list[int], k: int) -> bool:
    """Whether corner k juts out, and no other corner lies in the triangle that it cuts off."""
    a, b, c = flat[left[k - 1]], flat[left[k]], flat[left[(k + 1) % len(left)]]
    if _turn(a, b, c) <= 0:
        return False
    ear = (left[k - 1], left[k], left[(k + 1) % len(left)])
    others = flat[[i for i in left if i not in ear]]
    inside = (_turn(a, b, others) >= 0) & (_turn(b, c, others) >= 0) & (_turn(c, a, others) >= 0)
    return not inside.any()


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the signed area of the triangle a b c, or of those of (n, 2) c."""
    return (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])
