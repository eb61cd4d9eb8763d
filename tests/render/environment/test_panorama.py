"""Panoramas of a user's folder, in Radiance's format."""

import cv2
import numpy as np
import pytest

from render.environment.light import prepare
from render.environment.panorama import directions, panorama_files, read_panorama
from render.environment.spec import Environment
from render.errors import InputError


def write(path, image: np.ndarray):
    cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1], np.float32))
    return path


def gradient(height=64, width=128) -> np.ndarray:
    """A panorama that is brightest along (1, 2, 3)."""
    return np.repeat((4 + directions(height, width) @ [1, 2, 3])[..., None], 3, axis=2)


def test_a_panorama_shines_from_where_its_pixels_are(tmp_path):
    """Read back along its own directions and between, to the 8 bits of Radiance's mantissa."""
    path = write(tmp_path / "a.hdr", gradient())
    light = prepare(Environment("image", path=str(path)))
    for way in (directions(64, 128), directions(37, 90)):
        expected = 4 + way @ [1, 2, 3]
        got = light.radiance(way)
        np.testing.assert_allclose(got, np.repeat(expected[..., None], 3, axis=2), rtol=0.02)


def test_a_fine_panorama_lights_as_a_coarse_one_does(tmp_path):
    """All its pixels count, not only those that a small map would hit."""
    coarse = write(tmp_path / "coarse.hdr", gradient())
    fine = np.kron(gradient(), np.ones((8, 8, 1)))
    fine[:, ::2] *= 2
    fine[:, 1::2] = 0
    one, other = (
        prepare(Environment("image", path=str(path))).irradiance
        for path in (coarse, write(tmp_path / "fine.hdr", fine))
    )
    np.testing.assert_allclose(one, other, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (np.ones((64, 64, 3)), r"a\.hdr: 64x64; a panorama .* is twice as wide as high$"),
        (np.zeros((8, 16, 3)), r"a\.hdr: is black"),
    ],
)
def test_an_image_that_is_no_panorama_is_refused(tmp_path, image, fault):
    with pytest.raises(InputError, match=fault):
        read_panorama(write(tmp_path / "a.hdr", image))


@pytest.mark.parametrize("content", [b"", b"v/1\x01", b"#?RADIANCE\n\n-Y 4 +X 8\n"])
def test_a_damaged_or_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "a.hdr").write_bytes(content)
    with pytest.raises(InputError, match=r"^\S*a\.hdr: "):
        read_panorama(tmp_path / "a.hdr")


def test_a_folder_without_panoramas_says_what_to_convert(tmp_path):
    with pytest.raises(InputError, match=r"give such a folder$"):
        panorama_files(tmp_path)
    (tmp_path / "sunset.exr").write_bytes(b"v/1\x01")
    with pytest.raises(InputError, match=r"sunset\.exr: save it as Radiance \.hdr"):
        panorama_files(tmp_path)
    write(tmp_path / "b.hdr", gradient())
    assert panorama_files(tmp_path) == [tmp_path / "b.hdr"]
