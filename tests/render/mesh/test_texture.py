import io
import logging

import cv2
import numpy as np
import pytest
from PIL import Image

from render.mesh.texture import decode_texture, lay_out
from render.mesh.texture_atlas import join_textures
from tests.mesh_samples import refusal


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sampled(texture: np.ndarray, uv: np.ndarray, wrap=("repeat", "repeat")) -> np.ndarray:
    """The texel that OpenGL's nearest filter finds at (n, 2) uv (OpenGL 4.6, 8.14.2)."""
    cells = []
    for coordinate, kind, size in zip(uv.T, wrap, texture.shape[1::-1], strict=True):
        cell = np.floor(coordinate * size).astype(int)
        if kind == "repeat":
            cell = cell % size
        elif kind == "clamp":
            cell = np.clip(cell, 0, size - 1)
        else:
            cell = cell % (2 * size)
            cell = np.where(cell < size, cell, 2 * size - 1 - cell)
        cells.append(cell)
    return texture[texture.shape[0] - 1 - cells[1], cells[0]]


@pytest.mark.parametrize("kind", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight(kind, channels, rng):
    image = rng.integers(0, 2**16, (9, 7, channels), dtype=np.uint16)
    image.reshape(-1)[:4] = [0, 128, 129, 65535]
    image[..., 3:] = 65535
    content = cv2.imencode(kind, image)[1].tobytes()
    colors = image if channels == 1 else image[..., 2::-1]
    expected = np.round(colors / 257).astype(np.uint8).repeat(3 if channels == 1 else 1, axis=2)
    np.testing.assert_array_equal(decode_texture(content, "t"), expected)


def test_alpha_is_kept_where_it_is_wanted_and_there(rng):
    """Of 16 bits too, and of a palette; an image without it has three channels."""
    image = rng.integers(0, 2**16, (9, 7, 4), dtype=np.uint16)
    content = cv2.imencode(".png", image)[1].tobytes()
    expected = np.round(image[..., [2, 1, 0, 3]] / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode_texture(content, "t", alpha=True), expected)
    np.testing.assert_array_equal(decode_texture(content, "t"), expected[..., :3])
    palette = Image.fromarray(np.arange(4, dtype=np.uint8).reshape(2, 2), "P")
    palette.putpalette(range(12))
    content = encoded(palette, "PNG", transparency=bytes([0, 80, 160, 255]))
    found = decode_texture(content, "t", alpha=True)
    np.testing.assert_array_equal(found[..., 3], [[0, 80], [160, 255]])
    np.testing.assert_array_equal(found[..., :3], np.arange(12).reshape(2, 2, 3))
    gray = np.array([[0, 40000], [40001, 65535]], np.uint16)
    content = encoded(Image.fromarray(gray), "PNG", transparency=40000)
    found = decode_texture(content, "t", alpha=True)
    np.testing.assert_array_equal(found[..., 3], [[255, 0], [255, 255]])
    np.testing.assert_array_equal(found[..., 0], [[0, 156], [156, 255]])
    opaque = np.dstack([expected[..., :3], np.full((9, 7), 255, np.uint8)])
    content = encoded(Image.fromarray(opaque), "PNG")
    np.testing.assert_array_equal(decode_texture(content, "t", alpha=True), expected[..., :3])


@pytest.mark.parametrize("magic", [b"P5", b"P6"])
def test_portable_maps_of_sixteen_bits_are_rounded_too(magic, rng):
    shape = (4, 5, 1 if magic == b"P5" else 3)
    image = rng.integers(0, 2**16, shape, dtype=np.uint16)
    content = magic + b" 5 4 65535\n" + image.astype(">u2").tobytes()
    expected = np.broadcast_to(np.round(image / 257), (4, 5, 3))
    np.testing.assert_array_equal(decode_texture(content, "t"), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_eight_bits_and_fewer_stay_what_they_are(mode, rng):
    image = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).convert(mode)
    expected = np.array(image.convert("RGB"))
    np.testing.assert_array_equal(decode_texture(encoded(image, "PNG"), "t"), expected)


def test_a_palette_of_16_colors_in_half_bytes_is_looked_up(rng):
    palette = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    index = rng.integers(0, 16, (5, 7), dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    content = encoded(image, "PNG", bits=4)
    np.testing.assert_array_equal(decode_texture(content, "t"), palette[index])


def test_transparency_is_left_out_with_a_word_only_where_there_is_any(rng, caplog):
    caplog.set_level(logging.INFO)
    rgba = rng.integers(0, 255, (6, 5, 4), dtype=np.uint8)
    clear = encoded(Image.fromarray(rgba), "PNG")
    np.testing.assert_array_equal(decode_texture(clear, "t.png"), rgba[..., :3])
    assert [r.getMessage() for r in caplog.records] == ["t.png: its transparency is left out"]
    caplog.clear()
    rgba[..., 3] = 255
    np.testing.assert_array_equal(
        decode_texture(encoded(Image.fromarray(rgba), "PNG"), "t"), rgba[..., :3]
    )
    assert not caplog.records


def test_pixels_are_used_as_stored_whatever_exif_says_of_the_camera(rng, caplog):
    caplog.set_level(logging.INFO)
    image = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(image), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_texture(content, "t.png"), image)
    assert "EXIF orientation" in caplog.text


def test_inks_become_their_complements_with_a_word(caplog):
    caplog.set_level(logging.INFO)
    inks = np.full((4, 4, 4), (0, 255, 255, 0), np.uint8)
    content = encoded(Image.fromarray(inks, "CMYK"), "TIFF")
    np.testing.assert_array_equal(decode_texture(content, "t"), np.full((4, 4, 3), (255, 0, 0)))
    assert "inks" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n",
        b"",
    ],
    ids=["float", "32 bits", "EPS", "empty"],
)
def test_what_is_no_texture_is_refused_by_name(content):
    assert refusal(decode_texture, content, "skin.tif").startswith("skin.tif: ")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_texture_cut_anywhere_is_refused(bits, rng):
    image = rng.integers(0, 2**bits, (9, 7, 3)).astype(f"u{bits // 8}")
    content = cv2.imencode(".png", image)[1].tobytes()
    for length in range(0, len(content), 7):
        assert refusal(decode_texture, content[:length], "t.png").startswith("t.png: ")


@pytest.mark.parametrize("s", ["repeat", "mirror", "clamp"])
@pytest.mark.parametrize("t", ["repeat", "mirror", "clamp"])
def test_a_texture_laid_out_shows_what_its_wrapping_would(s, t, rng):
    texture = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    uv = rng.uniform(-2.7, 3.4, (500, 2))
    laid_out, moved = lay_out(texture, uv, (s, t))
    np.testing.assert_array_equal(sampled(laid_out, moved), sampled(texture, uv, (s, t)))


@pytest.mark.parametrize("wrap", ["mirror", "clamp"])
def test_filtering_over_an_edge_finds_the_right_neighbours(wrap, rng):
    """Half a texel around each coordinate, which linear filtering looks at."""
    texture = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    uv = np.array([[-1.0, -1.0], [2.0, 2.0], [0.0, 1.0], [1.0, 0.0], [0.3, 0.6]])
    laid_out, moved = lay_out(texture, uv, (wrap, wrap))
    for step in ([-0.4, 0.3], [0.4, -0.4], [0.4, 0.4]):
        near = uv + np.array(step) / texture.shape[1::-1]
        near_moved = moved + np.array(step) / laid_out.shape[1::-1]
        expected = sampled(texture, near, (wrap, wrap))
        np.testing.assert_array_equal(sampled(laid_out, near_moved), expected)


@pytest.mark.parametrize("wrap", ["repeat", "mirror", "clamp"])
def test_nothing_changes_where_coordinates_stay_inside(wrap, rng):
    texture, uv = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8), rng.random((9, 2))
    uv[0], uv[1] = 0, 1
    same = lay_out(texture, uv, (wrap, wrap))
    assert same[0] is texture and same[1] is uv
    uv = uv + 3
    same = lay_out(texture, uv, ("repeat", "repeat"))
    assert same[0] is texture and same[1] is uv


def test_rounding_errors_outside_do_not_enlarge_a_texture(rng):
    texture, uv = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8), np.array([[-1e-7, 1 + 1e-7]])
    same, clipped = lay_out(texture, uv, ("clamp", "mirror"))
    assert same is texture
    np.testing.assert_array_equal(clipped, [[0, 1]])
    assert uv[0, 0] == -1e-7


def test_a_large_texture_is_shrunk_to_what_a_device_takes():
    texture = np.zeros((4000, 2, 3), np.uint8)
    texture[:2000] = 200
    uv = np.array([[0, -2.0], [0, 0.2], [0, 0.9], [0, 4.0]])
    for wrap in ("mirror", "clamp"):
        laid_out, moved = lay_out(texture, uv, ("repeat", wrap))
        assert max(laid_out.shape) <= 8192
        expected = sampled(texture, uv, ("repeat", wrap))
        np.testing.assert_array_equal(sampled(laid_out, moved), expected)
    assert lay_out(texture, uv, ("repeat", "clamp"))[0].shape[0] > 7000


@pytest.mark.parametrize(
    ("reach", "wrap"), [(4e9, "repeat"), (-2e4, "mirror"), (np.nan, "repeat"), (9000, "clamp")]
)
def test_coordinates_far_outside_are_refused_in_words(reach, wrap):
    with pytest.raises(ValueError, match="texture coordinates"):
        lay_out(np.zeros((64, 64, 3), np.uint8), np.array([[0, 0], [reach, 1]]), (wrap, wrap))


def test_several_textures_repeated_without_end_are_refused_before_they_are_laid_out(rng):
    textures = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="repeats 4000000000 times"):
        join_textures([np.array([[0, 0], [4e9, 1]]), np.zeros((3, 2))], textures)
