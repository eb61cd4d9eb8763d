"""Coarser meshes of the same object, whose colours are baked into a texture of their own."""

from dataclasses import replace

import cv2
import fast_simplification
import numpy as np
import trimesh
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from render.mesh.mesh import Mesh

FEWEST_SAMPLES, MOST_SAMPLES = (
    20_000,
    400_000,
)  # points of a surface that colours and normals are looked up among
MOST_TEXELS = 1024**2  # of a baked texture
PADDING = 2  # texels around a chart, so that filtering does not mix neighbours
HARD_EDGE = np.cos(np.radians(30))  # between a corner's normal and its neighbours'


def weld(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) float64 vertices, each place once, and (m, 3) faces without those of no area.

    Where a file keeps vertices apart, for a hard edge or a seam of its texture, decimation would
    tear the surface open.
    """
    vertices, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = index.reshape(-1)[mesh.faces]
    a, b, c = faces.T
    return vertices.astype(np.float64), faces[(a != b) & (b != c) & (c != a)]


def simplify(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """About `count` faces in place of (m, 3), by Garland and Heckbert's quadrics (1997)."""
    # Edges go in rounds, under a rising threshold: with the default of 7 it rises so fast that
    # LM-O's can of 4,000 faces is 0.67 mm off in place of 0.15. With 2, 2,000 are not reached.
    coarse, kept = fast_simplification.simplify(vertices, faces, target_count=count, agg=3)
    a, b, c = kept.T
    return coarse.astype(np.float64), kept[(a != b) & (b != c) & (c != a)].astype(np.int64)


class Surface:
    """The colours and normals of a mesh, to be found from any point near it.

    detail: metres between what its colours can tell apart; infinite for a mesh of one colour.
    """

    def __init__(self, mesh: Mesh) -> None:
        corners = mesh.vertices[mesh.faces].astype(np.float64)  # (m, 3, 3)
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        areas = np.linalg.norm(across, axis=1) / 2
        self.area = float(areas.sum())
        self.detail = _detail(mesh, areas)
        self.color = mesh.colors[0]

        fewest, most = np.sqrt(self.area / MOST_SAMPLES), np.sqrt(self.area / FEWEST_SAMPLES)
        spacing = float(np.clip(self.detail / 1.5, fewest, most))
        face, weights = _spread_over(areas, spacing)
        self._normals = _unit(_blend(mesh.normals, mesh.faces, face, weights))
        self._colors = _colors(mesh, face, weights)
        # Both sides of a thin wall are close: what faces another way counts as farther off.
        self._turn = 3 * spacing
        points = _blend(mesh.vertices, mesh.faces, face, weights)
        self._tree = KDTree(np.hstack([points, self._turn * _unit(across)[face]]))

    def look_up(self, points: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normals (n, 3) and colours (n, 3) uint8 near (n, 3) points of a surface so facing."""
        _, nearest = self._tree.query(np.hstack([points, self._turn * facing]))
        return self._normals[nearest], self._colors[nearest]


def dress(surface: Surface, vertices: np.ndarray, faces: np.ndarray, blur: float) -> Mesh:
    """A mesh to draw from a coarse surface, with normals and colours of the fine one.

    Args:
        vertices, faces: (n, 3) and (m, 3) of the coarse surface.
        blur: metres that need not be told apart in its texture.
    """
    facing = _unit(np.cross(*(vertices[faces[:, i]] - vertices[faces[:, 0]] for i in (1, 2))))
    corners = vertices[faces]
    inside = corners + 0.1 * (corners.mean(axis=1, keepdims=True) - corners)
    normals, _ = surface.look_up(inside.reshape(-1, 3), np.repeat(facing, 3, axis=0))
    of_one_color = np.isinf(surface.detail)
    charts, axes = (np.zeros_like(faces[:, 0]), None) if of_one_color else _charts(faces, facing)

    vertex, first = _split(faces, charts, normals)
    summed = np.zeros((len(first), 3))
    np.add.at(summed, vertex, normals)
    mesh = Mesh(
        vertices=corners.reshape(-1, 3)[first].astype(np.float32),
        faces=vertex.reshape(-1, 3).astype(np.int32),
        normals=_unit(summed).astype(np.float32),
        colors=np.tile(surface.color, (len(first), 1)),
    )
    if axes is None:
        return mesh

    texel = max(surface.detail, blur, np.sqrt(2 * surface.area / MOST_TEXELS))
    at, size = _lay_out(corners, charts, axes, texel)
    uv = at.reshape(-1, 2)[first] / size
    return replace(
        mesh,
        colors=np.full((len(first), 3), 255, np.uint8),
        uv=np.column_stack([uv[:, 0], 1 - uv[:, 1]]).astype(np.float32),
        texture=_bake(surface, corners, facing, at, size),
    )


def _detail(mesh: Mesh, areas: np.ndarray) -> float:
    """Metres between what the mesh's colours can tell apart.

    With vertex colours that is the height of the faces over which they change: of the lowest tenth,
    since a sharp border is painted as a strip of thin faces.
    """
    if mesh.texture is not None and mesh.uv is not None:
        a, b, c = np.moveaxis(mesh.uv[mesh.faces].astype(np.float64), 1, 0)
        (ux, uy), (vx, vy) = (b - a).T, (c - a).T
        texels = np.abs(ux * vy - uy * vx).sum() / 2 * mesh.texture[..., 0].size
        return float(np.sqrt(areas.sum() / max(texels, 1)))
    colors = mesh.colors[mesh.faces]
    changing = (colors != colors[:, :1]).any(axis=(1, 2)) & (areas > 0)
    if not changing.any():
        return float("inf") if (mesh.colors == mesh.colors[0]).all() else 0.0
    corners = mesh.vertices[mesh.faces[changing]]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return float(np.percentile(2 * areas[changing] / longest, 10))


def _spread_over(areas: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points that cover triangles evenly: the face of each, (k,), and its weights, (k, 3).

    R2 sequence (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018),
    folded into the triangle.
    """
    counts = np.ceil(areas / spacing**2).astype(np.int64).clip(1)
    face = np.repeat(np.arange(len(areas)), counts)
    within = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    u, v = (0.5 + within[:, None] * [0.7548776662466927, 0.5698402909980532]).T % 1
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    return face, np.column_stack([1 - u - v, u, v])


def _blend(values: np.ndarray, faces: np.ndarray, face: np.ndarray, weights: np.ndarray):
    """What vertices have, (n, c), at points within faces: (k, c)."""
    return np.einsum("kic,ki->kc", values[faces[face]].astype(np.float64), weights)


def _colors(mesh: Mesh, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(k, 3) uint8: texture times vertex colour."""
    colors = _blend(mesh.colors, mesh.faces, face, weights)
    if mesh.texture is not None and mesh.uv is not None:
        height, width = mesh.texture.shape[:2]
        uv = _blend(mesh.uv, mesh.faces, face, weights) % 1
        x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
        rows = -(-len(x) // 8192)  # OpenCV takes maps of up to 32767 a side
        padded = np.zeros((2, rows * 8192), np.float32)
        padded[:, : len(x)] = x, y
        at = padded.reshape(2, rows, 8192)
        texture = cv2.remap(
            mesh.texture, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        colors *= texture.reshape(-1, 3)[: len(x)] / 255
    return np.round(colors).astype(np.uint8)


def _charts(faces: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected parts of a surface that face one way: the chart of each face, and its axis.

    An axis is 0 to 2 for x, y, z. Each face goes with most of its neighbours, unless it would be
    seen too obliquely along their axis.
    """
    ways = np.concatenate([np.eye(3), -np.eye(3)])
    along = facing @ ways.T  # (m, 6)
    way = along.argmax(axis=1)
    pairs = trimesh.graph.face_adjacency(faces)
    for _ in range(4):
        votes = 0.5 * np.eye(6)[way]
        np.add.at(votes, pairs[:, 0], np.eye(6)[way[pairs[:, 1]]])
        np.add.at(votes, pairs[:, 1], np.eye(6)[way[pairs[:, 0]]])
        way = np.where(along > 0.3, votes + 0.01 * along, -1).argmax(axis=1)
    pairs = pairs[way[pairs[:, 0]] == way[pairs[:, 1]]]
    linked = coo_matrix((np.ones(len(pairs)), pairs.T), (len(faces), len(faces)))
    count, chart = connected_components(linked, directed=False)
    axes = np.zeros(count, np.int64)
    axes[chart] = way % 3
    return chart, axes


def _split(faces: np.ndarray, charts: np.ndarray, normals: np.ndarray):
    """Which corners share a vertex: one place, one chart, and much the same normal.

    Returns:
        (3 m,) the vertex of each corner, and (k,) the first corner of each vertex.
    """
    key = faces.reshape(-1) * (charts.max() + 1) + np.repeat(charts, 3)
    _, group = np.unique(key, return_inverse=True)
    summed = np.zeros((group.max() + 1, 3))
    np.add.at(summed, group, normals)
    apart = (normals * _unit(summed)[group]).sum(axis=1) < HARD_EDGE
    group = np.where(apart, group.max() + 1 + np.arange(len(group)), group)
    _, first, vertex = np.unique(group, return_index=True, return_inverse=True)
    return vertex, first


def _lay_out(
    corners: np.ndarray, charts: np.ndarray, axes: np.ndarray, texel: float
) -> tuple[np.ndarray, np.ndarray]:
    """Place charts side by side: (m, 3, 2) corners in texels, x right and y down, and the size.

    Each chart is seen along its axis; charts stand in shelves, the highest first.
    """
    planes = np.array([[1, 2], [2, 0], [0, 1]])[axes][charts]  # (m, 2)
    flat = np.take_along_axis(corners, planes[:, None, :].repeat(3, axis=1), axis=2) / texel
    low, high = np.full((len(axes), 2), np.inf), np.full((len(axes), 2), -np.inf)
    np.minimum.at(low, charts, flat.min(axis=1))
    np.maximum.at(high, charts, flat.max(axis=1))
    sizes = np.ceil(high - low).astype(np.int64) + 1 + 2 * PADDING

    width = max(int(np.sqrt(1.1 * sizes.prod(axis=1).sum())), int(sizes[:, 0].max()))
    origin, x, y, shelf = np.zeros((len(axes), 2)), 0, 0, 0
    for chart in np.argsort(-sizes[:, 1], kind="stable"):
        if x + sizes[chart, 0] > width:
            x, y, shelf = 0, y + shelf, 0
        origin[chart] = x, y
        x, shelf = x + sizes[chart, 0], max(shelf, sizes[chart, 1])
    return flat - (low - origin - PADDING)[charts][:, None], np.array([width, y + shelf])


def _bake(
    surface: Surface, corners: np.ndarray, facing: np.ndarray, uv: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """The texture, (h, w, 3) uint8: at each texel the colour of the fine surface nearest to it."""
    width, height = size
    face, x, y, weights = _texels(uv)
    points = np.einsum("kic,ki->kc", corners[face], weights)
    _, colors = surface.look_up(points, facing[face])
    texture, empty = np.zeros((height, width, 3), np.uint8), np.ones((height, width), bool)
    texture[y, x], empty[y, x] = colors, False
    v, u = distance_transform_edt(empty, return_distances=False, return_indices=True)
    return texture[v, u]


def _texels(uv: np.ndarray):
    """The texels whose centre lies in a triangle of (m, 3, 2): face, x, y (k,), weights (k, 3)."""
    low = np.floor(uv.min(axis=1)).astype(np.int64)
    counts = np.ceil(uv.max(axis=1)).astype(np.int64) - low
    each = counts.prod(axis=1)
    face = np.repeat(np.arange(len(uv)), each)
    within = np.arange(len(face)) - np.repeat(np.cumsum(each) - each, each)
    x, y = low[face, 0] + within % counts[face, 0], low[face, 1] + within // counts[face, 0]

    a, b, c = uv[:, 0], uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    area = np.where(area == 0, np.nan, area)  # a face seen edge-on has no texels
    px, py = x + 0.5 - a[face, 0], y + 0.5 - a[face, 1]
    v = (px * c[face, 1] - py * c[face, 0]) / area[face]
    w = (b[face, 0] * py - b[face, 1] * px) / area[face]
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    weights = np.column_stack([1 - v - w, v, w])
    return face[inside], x[inside], y[inside], weights[inside]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1; +z for those of none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-20, vectors / np.where(length > 1e-20, length, 1), [0.0, 0.0, 1.0])
