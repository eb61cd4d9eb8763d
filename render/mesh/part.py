"""One geometry as a file holds it, and what every reader of mesh files needs to make one."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from render.mesh.finish import Finish, join_finishes
from render.mesh.texture_atlas import join_textures

PLAIN = (178, 178, 178)  # what has no colour at all
WHITE = (255, 255, 255)
OPAQUE = 1e6  # opacity of what is not cut out, whatever a joint texture's mean is
ROUNDING = 1e-3  # by which fractions may leave 0..1: they have been interpolated
SLIVER = 1e-7  # height of a triangle over its longest side; below it float32 knows no direction


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles as a file holds them.

    vertices: (n, 3) float64, the file's unit. faces: (m, 3) int64. normals: (n, 3) float64, zero
    or NaN where the file has none: `mend_part` fills them. colors: (n, 3) uint8, white under a
    texture.
    uv: (n, 2) float64, v up, and texture: (h, w, 3) uint8, first row on top, or (h, w, 4) with
    alpha; or both None. opacity: (n,) float64, or None where nothing is cut out; see `Mesh`.
    finish: or None where the file says nothing of it.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    opacity: np.ndarray | None = None
    finish: Finish | None = None

    def taken(self, rows: np.ndarray, faces: np.ndarray) -> "Part":
        """A part of these (k,) vertices, and (m, 3) faces of them."""
        return replace(
            self,
            vertices=self.vertices[rows],
            faces=faces,
            normals=self.normals[rows],
            colors=self.colors[rows],
            uv=None if self.uv is None else self.uv[rows],
            opacity=None if self.opacity is None else self.opacity[rows],
            finish=None if self.finish is None else self.finish.taken(rows),
        )


def uniform(color: tuple[int, ...], vertices: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 of one colour, for (n, 3) vertices."""
    return np.full((len(vertices), 3), color, np.uint8)


def to_uint8(colors: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Colours as bytes, by the type and by the largest number of all that a file holds.

    What is at most 1 in a floating-point type is a fraction of full intensity. What is at most 255
    is a byte, in a type however wide: many programs declare one and write bytes. More is a fraction
    of 65535, or of the unsigned type's largest number where that is not enough.

    Args:
        colors: (n, 3 or more), of which the first three columns count.
        dtype: the type in which the file holds them.

    Returns:
        (n, 3) uint8.

    Raises:
        ValueError: they are NaN, negative or larger than any of this.
    """
    colors = colors[:, :3]
    if dtype == np.int8:  # no program means a negative colour: a byte in the wrong type
        colors, dtype = colors % 256, np.dtype(np.uint8)
    low, high = colors.min(initial=0), colors.max(initial=0)
    if not low >= -ROUNDING * (dtype.kind == "f") or not high < np.inf:
        raise ValueError("colours that are negative, infinite or NaN")
    if dtype.kind == "f" and high <= 1 + ROUNDING:
        full = 1.0
    elif high <= 255:
        if dtype.kind == "f" and high < 16 and (colors % 1).any():
            raise ValueError(f"colours up to {high:.4g}, neither fractions of 1 nor of 255")
        full = 255.0
    elif high <= 65535 and dtype.kind != "f":
        full = 65535.0
    elif dtype.kind == "u":
        full = float(np.iinfo(dtype).max)
    else:
        raise ValueError(f"colours up to {high:.6g}; bytes, or fractions of 1, were expected")
    return np.clip(np.round(colors * (255 / full)), 0, 255).astype(np.uint8)


def check(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raise ValueError on vertices that are not finite and on faces of vertices there are not."""
    if not np.isfinite(vertices).all():
        raise ValueError("vertices that are NaN or infinite")
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError(
            f"faces name vertices {faces.min()} to {faces.max()}, there are {len(vertices)}"
        )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) means of the faces' normals weighted by angle; of slivers nothing is taken."""
    import trimesh  # here, since it takes a third of a second and most files hold them

    sides = vertices[np.roll(faces, -1, axis=1)] - vertices[faces]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    clear = area > SLIVER * (sides**2).sum(axis=2).max(axis=1, initial=0)
    faces = faces if clear.all() else faces[clear]
    return trimesh.Trimesh(vertices, faces, process=False).vertex_normals


def split(part: Part, **per_corner: Any) -> Part:
    """Give every corner of every face its own vertex, and these (3 m, ...) attributes."""
    order = part.faces.reshape(-1)
    return replace(part.taken(order, np.arange(len(order)).reshape(-1, 3)), **per_corner)


def drop_unused(part: Part) -> Part:
    """Leave out the vertices of no face: they would count for the object's size."""
    used, faces = np.unique(part.faces, return_inverse=True)
    if len(used) == len(part.vertices):
        return part
    return part.taken(used, faces.reshape(part.faces.shape))


def is_cut_away(part: Part) -> bool:
    """Whether nothing of it is there, as `Mesh.opacity` says."""
    if part.opacity is None:
        return False
    most = 1.0
    if part.texture is not None and part.texture.shape[2] == 4:
        most = part.texture[..., 3].max() / 255
    return bool(part.opacity.max() * most < 1)


def join(parts: list[Part]) -> Part:
    """One part from several, its vertices and faces in their order."""
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    faces = [part.faces + offset for part, offset in zip(parts, offsets, strict=True)]
    uv, texture = None, None
    if any(part.texture is not None for part in parts):
        # What has no texture is drawn in its vertex colours, through a white one.
        white = np.full((1, 1, 3), WHITE, np.uint8)
        uv, texture = join_textures(
            [np.full((len(p.vertices), 2), 0.5) if p.uv is None else p.uv for p in parts],
            [white if part.texture is None else part.texture for part in parts],
        )
    opacity = None
    if any(part.opacity is not None for part in parts):
        opacity = np.concatenate(
            [np.full(len(p.vertices), OPAQUE) if p.opacity is None else p.opacity for p in parts]
        )
    return Part(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colors for part in parts]),
        uv,
        texture,
        opacity,
        join_finishes([part.finish for part in parts], [len(part.vertices) for part in parts]),
    )
