"""OBJ files as people have them; trimesh is the second reader of what it reads right."""

import logging
import sys

import numpy as np
import pytest
import trimesh

from render.errors import InputError
from render.mesh.file import read_mesh_file
from render.mesh.mesh import load_mesh
from render.mesh.obj.obj import read_obj
from render.mesh.part import Part
from tests.mesh_samples import make_lump, refusal

SQUARE = "v 0 0 0\nv .1 0 0\nv .1 .1 0\nv 0 .1 0\n"


def read(tmp_path, text: str | bytes) -> Part:
    (tmp_path / "a.obj").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_mesh_file(tmp_path / "a.obj")


def corners_of(part: Part, name: str) -> np.ndarray:
    return getattr(part, name)[part.faces]


def rows(word: str, table) -> str:
    return "".join(f"{word} " + " ".join(f"{x:.17g}" for x in row) + "\n" for row in table)


@pytest.fixture
def numbers(rng):
    """A lump with texture coordinates and normals of their own indices."""
    lump = make_lump(rng)
    count, shape = len(lump.vertices), lump.faces.shape
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return {
        "v": np.array(lump.vertices), "vt": rng.random((2 * count, 2)), "vn": normals,
        "f": np.stack([lump.faces, rng.integers(0, 2 * count, shape),
                       rng.integers(0, count, shape)], axis=2),
    }  # fmt: skip


def write(numbers: dict, form: str, back: bool = False) -> str:
    """The text of an OBJ file with corners as v, v/vt, v//vn or v/vt/vn."""
    counts = np.array([len(numbers[key]) for key in ("v", "vt", "vn")])
    named = numbers["f"] - counts if back else numbers["f"] + 1
    words = form.replace("vt", "{1}").replace("vn", "{2}").replace("v", "{0}")
    faces = ("f " + " ".join(words.format(*c) for c in face) + "\n" for face in named)
    return "".join(rows(key, numbers[key]) for key in ("v", "vt", "vn")) + "".join(faces)


@pytest.mark.parametrize("back", [False, True], ids=["from the first", "from the last"])
@pytest.mark.parametrize("form", ["v", "v/vt", "v//vn", "v/vt/vn"])
def test_all_forms_of_a_corner_give_the_arrays_that_trimesh_reads(form, back, numbers, tmp_path):
    part = read(tmp_path, write(numbers, form, back))
    v, _, vn = np.moveaxis(numbers["f"], 2, 0)
    np.testing.assert_array_equal(corners_of(part, "vertices"), numbers["v"][v])
    if "vn" in form:
        np.testing.assert_array_equal(corners_of(part, "normals"), numbers["vn"][vn])
    (other,) = trimesh.load_scene(tmp_path / "a.obj", process=False).geometry.values()
    np.testing.assert_array_equal(part.vertices, other.vertices)
    np.testing.assert_array_equal(part.faces, other.faces)
    np.testing.assert_allclose(part.normals, other.vertex_normals, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    {
        "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
        "CR only": lambda text: text.replace(b"\n", b"\r"),
        "marked as UTF-8": lambda text: b"\xef\xbb\xbf" + text,
        "Latin-1": lambda text: b"# gr\xfcn\no St\xfchl\n" + text,
        "tabs": lambda text: text.replace(b" ", b"\t"),
        "wide": lambda text: text.replace(b" ", b"   ").replace(b"\n", b"  \n   "),
        "comments": lambda text: text.replace(b"\n", b" # 1 2 3\n# v 9 9 9\n"),
        "no last newline": lambda text: text.rstrip(),
        "continued": lambda text: text.replace(b"/", b"/").replace(b" ", b" \\\n"),
        "a comment of a folder": lambda text: b"# C:\\made\\here\\\n" + text,
        "groups": lambda text: text.replace(b"f ", b"g a b\ns 1\nusemtl off\nf ", 1),
        "old word": lambda text: text.replace(b"f ", b"fo "),
        "lines and points": lambda text: text + b"l 1 2 3\np 1\n",
        "blank": lambda text: text.replace(b"\nf ", b"\n" * 200_000 + b"f ", 1),
    }.items(),
    ids=lambda change: change[0],
)
def test_other_ways_to_write_the_same_are_the_same(change, numbers, tmp_path):
    text = write(numbers, "v/vt/vn").encode()
    plain, other = read(tmp_path, text), read(tmp_path, change[1](text))
    for name in ("vertices", "faces", "normals", "colors"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))


def test_what_is_done_grows_with_the_lines_and_no_faster(tmp_path):
    def calls(blank: int) -> int:
        count = 0

        def one_more(frame, event, argument):
            nonlocal count
            count += event in ("call", "c_call")

        path = tmp_path / f"{blank}.obj"
        path.write_text(SQUARE + "\n" * blank + "f 1 2 3\n" + " \t\n" * blank + "f 1 3 4\n")
        sys.setprofile(one_more)
        try:
            read_obj(path)
        finally:
            sys.setprofile(None)
        return count

    calls(10)
    few, twice, four = calls(1000), calls(2000), calls(4000)
    assert four - twice == pytest.approx(2 * (twice - few), rel=0.01)


def test_faces_of_different_forms_share_what_they_name(tmp_path):
    text = SQUARE + "vt 0 0\nvn 0 0 1\nvn 0 1 0\nf 1 2 3\nf 1/1 3/1 4/1\nf 2//2 1//2 4//2\n"
    part = read(tmp_path, text)
    np.testing.assert_array_equal(
        corners_of(part, "vertices")[:, :, 0], [[0, 0.1, 0.1], [0, 0.1, 0], [0.1, 0, 0]]
    )
    np.testing.assert_array_equal(corners_of(part, "normals")[2], [[0, 1, 0]] * 3)
    np.testing.assert_allclose(corners_of(part, "normals")[:2], [[[0, 0, 1]] * 3] * 2)


def test_negative_numbers_count_back_from_their_own_line(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 0 0 2\nv 1 0 2\nv 0 1 2\nf -3 -2 -1\n"
    text += "vn 0 0 1\nf 1//-1 2//-1 3//-1\nvn 1 0 0\nf 1//-1 2//-1 3//-1\n"
    part = read(tmp_path, text)
    corners = corners_of(part, "vertices")
    np.testing.assert_array_equal(corners[:2, :, 2], [[0] * 3, [2] * 3])
    np.testing.assert_array_equal(corners_of(part, "normals")[2:, 0], [[0, 0, 1], [1, 0, 0]])


COLORS = np.array([[200, 30, 40], [10, 250, 60], [0, 5, 255]])


@pytest.mark.parametrize(
    ("before", "after", "scale"),
    [("", "", 1), ("", "", 255), ("1.0 ", "", 1), ("1 ", "", 255), ("", " 1", 1), ("", " 255", 255),
     ("1 ", " 1.0", 1)],
    ids=["fractions", "bytes", "w", "w and bytes", "alpha", "alpha and bytes", "w and alpha"],
)  # fmt: skip
def test_colors_of_vertices_are_read_in_every_way_they_are_written(before, after, scale, tmp_path):
    lines = [
        f"v {x} {y} 0 {before}" + " ".join(f"{c / 255 * scale:.6g}" for c in color) + after
        for (x, y), color in zip([(0, 0), (1, 0), (0, 1)], COLORS, strict=True)
    ]
    text = "\n".join([*lines, "vt 0 0", "f 1/1 2/1 3/1"])
    np.testing.assert_array_equal(read(tmp_path, text).colors, COLORS)


def test_the_paint_of_zbrush_is_read(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    paint = "".join("ff{:02x}{:02x}{:02x}".format(*color) for color in COLORS)
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    text += f"#MRGB {paint[:8]}\n#MRGB {paint[8:]}\n"
    np.testing.assert_array_equal(read(tmp_path, text).colors, COLORS)
    assert not caplog.records
    read(tmp_path, text + "#MRGB ffffffff\n")
    assert "#MRGB colours are left out" in caplog.text


def test_vertices_without_a_color_among_others_are_plain(tmp_path):
    text = "v 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0 0 1 0\nf 1 2 3\n"
    expected = [[255, 0, 0], [178, 178, 178], [0, 255, 0]]
    np.testing.assert_array_equal(read(tmp_path, text).colors, expected)


def test_a_weight_of_vertices_is_left_out_with_a_word(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    part = read(tmp_path, "v 0 0 0 1\nv 1 0 0 2\nv 0 1 0 1\nf 1 2 3\n")
    np.testing.assert_array_equal(part.vertices, [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert "weight" in caplog.text


def test_parts_of_materials_come_in_the_order_of_their_names(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl b\nKd 0 0 1\nnewmtl a\nKd 1 0 0\n")
    text = f"mtllib a.mtl\n{SQUARE}usemtl b\nf 1 2 3\nusemtl a\nf 1 3 4\nusemtl b\nf 2 1 4\n"
    part = read(tmp_path, text)
    expected = [[255, 0, 0], [0, 0, 255], [0, 0, 255]]
    np.testing.assert_array_equal(part.colors[part.faces[:, 0]], expected)
    np.testing.assert_array_equal(
        corners_of(part, "vertices")[:, 2], [[0, 0.1, 0], [0.1, 0.1, 0], [0, 0.1, 0]]
    )


@pytest.mark.parametrize("word", ["curv 0 1 1 2 3", "surf 0 1 0 1 1 2 3", "curv2 1 2 3"])
def test_free_form_surfaces_are_refused_or_named(word, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    text = f"{SQUARE}cstype bezier\ndeg 3\n{word}\nparm u 0 1\nend\n"
    (tmp_path / "a.obj").write_text(text)
    assert "free-form" in refusal(load_mesh, tmp_path / "a.obj")
    caplog.clear()
    assert len(read(tmp_path, text + "f 1 2 3\n").faces) == 1
    assert "free-form" in caplog.text and "left out" in caplog.text


FAULTS = {
    "a word for a number": ("v 0 0 zero\n", "line 5: 'v 0 0 zero': numbers were expected"),
    "decimal comma": ("v 0,5 0 0\n", "line 5: 'v 0,5 0 0'"),
    "two numbers": ("v 0 0\n", "line 5: 'v 0 0': 2 numbers"),
    "five numbers": ("v 0 0 0 1 1\n", "5 numbers"),
    "nine numbers": ("v 1 2 3 4 5 6 7 8 9\n", "9 numbers"),
    "seven numbers": ("v 0 0 0 .5 1 1 .5\n", "neither x y z w r g b nor x y z r g b a"),
    "bright": ("v 0 0 0 300 1 1\n", "colours from"),
    "negative color": ("v 0 0 0 -1 0 0\n", "colours from -1"),
    "color that is no number": ("v 0 0 0 nan 0 0\n", "NaN"),
    "normal of two": ("vn 0 0\n", "line 5"),
    "texture coordinates of four": ("vt 0 0 0 0\n", "line 5"),
    "corner of words": ("f 1 2 x\n", "line 5: 'f 1 2 x': corners are v, v/vt"),
    "corner of four": ("f 1/1/1/1 2 3\n", "corners are"),
    "corner of fractions": ("f 1.5 2 3\n", "corners are"),
    "corner without vertex": ("f /1 /1 /1\n", "corners are"),
    "vertex 0": ("f 0 1 2\n", "vertex 0; OBJ files count from 1"),
    "vertex 9": ("f 1 2 9\n", "vertices up to 9, there are 4"),
    "huge index": ("f 1 2 99999999999999999999999999\n", "there are 4"),
    "far back": ("f -5 1 2\n", "counts back"),
    "texture coordinates not there": ("vt 0 0\nf 1/2 2/1 3/1\n", "up to 2, there are 1"),
    "normal not there": ("vn 0 0 1\nf 1//3 2//1 3//1\n", "up to 3, there are 1"),
    "NUL": ("f 1 2 3\n\0\0\0", "NUL"),
    "cut in a face": ("f 1 2 3\nf 1 2", "too early"),
    "cut in a vertex": ("f 1 2 3\nv 0.1", "too early"),
}


@pytest.mark.parametrize(("lines", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_line_is_refused_by_its_number(lines, reason, tmp_path):
    (tmp_path / "a.obj").write_text(SQUARE + lines + "f 1 2 3\n" * ("early" not in reason))
    line = refusal(load_mesh, tmp_path / "a.obj")
    assert line.startswith(f"{tmp_path / 'a.obj'}: ") and reason in line and "OBJ" in line


def test_vertices_of_no_face_may_be_no_numbers(tmp_path):
    assert len(read(tmp_path, SQUARE + "v nan inf 0\nf 1 2 3\n").vertices) == 3


def test_a_file_cut_anywhere_is_read_or_refused(numbers, tmp_path):
    text = write(numbers, "v/vt/vn").encode()
    for length in range(0, len(text), 1009):
        try:
            read(tmp_path, text[:length])
        except InputError as error:
            assert "a.obj" in str(error) and "\n" not in str(error)


def test_names_that_lead_nowhere_are_no_fault_where_nothing_is_there(tmp_path, caplog):
    """Some programs write f 1/1/1 without any vt or vn."""
    caplog.set_level(logging.INFO)
    part = read(tmp_path, SQUARE + "f 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n")
    np.testing.assert_allclose(part.normals, [[0, 0, 1]] * 4)
    assert "texture coordinates" in caplog.text and "normals" in caplog.text


def test_more_materials_than_can_be_parts_are_refused(tmp_path):
    (tmp_path / "a.obj").write_text(
        SQUARE + "".join(f"usemtl {i}\nf 1 2 3\n" for i in range(10001))
    )
    assert "10001 materials" in refusal(load_mesh, tmp_path / "a.obj")
