"""Focal lengths by EXIF: what a camera with a known sensor writes."""

import math

import numpy as np
import pytest
from PIL import Image

from render.formats.exif import exif_camera

SIZE = (400, 300)


def photo(folder, orientation=1, **tags):
    """A JPEG with EXIF: names of tags -> values."""
    numbers = {
        "FocalLength": 0x920A,
        "FocalLengthIn35mmFilm": 0xA405,
        "FocalPlaneXResolution": 0xA20E,
        "FocalPlaneResolutionUnit": 0xA210,
        "ExifImageWidth": 0xA002,
        "ExifImageHeight": 0xA003,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({numbers[name]: value for name, value in tags.items()})
    path = folder / "photo.jpg"
    Image.new("RGB", SIZE).save(path, exif=exif)
    return path


def test_a_lens_of_43_mm_on_film_sees_as_far_as_the_diagonal_is_long(tmp_path):
    """35 mm film is 36 x 24 mm: so long a lens, and the picture's diagonal is 500 px."""
    camera, why = exif_camera(photo(tmp_path, FocalLengthIn35mmFilm=43), SIZE)
    expected = 500 * 43 / math.hypot(36, 24)
    np.testing.assert_allclose(camera.K, [[expected, 0, 199.5], [0, expected, 149.5], [0, 0, 1]])
    assert camera.size == SIZE and why == "FocalLengthIn35mmFilm 43 mm"


@pytest.mark.parametrize(("unit", "plane"), [(2, 25.4), (3, 10.0), (4, 1.0)])
def test_a_focal_length_counts_in_pixels_of_the_sensor(tmp_path, unit, plane):
    """100 pixels a mm, whatever the unit; the picture is a tenth of what was taken."""
    tags = {"FocalPlaneXResolution": 100 * plane, "FocalPlaneResolutionUnit": unit}
    taken = {"ExifImageWidth": 4000, "ExifImageHeight": 3000}
    camera, why = exif_camera(photo(tmp_path, FocalLength=50.0, **tags, **taken), SIZE)
    assert camera.K[0, 0] == camera.K[1, 1] == pytest.approx(500)
    assert why == "FocalLength 50 mm on pixels of 0.01 mm"
    # A picture that is turned upright has the same lens.
    turned, _ = exif_camera(photo(tmp_path, 6, FocalLength=50.0, **tags, **taken), SIZE[::-1])
    assert turned.K[0, 0] == pytest.approx(500) and turned.size == SIZE[::-1]
    assert exif_camera(photo(tmp_path, FocalLength=50.0, **tags), SIZE) is None  # of which size?


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"FocalLength": 4.2},  # on a sensor of unknown size
        {"FocalLengthIn35mmFilm": 0},  # EXIF's word for unknown
        {"FocalLengthIn35mmFilm": 1},  # of no lens
        {"FocalLengthIn35mmFilm": 60000},
    ],
)
def test_a_focal_length_that_says_nothing_is_none(tmp_path, tags):
    assert exif_camera(photo(tmp_path, **tags), SIZE) is None


def test_a_file_without_exif_or_with_a_damaged_one_says_nothing(tmp_path):
    path = tmp_path / "plain.png"
    Image.new("RGB", SIZE).save(path)
    assert exif_camera(path, SIZE) is None
    path = photo(tmp_path, FocalLengthIn35mmFilm=43)
    content = bytearray(path.read_bytes())
    start = content.index(b"Exif")
    content[start + 6 : start + 40] = bytes(34)
    path.write_bytes(content)
    assert exif_camera(path, SIZE) is None
