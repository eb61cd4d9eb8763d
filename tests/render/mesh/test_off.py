import logging

import numpy as np
import pytest

from render.errors import InputError
from render.mesh.file import read_mesh_file

CORNERS = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
FACES = ["3 0 1 2", "3 0 2 3"]
NORMALS = [[0, 0.6, 0.8], [0.6, 0, 0.8], [0, 0, 1], [0, -0.6, 0.8]]
COLORS = [[200, 30, 40], [1, 2, 3], [0, 255, 128], [90, 80, 70]]
GRAY = [178, 178, 178]


def off(header="OFF", extra=((),) * 4, faces=FACES, counts="4 2 0") -> str:
    rows = [[*corner, *more] for corner, more in zip(CORNERS, extra, strict=True)]
    lines = [" ".join(map(str, row)) for row in rows]
    return "\n".join([f"{header}\n{counts}" if counts else header, *lines, *faces, ""])


def read(tmp_path, text: str):
    (tmp_path / "a.off").write_text(text)
    return read_mesh_file(tmp_path / "a.off")


@pytest.mark.parametrize(
    "text",
    [
        off(),
        off("OFF 4 2 5", counts=""),
        off("OFF4 2 5", counts=""),  # ModelNet's
        off("nOFF", counts="3\n4 2 0"),
        off("nOFF 3", counts="4 2 0"),
        off("4OFF", [[1]] * 4),
        off("OFF # made by hand", counts="# a comment\n\n4 2 0 # another"),
        off("STOFF", [[0.5, 0.5]] * 4),
        off().replace("\n", "\r\n"),
    ],
)
def test_every_header_of_a_plain_square_is_read(text, tmp_path):
    part = read(tmp_path, text)
    np.testing.assert_array_equal(part.vertices, CORNERS)
    np.testing.assert_array_equal(part.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(part.normals, [[0, 0, 1]] * 4)
    np.testing.assert_array_equal(part.colors, [GRAY] * 4)


def test_homogeneous_vertices_are_divided(tmp_path):
    text = "4OFF\n3 1 0\n0 0 0 1\n4 0 0 2\n0 1 0 0.5\n3 0 1 2\n"
    np.testing.assert_array_equal(read(tmp_path, text).vertices, [[0, 0, 0], [2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("alpha", [(), (255,)])
@pytest.mark.parametrize("header", ["COFF", "CNOFF", "NCOFF", "NCOFF of MeshLab", "STCNOFF"])
def test_colors_and_normals_stand_where_the_header_says(header, alpha, tmp_path):
    """Geomview's normals are before its colours, MeshLab's behind."""
    extra = [[*n, *c, *alpha] for n, c in zip(NORMALS, COLORS, strict=True)]
    if header == "COFF":
        extra = [[*c, *alpha] for c in COLORS]
    if header.endswith("MeshLab"):
        extra = [[*c, *alpha, *n] for n, c in zip(NORMALS, COLORS, strict=True)]
    if header.startswith("ST"):
        extra = [[*row, 0.25, 0.75] for row in extra]
    part = read(tmp_path, off(header.split()[0], extra))
    np.testing.assert_array_equal(part.colors, COLORS)
    if header != "COFF":
        np.testing.assert_array_equal(part.normals, NORMALS)


FACE_COLORS = {
    "bytes": (["200 30 40", "0 255 128"], [[200, 30, 40], [0, 255, 128]]),
    "bytes and alpha": (["200 30 40 255", "0 255 128 255"], [[200, 30, 40], [0, 255, 128]]),
    "fractions": (["0.5 0.0 1.0", "1 0 0.2"], [[128, 0, 255], [255, 0, 51]]),
    "whole fractions": (["1 0 0", "0 1 1"], [[255, 0, 0], [0, 255, 255]]),
    "exponents": (["1e-9 5e-1 1", "0 0 0"], [[0, 128, 255], [0, 0, 0]]),
    "bytes with points": (["200.0 30.0 40.0", "1 2 3"], [[200, 30, 40], [1, 2, 3]]),
    "16 bits": (["51400 7710 0", "65535 0 0"], [[200, 30, 0], [255, 0, 0]]),
    "one of two": (["200 30 40", ""], [[200, 30, 40], GRAY]),
    "one of two in fractions": (["", "0.0 0.2 1.0"], [GRAY, [0, 51, 255]]),
    "numbers in a table": (["3", "5"], [GRAY, GRAY]),
}


@pytest.mark.parametrize(("words", "expected"), FACE_COLORS.values(), ids=FACE_COLORS)
def test_colors_of_faces_of_every_kind_are_read(words, expected, tmp_path, caplog):
    faces = [f"{face} {word}" for face, word in zip(FACES, words, strict=True)]
    with caplog.at_level(logging.INFO):
        part = read(tmp_path, off(faces=faces))
    np.testing.assert_array_equal(part.colors[part.faces], [[color] * 3 for color in expected])
    assert ("in a table are not read" in caplog.text) == (words == ["3", "5"])


def test_what_is_dropped_is_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        read(tmp_path, off("COFF", [[*color, 100] for color in COLORS]))
        read(tmp_path, off("OFF", COLORS))
    transparent, unnamed = (record.message for record in caplog.records)
    assert "transparency" in transparent and "of 6 numbers a vertex 3 are read" in unnamed


BAD = {
    "binary": ("OFF BINARY\n\0\0\0\4", "binary OFF"),
    "four dimensions": (off("nOFF", [[1]] * 4, counts="4\n4 2 0"), "4 dimensions"),
    "normals of four": (off("N4OFF", [[1] * 5] * 4), "4 dimensions"),
    "another word": (off("LIST"), "first word"),
    "empty": ("", "first word"),
    "no counts": ("OFF\n", "too early"),
    "one count": ("OFF\n4\n", "vertices and faces is missing"),
    "negative count": ("OFF\n-4 2 0\n" + "0 0 0\n" * 9, "too early"),
    "huge count": ("OFF\n1000000000000 1000000000000 0\n0 0 0\n", "too early"),
    "cut off": (off()[:-4], "too early"),
    "a face more": (off(faces=[*FACES, FACES[0]]), "more rows than its header says, by 1"),
    "a vertex more": (off(counts="3 2 0"), "more rows than its header says, by 1"),
    "negative length": (off(faces=["-3 0 1 2", FACES[1]]), "too early"),
    "vertex not there": (off(faces=["3 0 1 9", FACES[1]]), "vertices 0 to 9"),
    "broken index": (off(faces=["3 0 1 2.5", FACES[1]]), "2.5"),
    "no colours": (off("COFF"), "do not fit"),
    "two numbers": ("OFF\n3 1 0\n0 0\n1 0\n0 1\n3 0 1 2\n", "without x, y and z"),
    "no vertices": ("OFF\n0 1 0\n3 0 1 2\n", "x, y and z|vertices 0 to 2"),
    "corners in one": (off(faces=["3 0 0 1", "4 2 2 2 2"]), "no faces"),
    "infinite": (off("4OFF", [[0]] * 4), "NaN or infinite"),
    "rows of two lengths": (off(extra=[[1], [], [], []]), "more numbers than others"),
    "no faces": (off(faces=["2 0 1", "1 2"]), "no faces"),
    "dark and bright": (off(faces=["3 0 1 2 1.5 0.2 0.1", FACES[1]]), "neither"),
}


@pytest.mark.parametrize(("text", "word"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_right_is_refused(text, word, tmp_path):
    with pytest.raises(InputError, match=word):
        read(tmp_path, text)
