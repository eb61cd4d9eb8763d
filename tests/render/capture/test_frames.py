"""Films and photographs as cameras leave them: turned, of varying rate, damaged."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from render.capture.frames import open_source
from tests.mesh_samples import refusal
from tests.render.capture.film import write_film, write_photos

COUNT, SIZE = 12, (96, 64)
FFMPEG_4 = """\
ffmpeg version 4.4.2 Copyright (c) 2000-2021 the FFmpeg developers
  built with gcc 11 (GCC)
  configuration: --prefix=/usr --disable-decoder=hevc
  libavutil      56. 70.100 / 56. 70.100
  libavcodec     58.134.100 / 58.134.100
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'cup.mov':
  Duration: 00:00:00.80, start: 0.000000, bitrate: 19 kb/s
  Stream #0:0(und): Video: hevc (hvc1 / 0x31637668), none, 96x64, 9 kb/s, 15 fps, 15 tbr (default)
Stream mapping:
"""
WITHOUT_HEVC = f"""{FFMPEG_4}  Stream #0:0 -> #0:0 (? (?) -> rawvideo (native))
Decoder (codec hevc) not found for input stream #0:0"""
TOO_SLOW = f"{FFMPEG_4}  Stream #0:0 -> #0:0 (hevc (native) -> rawvideo (native))"


def picture(number: int, size=SIZE) -> np.ndarray:
    """Brighter with each number, red at the top left and blue at the top right."""
    image = np.full((size[1], size[0], 3), 20 + 15 * number, np.uint8)
    image[:20, :30] = 255, 0, 0
    image[:20, -30:] = 0, 0, 255
    return image


def ffmpeg(*arguments: object) -> None:
    exe = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([exe, "-y", "-v", "error", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, [picture(i) for i in range(COUNT)])
    return path


def corners(image: np.ndarray) -> list[str]:
    """The colours of the corners, clockwise from the top left."""
    names = {0: "red", 2: "blue"}
    found = []
    for y, x in ((5, 5), (5, -6), (-6, -6), (-6, 5)):
        pixel = image[y, x].astype(int)
        found.append(names[int(pixel.argmax())] if np.ptp(pixel) > 100 else "grey")
    return found


def numbers(path: Path) -> list[int]:
    greys = [shown.image[40:56, 40:56].mean() for shown in open_source(path, 1920).grey()]
    return np.rint((np.array(greys) - 20) / 15).astype(int).tolist()


def test_a_film_is_gone_through_twice_and_picked_from(film):
    source = open_source(film, 1920)
    assert source.count == COUNT
    assert numbers(film) == list(range(COUNT))
    picked = list(source.color([3, 8]))
    assert [(shown.index, shown.name) for shown in picked] == [(3, "frame 3"), (8, "frame 8")]
    assert corners(picked[1].image) == ["red", "blue", "grey", "grey"]
    assert abs(picked[1].image[50, 50].mean() - 140) < 6


def test_a_turned_film_stands_upright(film, tmp_path):
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", 90, "-i", film, "-c", "copy", turned)
    (shown,) = open_source(turned, 1920).color([0])
    assert shown.image.shape == (96, 64, 3)
    assert corners(shown.image) == ["blue", "grey", "grey", "red"]


def test_a_film_of_varying_rate_shows_each_frame_once(film, tmp_path):
    varying = tmp_path / "varying.mp4"
    dropped = "select='not(eq(n,2)+eq(n,3)+eq(n,4)+eq(n,9))'"
    ffmpeg("-i", film, "-vf", dropped, "-fps_mode", "vfr", varying)
    assert numbers(varying) == [0, 1, 5, 6, 7, 8, 10, 11]
    assert open_source(varying, 1920).count == 8


def test_large_frames_are_scaled_down_and_small_ones_are_left(film):
    for side, shape in ((48, (32, 48)), (96, (64, 96)), (500, (64, 96))):
        assert next(iter(open_source(film, side).grey())).image.shape == shape


@pytest.mark.parametrize("orientation", [1, 6])
def test_photographs_stand_upright(orientation, tmp_path):
    write_photos(tmp_path / "photos", [picture(i) for i in range(3)], orientation)
    source = open_source(tmp_path / "photos", 1920)
    shown = list(source.color([0, 2]))
    assert [one.name for one in shown] == ["IMG_0000.jpg", "IMG_0002.jpg"]
    for one in shown:
        assert one.image.shape == (64, 96, 3)
        assert corners(one.image) == ["red", "blue", "grey", "grey"]


def test_photographs_of_one_sensor_are_turned_alike(tmp_path, caplog):
    """One was taken for upright while the camera looked down: its sensor lay as in the others."""
    folder = tmp_path / "photos"
    write_photos(folder, [picture(i) for i in range(4)], 6)
    lying = Image.fromarray(picture(9)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 8
    lying.save(folder / "IMG_0002.jpg", quality=95, exif=exif)
    with caplog.at_level("INFO"):
        shown = list(open_source(folder, 1920).color(range(4)))
    assert {one.image.shape for one in shown} == {(64, 96, 3)}
    assert all(corners(one.image) == ["red", "blue", "grey", "grey"] for one in shown)
    assert "1 of 4 were held otherwise" in caplog.text


def test_photographs_that_differ_are_named(tmp_path):
    folder = tmp_path / "photos"
    write_photos(folder, [picture(i) for i in range(4)])
    Image.fromarray(picture(0, (80, 64))).save(folder / "IMG_0002.jpg")
    message = refusal(open_source, folder, 1920)
    assert "IMG_0002.jpg differ in size (80x64) from the others (96x64)" in message
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x920A] = 6.5
    Image.fromarray(picture(0)).save(folder / "IMG_0002.jpg", exif=exif)
    assert "IMG_0002.jpg differ in focal length (6.5)" in refusal(open_source, folder, 1920)


def test_what_is_no_film_and_no_folder_of_photographs_is_refused(film, tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"hello" * 1000)
    (tmp_path / "cut.mp4").write_bytes(film.read_bytes()[:2000])
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "cup.MOV").write_bytes(b"")
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "IMG_1.HEIC").write_bytes(b"")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    for name, said in {
        "text.mp4": "not a film that ffmpeg reads (",
        "cut.mp4": "moov atom not found",
        "photo.jpg": "give the folder",
        "empty": "has no photograph",
        "films": "cup.MOV?",
        "phone": "IMG_1.HEIC and its like are not read; save them as JPEG",
        "torn": "a.jpg",
        "nowhere.mp4": "there is no such film",
    }.items():
        assert said in refusal(open_source, tmp_path / name, 1920)


def test_a_film_without_a_decoder_is_refused_with_what_to_do(film, tmp_path):
    """A film of MPEG-5, which ffmpeg knows by name and does not decode."""
    content, at = film.read_bytes(), film.read_bytes().rindex(b"avc1")  # of the track
    path = tmp_path / "cup.mov"
    path.write_bytes(content[:at] + b"evc1" + content[at + 4 :])
    said = "this ffmpeg has no decoder for it (Decoding requested, but no decoder found for: evc);"
    assert f"{path}: {said} film in H.264" in refusal(open_source, path, 1920)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (WITHOUT_HEVC, "no decoder for it (Decoder (codec hevc) not found for input stream #0:0);"),
        (TOO_SLOW, "had no frame ready after 10 seconds; try again when the machine is less busy"),
    ],
    ids=["no decoder", "slow"],
)
def test_what_another_ffmpeg_says_is_told_in_one_line(log, said, tmp_path, monkeypatch):
    """In place of the bundled one: of a system that leaves patented codecs out, of a busy one."""
    exe, path = tmp_path / "ffmpeg", tmp_path / "cup.mov"
    exe.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{log}\nEND\nexit 1\n")
    exe.chmod(0o755)
    path.write_bytes(b"")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(exe))
    assert said in refusal(open_source, path, 1920)


def test_a_damaged_film_is_not_said_to_need_a_decoder(film, tmp_path):
    content = film.read_bytes()
    at = content.rindex(b"avcC")  # what the decoder is set up by
    (tmp_path / "torn.mp4").write_bytes(content[:at] + b"free" + content[at + 4 :])
    message = refusal(open_source, tmp_path / "torn.mp4", 1920)
    assert "not a film that ffmpeg reads (" in message and "decoder" not in message
