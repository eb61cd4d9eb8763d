"""Films are read by imageio's own reader."""

import resource
import subprocess

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest

from render.errors import InputError
from render.show.video import FPS, write_video


def smooth_pictures(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Colours that change slowly over the picture and in time, which H.264 keeps."""
    v, u = np.indices(size[::-1]) / max(size)
    phase = np.arange(count)[:, None, None] / count
    channels = [np.sin(3 * u + phase), np.cos(2 * v + phase), np.sin(u - v + 2 * phase)]
    return list(np.uint8(127 + 100 * np.stack(channels, axis=-1)))


def test_a_film_shows_the_pictures_in_their_order(tmp_path):
    pictures = smooth_pictures(10, (96, 64))
    assert write_video(tmp_path / "film.mp4", iter(pictures)) == 10
    found = iio.imread(tmp_path / "film.mp4", plugin="FFMPEG")
    assert found.shape == (10, 64, 96, 3)
    for i, picture in enumerate(found):
        away = [np.abs(picture.astype(float) - other).mean() for other in pictures]
        assert np.argmin(away) == i and away[i] < 3
    assert iio.immeta(tmp_path / "film.mp4", plugin="FFMPEG")["fps"] == FPS


def test_the_film_is_in_a_form_that_browsers_play(tmp_path):
    write_video(tmp_path / "film.mp4", smooth_pictures(2, (32, 32)))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", tmp_path / "film.mp4"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "Video: h264" in said and "yuv420p" in said


def test_an_odd_last_row_and_column_are_shown_twice(tmp_path):
    (picture,) = smooth_pictures(1, (33, 47))
    write_video(tmp_path / "film.mp4", [picture])
    (found,) = iio.imread(tmp_path / "film.mp4", plugin="FFMPEG")
    assert found.shape == (48, 34, 3)
    np.testing.assert_allclose(found[:47, :33].astype(float), picture, atol=16)
    np.testing.assert_allclose(found[47, :33].astype(float), picture[46], atol=16)


def test_a_film_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "film.mp4"
    write_video(path, smooth_pictures(2, (32, 32)))
    before = path.read_bytes()

    def broken():
        yield smooth_pictures(1, (32, 32))[0]
        raise InputError("frame 2 is damaged")

    with pytest.raises(InputError, match="frame 2 is damaged"):
        write_video(path, broken())
    with pytest.raises(ValueError, match="at least one picture"):
        write_video(path, [])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_another_name_than_a_films_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"film\.avi: films are written as \.mp4"):
        write_video(tmp_path / "film.avi", smooth_pictures(1, (32, 32)))


@pytest.mark.parametrize("pictures", [2, 300])  # the second is more than a pipe holds
def test_a_film_that_grows_too_large_is_one_line_and_leaves_nothing(tmp_path, rng, pictures, capfd):
    """Noise, with files limited to 4 kB, which ffmpeg meets as it does a full disk."""
    noise = rng.integers(0, 255, (pictures, 64, 96, 3)).astype(np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(InputError, match=r"film\.mp4: cannot be written \(File too large\)"):
            write_video(tmp_path / "film.mp4", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")
