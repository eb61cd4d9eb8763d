"""Implicit surface -> triangles of a wanted size: surface nets, then Voronoi cells on them."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Distance = Callable[[np.ndarray], np.ndarray]  # (N, 3) -> (N,), negative inside

TURN = 4.0  # mm that a normal of the other direction, by a radian, counts for


def surface_net(distance: Distance, box: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Mesh the zero set inside a box (2, 3): a vertex a cell it crosses, a quad an edge.

    Gibson, "Constrained Elastic Surface Nets", MICCAI 1998, without the relaxation.

    Returns:
        Vertices (V, 3) in the middle of the crossed cells, and faces (F, 3), counter-clockwise as
        seen from outside.
    """
    axes = [np.arange(low, high + step, step) for low, high in box.T]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    inside = (distance(grid.reshape(-1, 3)) < 0).reshape(grid.shape[:3])
    ends = slice(None, -1), slice(1, None)
    corners = [inside[x, y, z] for x in ends for y in ends for z in ends]
    crossed = np.any(corners, axis=0) & ~np.all(corners, axis=0)
    cells = np.argwhere(crossed)
    index = np.full(crossed.shape, -1)
    index[tuple(cells.T)] = np.arange(len(cells))
    quads = np.concatenate([_quads(inside, index, axis) for axis in range(3)])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return box[0] + (cells + 0.5) * step, faces


def _quads(inside: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """(n, 4) the cells around each edge along an axis that crosses the surface.

    inside: of each grid point. index: the number of each cell, one less of them along every axis.
    """
    u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
    along = np.moveaxis(inside, axis, 0)
    edges = np.argwhere(np.moveaxis(along[:-1] != along[1:], 0, axis))
    quads = np.stack([index[tuple((edges - shift).T)] for shift in (u + v, v, 0 * u, u)], axis=1)
    leaves = inside[tuple(edges.T)]
    return np.where(leaves[:, None], quads, quads[:, ::-1])


def subdivide(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut each face of a closed mesh into four, at the middles of its edges."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
    unique, middle = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    ab, bc, ca = (len(vertices) + middle.reshape(-1, 3)).T
    a, b, c = faces.T
    parts = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
    joined = np.concatenate([vertices, vertices[unique].mean(axis=1)])
    return joined, np.concatenate([np.stack(part, axis=1) for part in parts])


def project(distance: Distance, points: np.ndarray, steps: int = 4) -> np.ndarray:
    """Move points (N, 3) onto the zero set, along its gradient."""
    for _ in range(steps):
        value, normal = distance(points), gradient(distance, points)
        points = points - (value / (normal**2).sum(axis=1))[:, None] * normal
    return points


def gradient(distance: Distance, points: np.ndarray) -> np.ndarray:
    """(N, 3) central differences of the distance."""
    steps = 1e-3 * np.eye(3)
    differences = [distance(points + step) - distance(points - step) for step in steps]
    return np.stack(differences, axis=1) / 2e-3


def resample(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, spacing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A coarser mesh: the triangles dual to Voronoi cells on a fine one.

    Valette and Chassery, "Approximated Centroidal Voronoi Diagrams for Uniform Polygonal Mesh
    Coarsening", Eurographics 2004. Distance counts the turn of the normal too, so that no cell
    reaches through a finger, or from one to the next.

    Args:
        vertices, faces, normals: (V, 3), (F, 3), (V, 3) of the fine mesh, several times finer than
            the spacing.
        spacing: (V,) the wanted distance between vertices.

    Returns:
        Seeds (S, 3) and faces. They make a closed surface where every cell is a disc.
    """
    area = _vertex_areas(vertices, faces)
    share = area / (np.sqrt(3) / 2 * spacing**2)  # of a vertex in a mesh of equal triangles
    count = round(share.sum())
    sites = np.concatenate([vertices, TURN * normals], axis=1)
    seeds = _spread_out(sites[::4], spacing[::4], count)

    # Of cells with equal moments, where the density is spacing**-4, sizes go as the spacing.
    mass = area / spacing**4
    for _ in range(40):
        cell = cKDTree(seeds).query(sites)[1]
        total = np.bincount(cell, mass, count)
        sums = [np.bincount(cell, mass * x, count) for x in sites.T]
        seeds = np.stack(sums, axis=1) / total[:, None]
    dual = _connected(cKDTree(seeds).query(sites)[1], faces)[faces]
    corner = (dual[:, 0] != dual[:, 1]) & (dual[:, 1] != dual[:, 2]) & (dual[:, 2] != dual[:, 0])
    return seeds[:, :3], dual[corner]


def _spread_out(sites: np.ndarray, spacing: np.ndarray, count: int) -> np.ndarray:
    """Farthest-point sampling: (count, D) sites, far apart in units of the spacing."""
    chosen = [0]
    nearest = np.full(len(sites), np.inf)
    while len(chosen) < count:
        offsets = sites - sites[chosen[-1]]
        nearest = np.minimum(nearest, (offsets**2).sum(axis=1))
        chosen.append(int(np.argmax(nearest / spacing**2)))
    return sites[chosen]


def _connected(cell: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Give what lies apart from the largest piece of its cell (V,) to the cells around it."""
    cell = cell.copy()
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    within = edges[cell[edges[:, 0]] == cell[edges[:, 1]]]
    ones = np.ones(len(within))
    piece = connected_components(coo_array((ones, within.T), (len(cell), len(cell))))[1]
    size = np.bincount(piece)[piece]
    largest = np.zeros(cell.max() + 1, np.int64)
    np.maximum.at(largest, cell, size)
    cell[size < largest[cell]] = -1
    while (cell < 0).any():
        a, b = edges.T  # closed surface: each edge is there in both directions
        takes = (cell[a] < 0) & (cell[b] >= 0)
        cell[a[takes]] = cell[b[takes]]
    return cell


def _vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) a third of the area of the faces around each vertex."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(faces.reshape(-1), np.repeat(area / 3, 3), len(vertices))
