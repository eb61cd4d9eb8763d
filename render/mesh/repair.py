"""What is mended in every mesh: normals that are missing, faces there twice, mixed winding.

Drawing shows faces from both sides and takes the normal that faces the viewer, so that winding is
not seen; but normals are computed from it, and so is what lies inside of an object.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from render.mesh.part import Part, vertex_normals

log = logging.getLogger(__name__)

# A scan has folds: what is wound against its piece on less than this of its surface stays so,
# unless normals have to be computed from it.
FOLDS = 1e-2
FLAT = 1e-9  # volume over surface^1.5 of what is closed but has no inside
OBLIQUE = 0.5  # cosine; a file's own normal that leans more than this from the faces' was made of
# faces of either winding


@dataclass
class Mended:
    """How much was mended of a file, all its parts together."""

    left_out: int = 0  # faces
    turned: int = 0  # faces
    normals: int = 0

    def say(self, path: Path) -> None:
        """Say it of a file, once."""
        if self.left_out:
            log.info(
                "%s: left out %d faces, with a corner twice or there twice", path, self.left_out
            )
        if self.turned:
            log.info(
                "%s: turned %d faces, to be wound as the others or outwards", path, self.turned
            )
        if self.normals:
            log.info("%s: computed %d normals from the faces", path, self.normals)


def mend_part(part: Part, mended: Mended) -> Part:
    """A part as `mend` leaves it."""
    picked, normals = mend(part.vertices, part.faces, part.normals, mended)
    return replace(part, faces=part.faces.reshape(-1)[picked], normals=normals)


def mend(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, mended: Mended
) -> tuple[np.ndarray, np.ndarray]:
    """Mend the faces and normals of a mesh; what is fine comes back as it is.

    Left out are faces with a corner twice, and repeated ones. One of the same vertices as another,
    wound the other way, is that one's back: it stays, and has no say in what follows; the normals
    of both would cancel. In a connected piece, over the edges of just two faces, all faces become
    wound alike: outwards where it is closed, else as the file's normals are, else as most of its
    surface is. A closed piece that is inside out is turned, unless it lies within the box of a
    larger one, as the wall of a hollow does. Then normals that are zero or NaN become the means of
    the faces' weighted by angle, and what points against faces that were turned is turned, too.

    Args:
        vertices: (n, 3). faces: (m, 3).
        normals: (n, 3), zero, NaN or infinite where the file has none.
        mended: counts what was done.

    Returns:
        (k, 3) which of the 3 m corners those of the k faces are, and (n, 3) normals.
    """
    kept, front_of = _fronts(faces, len(vertices))
    given = faces[kept]
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.einsum("ij,ij->i", normals, normals)
    missing = ~((squared > 1e-24) & (squared < np.inf))  # NaN is neither
    normals = np.where(missing[:, None], 0.0, normals)
    picked = 3 * np.flatnonzero(kept)[:, None] + np.arange(3)
    mended.left_out += len(faces) - len(given)

    is_front = front_of == np.arange(len(given))
    turned = np.zeros(len(given), bool)
    if not len(given):
        return picked, normals
    turned[is_front] = _turned(vertices, given[is_front], normals)
    turned = turned[front_of]
    if turned.any():
        picked[turned] = picked[turned][:, [0, 2, 1]]
        mended.turned += int(turned.sum())
    if not turned.any() and not missing[given].any():
        return picked, normals

    wound, turned = faces.reshape(-1)[picked[is_front]], turned[is_front]
    computed = vertex_normals(vertices, wound)
    against = np.zeros(len(vertices), bool)
    if turned.any():
        at_turned, at_others = (_named(wound[which], len(vertices)) for which in (turned, ~turned))
        agreement = np.einsum("ij,ij->i", normals, computed) / np.sqrt(
            np.maximum(np.einsum("ij,ij->i", normals, normals), 1e-24)
        )
        missing |= at_turned & at_others & (np.abs(agreement) < OBLIQUE)
        against = at_turned & (agreement < 0)
    if not missing.all() and missing[given].any():
        mended.normals += int((missing & computed.any(axis=1)).sum())
    normals = np.where(against[:, None], -normals, normals)
    return picked, np.where(missing[:, None], computed, normals)


def _fronts(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces to keep, (m,) bool, and (k,) which of the kept ones is each one's front: most often
    itself, else the first of the same vertices."""
    low, middle, high = np.sort(faces, axis=1).T
    kept = (low < middle) & (middle < high)
    if count < 1 << 21:
        names = (low * count + middle) * count + high
        if len(np.unique(names, sorted=False)) == len(names):
            return kept, np.arange(np.count_nonzero(kept))
    low, middle, high, faces = low[kept], middle[kept], high[kept], faces[kept]
    which = np.flatnonzero(kept)

    # The same three corners in the same order, wherever it begins, make the same turn.
    forward = (
        (np.take_along_axis(faces, (faces.argmin(axis=1)[:, None] + 1) % 3, 1)[:, 0]) == middle
    )
    same = np.stack([low, middle, high], axis=1)
    _, first = np.unique(np.column_stack([same, forward]), axis=0, return_index=True)
    first.sort()
    kept = _named(which[first], len(kept))
    _, fronts, number = np.unique(same[first], axis=0, return_index=True, return_inverse=True)
    return kept, fronts[number.reshape(-1)]


def _named(indices: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: which of so many are named."""
    found = np.zeros(count, bool)
    found[indices] = True
    return found


def _turned(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(m,) bool: which faces are to be wound the other way."""
    one, other, against = _neighbours(weld(vertices)[faces])
    count = len(faces)
    pieces, piece = _components(count, one, other)
    # Whether a face is wound as the first of its piece: the piece's two colours, if it has two.
    odd = np.zeros(count, bool)
    if against.any():
        first = np.unique(piece, return_index=True)[1]
        _, side = _components(
            2 * count,
            np.concatenate([one, one + count]),
            np.concatenate([other + count * against, other + count * ~against]),
        )
        odd = side[:count] != side[first][piece]
        odd &= side[:count] != side[count:]  # a Moebius strip has one side

    corners = vertices[faces] - vertices.mean(axis=0)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(across, axis=1) / 2
    sign = np.where(odd, -1.0, 1.0)
    surface, opposed, volume, along = (
        np.bincount(piece, each, pieces)
        for each in (
            area,
            area * odd,
            sign * np.einsum("ij,ij->i", corners[:, 0], across) / 6,
            sign * np.einsum("ij,ij->i", normals[faces].sum(axis=1), across),
        )
    )
    edges = np.bincount(np.concatenate([one, other]), minlength=count)
    closed = np.bincount(piece, edges != 3, pieces) == 0
    closed &= np.abs(volume) > FLAT * surface**1.5

    # Which way the first face of each piece is to be turned.
    wrong = (opposed > 0) & np.where(along != 0, along < 0, opposed > surface / 2)
    wrong = np.where(closed & ~_hollows(vertices, faces, piece, closed, volume), volume < 0, wrong)
    turned = odd != wrong[piece]
    lacking = (normals == 0).all(axis=1)[faces].any(axis=1)
    bare = np.bincount(piece, lacking, pieces) > 0
    folds = np.bincount(piece, area * turned, pieces) < FOLDS * surface
    return turned & (bare | ~folds)[piece]


def weld(vertices: np.ndarray) -> np.ndarray:
    """(n,) numbers of (n, 3) vertices, the same for those in the same place."""
    bits = np.ascontiguousarray(vertices + 0.0, np.float64).view(np.uint64)  # -0 is 0
    bits = bits ^ (bits >> np.uint64(32))
    factors = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
    names = (bits * np.array(factors, np.uint64)).sum(axis=1)
    order = np.argsort(names)
    new = np.diff(names[order], prepend=~names[order[:1]]) != 0
    in_place = vertices[order]
    if not (new | (in_place == np.roll(in_place, 1, axis=0)).all(axis=1)).all():
        return np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1)
    numbers = np.empty(len(vertices), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers


def _neighbours(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of faces with an edge that only they have, and whether they are wound against it.

    Returns:
        (e,) and (e,) faces, and (e,) bool: both run along the edge in the same direction.
    """
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    names = np.minimum(start, end) * (faces.max(initial=0) + 1) + np.maximum(start, end)
    order = np.argsort(names)
    begins = np.flatnonzero(np.diff(names[order], prepend=-1))
    pairs = begins[np.diff(begins, append=len(order)) == 2]
    one, other = order[pairs], order[pairs + 1]
    apart = one // 3 != other // 3
    one, other = one[apart], other[apart]
    return one // 3, other // 3, start[one] == start[other]


def _components(count: int, one: np.ndarray, other: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of connected components of a graph, and (count,) which of them each node is in."""
    # Here, since it takes a tenth of a second, and most commands mend nothing.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    links = coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    return connected_components(links, directed=False)


def _hollows(
    vertices: np.ndarray,
    faces: np.ndarray,
    piece: np.ndarray,
    closed: np.ndarray,
    volume: np.ndarray,
) -> np.ndarray:
    """(p,) bool: which pieces lie within the box of the largest closed one."""
    if np.count_nonzero(closed) < 2:
        return np.zeros(len(closed), bool)
    largest = int(np.argmax(np.abs(volume) * closed))
    corners = vertices[faces]
    low, high = np.full((2, len(closed), 3), np.inf)
    np.minimum.at(low, piece, corners.min(axis=1))
    np.minimum.at(high, piece, -corners.max(axis=1))
    within = (low > low[largest]).all(axis=1) & (high > high[largest]).all(axis=1)
    return within & (volume < 0) & (volume[largest] > 0)
