"""Materials of OBJ files: their colours, and textures named in every way programs name them."""

import logging
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from render.mesh.file import read_mesh_file
from render.mesh.mesh import load_mesh
from render.mesh.obj.mtl import material_of, read_mtl
from render.mesh.part import Part
from tests.mesh_samples import refusal

SQUARE = "v 0 0 0\nv .1 0 0\nv .1 .1 0\nv 0 .1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
GRAY = [178, 178, 178]  # what has no colour


@pytest.fixture
def image(tmp_path, rng) -> np.ndarray:
    """The pixels of t.png."""
    pixels = rng.integers(0, 256, (8, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "t.png")
    return pixels


def read(tmp_path, mtl: str, obj: str = f"mtllib a.mtl\nusemtl m\n{SQUARE}{FACES}") -> Part:
    (tmp_path / "a.mtl").write_text(f"newmtl m\n{mtl}\n")
    (tmp_path / "a.obj").write_text(obj)
    return read_mesh_file(tmp_path / "a.obj")


def color_of(tmp_path, mtl: str) -> list[int]:
    part = read(tmp_path, mtl)
    assert part.texture is None
    (color,) = np.unique(part.colors, axis=0)
    return color.tolist()


@pytest.mark.parametrize(
    ("mtl", "color"),
    [
        ("Kd 1 0.5 0", [255, 128, 0]),
        ("\t kd\t1  0.5 0 # warm", [255, 128, 0]),
        ("Kd 0.2", [51, 51, 51]),
        ("Kd 0.2 0.4 0.6 1", [51, 102, 153]),
        ("Kd 200 30 40", [200, 30, 40]),
        ("Kd 200.2 30 40", [200, 30, 40]),
        ("Kd 3 2 1", [3, 2, 1]),
        ("Kd 1 0 0\nKa 0 1 0\nKs 0 0 1\nKe 1 1 1\nPr 0.3\nnorm n.png\nmap_Pr p.png", [255, 0, 0]),
        ("Kd 0 0 1\nnewmtl other\nKd 1 0 0\nmap_Kd gone.png", [0, 0, 255]),
    ],
)
def test_a_material_has_the_color_of_its_kd(mtl, color, tmp_path):
    assert color_of(tmp_path, mtl) == color


@pytest.mark.parametrize(
    ("mtl", "word"),
    [
        ("Kd xyz 0.2 0.3 0.4", "Kd xyz"),
        ("Kd spectral red.rfl 1", "Kd spectral"),
        ("Kd a b c", "Kd a b c"),
        ("Kd 1 0", "three numbers"),
        ("Kd nan 0 0", "nan"),
        ("Kd -1 0 0", "-1"),
        ("Kd 300 0 0", "300"),
        ("Kd 2.5 1 1", "2.5; fractions up to 1 or numbers up to 255"),
        ("Kd 0.2 15.9 0", "15.9; fractions up to 1"),
        ("map_Kd -mm 0.1 2 t.png", "-mm"),
        ("map_Kd -s inf 1 1 t.png", "finite"),
    ],
)
def test_a_material_that_cannot_be_read_is_refused_by_name_where_it_is_used(mtl, word, tmp_path):
    obj = f"mtllib a.mtl\nusemtl m\n{SQUARE}{FACES}"
    (tmp_path / "a.mtl").write_text(f"newmtl m\n{mtl}\nnewmtl n\nKd 1 0 0\n")
    (tmp_path / "a.obj").write_text(obj)
    line = refusal(load_mesh, tmp_path / "a.obj")
    assert line.startswith(f"{tmp_path / 'a.mtl'}: material m: ") and word in line
    (tmp_path / "a.obj").write_text(obj.replace("usemtl m", "usemtl n"))
    assert read_mesh_file(tmp_path / "a.obj").colors[0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("mtl", "word"),
    [
        ("Kd 1 1 1\nd 0.5", "transparency"),
        ("Kd 1 1 1\nTr 0.5", "transparency"),
        ("Kd 1 1 1\nmap_d t.png", "transparency"),
        ("Kd 1.5 1 1", "clamped"),
        ("Ks 1 1 1", "no colour"),
        ("map_Kd -t 1 1 1 t.png", "turbulence"),
        ("map_Ka t.png", "map_Ka"),
        ("Kd 1 1 1\nnorm n.png\nmap_Pr r.png", "its norm, map_pr left out"),
        ("Kd 1 1 1\nd 1", ""),
        ("Kd 1 1 1\nTr 0", ""),
        ("Kd 1 1 1\nd 1\nTr 1", ""),
    ],
)
def test_what_is_left_out_of_a_material_is_said_once(mtl, word, tmp_path, image, caplog):
    caplog.set_level(logging.INFO)
    read(tmp_path, mtl)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == bool(word) and word in "".join(said)


NAMES = {
    "t.png": "t.png", "spaces": "my skin 1.png", "percent": "a%20b.png", "hash": "skin #1.png",
    "folder": "tex/t.png", "backslash": "tex\\t.png", "quotes": '"my skin.png"', "dot": "./t.png",
    "another machine": "C:\\Users\\me\\skin.png", "absolute": "/home/me/skin.png", "case": "T.PNG",
    "number": "1", "dashes": "-s.png",
}  # fmt: skip
OPTIONS = (
    "",
    "-s 1 1 1 ",
    "-blendu on -clamp off -o 0 0 ",
    "-texres 512 -bm 1 -mm 0 1 -imfchan r ",
)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_texture_is_found_under_every_name(name, options, tmp_path, image):
    stored = name.strip('"').replace("\\", "/").lower()
    stored = stored.split("/")[-1] if "/me/" in stored else stored
    (tmp_path / "tex").mkdir()
    if stored != "t.png":
        (tmp_path / "t.png").rename(tmp_path / stored)
    part = read(tmp_path, f"Kd 0.5 0.5 0.5\nmap_Kd {options}{name}")
    assert part.texture is not None and (part.colors == 255).all()
    np.testing.assert_array_equal(part.texture, image)
    np.testing.assert_array_equal(part.uv, UV)


def test_options_place_a_texture(tmp_path, image):
    part = read(tmp_path, "map_Kd -o 0.25 0.5 0 -s 2 3 1 t.png")
    np.testing.assert_array_equal(part.uv, UV * [2, 3] + [0.25, 0.5])
    np.testing.assert_array_equal(part.texture, image)
    np.testing.assert_array_equal(read(tmp_path, "map_Kd -s 2 t.png").uv, UV * [2, 1])


def test_a_clamped_texture_continues_its_edge(tmp_path, image):
    part = read(tmp_path, "map_Kd -clamp on -s 3 3 1 -o -1 -1 t.png")
    assert part.texture is not None and part.uv is not None
    height, width = part.texture.shape[:2]
    low, high = part.uv.min(axis=0) * [width, height], part.uv.max(axis=0) * [width, height]
    np.testing.assert_allclose(high - low, [21, 24])  # three times the image, whole texels
    left, bottom = np.round(low).astype(int)
    covered = part.texture[height - bottom - 24 : height - bottom, left : left + 21]
    expected = np.pad(image, [(8, 8), (7, 7), (0, 0)], mode="edge")
    np.testing.assert_array_equal(covered, expected)


def test_a_texture_of_16_bits_is_rounded(tmp_path):
    Image.fromarray(np.full((4, 4), 0x8080, np.uint16)).save(tmp_path / "t.png")
    part = read(tmp_path, "map_Kd t.png")
    assert part.texture is not None and (part.texture == 128).all()


def test_several_materials_and_files_keep_their_own_textures(tmp_path, image):
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    Image.fromarray(red).save(tmp_path / "red.png")
    (tmp_path / "second one.mtl").write_text("newmtl n\nmap_Kd red.png\nnewmtl m\nKd 0 1 0\n")
    lines = [
        f"usemtl {name}\n{face}\n" for name, face in zip("mn", FACES.splitlines(), strict=True)
    ]
    obj = "mtllib a.mtl\nmtllib second one.mtl\n" + SQUARE + "".join(lines)
    part = read(tmp_path, "map_Kd t.png", obj)
    assert part.texture is not None and part.uv is not None
    height, width = part.texture.shape[:2]
    middle = part.uv[part.faces].mean(axis=1) * [width, height]
    shown = [part.texture[height - 1 - int(v), int(u)].tolist() for u, v in middle]
    assert shown == [image[8 - 1 - 2, 4].tolist(), [255, 0, 0]]  # at (2/3, 1/3) of the image


@pytest.mark.parametrize(
    "line", ["b.mtl a.mtl", "a.mtl b.mtl", "a.mtl # materials", '"a.mtl"', ".\\a.mtl", "A.MTL"]
)
def test_one_line_may_name_several_material_files(line, tmp_path):
    (tmp_path / "b.mtl").write_text("newmtl q\nKd 0 1 0\n")
    obj = f"mtllib {line}\nusemtl m\n{SQUARE}{FACES}"
    assert read(tmp_path, "Kd 1 0 0", obj).colors[0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("line", ["gone.mtl", "a.mtl gone.mtl", "my gone.mtl"])
def test_a_material_file_that_is_missing_is_refused_by_name(line, tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\n")
    (tmp_path / "a.obj").write_text(f"mtllib {line}\n{SQUARE}{FACES}")
    missing = line.removeprefix("a.mtl ")
    assert f"names the file {missing}, which" in refusal(load_mesh, tmp_path / "a.obj")


@pytest.mark.parametrize("content", [None, b"no image", b""], ids=["missing", "damaged", "empty"])
def test_a_texture_that_cannot_be_read_is_refused_by_name(content, tmp_path):
    if content is not None:
        (tmp_path / "t.png").write_bytes(content)
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd t.png\n")
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\nusemtl m\n{SQUARE}{FACES}")
    line = refusal(load_mesh, tmp_path / "a.obj")
    assert line.startswith(f"{tmp_path / 'a.obj'}: ") and "t.png" in line


def test_a_texture_lies_beside_the_mesh_or_beside_the_file_of_materials(tmp_path, image):
    (tmp_path / "materials").mkdir()
    (tmp_path / "t.png").rename(tmp_path / "materials" / "t.png")
    (tmp_path / "materials" / "a.mtl").write_text("newmtl m\nmap_Kd t.png\n")
    (tmp_path / "a.obj").write_text(f"mtllib materials/a.mtl\nusemtl m\n{SQUARE}{FACES}")
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "a.obj").texture, image)


@pytest.mark.parametrize("lines", ["mtllib a.mtl\nusemtl other\n", "usemtl other\n"])
def test_a_material_that_is_nowhere_is_plain_grey_with_a_warning(lines, tmp_path, caplog):
    part = read(tmp_path, "Kd 1 0 0", lines + SQUARE + FACES)
    assert part.texture is None and np.unique(part.colors, axis=0).tolist() == [GRAY]
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "other" in record.getMessage()


def test_names_of_materials_may_have_spaces_and_signs(tmp_path):
    (tmp_path / "b.mtl").write_text("newmtl Material  #25\nKd 0 0 1\nnewmtl gr\u00fcn\nKd 0 1 0\n")
    lines = ["Material #25\n", "gr\u00fcn # the lid\n"]
    faces = [f"usemtl {a}{b}\n" for a, b in zip(lines, FACES.splitlines(), strict=True)]
    part = read(tmp_path, "", f"mtllib b.mtl\n{SQUARE}" + "".join(faces))
    np.testing.assert_array_equal(part.colors[part.faces[:, 0]], [[0, 0, 255], [0, 255, 0]])


def test_vertex_colors_replace_a_color_and_a_texture_replaces_both(tmp_path, image, caplog):
    caplog.set_level(logging.INFO)
    colored = SQUARE.replace("v 0 0 0", "v 0 0 0 1 0 0")
    obj = f"mtllib a.mtl\nusemtl m\n{colored}{FACES}"
    part = read(tmp_path, "Kd 0 0 1", obj)
    assert part.colors[:2].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert "in place of its materials'" in caplog.text
    assert (read(tmp_path, "Kd 0 0 1\nmap_Kd t.png", obj).colors == 255).all()


def test_faces_without_texture_coordinates_have_their_materials_color(tmp_path, image, caplog):
    caplog.set_level(logging.INFO)
    obj = f"mtllib a.mtl\nusemtl m\n{SQUARE}f 1/1 2/2 3/3\nf 1 3 4\n"
    part = read(tmp_path, "Kd 1 0 0\nmap_Kd t.png", obj)
    assert part.texture is not None and len(part.faces) == 2
    assert (part.colors[part.faces[0]] == 255).all()
    assert (part.colors[part.faces[1]] == [255, 0, 0]).all()
    assert "1 faces have no coordinates" in caplog.text


def test_the_last_statement_of_a_kind_and_the_first_file_count(tmp_path):
    (tmp_path / "b.mtl").write_text("Kd 9 9 9\nnewmtl m\nKd 0 0 0\nKd 0 1 0\n")
    entry = read_mtl(tmp_path / "b.mtl")["m"]
    assert material_of(entry).color == (0, 255, 0)
    obj = f"mtllib b.mtl a.mtl\nusemtl m\n{SQUARE}{FACES}"
    assert read(tmp_path, "Kd 1 0 0", obj).colors[0].tolist() == [0, 255, 0]


def test_a_material_file_that_is_no_text_is_refused_by_name(tmp_path):
    (tmp_path / "a.mtl").write_bytes("newmtl m\nKd 1 0 0\n".encode("utf-16"))
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{SQUARE}{FACES}")
    assert refusal(load_mesh, tmp_path / "a.obj").startswith(f"{tmp_path / 'a.mtl'}: NUL bytes")


def test_texture_coordinates_without_end_are_refused(tmp_path, image):
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd t.png\n")
    text = f"mtllib a.mtl\nusemtl m\n{SQUARE}{FACES}".replace("vt 1 0", "vt 4e9 0")
    (tmp_path / "a.obj").write_text(text)
    assert "texture coordinates reach 4e+09" in refusal(load_mesh, tmp_path / "a.obj")


def test_textures_that_repeat_without_end_beside_others_are_refused(tmp_path, image):
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -s 600 t.png\nnewmtl n\nKd 1 0 0\n")
    faces = FACES.replace("\n", "\nusemtl n\n", 1)
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\nusemtl m\n{SQUARE}{faces}")
    assert "repeats 600 times" in refusal(load_mesh, tmp_path / "a.obj")


def test_one_image_under_many_materials_is_held_once(tmp_path):
    """It was copied for each: 9 GB for three thousand materials and an image of 3 MB."""
    Image.fromarray(np.zeros((256, 256, 3), np.uint8)).save(tmp_path / "t.png")
    (tmp_path / "a.mtl").write_text("".join(f"newmtl {i}\nmap_Kd t.png\n" for i in range(50)))
    faces = "".join(f"usemtl {i}\nf 1/1 2/2 3/3\n" for i in range(50))
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{SQUARE}{faces}")
    tracemalloc.start()
    part = read_mesh_file(tmp_path / "a.obj")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert part.texture is not None and len(part.faces) == 50
    assert peak < 8 * part.texture.nbytes


def test_many_clamped_textures_are_refused_before_they_fill_the_memory(
    tmp_path, image, monkeypatch
):
    lines = "".join(f"newmtl {i}\nmap_Kd -clamp on -s 3 3 t.png\n" for i in range(9))
    (tmp_path / "a.mtl").write_text(lines)
    faces = "".join(f"usemtl {i}\nf 1/1 2/2 3/3\n" for i in range(9))
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{SQUARE}{faces}")
    assert len(read_mesh_file(tmp_path / "a.obj").faces) == 9
    monkeypatch.setattr("render.mesh.obj.obj.MOST_LAID_OUT", 9 * image.nbytes)
    assert "more than half a GB" in refusal(load_mesh, tmp_path / "a.obj")
