"""One geometry as a file holds it, and what every reader of mesh files needs to make one."""

from dataclasses import dataclass, replace

import numpy as np

from render.mesh.texture_atlas import join_textures

PLAIN = (178, 178, 178)  # what has no colour at all
WHITE = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles as a file holds them.

    vertices: (n, 3) float64, the file's unit. faces: (m, 3) int64. normals: (n, 3) float64, from
    the file or the faces' normals weighted by angle. colors: (n, 3) uint8, white under a texture.
    uv: (n, 2) float64, v up, and texture: (h, w, 3) uint8, first row on top; or both None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None


def uniform(color: tuple[int, ...], vertices: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 of one colour, for (n, 3) vertices."""
    return np.full((len(vertices), 3), color, np.uint8)


def to_uint8(colors: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """(n, 3) uint8 from (n, 3 or more) colours that a file holds as `dtype`; floats are 0..1."""
    full = 1.0 if dtype.kind == "f" else np.iinfo(dtype).max
    return np.clip(np.round(colors[:, :3] * (255 / full)), 0, 255).astype(np.uint8)


def check(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raise ValueError on vertices that are not finite and on faces of vertices there are not."""
    if not np.isfinite(vertices).all():
        raise ValueError("vertices that are NaN or infinite")
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError(
            f"faces name vertices {faces.min()} to {faces.max()}, there are {len(vertices)}"
        )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) means of the faces' normals weighted by angle, for a file that holds none."""
    import trimesh  # here, since it takes a third of a second and most files hold them

    return trimesh.Trimesh(vertices, faces, process=False).vertex_normals


def split(part: Part, **per_corner: np.ndarray) -> Part:
    """Give every corner of every face its own vertex, and these (3 m, ...) attributes."""
    order = part.faces.reshape(-1)
    apart = replace(
        part,
        vertices=part.vertices[order],
        faces=np.arange(len(order)).reshape(-1, 3),
        normals=part.normals[order],
        colors=part.colors[order],
        uv=None if part.uv is None else part.uv[order],
    )
    return replace(apart, **per_corner)


def drop_unused(part: Part) -> Part:
    """Leave out the vertices of no face: they would count for the object's size."""
    used, faces = np.unique(part.faces, return_inverse=True)
    if len(used) == len(part.vertices):
        return part
    return replace(
        part,
        vertices=part.vertices[used],
        faces=faces.reshape(part.faces.shape),
        normals=part.normals[used],
        colors=part.colors[used],
        uv=None if part.uv is None else part.uv[used],
    )


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
    return Part(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colors for part in parts]),
        uv,
        texture,
    )
