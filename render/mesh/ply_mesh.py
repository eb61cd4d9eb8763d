"""PLY mesh files: colours per vertex or face, a texture with coordinates per vertex or corner."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.image_file import read_rgb
from render.mesh.part import PLAIN, WHITE, Part, check, split, to_uint8, uniform, vertex_normals
from render.mesh.ply import Rows, parse_ply
from render.mesh.polygons import triangulate

TINTED_TEXTURE = "vertex colours multiply the texture"  # a comment; BOP's are instead of a texture
UV_NAMES = (("texture_u", "texture_v"), ("u", "v"), ("s", "t"))


def read_ply(path: Path) -> list[Part]:
    """A PLY file's one part: colours per vertex or face, uv per vertex or corner, a texture."""
    elements, comments = parse_ply(path.read_bytes())
    vertex, face = elements.get("vertex", Rows()), elements.get("face", Rows())
    vertices = _stack(vertex, "x", "y", "z")
    polygons = face.lists.get("vertex_indices", face.lists.get("vertex_index"))
    if vertices is None or polygons is None:
        return []

    named = polygons[0].astype(np.int64)
    check(vertices, named)
    corners, polygon_of_face = triangulate(vertices, named, polygons[1])
    faces = named[corners]
    normals = _stack(vertex, "nx", "ny", "nz")
    if normals is None:
        normals = vertex_normals(vertices, faces)
    colors = _ply_colors(vertex)
    part = Part(vertices, faces, normals, uniform(PLAIN, vertices) if colors is None else colors)

    uv = next((uv for names in UV_NAMES if (uv := _stack(vertex, *names)) is not None), None)
    if uv is not None:
        part = replace(part, uv=uv)
    face_colors = _ply_colors(face)
    if colors is None and face_colors is not None:
        part = split(part, colors=np.repeat(face_colors[polygon_of_face], 3, axis=0))
    if "texcoord" in face.lists and (face.lists["texcoord"][1] == 2 * polygons[1]).all():
        per_corner = face.lists["texcoord"][0].reshape(-1, 2).astype(np.float64)
        part = split(part, uv=per_corner[corners].reshape(-1, 2))
    return [_with_texture(path, part, comments)] if len(faces) else []


def _with_texture(path: Path, part: Part, comments: list[str]) -> Part:
    """Add the texture that the header names; without one, texture coordinates mean nothing."""
    names = [c[11:].strip() for c in comments if c.lower().startswith("texturefile")]
    if not names:
        return replace(part, uv=None)
    if len(names) > 1:
        raise InputError(f"{path}: names {len(names)} textures; export it as OBJ or GLB instead")
    if part.uv is None:
        raise InputError(f"{path}: names the texture {names[0]} but has no texture coordinates")

    texture = path.parent / names[0]
    if not texture.is_file():
        raise InputError(f"{path}: names the texture {names[0]}, which is not in {path.parent}")
    colors = part.colors if TINTED_TEXTURE in comments else uniform(WHITE, part.vertices)
    return replace(part, colors=colors, texture=read_rgb(texture))


def _stack(rows: Rows, *names: str) -> np.ndarray | None:
    if any(name not in rows.columns for name in names):
        return None
    return np.stack([rows.columns[name] for name in names], axis=1).astype(np.float64)


def _ply_colors(rows: Rows) -> np.ndarray | None:
    colors = _stack(rows, "red", "green", "blue")
    return None if colors is None else to_uint8(colors, rows.columns["red"].dtype)
