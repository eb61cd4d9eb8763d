import logging
import struct

import numpy as np
import pytest
from PIL import Image

from render.errors import InputError
from render.mesh.file import read_mesh_file
from render.mesh.ply.mesh import read_ply
from tests.ply_files import write_ply_file

XYZ = ["float x", "float y", "float z"]
CORNERS = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
TRIANGLES = [[0, 1, 2], [0, 2, 3]]
FACE = "list uchar int vertex_indices"
COLORS = [[200, 30, 40], [1, 2, 3], [0, 255, 128], [90, 80, 70]]
GRAY = [178, 178, 178]


def square(properties=(), rows=((),) * 4, face=(FACE,), face_rows=None) -> list:
    """A unit square in two triangles, with more properties a vertex, and other faces."""
    vertices = [[*corner, *row] for corner, row in zip(CORNERS, rows, strict=True)]
    faces = [[triangle] for triangle in TRIANGLES] if face_rows is None else face_rows
    return [("vertex", [*XYZ, *properties], vertices), ("face", face, faces)]


def read(tmp_path, elements, encoding="ascii", comments=()):
    path = tmp_path / "a.ply"
    path.write_bytes(write_ply_file(elements, encoding, comments))
    return read_mesh_file(path)


NAMES = [
    ("red", "green", "blue"),
    ("Red", "Green", "Blue"),
    ("RED", "GREEN", "BLUE"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("r", "g", "b"),
    ("R", "G", "B"),
]


@pytest.mark.parametrize("names", NAMES, ids="-".join)
@pytest.mark.parametrize("kind", ["uchar", "ushort", "short", "int", "uint", "float", "double"])
def test_colors_of_every_name_and_type_are_read(names, kind, tmp_path):
    properties = [f"{kind} {name}" for name in names]
    for encoding in ("ascii", "binary_little_endian", "binary_big_endian"):
        part = read(tmp_path, square(properties, COLORS), encoding)
        np.testing.assert_array_equal(part.colors, COLORS)
    faces = [[triangle, *COLORS[i]] for i, triangle in enumerate(TRIANGLES)]
    part = read(tmp_path, square(face=[FACE, *properties], face_rows=faces), encoding)
    np.testing.assert_array_equal(part.colors[part.faces], [[COLORS[i]] * 3 for i in (0, 1)])


@pytest.mark.parametrize("kind", ["float", "double"])
def test_colors_of_fractions_are_read(kind, tmp_path):
    fractions = (np.array(COLORS) / 255).tolist()
    properties = [f"{kind} {name}" for name in ("red", "green", "blue")]
    part = read(tmp_path, square(properties, fractions), "binary_little_endian")
    np.testing.assert_array_equal(part.colors, COLORS)


def test_fractions_declared_as_bytes_are_fractions(tmp_path):
    fractions = (np.array(COLORS) / 255).tolist()
    part = read(tmp_path, square(["uchar red", "uchar green", "uchar blue"], fractions))
    np.testing.assert_array_equal(part.colors, COLORS)


@pytest.mark.parametrize("name", ["uint rgb", "int rgb", "uint rgba", "float rgb"])
@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_packed_colors_are_unpacked(name, encoding, tmp_path):
    """As PCL has them: in an integer, with an alpha of 0 or 63 above, or in the bits of a float."""
    words = [(i % 2 * 63) << 24 | r << 16 | g << 8 | b for i, (r, g, b) in enumerate(COLORS)]
    if name == "float rgb":
        words = [struct.unpack("f", struct.pack("I", word))[0] for word in words]
    part = read(tmp_path, square([name], [[word] for word in words]), encoding)
    np.testing.assert_array_equal(part.colors, COLORS)


def test_colors_of_corners_are_read(tmp_path):
    """MeshLab's `color` list."""
    corners = np.random.default_rng(1).integers(0, 256, (2, 3, 3))
    faces = [[t, (c / 255).reshape(-1).tolist()] for t, c in zip(TRIANGLES, corners, strict=True)]
    part = read(tmp_path, square(face=[FACE, "list uchar float color"], face_rows=faces))
    np.testing.assert_array_equal(part.colors[part.faces], corners)


@pytest.mark.parametrize("name", ["gray", "grey", "Gray"])
@pytest.mark.parametrize("encoding", ["ascii", "binary_big_endian"])
def test_bytes_of_gray_are_colors(name, encoding, tmp_path, caplog):
    levels = [0, 77, 128, 255]
    with caplog.at_level(logging.INFO):
        part = read(tmp_path, square([f"uchar {name}"], [[x] for x in levels]), encoding)
        faces = [[triangle, levels[i]] for i, triangle in enumerate(TRIANGLES)]
        of_faces = read(tmp_path, square(face=[FACE, f"uchar {name}"], face_rows=faces), encoding)
    np.testing.assert_array_equal(part.colors, [[x] * 3 for x in levels])
    expected = [[[levels[i]] * 3] * 3 for i in (0, 1)]
    np.testing.assert_array_equal(of_faces.colors[of_faces.faces], expected)
    assert not caplog.records


UNREAD = {
    "intensity": ("uchar intensity", 128),
    "gray as a float": ("float gray", 0.5),
    "gray in 16 bits": ("ushort gray", 40000),
    "fractions of gray in bytes": ("uchar gray", 0.5),
    "CloudCompare's": ("float scalar_Intensity", 0.5),
    "one channel": ("uchar red", 200),
    "splats": ("float f_dc_0", 1.0),
    "a name of its own": ("float albedo", 0.5),
}


@pytest.mark.parametrize(("declared", "value"), UNREAD.values(), ids=UNREAD)
def test_what_might_be_a_color_and_is_not_read_is_named(declared, value, tmp_path, caplog):
    name = declared.split()[1].lower()
    for elements, of in (
        (
            square(
                [declared, "float nx", "float ny", "float nz", "float s"], [[value, 0, 0, 1, 0]] * 4
            ),
            "vertex",
        ),
        (square(face=[FACE, declared], face_rows=[[t, value] for t in TRIANGLES]), "face"),
    ):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            part = read(tmp_path, elements)
        np.testing.assert_array_equal(part.colors, [GRAY] * 4)
        (said,) = (record.message for record in caplog.records)
        assert said.startswith(f"{tmp_path / 'a.ply'}: ")
        assert said.endswith(f"not read as such: {name} of each {of}")


def test_transparency_is_dropped_and_said_once(tmp_path, caplog):
    properties = ["uchar red", "uchar green", "uchar blue", "uchar alpha"]
    for alpha, said in ((255, 0), (128, 1)):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            part = read(tmp_path, square(properties, [[*color, alpha] for color in COLORS]))
        np.testing.assert_array_equal(part.colors, COLORS)
        assert sum("transparency" in record.message for record in caplog.records) == said


def test_colors_that_cannot_be_told_are_refused(tmp_path):
    rows = [[1.5, 0.2, 0.1]] * 4
    with pytest.raises(InputError, match="neither fractions of 1 nor of 255"):
        read(tmp_path, square(["float red", "float green", "float blue"], rows))


def test_other_columns_change_nothing(tmp_path):
    plain = read(tmp_path, square())
    rows = [[0.5, 300.0, -1, 7]] * 4
    more = ["float confidence", "float quality", "int flags", "uchar intensity"]
    part = read(
        tmp_path, square(more, rows, [FACE, "float quality"], [[t, 2.0] for t in TRIANGLES])
    )
    for name in ("vertices", "faces", "normals", "colors"):
        np.testing.assert_array_equal(getattr(part, name), getattr(plain, name))
    np.testing.assert_array_equal(plain.colors, [GRAY] * 4)


def test_ends_of_rows_that_the_header_does_not_name_are_said_by_the_file(tmp_path, caplog):
    path, content = tmp_path / "a.ply", write_ply_file(square())
    path.write_bytes(content.replace(b" 3\n", b" 3 9\n"))
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(read_mesh_file(path).faces, TRIANGLES)
    (said,) = (record.message for record in caplog.records if "not read" in record.message)
    assert said.startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["vertex_indices", "vertex_index", "Vertex_Indices", "indices"])
@pytest.mark.parametrize("length", ["uchar", "char", "ushort", "int", "uint"])
@pytest.mark.parametrize("kind", ["int", "uint", "ushort", "uchar", "float"])
def test_lists_of_every_name_and_type_are_faces(name, length, kind, tmp_path):
    for encoding in ("ascii", "binary_big_endian"):
        elements = square(face=[f"list {length} {kind} {name}"])
        np.testing.assert_array_equal(read(tmp_path, elements, encoding).faces, TRIANGLES)


def test_elements_come_in_any_order(tmp_path):
    camera = ("camera", ["float view_px", "list uchar float k"], [[1.0, [2.0, 3.0]]])
    edge = ("edge", ["int vertex1", "int vertex2"], [[0, 1]])
    vertex, face = square()
    for elements in ([face, vertex], [camera, face, edge, vertex]):
        for encoding in ("ascii", "binary_little_endian"):
            np.testing.assert_array_equal(read(tmp_path, elements, encoding).faces, TRIANGLES)


def test_triangle_strips_are_triangles_of_one_winding(tmp_path):
    """Two strips in one row, parted by -1, and one in another; of each the first face counts."""
    strip = [[0, 1, 3, 2, 4, -1, 4, 2, 5, -1], [5, 2, 6, 7]]
    vertices = np.random.default_rng(0).random((8, 3)).tolist()
    elements = [
        ("vertex", XYZ, vertices),
        ("tristrips", ["list int int vertex_indices"], [[row] for row in strip]),
    ]
    path = tmp_path / "a.ply"
    for encoding in ("ascii", "binary_big_endian"):
        path.write_bytes(write_ply_file(elements, encoding))
        (part,) = read_ply(path)
        expected = [[0, 1, 3], [1, 2, 3], [3, 2, 4], [4, 2, 5], [5, 2, 6], [6, 2, 7]]
        rolled = [np.roll(face, -int(np.argmin(face))).tolist() for face in part.faces]
        assert rolled == [np.roll(face, -int(np.argmin(face))).tolist() for face in expected]


def quarter(color: list[int], path) -> None:
    Image.fromarray(np.full((4, 4, 3), color, np.uint8)).save(path)


def drawn(part) -> list[list[int]]:
    """The colour in the middle of each face."""
    assert part.texture is not None and part.uv is not None
    h, w = part.texture.shape[:2]
    u, v = part.uv[part.faces].mean(axis=1).T
    texels = part.texture[((1 - v) * h).astype(int), (u * w).astype(int)]
    tint = part.colors[part.faces].mean(axis=1) / 255
    return np.round(texels * tint).astype(int).tolist()


@pytest.mark.parametrize(
    "name", ["plain.png", "with two spaces.png", '"in quotes.png"', r"C:\scans\windows.png"]
)
def test_a_texture_of_any_name_is_found(name, tmp_path):
    quarter(COLORS[0], tmp_path / name.strip('"').rpartition("\\")[2])
    rows = [corner[:2] for corner in CORNERS]
    for comment in (f"TextureFile {name}", f"TEXTUREFILE  {name} "):
        part = read(tmp_path, square(["float s", "float t"], rows), comments=[comment])
        assert drawn(part) == [COLORS[0]] * 2


@pytest.mark.parametrize(
    "names", [("texture_u", "texture_v"), ("u", "v"), ("s", "t"), ("texture_s", "texture_t")]
)
def test_texture_coordinates_of_every_name_are_read(names, tmp_path):
    quarter(COLORS[0], tmp_path / "t.png")
    rows = np.random.default_rng(2).random((4, 2)).tolist()
    properties = [f"double {name}" for name in names]
    part = read(tmp_path, square(properties, rows), comments=["TextureFile t.png"])
    np.testing.assert_array_equal(part.uv, rows)


@pytest.mark.parametrize("numbered", ["face", "vertex"])
def test_each_face_has_the_texture_of_its_number(numbered, tmp_path):
    """And none, but its vertices' colours, where the number is -1."""
    for i, color in enumerate(COLORS[:2]):
        quarter(color, tmp_path / f"{i}.png")
    vertices = [[*corner, *corner[:2], 9, 99, 199] for corner in CORNERS * 3]
    faces = [[[4 * i, 4 * i + 1, 4 * i + 2]] for i in range(3)]
    columns = [*XYZ, *(f"float {n}" for n in "st"), "uchar red", "uchar green", "uchar blue"]
    face = [FACE]
    for i, number in enumerate((1, -1, 0)):
        if numbered == "face":
            faces[i].append(number)
        else:
            for row in vertices[4 * i : 4 * i + 4]:
                row.append(number)
    (face if numbered == "face" else columns).append("int texnumber")
    comments = ["TextureFile 0.png", "TextureFile 1.png"]
    part = read(tmp_path, [("vertex", columns, vertices), ("face", face, faces)], comments=comments)
    assert drawn(part) == [[9, 99, 199], COLORS[0], COLORS[1]]


WORDS = {
    "points": ([("vertex", XYZ, CORNERS)], (), "no faces"),
    "splats": ([("vertex", [*XYZ, "float f_dc_0"], [[0, 0, 0, 1.0]])], (), "Gaussian splats"),
    "faces of edges": (square(face_rows=[[[0, 1]], [[2, 3]]]), (), "no faces"),
    "no x": ([("vertex", ["float a"], [[0.0]] * 4), square()[1]], (), "no vertices with x"),
    "no list": ([square()[0], ("face", ["int a"], [[1]])], (), "without a list of vertex_indices"),
    "not whole": (
        square(face=["list uchar float vertex_indices"], face_rows=[[[0, 1, 1.5]]]), (), "not whole"
    ),
    "two textures, no number": (
        square(["float u", "float v"], [[0, 0]] * 4),
        ("TextureFile a.png", "TextureFile b.png"), "texnumber",
    ),
    "a texture too many": (
        square(["float u", "float v"], [[0, 0]] * 4, [FACE, "int texnumber"],
               [[t, 2] for t in TRIANGLES]),
        ("TextureFile a.png", "TextureFile b.png"), "the texture 2",
    ),
    "strips and faces": (
        [*square(), ("tristrips", ["list int int vertex_indices"], [[[0, 1, 2]]])], (), "strips"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "comments", "word"), WORDS.values(), ids=WORDS)
def test_what_is_no_mesh_is_refused_by_name(elements, comments, word, tmp_path):
    with pytest.raises(InputError, match=word):
        read(tmp_path, elements, "ascii", comments)
