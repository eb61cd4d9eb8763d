"""Panoramas of a user's folder; in OpenEXR, see test_exr.py."""

import os

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.environment import panorama as module
from render.environment.display import draw_environment
from render.environment.light import prepare
from render.environment.panorama import (
    BRIGHTEST,
    FAINTEST,
    digest_of,
    directions,
    panorama_files,
    read_panorama,
)
from render.environment.spec import Environment
from render.errors import InputError


def write(path, image: np.ndarray):
    cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1], np.float32))
    return path


def gradient(height=64, width=128) -> np.ndarray:
    """A panorama that is brightest along (1, 2, 3)."""
    return np.repeat((4 + directions(height, width) @ [1, 2, 3])[..., None], 3, axis=2)


def patch(light: float, rows=slice(20, 40), of=0.5) -> np.ndarray:
    """A gray panorama with a patch of another light."""
    image = np.full((64, 128, 3), of)
    image[rows, 30:60] = light
    return image


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
        (patch(1e38), r"a\.hdr: its brightest pixel is 1\.0e\+38; one of 1e-12 to 1e\+12 was"),
        (patch(1.0) * 1e-20, r"a\.hdr: its brightest pixel is 1\.0e-20; one of"),
        (patch(1e9, rows=slice(60, 64)), r"a\.hdr: less than 1% of its light comes from above"),
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
    (tmp_path / "sunset.pfm").write_bytes(b"PF\n")
    with pytest.raises(InputError, match=r"sunset\.pfm: save it as Radiance \.hdr or OpenEXR"):
        panorama_files(tmp_path)
    write(tmp_path / "b.hdr", gradient())
    assert panorama_files(tmp_path) == [tmp_path / "b.hdr"]


# Powers of two, which the format holds exactly.
@pytest.mark.parametrize("brightest", [2.0**39, 2.0**-39])
@pytest.mark.parametrize("where", [(0, 3), (31, 0)])
def test_light_at_the_ends_of_what_is_taken_lights_as_any_other(tmp_path, brightest, where):
    """A single pixel, near the zenith or the horizon: how bright it is makes no difference."""
    assert brightest == max(brightest, FAINTEST) == min(brightest, BRIGHTEST)
    image, lights = np.zeros((64, 128, 3)), []
    image[where] = 1.0
    camera = Camera(np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]), 64, 48)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for name, factor in (("usual", 1.0), ("extreme", brightest)):
            path = write(tmp_path / f"{name}.hdr", factor * image)
            environment = Environment("image", path=str(path))
            lights.append(prepare(environment))
            draw_environment(environment, (1.0, 1.0, 1.0), camera)
    for part in ("irradiance", "mirrored"):
        one, other = (getattr(light, part) for light in lights)
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-9 * one.max())
        assert np.isfinite(one).all()


def test_a_folder_is_read_once_a_process_until_a_file_is_replaced(tmp_path, monkeypatch):
    read, files = [], [write(tmp_path / f"{name}.hdr", gradient()) for name in "ab"]
    monkeypatch.setattr(
        module, "read_panorama", lambda path: read.append(path) or read_panorama(path)
    )
    first = digest_of(files)
    assert digest_of(files) == first and read == files and first.startswith("2 files, ")
    write(files[1], 2 * gradient())
    os.utime(files[1], ns=(0, 7))
    assert digest_of(files) != first
    write(files[1], gradient())
    assert digest_of(files) == first
    files[1].unlink()
    with pytest.raises(InputError, match=r"b\.hdr: no such file"):
        digest_of(files)
