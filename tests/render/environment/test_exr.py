"""Panoramas in OpenEXR."""

import numpy as np
import OpenEXR
import pytest

from render.environment.exr import read_exr
from render.environment.panorama import digest_of, panorama_files, read_panorama
from render.errors import InputError

SHAPE = 16, 32


def colors(rng: np.random.Generator) -> np.ndarray:
    """A panorama that half floats hold exactly."""
    return rng.uniform(0.1, 4, (*SHAPE, 3)).astype(np.float16).astype(np.float32)


def write(path, channels, **header):
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    return path


def layers(image: np.ndarray, names=("R", "G", "B")) -> dict[str, np.ndarray]:
    return {name: image[..., i].copy() for i, name in enumerate(names)}


@pytest.mark.parametrize("kind", ["float", "half", "mixed", "alpha", "more layers", "tiles"])
def test_colours_are_read_as_they_were_written(tmp_path, rng, kind):
    image = colors(rng)
    channels, header = layers(image), {}
    if kind == "half":
        channels = layers(image.astype(np.float16))
    if kind == "mixed":
        channels["R"] = channels["R"].astype(np.float16)
    if kind == "alpha":
        channels["A"] = np.full(SHAPE, 0.5, np.float32)
    if kind == "more layers":
        channels |= {"Z": channels["R"] * 0 - 1, "diffuse.R": channels["G"] * 9}
    if kind == "tiles":
        tiles = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = 8
        header = {"type": OpenEXR.tiledimage, "tiles": tiles}
    path = write(tmp_path / "a.exr", channels, **header)
    np.testing.assert_array_equal(read_panorama(path), image)


def test_one_channel_of_luminance_is_gray(tmp_path, rng):
    image = colors(rng)
    path = write(tmp_path / "a.exr", {"Y": image[..., 0].copy()})
    np.testing.assert_array_equal(read_panorama(path), np.repeat(image[..., :1], 3, axis=2))


def test_a_folder_may_hold_both_formats(tmp_path, rng):
    write(tmp_path / "b.EXR", layers(colors(rng)))
    (tmp_path / "a.hdr").write_bytes(
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 8\n" + b"\x80" * 128
    )
    files = panorama_files(tmp_path)
    assert [file.name for file in files] == ["a.hdr", "b.EXR"]
    assert digest_of(files).startswith("2 files, ")


PARTS = {
    "combined": (("View.R", "View.G", "View.B"), r"has the channels .*View\.B.*R, G and B nor Y"),
    "chroma": (("Y", "RY", "BY"), r"has the channels .*RY.*neither"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_other_channels_are_refused_by_their_names(tmp_path, rng, kind):
    names, fault = PARTS[kind]
    path = write(tmp_path / "a.exr", layers(colors(rng), names))
    with pytest.raises(InputError, match=r"a\.exr: " + fault):
        read_panorama(path)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (
            {"dataWindow": ((2, 0), (33, 15)), "displayWindow": ((0, 0), (39, 19))},
            r"its data window \[\[2, 0\], \[33, 15\]\] is not its display window",
        ),
        (
            {"chromaticities": (0.73, 0.26, 0.0, 1.0, 0.0, -0.07, 0.32, 0.34)},
            r"its primaries are not those of linear sRGB",
        ),
    ],
)
def test_a_header_that_changes_what_pixels_mean_is_refused(tmp_path, rng, header, fault):
    path = write(tmp_path / "a.exr", layers(colors(rng)), **header)
    with pytest.raises(InputError, match=r"a\.exr: " + fault):
        read_panorama(path)


def test_several_parts_deep_pixels_and_whole_numbers_are_refused(tmp_path, rng):
    image, path = colors(rng), tmp_path / "a.exr"
    kind = {"type": OpenEXR.scanlineimage}
    with OpenEXR.File([OpenEXR.Part({**kind}, layers(image), name) for name in "ab"]) as file:
        file.write(str(path))
    with pytest.raises(InputError, match=r"a\.exr: holds 2 parts; save it as one flat RGB image$"):
        read_panorama(path)
    samples = np.empty(SHAPE, object)
    for place in np.ndindex(SHAPE):
        samples[place] = np.ones(2, np.float32)
    deep = {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}
    write(path, {name: samples for name in "RGB"}, **deep)
    with pytest.raises(InputError, match=r"a\.exr: its pixels are deep; "):
        read_panorama(path)
    write(path, layers(image.astype(np.uint32)))
    with pytest.raises(InputError, match=r"a\.exr: its colours are whole numbers; "):
        read_panorama(path)


@pytest.mark.parametrize("light", [np.nan, np.inf, -1.0])
def test_light_that_is_none_is_refused(tmp_path, rng, light):
    image = colors(rng)
    image[3, 4, 1] = light
    with pytest.raises(InputError, match=r"a\.exr: is black, or holds negative or infinite light"):
        read_panorama(write(tmp_path / "a.exr", layers(image)))
    image = np.ones((16, 16, 3), np.float32)
    with pytest.raises(InputError, match=r"a\.exr: 16x16; a panorama"):
        read_panorama(write(tmp_path / "a.exr", layers(image)))


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIP", "PIZ", "DWAA"])
def test_a_truncated_file_is_refused_in_silence(tmp_path, rng, capfd, compression):
    kind = getattr(OpenEXR, f"{compression}_COMPRESSION")
    path = write(tmp_path / "a.exr", layers(colors(rng)), compression=kind)
    whole = path.read_bytes()
    for share in (0.01, 0.2, 0.5, 0.9, 0.999):
        with pytest.raises(InputError, match=r"a\.exr: damaged, or not an OpenEXR image$"):
            read_exr(path, whole[: int(share * len(whole))])
    assert capfd.readouterr() == ("", "")


def test_damaged_bytes_raise_nothing_but_input_errors(tmp_path, rng, capfd):
    whole = write(tmp_path / "a.exr", layers(colors(rng))).read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(4, 400)] = rng.integers(256)
        try:
            image = read_exr(tmp_path / "a.exr", bytes(content))
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert image.dtype == np.float32 and image.shape[2] == 3
    assert capfd.readouterr() == ("", "")
