"""Painters' helpers, and surfaces -> one mesh with a painted texture or with vertex colours."""

from collections.abc import Sequence

import numpy as np

from assets.shapes import Painter, Surface
from render.mesh.mesh import Mesh

MARGIN = 8  # texels painted around each chart, so that filtering does not mix charts
SUPERSAMPLES = 2  # per texel and axis
DECIMALS = 4  # of a coordinate in mm: far above rounding errors, so that every machine agrees

# 5x7 letters, a row of bits each.
LETTERS = {
    "A": (0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11),
    "I": (0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E),
    "M": (0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11),
    "R": (0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11),
    "7": (0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08),
}


def paint(base: np.ndarray, color: Sequence[float], where: np.ndarray) -> np.ndarray:
    """Lay a colour over (..., 3) RGB, fully where (...) is 1 or True."""
    return base + np.asarray(where, np.float64)[..., None] * (np.array(color, np.float64) - base)


def plain(color: Sequence[float], like: np.ndarray) -> np.ndarray:
    """(..., 3) of one colour, for the points of a (...) array."""
    return np.broadcast_to(np.array(color, np.float64), (*like.shape, 3))


def coat(color: Sequence[float]) -> Painter:
    """A painter of one colour."""
    return lambda points, u, v: plain(color, u)


def disc(x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """True inside a circle about the origin."""
    return np.hypot(x, y) < radius


def box(x: np.ndarray, y: np.ndarray, width: float, height: float, corner: float = 0) -> np.ndarray:
    """True inside a rectangle about the origin with rounded corners."""
    dx = np.maximum(np.abs(x) - width / 2 + corner, 0)
    dy = np.maximum(np.abs(y) - height / 2 + corner, 0)
    return np.hypot(dx, dy) <= corner if corner else (dx + dy) == 0


def star(x: np.ndarray, y: np.ndarray, radius: float, tips: int = 5) -> np.ndarray:
    """True inside a star about the origin with one tip upwards."""
    angle = np.mod(np.arctan2(x, y) + np.pi / tips, 2 * np.pi / tips) - np.pi / tips
    # The straight edge from a tip to the notch at 0.42 of the radius.
    notch = 0.42 * np.array([np.sin(np.pi / tips), np.cos(np.pi / tips)])
    px, py = np.hypot(x, y) * np.sin(np.abs(angle)), np.hypot(x, y) * np.cos(angle)
    return notch[0] * (py - radius) - (notch[1] - 1) * px < 0


def petals(
    x: np.ndarray, y: np.ndarray, length: float, count: int, turn_deg: float, width: float
) -> np.ndarray:
    """True inside a flower about the origin; its first petal points `turn_deg` from +x.

    width: of a petal, as a part of its length. A single petal is a leaf.
    """
    inside = np.zeros(x.shape, bool)
    for angle in np.radians(turn_deg) + 2 * np.pi * np.arange(count) / count:
        along = (np.cos(angle) * x + np.sin(angle) * y) / length - 0.5
        across = (np.cos(angle) * y - np.sin(angle) * x) / (length * width)
        inside |= np.hypot(along, across) < 0.5
    return inside


def lettering(text: str, x: np.ndarray, y: np.ndarray, height: float) -> np.ndarray:
    """True on the strokes of a text about the origin, x to the right and y up."""
    cell = height / 7
    columns = 6 * len(text) - 1
    column = np.floor(x / cell + columns / 2).astype(int)
    row = np.floor(3.5 - y / cell).astype(int)
    bits = np.zeros((7, columns), bool)
    for i, letter in enumerate(text):
        for j, line in enumerate(LETTERS[letter]):
            bits[j, 6 * i : 6 * i + 5] = [line >> (4 - k) & 1 for k in range(5)]
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < 7)
    return inside & bits[np.clip(row, 0, 6), np.clip(column, 0, columns - 1)]


def textured(
    surfaces: Sequence[Surface], width: int, texels_per_mm: float, copies: Sequence[Surface] = ()
) -> Mesh:
    """One mesh from surfaces, painted into a texture of `width` texels across.

    copies: the same surfaces once more, placed elsewhere; they share the first ones' paint.
    """
    grids = [surface.grid() for surface in surfaces]
    sizes = [_chart_size(surface, texels_per_mm, width) for surface in surfaces]
    corners, height = _pack(sizes, width)
    texture = np.full((height, width, 3), 128.0)
    uvs = []
    for surface, (_, _, uv, _), (w, h), (left, top) in zip(
        surfaces, grids, sizes, corners, strict=True
    ):
        chart = np.s_[top - MARGIN : top + h + MARGIN, left - MARGIN : left + w + MARGIN]
        texture[chart] = _painted(surface, w, h)
        uvs.append((uv * [w, h] + [left, top]) / [width, height] * [1, -1] + [0, 1])
    if copies:
        grids += [surface.grid() for surface in copies]
        uvs += uvs
    colors = [np.full((len(uv), 3), 255) for uv in uvs]
    return _assembled(grids, colors, np.concatenate(uvs), texture)


def colored(surfaces: Sequence[Surface]) -> Mesh:
    """One mesh from surfaces, with the painters' colours at its vertices."""
    grids = [surface.grid() for surface in surfaces]
    colors = [
        s.painter(s.points(*uv.T), *uv.T) for s, (_, _, uv, _) in zip(surfaces, grids, strict=True)
    ]
    return _assembled(grids, colors)


def _assembled(grids: Sequence, colors: Sequence, uv=None, texture=None) -> Mesh:
    """The surfaces' grids as one mesh in metres, its box centred on the origin."""
    points = np.concatenate([grid[0] for grid in grids]).round(DECIMALS)
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    starts = np.cumsum([0] + [len(grid[0]) for grid in grids[:-1]])
    return Mesh(
        vertices=((points - center) / 1000).astype(np.float32),
        faces=np.concatenate([g[3] + s for g, s in zip(grids, starts, strict=True)]).astype(
            np.int32
        ),
        normals=np.concatenate([grid[1] for grid in grids]).round(DECIMALS).astype(np.float32),
        colors=np.concatenate(colors).round().astype(np.uint8),
        uv=None if uv is None else uv.round(6).astype(np.float32),
        texture=None if texture is None else texture.round().astype(np.uint8),
    )


def _chart_size(surface: Surface, texels_per_mm: float, width: int) -> tuple[int, int]:
    """Texels across and down that give the surface about this resolution."""
    rows, columns = len(surface.profile.t), len(surface.outline.t)
    points = surface.grid()[0].reshape(rows, columns, 3)
    around = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1).max()
    along = np.linalg.norm(np.diff(points, axis=0), axis=2).sum(axis=0).max()
    w, h = (max(4, int(np.ceil(length * texels_per_mm))) for length in (around, along))
    return min(w, width - 2 * MARGIN), h


def _pack(sizes: Sequence[tuple[int, int]], width: int) -> tuple[list[tuple[int, int]], int]:
    """Place charts in rows, the high ones first: (left, top) of each, and the height of it all."""
    corners = [(0, 0)] * len(sizes)
    left, top, row = 0, 0, 0
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], i)):
        w, h = sizes[i][0] + 2 * MARGIN, sizes[i][1] + 2 * MARGIN
        if left + w > width:
            left, top, row = 0, top + row, 0
        corners[i] = (left + MARGIN, top + MARGIN)
        left, row = left + w, max(row, h)
    return corners, top + row


def _painted(surface: Surface, w: int, h: int) -> np.ndarray:
    """A chart with its margin, (h + 2 MARGIN, w + 2 MARGIN, 3), averaged over samples."""
    n = SUPERSAMPLES

    def samples(size: int) -> np.ndarray:
        return (np.arange(-MARGIN * n, (size + MARGIN) * n) + 0.5) / (n * size)

    # Around, a surface goes on where it began; a half one goes on as its copy begins.
    v, u = np.meshgrid(np.clip(samples(h), 0, 1), samples(w) % 1, indexing="ij")
    colors = surface.painter(surface.points(u, v), u, v)
    return (
        np.clip(colors, 0, 255).reshape(h + 2 * MARGIN, n, w + 2 * MARGIN, n, 3).mean(axis=(1, 3))
    )
