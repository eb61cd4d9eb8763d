"""How an object comes to rest on a table: its stable poses, and the room it takes there."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from render.scene.packing import reach_of
from render.transforms import rigid

THIN = 1e-6  # of an object's size: what is no thicker is flat
# Shares of an object's size: what is no higher would be drawn in the table's plane; how far an
# object is held above the table then; and how many of its faces there are looked at.
LOW, LIFT, LOOKED_AT = 1e-4, 1e-3, 32


@dataclass(frozen=True, eq=False)
class Rest:
    """An object at rest on the plane z = 0.

    table_from_obj: (4, 4); seen from above, the middle of its bounds is at the origin. reach: (32,)
    from there, see `packing.reach_of`. height: of its highest point, metres.
    """

    table_from_obj: np.ndarray
    reach: np.ndarray
    height: float


def hull_of(points: np.ndarray) -> ConvexHull:
    """The convex hull of (n, 3) points; where they are flat, or on a line, of a very thin solid."""
    try:
        return ConvexHull(points)
    except QhullError:
        _, extents, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
        for axis in axes[extents < THIN * extents[0]]:
            points = np.concatenate([points + s * THIN * extents[0] * axis for s in (-1, 1)])
        return ConvexHull(points)


def stable_poses(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The poses in which a solid, dropped onto a table, comes to rest.

    It lands on a face of its convex hull, each as likely as the angle that the face takes up seen
    from the centre of mass, and topples from there, edge by edge, until its centre of mass is above
    the face it lies on: K. Goldberg et al., "Part pose statistics: estimators and experiments",
    1999. The mass is taken to fill the hull evenly.

    Args:
        vertices: (n, 3) of the object, metres.

    Returns:
        table_from_obj rotations (m, 3, 3) and their probabilities (m,), the likeliest first.
    """
    hull = hull_of(np.asarray(vertices, np.float64))
    # Qhull cuts its faces into triangles, whose equations remain those of the face.
    equations, face_of = np.unique(hull.equations, axis=0, return_inverse=True)
    face_of = face_of.ravel()
    corners, middle = hull.points[hull.simplices], hull.points[hull.vertices].mean(axis=0)
    volumes = np.abs(np.linalg.det(corners - middle))  # of the tetrahedra to the middle, six times
    center = (volumes @ (corners.sum(axis=1) + middle) / 4) / volumes.sum()

    share = np.bincount(face_of, _solid_angles(corners - center)) / (4 * np.pi)
    lands_on = _topple(hull, corners, face_of, equations, center)
    for _ in range(len(lands_on).bit_length()):
        lands_on = lands_on[lands_on]
    total = np.bincount(lands_on, share, minlength=len(equations))
    stable = total > 0
    downs, probabilities = equations[stable, :3], total[stable] / total.sum()
    # Rounded, so that the last bits do not order poses that are as likely as each other.
    order = np.lexsort((*np.round(downs.T, 6), -np.round(probabilities, 9)))
    return np.array([_turn_down(down) for down in downs[order]]), probabilities[order]


def rest(hull_vertices: np.ndarray, R: np.ndarray, lift: float = 0.0) -> Rest:
    """Put an object, given by the (n, 3) vertices of its hull, onto the table under a rotation.

    Args:
        lift: metres that it is held above the table.
    """
    turned = hull_vertices @ R.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    foot = np.append((low + high)[:2] / 2, low[2] - lift)
    return Rest(rigid(R, -foot), reach_of((turned - foot)[:, :2]), float(high[2] - foot[2]))


def lift_of(vertices: np.ndarray, faces: np.ndarray, R: np.ndarray) -> float:
    """How far an object must be held above the table to be seen whole, metres; 0 for most.

    A sheet without thickness, or an open box of one, would lie in the table's very plane, and each
    pixel would show either. A face that lies there is seen if no other is above its middle.

    Args:
        vertices: (n, 3) metres. faces: (m, 3) indices. R: (3, 3) rotation onto the table.
    """
    corners = (vertices @ R.T)[faces]  # (m, 3, 3)
    heights = corners[..., 2] - corners[..., 2].min()
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    lies = (heights < LOW * size).all(axis=1)
    areas = np.abs(_cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    chosen = np.flatnonzero(lies)[np.argsort(-areas[lies], kind="stable")[:LOOKED_AT]]
    above = corners[~lies]
    for middle, area in zip(corners[chosen].mean(axis=1), areas[chosen], strict=True):
        if area > (LOW * size) ** 2 and not _is_under(middle, above):
            return LIFT * size
    return 0.0


def _is_under(point: np.ndarray, corners: np.ndarray) -> bool:
    """Whether (m, 3, 3) triangles that are higher hide a (3,) point from above."""
    to = corners - point
    sides = [_cross(to[:, i], to[:, (i + 1) % 3]) for i in range(3)]
    signs = np.sign(sides)
    inside = (signs >= 0).all(axis=0) | (signs <= 0).all(axis=0)
    return bool((inside & (np.abs(sides).sum(axis=0) > 0)).any())


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The z of the cross product of (..., 2 or more) vectors."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _solid_angles(corners: np.ndarray) -> np.ndarray:
    """Solid angles of (n, 3, 3) triangles seen from the origin, steradians.

    A. van Oosterom and J. Strackee, "The solid angle of a plane triangle", 1983.
    """
    a, b, c = np.moveaxis(corners / np.linalg.norm(corners, axis=2, keepdims=True), 1, 0)
    above = np.abs(np.einsum("ij,ij->i", a, np.cross(b, c)))
    below = 1 + sum(np.einsum("ij,ij->i", x, y) for x, y in ((a, b), (b, c), (c, a)))
    return 2 * np.arctan2(above, below)


def _topple(
    hull: ConvexHull,
    corners: np.ndarray,
    face_of: np.ndarray,
    equations: np.ndarray,
    center: np.ndarray,
) -> np.ndarray:
    """The face that the object topples onto from each face; the face itself where it is stable.

    The centre of mass sinks from face to face, so nothing ever topples in a circle.

    Args:
        corners: (t, 3, 3) of the hull's triangles. face_of: (t,) the face that each is part of.
        equations: (f, 4) of the faces. center: (3,) of mass.
    """
    normals = equations[face_of, :3]
    next_face, farthest = np.arange(len(equations)), np.zeros(len(equations))
    for k in range(3):  # the edge opposite corner k, which neighbour k shares
        start, end = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
        outwards = np.cross(end - start, normals)
        outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-300)
        side = np.einsum("ij,ij->i", outwards, corners[:, k] - start)
        outwards *= -np.sign(side)[:, None]
        beyond = np.einsum("ij,ij->i", outwards, center - start)
        neighbor = face_of[hull.neighbors[:, k]]
        for triangle in np.flatnonzero((neighbor != face_of) & (beyond > 0)):
            face = face_of[triangle]
            if beyond[triangle] > farthest[face]:
                next_face[face], farthest[face] = neighbor[triangle], beyond[triangle]
    return next_face


def _turn_down(normal: np.ndarray) -> np.ndarray:
    """A (3, 3) rotation that turns a direction to -z."""
    z = -normal / np.linalg.norm(normal)
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
