import logging
import struct

import numpy as np
import pytest
import trimesh

from render.mesh.file import read_mesh_file
from render.mesh.stl import FACET, read_stl
from tests.mesh_samples import make_lump, refusal

BOX = trimesh.creation.box((0.06, 0.08, 0.1))
GRAY = [178, 178, 178]


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    return make_lump(rng)


def binary(mesh: trimesh.Trimesh, words=0, header: bytes = b"", normals=None) -> bytes:
    facets = np.zeros(len(mesh.faces), FACET)
    facets["normal"] = mesh.face_normals if normals is None else normals
    facets["corners"], facets["color"] = mesh.triangles, words
    return header.ljust(80, b" ") + struct.pack("<I", len(facets)) + facets.tobytes()


def ascii_(mesh: trimesh.Trimesh, name: str = "a") -> str:
    lines = [f"solid {name}"]
    for normal, triangle in zip(mesh.face_normals, mesh.triangles, strict=True):
        lines += ["facet normal {} {} {}".format(*normal), "  outer loop"]
        lines += ["    vertex {} {} {}".format(*corner) for corner in triangle]
        lines += ["  endloop", "endfacet"]
    return "\n".join([*lines, f"endsolid {name}", ""])


def read(tmp_path, content: bytes | str):
    (tmp_path / "a.stl").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_mesh_file(tmp_path / "a.stl")


@pytest.mark.parametrize("make", [binary, ascii_])
def test_a_file_is_what_trimesh_reads(make, lump, tmp_path):
    part = read(tmp_path, make(lump))
    other = trimesh.load(tmp_path / "a.stl", process=False)
    np.testing.assert_array_equal(part.vertices, other.vertices)
    np.testing.assert_array_equal(part.faces, other.faces)
    np.testing.assert_array_equal(part.normals, other.vertex_normals)
    np.testing.assert_array_equal(part.colors, [GRAY] * len(part.vertices))


@pytest.mark.parametrize("header", [b"solid", b"solid facet normal 0 0 1", b"\0", b"facet"])
def test_a_binary_file_may_begin_with_any_words(header, tmp_path):
    part = read(tmp_path, binary(BOX, header=header))
    np.testing.assert_allclose(part.vertices[part.faces], BOX.triangles, atol=1e-8)


def five_bits(colors: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    levels = np.round(colors * 31 / 255).astype(np.uint16)
    return sum(levels[:, i] << np.uint16(shift) for i, shift in enumerate(order))


def test_colors_as_viscam_and_solidview_write_them(rng, tmp_path):
    """Blue lowest, the highest bit where there is a colour; elsewhere it is plain."""
    levels = rng.integers(0, 32, (12, 3))
    colors = np.round(levels * 255 / 31).astype(int)
    colored = np.arange(12) % 3 > 0
    words = five_bits(colors, (10, 5, 0)) | (colored * 0x8000).astype(np.uint16)
    part = read(tmp_path, binary(BOX, words))
    expected = np.where(colored[:, None], colors, GRAY)
    np.testing.assert_array_equal(part.colors[part.faces], np.repeat(expected[:, None], 3, axis=1))


def test_colors_as_magics_writes_them(rng, tmp_path):
    """Red lowest, the highest bit where the colour in the header counts."""
    levels = rng.integers(0, 32, (12, 3))
    colors = np.round(levels * 255 / 31).astype(int)
    of_object = np.arange(12) % 3 > 0
    words = five_bits(colors, (0, 5, 10)) | (of_object * 0x8000).astype(np.uint16)
    header = b"made by hand COLOR=" + bytes([201, 10, 0, 255]) + b",MATERIAL=" + bytes(12)
    part = read(tmp_path, binary(BOX, words, header))
    expected = np.where(of_object[:, None], [201, 10, 0], colors)
    np.testing.assert_array_equal(part.colors[part.faces], np.repeat(expected[:, None], 3, axis=1))


def test_spare_bytes_without_the_bit_of_a_color_are_none(tmp_path):
    part = read(tmp_path, binary(BOX, np.arange(12)))
    np.testing.assert_array_equal(part.colors, [GRAY] * 36)


NAMES = [
    "my facet normal part", "facet normal", "facet normal 0 0 1", "a facet normal outer loop",
    "facet", "endsolid facet normal", "endfacet solid facet normal 1",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_solid_of_any_name_is_read(name, newline, tmp_path):
    """And one whose first facet begins in the same line."""
    text = (ascii_(BOX, name) + ascii_(BOX, name)).replace("\n", newline)
    for variant in (text, text.upper()):
        part = read(tmp_path, variant)
        np.testing.assert_array_equal(part.vertices[part.faces], [*BOX.triangles] * 2)
    part = read(tmp_path, ascii_(BOX, "b").replace("solid b\n", "solid b ", 1))
    np.testing.assert_array_equal(part.vertices[part.faces], BOX.triangles)


@pytest.mark.parametrize("make", ["{}", "{0}", "\ufeff{}", "\n\n{}"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_ascii_of_any_line_ends_and_case_is_read(make, newline, lump, tmp_path):
    text = make.format(ascii_(lump, "a name of endsolid and vertex 1 2 3"))
    for variant in (text, text.upper()):
        part = read(tmp_path, variant.replace("\n", newline))
        np.testing.assert_array_equal(part.vertices[part.faces], lump.triangles)


def test_ascii_in_one_line_is_read(tmp_path):
    part = read(tmp_path, (ascii_(BOX, "") + ascii_(BOX, "b")).replace("\n", " "))
    np.testing.assert_array_equal(part.vertices[part.faces], [*BOX.triangles] * 2)


def test_several_solids_follow_each_other_with_their_hard_edges(lump, tmp_path):
    part = read(tmp_path, ascii_(lump, "z") + ascii_(BOX, "a") + ascii_(lump, "z"))
    expected = np.concatenate([lump.triangles, BOX.triangles, lump.triangles])
    np.testing.assert_array_equal(part.vertices[part.faces], expected)
    normals = np.concatenate([lump.face_normals, BOX.face_normals, lump.face_normals])
    np.testing.assert_allclose(part.normals[part.faces], np.repeat(normals[:, None], 3, 1))


def test_normals_that_are_missing_or_wrong_are_the_facets_own(lump, rng, tmp_path):
    normals = np.array(lump.face_normals)
    normals[100:110], normals[200:210], normals[300:310] = 0, normals[0], -normals[300:310]
    part = read(tmp_path, binary(lump, normals=normals))
    expected = np.repeat(lump.face_normals[:, None], 3, axis=1)
    np.testing.assert_allclose(part.normals[part.faces], expected, atol=1e-5)
    part = read(tmp_path, binary(lump, normals=np.full_like(normals, np.nan)))
    np.testing.assert_allclose(part.normals[part.faces], expected, atol=1e-5)


def test_an_object_of_any_winding_is_turned_outwards(lump, rng, tmp_path):
    mixed = lump.copy()
    mixed.faces = np.where(rng.random((len(lump.faces), 1)) < 0.4, lump.faces[:, ::-1], lump.faces)
    for content in (binary(mixed), ascii_(mixed)):
        part = read(tmp_path, content)
        solid = trimesh.Trimesh(part.vertices, part.faces)
        assert solid.is_winding_consistent
        assert solid.volume == pytest.approx(lump.volume, rel=1e-5)


def test_a_few_bytes_behind_the_last_facet_are_passed_over_and_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        part = read(tmp_path, binary(BOX) + b"\r\n")
    assert len(part.faces) == 12 and "2 bytes behind the last facet" in caplog.text


BAD = {
    "cut off": (binary(BOX)[:-100], "promises 12 facets, and there are 10"),
    "too long": (binary(BOX) + bytes(100), "promises 12 facets, and there are 14"),
    "huge promise": (bytes(80) + b"\xff" * 4, "promises 4294967295 facets"),
    "cut off within the header": (bytes(40), "too early"),
    "empty": (b"", "too early"),
    "no facets": (bytes(84), "no faces"),
    "no facets in ASCII": (b"solid a\nendsolid a\n", "no faces"),
    "ASCII cut off": (ascii_(BOX)[:-80].encode(), "too early|was expected"),
    "second solid cut off": ((ascii_(BOX) + ascii_(BOX)[:-80]).encode(), "too early|was expected"),
    "quadrilaterals": (
        ascii_(BOX).replace("  endloop", "vertex 0 0 0\n  endloop").encode(), "no triangle|expected"
    ),
    "words for numbers": (ascii_(BOX).replace("0.03", "0,03").encode(), "0,03"),
    "NaN": (ascii_(BOX).replace("vertex 0.03", "vertex nan").encode(), "NaN"),
    "long words": (b"solid\nfacet " + b"1" * 10_000, "no numbers"),
    "text": (b"hello " * 100, "text that is no STL: it begins with 'hello hello"),
    "HTML": (b"<!DOCTYPE html>\n<html>\xfc 404</html>\n" * 10, "begins with '<!DOCTYPE html>"),
    "short text": (b"404: Not Found", "text that is no STL: it begins with '404: Not Found'"),
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n", "is no STL"
    ),
    "an OBJ file": (b"# made by hand\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n" * 9, "is no STL"),
    "facets without a solid": (ascii_(BOX).partition("\n")[2].encode(), "not with solid"),
    "UTF-16": (ascii_(BOX).encode("utf-16"), "text in UTF-16"),
    "UTF-16 without a mark": (ascii_(BOX).encode("utf-16-le"), "text in UTF-16"),
    "big-endian UTF-16": (ascii_(BOX).encode("utf-16-be"), "text in UTF-16"),
    "an archive": (b"PK\3\4" + bytes(range(256)), "no ASCII, and as a binary STL"),
    "a facet in one line without its loop": (
        ascii_(BOX).replace("outer", "", 1).replace("\n", " ").encode(), "too early|expected"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_damaged_file_is_refused(content, words, tmp_path):
    (tmp_path / "a.stl").write_bytes(content)
    line = refusal(read_mesh_file, tmp_path / "a.stl")
    assert any(word in line for word in words.split("|")), line


def test_facets_are_not_merged(lump, tmp_path):
    (tmp_path / "a.stl").write_bytes(binary(lump))
    (part,) = read_stl(tmp_path / "a.stl")
    np.testing.assert_array_equal(part.faces.reshape(-1), np.arange(3 * len(lump.faces)))
