"""Films are read by imageio's own reader."""

import resource
import subprocess

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest

from render.errors import InputError
from render.show.video import FPS, open_film, write_video


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


def test_pictures_of_several_sizes_are_no_film(tmp_path):
    pictures = smooth_pictures(2, (32, 48)) + smooth_pictures(1, (48, 32))
    line = r"film\.mp4: picture 1 has 32x48 pixels, picture 3 48x32; the pictures of a film are"
    with pytest.raises(InputError, match=line):
        write_video(tmp_path / "film.mp4", pictures)
    assert not list(tmp_path.iterdir())


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


def test_a_film_is_read_as_the_pictures_it_was_made_of(tmp_path):
    pictures, path = smooth_pictures(7, (96, 64)), tmp_path / "film.mp4"
    write_video(path, pictures, fps=5)
    with open_film(path) as (fps, frames):
        found = list(frames)
    assert fps == 5 and len(found) == 7
    np.testing.assert_array_equal(found, iio.imread(path, plugin="FFMPEG"))


def test_a_film_that_was_held_on_its_side_is_read_upright(tmp_path):
    """As phones film: a turn in the file's header, by which every player shows it."""
    pictures, path = smooth_pictures(3, (96, 64)), tmp_path / "film.mp4"
    write_video(path, pictures)
    turned = tmp_path / "turned.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-display_rotation", "90", "-i", path]
    subprocess.run([*command, "-c", "copy", turned], capture_output=True, check=True)
    with open_film(turned) as (_, frames):
        found = list(frames)
    assert found[0].shape == (96, 64, 3)
    for picture, original in zip(found, pictures, strict=True):
        np.testing.assert_allclose(picture.astype(float), np.rot90(original), atol=20)


def test_what_is_no_film_or_only_its_beginning_is_told(tmp_path, caplog):
    path = tmp_path / "film.mp4"
    with pytest.raises(InputError, match=r"film\.mp4: no such file"), open_film(path):
        pass
    path.write_text("text")
    with pytest.raises(InputError, match=r"film\.mp4: ffmpeg cannot read it"), open_film(path):
        pass
    whole, rng = tmp_path / "whole.mp4", np.random.default_rng(0)
    write_video(whole, rng.integers(256, size=(40, 96, 128, 3), dtype=np.uint8))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-i", whole, "-c", "copy"]
    command += ["-movflags", "faststart", path]
    subprocess.run(command, capture_output=True, check=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_film(path) as (_, frames):
        count = len(list(frames))
    assert 5 < count < 35
    assert f"film.mp4: {count} pictures of about 40; the rest is damaged" in caplog.text
