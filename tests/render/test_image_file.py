import logging
import threading

import numpy as np
import pytest
from PIL import Image

from render.errors import InputError
from render.image_file import (
    check_png,
    image_size,
    read_gray16,
    read_mask,
    read_rgb,
    read_rgb16,
    write_png,
)

READERS = {"rgb": read_rgb, "rgb16": read_rgb16, "gray16": read_gray16, "mask": read_mask}


def draw(rng, kind):
    if kind == "mask":
        return rng.random((24, 31)) < 0.5
    if kind == "gray16":
        return rng.integers(0, 2**16, (24, 31), dtype=np.uint16)
    if kind == "rgb16":
        return rng.integers(0, 2**16, (24, 31, 3), dtype=np.uint16)
    return rng.integers(0, 256, (24, 31, 3), dtype=np.uint8)


@pytest.mark.parametrize("level", [None, 9])
@pytest.mark.parametrize("kind", READERS)
def test_reading_gives_back_what_was_written(tmp_path, rng, kind, level):
    image = draw(rng, kind)
    write_png(tmp_path / "image.png", image, level)
    again = READERS[kind](tmp_path / "image.png")
    assert again.dtype == image.dtype
    np.testing.assert_array_equal(again, image)


def test_the_first_channel_is_red(tmp_path):
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    write_png(tmp_path / "red.png", red)
    assert Image.open(tmp_path / "red.png").getpixel((0, 0)) == (255, 0, 0)
    np.testing.assert_array_equal(read_rgb(tmp_path / "red.png"), red)


def test_a_grey_image_has_three_equal_channels(tmp_path, rng):
    gray = rng.integers(0, 256, (5, 4), dtype=np.uint8)
    write_png(tmp_path / "gray.png", gray)
    np.testing.assert_array_equal(read_rgb(tmp_path / "gray.png"), gray[..., None].repeat(3, -1))


@pytest.mark.parametrize("kind", READERS)
def test_a_png_cut_anywhere_is_refused_by_name(tmp_path, rng, kind):
    path = tmp_path / "image.png"
    write_png(path, draw(rng, kind))
    whole = path.read_bytes()
    for length in {*range(0, len(whole), 37), *range(len(whole) - 30, len(whole))}:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"image\.png"):
            READERS[kind](path)


def test_a_changed_byte_of_a_16_bit_colour_image_is_noticed(tmp_path, rng):
    path = tmp_path / "image.png"
    write_png(path, draw(rng, "rgb16"))
    whole = path.read_bytes()
    for place in range(40, len(whole) - 30, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"image\.png"):
            read_rgb16(path)


@pytest.mark.parametrize("kind", ["rgb", "gray16", "mask"])
def test_an_image_of_other_channels_is_not_16_bit_colour(tmp_path, rng, kind):
    write_png(tmp_path / "image.png", draw(rng, kind))
    with pytest.raises(InputError, match=r"image\.png: expected a PNG of three 16-bit channels"):
        read_rgb16(tmp_path / "image.png")


def test_a_cut_jpeg_is_refused(tmp_path, rng):
    path = tmp_path / "image.jpg"
    Image.fromarray(draw(rng, "rgb")).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"image\.jpg"):
        read_rgb(path)


@pytest.mark.parametrize("reader", [*READERS.values(), image_size])
def test_what_is_missing_or_no_image_is_refused_by_name(tmp_path, reader):
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(InputError, match=r"text\.png: not an image"):
        reader(tmp_path / "text.png")
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        reader(tmp_path / "none.png")


def test_a_reader_refuses_another_kind_of_image(tmp_path, rng):
    for kind in READERS:
        write_png(tmp_path / f"{kind}.png", draw(rng, kind))
    for reader, kind in [(read_gray16, "rgb"), (read_gray16, "mask"), (read_mask, "rgb")]:
        with pytest.raises(InputError, match=rf"{kind}\.png: expected"):
            reader(tmp_path / f"{kind}.png")
    with pytest.raises(InputError, match="8 bits"):
        read_rgb(tmp_path / "gray16.png")


def test_the_size_is_width_then_height_and_needs_the_header_only(tmp_path, rng):
    path = tmp_path / "image.png"
    write_png(path, draw(rng, "rgb"))
    path.write_bytes(path.read_bytes()[:100])
    assert image_size(path) == (31, 24)


def test_writing_leaves_nothing_but_the_file(tmp_path, rng):
    write_png(tmp_path / "image.png", draw(rng, "rgb"))
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]


def test_an_array_that_no_png_can_hold_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="float64"):
        write_png(tmp_path / "image.png", np.zeros((2, 2)))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 5), (1, 300), (300, 1), (64, 64)])
def test_images_of_any_size_and_content_come_back(tmp_path, rng, size):
    for values in (1, 2, 256):
        for channels in ((), (3,)):
            image = rng.integers(0, values, (*size, *channels), dtype=np.uint8)
            write_png(tmp_path / "image.png", image)
            with Image.open(tmp_path / "image.png") as read:
                np.testing.assert_array_equal(np.array(read), image)


@pytest.mark.slow
def test_the_bytes_of_a_file_do_not_depend_on_where_memory_lies(tmp_path, rng):
    images = [rng.integers(0, 2, (2, 100), dtype=np.uint8) for _ in range(20)]
    started = threading.Barrier(200)  # all at once: each thread's stack is another place

    def write(number):
        started.wait()
        for i, image in enumerate(images):
            write_png(tmp_path / f"{i}-{number}.png", image)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(len(images)):
        files = [file.read_bytes() for file in tmp_path.glob(f"{i}-*.png")]
        assert len(files) == 200 and len(set(files)) == 1


def test_a_mask_may_have_several_channels_that_say_the_same(tmp_path, rng):
    mask = rng.random((20, 30)) < 0.3
    gray = Image.fromarray(200 * mask.astype(np.uint8))
    for mode in ("L", "RGB", "LA", "RGBA"):
        gray.convert(mode).save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(read_mask(tmp_path / f"{mode}.png"), mask)
    clear = gray.convert("RGBA")
    clear.putpixel((3, 4), (0, 0, 0, 0))
    colored = gray.convert("RGB")
    colored.putpixel((3, 4), (0, 0, 255))
    for wrong in (clear, colored):
        wrong.save(tmp_path / "wrong.png")
        with pytest.raises(InputError, match=r"wrong\.png: expected a mask in black and white"):
            read_mask(tmp_path / "wrong.png")


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\0\0\0\x18ftypheic", "a HEIC photograph"),
        (b"\0\0\0\x18ftypmif1", "a HEIC photograph"),
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
        (b"\0\0\0\x20ftypisom", "a film"),
        (b"v/1\x01\2\0\0\0", "an OpenEXR image"),
        (b"\x93NUMPY\1\0", "a NumPy array"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript file"),
    ],
)
@pytest.mark.parametrize("name", ["photo.jpg", "photo.heic"])
def test_what_people_have_instead_of_an_image_is_named(tmp_path, start, kind, name):
    (tmp_path / name).write_bytes(start + bytes(100))
    line = f"{name}: {kind}, which is not read; save it as PNG or JPEG"
    for read in (read_rgb, image_size, read_mask):
        with pytest.raises(InputError, match=line):
            read(tmp_path / name)


def test_dropped_transparency_is_said_once_for_a_folder(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    opaque = Image.new("RGBA", (4, 4), (10, 20, 30, 255))
    opaque.save(tmp_path / "opaque.png")
    read_rgb(tmp_path / "opaque.png")
    assert not caplog.text
    opaque.putpixel((1, 2), (10, 20, 30, 0))
    for name in ("a.png", "b.png"):
        opaque.save(tmp_path / name)
        np.testing.assert_array_equal(read_rgb(tmp_path / name), np.array(opaque)[..., :3])
    assert caplog.text.count("transparent") == 1 and str(tmp_path) in caplog.text


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "png", "a.png.tif", "folder"])
def test_a_picture_is_named_as_what_it_is(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: pictures are written as \.png$"):
        check_png(tmp_path / name)
    check_png(tmp_path / f"{name}.PNG")


def test_a_photograph_with_damaged_exif_is_read_as_it_is_stored(tmp_path):
    picture = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    for exif in (b"Exif\0\0XX*\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"):
        Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), picture)
        assert image_size(tmp_path / "a.png") == (3, 2)
