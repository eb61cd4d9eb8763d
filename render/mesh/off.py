"""OFF mesh files, with the colours and normals that they may hold.

Format: Geomview's manual, "OFF Files": [ST][C][N][4][n]OFF, ASCII. MeshLab writes NCOFF, and then
colours before normals.
"""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.mesh.part import PLAIN, Part, check, split, to_uint8, uniform
from render.mesh.polygons import triangulate
from render.mesh.repair import Mended, mend

log = logging.getLogger(__name__)

# The header's word, and what may follow it in its line; ModelNet's files leave out the space.
HEADER = re.compile(r"((?:ST|C|N|4|n)*)OFF\s*(BINARY\b)?(.*)")


def read_off(path: Path) -> list[Part]:
    """An OFF file's one part, in its vertices' or its faces' colours.

    Raises:
        InputError: it is binary, or of another number of dimensions than three.
        ValueError: it is damaged.
    """
    text = re.sub(r"#.*", "", read_bytes(path).decode("latin-1"))
    rows = [line.split() for line in text.splitlines() if line.strip()]
    letters, rows = _read_header(path, rows)
    count, faces_count = (int(word) for word in _counts(rows.pop(0)))
    more = len(rows) - count - faces_count
    if min(count, faces_count) < 0 or more < 0:
        raise ValueError("the file ends too early")
    if more:
        raise ValueError(f"more rows than its header says, by {more}")
    vertex_rows, face_rows = rows[:count], rows[count : count + faces_count]
    lengths = np.array([int(row[0]) for row in face_rows], np.int64)
    if any(not 0 <= length < len(row) for length, row in zip(lengths, face_rows, strict=True)):
        raise ValueError("the file ends too early")
    if not (lengths > 2).any():
        return []

    if len({len(row) for row in vertex_rows}) > 1:
        raise ValueError("vertices of more numbers than others")
    columns = np.array(vertex_rows, np.float64)
    if columns.ndim != 2 or columns.shape[1] < 3:
        raise ValueError("vertices without x, y and z")
    places = _places(letters, columns)
    vertices, normals = _geometry(path, letters, columns, places)
    named = [word for row in face_rows for word in row[1 : 1 + int(row[0])]]
    corners = np.array(named, np.int64)
    check(vertices, corners)
    positions, polygon = triangulate(vertices, corners, lengths)
    mended = Mended()
    picked, normals = mend(vertices, corners[positions], normals, mended)
    mended.say(path)
    faces, polygon = corners[positions.reshape(-1)[picked]], polygon[picked[:, 0] // 3]
    part = Part(vertices, faces, normals, uniform(PLAIN, vertices))

    if "C" in places:
        chosen = places["C"]
        return [replace(part, colors=_colors(path, [row[chosen] for row in vertex_rows]))]
    behind = [row[1 + int(row[0]) :] for row in face_rows]
    if any(len(row) > 2 for row in behind):
        return [split(part, colors=np.repeat(_colors(path, behind)[polygon], 3, axis=0))]
    if any(behind):
        log.info("%s: colours by their number in a table are not read", path)
    return [part]


def _read_header(path: Path, rows: list[list[str]]) -> tuple[str, list[list[str]]]:
    """The letters before OFF, and the rows from the counts on."""
    header = HEADER.fullmatch(" ".join(rows[0])) if rows else None
    if header is None:
        raise ValueError("the first word is not OFF, COFF, NOFF or another of Geomview's")
    letters, binary, rest = header.groups()
    if binary:
        raise InputError(f"{path}: a binary OFF file is not read here; export it as ASCII")
    rows = [rest.split(), *rows[1:]] if rest.strip() else rows[1:]
    if "n" in letters:
        dimensions = rows[0].pop(0) if rows else ""
        if dimensions != "3":
            raise InputError(f"{path}: vertices of {dimensions} dimensions; 3 were expected")
        rows = rows if rows[0] else rows[1:]
    if not rows:
        raise ValueError("the file ends too early")
    if "4" in letters and "N" in letters:
        raise InputError(f"{path}: normals of 4 dimensions; 3 were expected")
    return letters, rows


def _counts(words: list[str]) -> list[str]:
    if len(words) < 2:
        raise ValueError("the number of vertices and faces is missing")
    return words[:2]


def _places(letters: str, rows: np.ndarray) -> dict[str, slice]:
    """Where normals, N, and colours, C, are in (n, k) rows: x, y, z, perhaps w, these, s and t.

    Raises:
        ValueError: so many numbers a row are not what the header says.
    """
    width, first = rows.shape[1], 4 if "4" in letters else 3
    left = width - first - 3 * ("N" in letters) - 2 * ("ST" in letters)
    if left < 0 or ("C" in letters and left not in (3, 4)):
        raise ValueError(f"vertices of {width} numbers do not fit to the header")
    sizes = {"N": 3, "C": left}
    lengths = np.linalg.norm(rows[:, first : first + 3], axis=1)
    if re.search("N.*C", letters) and (np.abs(lengths - 1) > 0.01).any():
        sizes = {"C": left, "N": 3}
    places = {}
    for name, size in sizes.items():
        if name in letters:
            places[name] = slice(first, first + size)
            first += size
    return places


def _geometry(
    path: Path, letters: str, columns: np.ndarray, places: dict[str, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) vertices and (n, 3) normals, which are zero where the file has none."""
    read = max([4 if "4" in letters else 3, *(place.stop for place in places.values())])
    if columns.shape[1] > read:
        log.info(
            "%s: of %d numbers a vertex %d are read: texture coordinates, or what the header does"
            " not name",
            path, columns.shape[1], read,
        )  # fmt: skip
    vertices = columns[:, :3]
    if "4" in letters:
        with np.errstate(divide="ignore", invalid="ignore"):  # refused as infinite
            vertices = vertices / columns[:, 3:4]
    return vertices, columns[:, places["N"]] if "N" in places else np.zeros_like(vertices)


def _colors(path: Path, rows: list[list[str]]) -> np.ndarray:
    """(n, 3) uint8 from RGB or RGBA in words, whole numbers to 255 or fractions to 1.

    Rows without are plain. Whole numbers up to 1 are fractions: nobody means the bytes 0 and 1.
    """
    given = np.array([len(row) >= 3 for row in rows])
    words = [row[:4] for row in rows if len(row) >= 3]
    numbers = np.array([row[:3] for row in words], np.float64)
    fractions = numbers.max() <= 1 or any(not word.isdecimal() for row in words for word in row[:3])
    alphas = {row[3] for row in words if len(row) == 4}
    if any(float(alpha) < (1 if fractions else 255) for alpha in alphas):
        log.info("%s: transparency is not read: all is drawn opaque", path)
    colors = np.full((len(rows), 3), PLAIN, np.uint8)
    colors[given] = to_uint8(numbers, np.dtype(np.float64 if fractions else np.uint16))
    return colors
