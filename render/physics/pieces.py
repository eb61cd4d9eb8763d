"""Convex pieces of a mesh, which physics can tell apart and touch: they hold all of its surface."""

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from render.mesh.mesh import Mesh

FACES = 600  # that a mesh is decimated to before it is cut into pieces
CONCAVITY = 0.07  # of the object's size, that a piece may fill at most (CoACD's threshold)
MOST_PIECES = 20
SEARCH = {"mcts_iterations": 10, "mcts_nodes": 6, "mcts_max_depth": 2, "resolution": 500}
GRID = 24  # cells along the side of a mesh that is no closed surface, when it is made one
CONVEX = 0.97  # share of its hull that a solid fills which is taken for convex,
DENT = 0.03  # of the object's size: and as near its surface and its hull's are everywhere
SPACING = 0.015  # of the object's size, between points of the surface that pieces must hold
OUTSIDE = 0.001  # of the object's size, that points may lie outside of all pieces
THIN = 0.002  # of the object's size: what is thinner is made so thick
FORMAT = 2  # of the files in the cache; to be raised with every change in how pieces are made


def make_pieces(mesh: Mesh) -> list[np.ndarray]:
    """Cut a mesh into convex pieces.

    By X. Wei, M. Liu, Z. Ling and H. Su, "Approximate convex decomposition for 3D meshes with
    collision-aware concavity and tree search", SIGGRAPH 2022. What of the surface they leave out is
    added to the nearest of them, so that where no pieces touch, no meshes do.

    Returns:
        Of each piece the (n, 3) float64 vertices of its hull, metres, the object's frame.
    """
    vertices, index = np.unique(mesh.vertices.astype(np.float64), axis=0, return_inverse=True)
    faces = index.reshape(-1)[mesh.faces]
    size = float(np.ptp(vertices, axis=0).max())
    whole = thick_hull(vertices, THIN * size)
    hull = ConvexHull(whole)
    points = _surface(vertices, faces, SPACING * size)
    # Faces that are there twice, and solids in one another, count twice in the volume.
    fills = _volume(vertices, faces) > CONVEX * hull.volume
    if _is_thin(vertices, size) or (fills and _apart(points, hull, size) < DENT * size):
        return [whole]
    return _holding(points, _cut(vertices, faces), size)


def thick_hull(points: np.ndarray, thickness: float) -> np.ndarray:
    """The (m, 3) vertices of the hull of (n, 3) points, made so thick where it is thinner."""
    for axis in _axes(points).T:
        along = points @ axis
        lacking = thickness - float(np.ptp(along))
        if lacking > 0:
            points = np.concatenate([points + s * lacking / 2 * axis for s in (-1, 1)])
    try:
        return points[np.sort(ConvexHull(points).vertices)]
    except QhullError:  # rounding: let Qhull move the points a little
        return points[np.sort(ConvexHull(points, qhull_options="QJ").vertices)]


def _cut(vertices: np.ndarray, faces: np.ndarray) -> list[np.ndarray]:
    """The pieces that CoACD finds of a mesh, (n, 3) vertices each."""
    import coacd
    import fast_simplification

    if len(faces) > FACES:
        vertices, faces = fast_simplification.simplify(vertices, faces, target_count=FACES)
    coacd.set_log_level("off")
    found = coacd.run_coacd(
        coacd.Mesh(np.asarray(vertices, np.float64), np.asarray(faces, np.int32)),
        threshold=CONCAVITY,
        max_convex_hull=MOST_PIECES,
        preprocess_resolution=GRID,
        seed=0,
        **SEARCH,
    )
    return [np.asarray(piece, np.float64) for piece, _ in found]


def _holding(points: np.ndarray, pieces: list[np.ndarray], size: float) -> list[np.ndarray]:
    """Pieces that hold (n, 3) points of the surface, too, each added to the nearest one."""
    pieces = [thick_hull(piece, THIN * size) for piece in pieces]
    if not pieces:
        return [thick_hull(points, THIN * size)]
    hulls = [ConvexHull(piece).equations for piece in pieces]
    # How far the points lie outside of each, as far as one of its planes tells: (n, pieces).
    outside = np.stack([(points @ e[:, :3].T + e[:, 3]).max(axis=1) for e in hulls], axis=1)
    nearest, away = outside.argmin(axis=1), outside.min(axis=1)
    added = [points[(nearest == i) & (away > OUTSIDE * size)] for i in range(len(pieces))]
    return [
        thick_hull(np.concatenate([piece, more]), THIN * size)
        for piece, more in zip(pieces, added, strict=True)
    ]


def _surface(vertices: np.ndarray, faces: np.ndarray, spacing: float) -> np.ndarray:
    """(n, 3) points all over the surface, the vertices among them, about so far apart."""
    corners = vertices[faces]  # (m, 3, 3)
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    steps = np.ceil(sides.max(axis=1) / spacing).astype(int).clip(min=1)
    points = [vertices]
    for count in np.unique(steps):
        u, v = np.mgrid[: count + 1, : count + 1].reshape(2, -1) / count
        weights = np.stack([1 - u - v, u, v], axis=1)[u + v < 1 + 1e-9]
        points.append((weights @ corners[steps == count]).reshape(-1, 3))
    sampled = np.concatenate(points)
    _, kept = np.unique(np.round(sampled / (spacing / 2)), axis=0, return_index=True)
    return np.concatenate([vertices, sampled[np.sort(kept)]])


def _apart(points: np.ndarray, hull: ConvexHull, size: float) -> float:
    """The Hausdorff distance between (n, 3) points of a surface and its hull's surface, metres."""
    around = _surface(hull.points, hull.simplices, SPACING * size)
    ways = cKDTree(points).query(around)[0], cKDTree(around).query(points)[0]
    return float(max(way.max() for way in ways))


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """What a mesh encloses, m^3; of one that is open or folded, something less than its hull."""
    a, b, c = np.moveaxis(vertices[faces] - vertices.mean(axis=0), 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def _is_thin(vertices: np.ndarray, size: float) -> bool:
    """Whether a mesh is as good as flat, or a line."""
    extents = np.ptp((vertices - vertices.mean(axis=0)) @ _axes(vertices), axis=0)
    return bool(extents.min() < THIN * size)


def _axes(vertices: np.ndarray) -> np.ndarray:
    """(3, 3) principal axes of (n, 3) vertices, in columns."""
    around = vertices - vertices.mean(axis=0)
    return np.linalg.eigh(around.T @ around)[1]
