"""PLY mesh files: faces of every kind, colours per vertex or face, textures."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.mesh.companion import companion
from render.mesh.part import PLAIN, WHITE, Part, check, drop_unused, split, to_uint8, uniform
from render.mesh.ply.colors import colors_of, tell_of_unread
from render.mesh.ply.ply import Rows, parse_ply
from render.mesh.polygons import triangulate
from render.mesh.repair import Mended, mend
from render.mesh.texture import decode_texture

log = logging.getLogger(__name__)

TINTED_TEXTURE = "vertex colours multiply the texture"  # a comment; BOP's are instead of a texture
# Of others' files, splats for instance, an opacity says nothing of triangles.
CUT_OUT = "cut out where opacity times the texture's alpha is below 1"
NORMAL_NAMES = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
UV_NAMES = (
    ("texture_u", "texture_v"), ("u", "v"), ("s", "t"), ("texture_s", "texture_t"), ("tx", "ty"),
    ("tex_u", "tex_v"), ("texcoord_u", "texcoord_v"), ("tu", "tv"), ("u0", "v0"), ("s0", "t0"),
)  # fmt: skip
CORNER_NAMES = ("vertex_indices", "vertex_index", "vertex_indexes", "vertices", "indices")
NUMBER_NAMES = ("texnumber", "texture_number", "texture_index", "texture_id", "tex_id")
XYZ = ("x", "y", "z")
NO_COLORS = {*XYZ, *CORNER_NAMES, *NUMBER_NAMES, "texcoord"}.union(*NORMAL_NAMES, *UV_NAMES)


def read_ply(path: Path) -> list[Part]:
    """A PLY file's parts, one a texture: colours per vertex or face, uv per vertex or corner.

    Raises:
        InputError: it holds what is no triangle mesh, or a texture that cannot be told.
        ValueError: it is damaged.
    """
    elements, comments = parse_ply(read_bytes(path), str(path))
    vertex = elements.get("vertex", Rows())
    face, named, lengths = _polygons(path, elements)
    if not (lengths > 2).any():
        if "f_dc_0" in vertex.columns:
            raise InputError(f"{path}: a cloud of Gaussian splats without faces; export a mesh")
        return []
    vertices = _first_stack(vertex, (XYZ,))
    if vertices is None:
        raise ValueError("faces, but no vertices with x, y and z")

    check(vertices, named)
    corners, polygon_of_face = triangulate(vertices, named, lengths)
    normals = _first_stack(vertex, NORMAL_NAMES)
    bare = np.zeros_like(vertices) if normals is None else normals
    mended = Mended()
    picked, normals = mend(vertices, named[corners], bare, mended)
    mended.say(path)
    corners, polygon_of_face = corners.reshape(-1)[picked], polygon_of_face[picked[:, 0] // 3]
    part = Part(vertices, named[corners], normals, uniform(PLAIN, vertices))

    numbers = _texture_numbers(path, vertex, face, part.faces, polygon_of_face)
    if CUT_OUT in comments and "opacity" in vertex.columns:
        part = replace(part, opacity=vertex.columns["opacity"].astype(np.float64))
    part = _colored(path, part, vertex, face, corners, polygon_of_face)
    return _textured(path, part, comments, numbers)


def _polygons(path: Path, elements: dict[str, Rows]) -> tuple[Rows, np.ndarray, np.ndarray]:
    """The face element, (c,) int64 vertex of each corner, and (p,) number of each one's corners."""
    face = elements.get("face", elements.get("faces", Rows()))
    listed = next((face.lists[name] for name in CORNER_NAMES if name in face.lists), None)
    strips = next(
        (elements[name] for name in ("tristrips", "tristrip") if name in elements), Rows()
    )
    if strips.lists:
        if listed is not None and len(listed[1]):
            raise InputError(f"{path}: holds faces and triangle strips; export it as triangles")
        named = _triangles(*next(iter(strips.lists.values())))
        return Rows(), named.reshape(-1), np.full(len(named), 3)
    if listed is None:
        if any(len(column) for column in face.columns.values()) or face.lists:
            raise ValueError(f"faces without a list of {CORNER_NAMES[0]}")
        return face, np.empty(0, np.int64), np.empty(0, np.int64)
    return face, _whole(listed[0]), listed[1]


def _whole(named: np.ndarray) -> np.ndarray:
    """Indices as int64, whatever type the file gives them.

    Raises:
        ValueError: one is no whole number.
    """
    if named.dtype.kind == "f" and not (named == np.round(named)).all():  # NaN is not
        raise ValueError("faces name vertices by numbers that are not whole")
    return np.clip(named, -1, 2**53).astype(np.int64)


def _triangles(named: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(m, 3) vertices of the triangles of strips, which end with a row or at -1 within it.

    Of each strip every second triangle is wound backward in the file.
    """
    ends = np.cumsum(lengths)
    at = np.arange(len(named))
    stops = np.union1d(np.flatnonzero(named == -1), ends) if len(named) else ends
    last = np.append(stops, len(named))[np.searchsorted(stops, at, side="right")]
    last = np.where(named == -1, at, last)
    # A strip begins behind a -1 and at the first entry of a row.
    begins = np.zeros(len(named) + 1, bool)
    begins[np.concatenate([[0], ends, np.flatnonzero(named == -1) + 1]).astype(int)] = True
    first = np.maximum.accumulate(np.where(begins[:-1], at, 0))
    inside = at[at + 2 < last]
    odd = (inside - first[inside]) % 2 == 1
    order = np.where(odd[:, None], [1, 0, 2], [0, 1, 2])
    return _whole(named)[inside[:, None] + order]


def _colored(
    path: Path, part: Part, vertex: Rows, face: Rows, corners: np.ndarray, polygon: np.ndarray
) -> Part:
    """Add colours and texture coordinates, of vertices, faces or corners."""
    colors, of_faces = colors_of(path, vertex), colors_of(path, face)
    if colors is not None:
        part = replace(part, colors=colors)
        if of_faces is not None:
            log.info("%s: has colours of vertices and of faces; those of vertices are drawn", path)
    uv = _first_stack(vertex, UV_NAMES)
    if uv is not None:
        part = replace(part, uv=uv)
    if colors is None and of_faces is not None:
        part = split(part, colors=np.repeat(of_faces[polygon], 3, axis=0))
    of_corners = _of_corners(face, "color", 3, corners)  # MeshLab's, of wedges
    if colors is None and of_faces is None and of_corners is not None:
        dtype = face.lists["color"][0].dtype
        part = split(part, colors=to_uint8(of_corners, dtype))
    if colors is None and of_faces is None and of_corners is None:
        tell_of_unread(path, {"vertex": vertex, "face": face}, NO_COLORS)
    uv = _of_corners(face, "texcoord", 2, corners)
    return part if uv is None else split(part, uv=uv)


def _of_corners(face: Rows, name: str, width: int, corners: np.ndarray) -> np.ndarray | None:
    """(3 m, width) of a list that holds so many numbers for each corner of a polygon."""
    if name not in face.lists:
        return None
    values, lengths = face.lists[name]
    counts = next(face.lists[name][1] for name in CORNER_NAMES if name in face.lists)
    if not (lengths == width * counts).all():
        return None
    return values.reshape(-1, width).astype(np.float64)[corners].reshape(-1, width)


def _texture_numbers(
    path: Path, vertex: Rows, face: Rows, faces: np.ndarray, polygon: np.ndarray
) -> np.ndarray | None:
    """(m,) number of each face's texture among those that the header names, or None."""
    for name in NUMBER_NAMES:
        if name in face.columns:
            return face.columns[name][polygon].astype(np.int64)
        if name in vertex.columns:
            numbers = vertex.columns[name][faces]
            if (numbers != numbers[:, :1]).any():
                raise InputError(f"{path}: faces with corners in several textures; export as OBJ")
            return numbers[:, 0].astype(np.int64)
    return None


def _textured(
    path: Path, part: Part, comments: list[str], numbers: np.ndarray | None
) -> list[Part]:
    """Add the textures that the header names; without one, texture coordinates mean nothing."""
    found = [re.match(r"\s*texturefile\s*(.*)", comment, re.I) for comment in comments]
    names = [match[1].strip() for match in found if match]
    if not names:
        return [replace(part, uv=None)]
    if part.uv is None:
        raise InputError(f"{path}: names the texture {names[0]} but has no texture coordinates")
    if len(names) > 1 and numbers is None:
        raise InputError(
            f"{path}: names {len(names)} textures, and no texnumber says which face has which;"
            " export it as OBJ or GLB"
        )
    if numbers is None or (len(names) == 1 and numbers.min() >= 0):
        numbers = np.zeros(len(part.faces), np.int64)
    if numbers.max() >= len(names):
        raise InputError(
            f"{path}: a face has the texture {numbers.max()}, counted from 0, of {len(names)}"
        )

    tinted = TINTED_TEXTURE in comments
    parts = []
    for number in np.unique(np.maximum(numbers, -1)):
        chosen = numbers == number if number >= 0 else numbers < 0
        one = drop_unused(replace(part, faces=part.faces[chosen]))
        if number < 0:
            parts.append(replace(one, uv=None))
            continue
        colors = one.colors if tinted else uniform(WHITE, one.vertices)
        file = companion(path, names[number])
        texture = decode_texture(read_bytes(file), file, alpha=part.opacity is not None)
        parts.append(replace(one, colors=colors, texture=texture))
    return parts


def _first_stack(rows: Rows, choices: tuple[tuple[str, ...], ...]) -> np.ndarray | None:
    """(n, k) float64 of the columns that are there of several names for them."""
    for names in choices:
        if all(name in rows.columns for name in names):
            return np.stack([rows.columns[name] for name in names], axis=1).astype(np.float64)
    return None
