"""OFF mesh files, with the colours and normals that they may hold.

Format: Geomview's manual, "OFF Files": [C][N]OFF, ASCII.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from render.mesh.part import PLAIN, Part, check, split, to_uint8, uniform, vertex_normals
from render.mesh.polygons import triangulate


def read_off(path: Path) -> list[Part]:
    """An OFF file's one part, in its vertices' or its faces' colours."""
    text = re.sub(r"#.*", "", path.read_text(encoding="latin-1"))
    rows = [line.split() for line in text.splitlines() if line.strip()]
    header = re.fullmatch(r"(C?)(N?)OFF", rows[0][0]) if rows else None
    if header is None:
        raise ValueError("the first word is not OFF, COFF, NOFF or CNOFF")
    count, faces_count = map(int, (rows[0][1:] or rows.pop(1))[:2])
    vertex_rows, face_rows = rows[1 : 1 + count], rows[1 + count : 1 + count + faces_count]
    cut = any(len(row) <= int(row[0]) for row in face_rows)
    if cut or len(vertex_rows) + len(face_rows) < count + faces_count:
        raise ValueError("the file ends too early")
    if not face_rows:
        return []

    columns = np.array(vertex_rows, np.float64)  # refuses rows of different lengths
    corners = np.array([int(i) for row in face_rows for i in row[1 : 1 + int(row[0])]])
    check(columns[:, :3], corners)
    lengths = np.array([int(row[0]) for row in face_rows])
    positions, polygon = triangulate(columns[:, :3], corners, lengths)
    part = _part(columns, corners[positions], bool(header[2]))
    if header[1]:
        colors = _colors([row[6 if header[2] else 3 :] for row in vertex_rows])
        return [replace(part, colors=colors)]
    if any(len(row) > 3 + int(row[0]) for row in face_rows):
        face_colors = _colors([row[1 + int(row[0]) :] for row in face_rows])
        return [split(part, colors=np.repeat(face_colors[polygon], 3, axis=0))]
    return [part]


def _part(columns: np.ndarray, faces: np.ndarray, has_normals: bool) -> Part:
    vertices = columns[:, :3]
    normals = columns[:, 3:6] if has_normals else vertex_normals(vertices, faces)
    return Part(vertices, faces, normals, uniform(PLAIN, vertices))


def _colors(rows: list[list[str]]) -> np.ndarray:
    """(n, 3) uint8 from RGB or RGBA in words, whole numbers to 255 or fractions to 1."""
    fractions = any("." in word for row in rows for word in row)
    numbers = [row[:3] if len(row) >= 3 else PLAIN for row in rows]
    dtype = np.dtype(np.float64 if fractions else np.uint8)
    return to_uint8(np.array(numbers, np.float64), dtype)
