"""`predict` for pictures that come one after another, with a detector that says where to look."""

import json
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline import main
from render.image_file import write_png
from render.show.video import write_video
from tests.small_dataset import CAMERA, random_frames, write_dataset
from tests.train.objects.detect.test_checkpoint import detector_file
from tests.train.objects.test_predict import MODEL, save_run
from train.learn.task import Asked
from train.objects.detect import beside
from train.objects.detect.detector import Found
from train.objects.read.watch import watch

BOX = (30.0, 20.0, 90.0, 80.0)
KEYS = ["obj_id", "R", "t_mm", "confidence", "refined", "box", "score"]


class Finder:
    """In place of a detector: is sure of BOX where a picture's first pixel is not black."""

    class target:
        obj_id = 1

    def find(self, rgb):
        return Found(BOX, 0.9 if rgb[:8, :8].mean() > 20 else 0.01)


@pytest.fixture
def frame(rng):
    return random_frames(rng, {1: MODEL}, 1)[1]


@pytest.fixture
def run(tmp_path, frame, monkeypatch):
    """A network that reads the frame's pose in BOX, with such a detector beside it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "detector").mkdir()
    detector_file(tmp_path / "run" / "detector")
    monkeypatch.setattr(beside.Detector, "load", lambda *_: Finder())
    return save_run(tmp_path / "run" / "mixed", frame, BOX, CAMERA)


@pytest.fixture
def shown(frame) -> list[np.ndarray]:
    """Three pictures; in the second the object is not there."""
    bright = np.full_like(frame.rgb, 90)
    return [bright, np.zeros_like(bright), bright + 40]


def predict(*args) -> list[str]:
    result = CliRunner().invoke(main, ["predict", *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def check(lines: list[str], frame, labels) -> None:
    """A line a picture: the frame's pose but for the second, of which none is made up."""
    records = [json.loads(line) for line in lines]
    assert [list(record) for record in records] == [[*label, *KEYS] for label in labels]
    for i, (record, label) in enumerate(zip(records, labels, strict=True)):
        assert record | label == record and record["obj_id"] == 1
        if i == 1:
            assert record["R"] is record["t_mm"] is record["box"] is None
            assert (record["confidence"], record["score"]) == (0, 0.01)
        else:
            pose = frame.annotations[0].cam_from_obj
            np.testing.assert_allclose(record["R"], pose[:3, :3], atol=1e-4)
            np.testing.assert_allclose(record["t_mm"], 1000 * pose[:3, 3], atol=0.1)
            assert record["box"] == list(BOX) and record["score"] == 0.9


def test_a_folder_is_read_in_the_order_of_its_names(run, frame, shown, tmp_path):
    folder = tmp_path / "pictures"
    names = ["a.png", "b.png", "c.png"]
    for name, rgb in zip(names, shown, strict=True):
        folder.mkdir(exist_ok=True)
        write_png(folder / name, rgb)
    (folder / "notes.txt").write_text("text")
    (folder / "._a.png").write_bytes(b"\0\5\x16\7")  # what a Mac leaves beside a.png
    check(predict(run, folder), frame, [{"file": name} for name in names])
    # Of one picture the same, and its overlay; what a run's folder is named by is as good.
    (line,) = predict(run.parent, folder / "a.png", "--out", tmp_path / "o.png")
    assert json.loads(line) | {"file": "a.png"} == json.loads(predict(run, folder)[0])
    assert (tmp_path / "o.png").is_file()


def test_a_picture_or_film_is_not_written_over_by_its_overlay(run, shown, tmp_path):
    write_png(tmp_path / "a.png", shown[0])
    write_video(tmp_path / "a.mp4", shown)
    for name, option in (("a.png", "--out"), ("a.mp4", "--video")):
        before = (tmp_path / name).read_bytes()
        args = ["predict", str(run), str(tmp_path / name), option, str(tmp_path / name)]
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 1 and f"{name}: is what is read" in result.output
        assert (tmp_path / name).read_bytes() == before


def test_a_folder_of_several_sizes_is_read_but_not_filmed(run, shown, tmp_path):
    folder, film = tmp_path / "pictures", tmp_path / "film.mp4"
    folder.mkdir()
    write_png(folder / "a.png", shown[0])
    write_png(folder / "b.png", shown[0][:, :-2])
    result = CliRunner().invoke(main, ["predict", str(run), str(folder), "--video", str(film)])
    line = f"{folder / 'a.png'} has 160x120 pixels, {folder / 'b.png'} 158x120; the pictures"
    assert result.exit_code == 1 and result.output.startswith(f"Error: {line}")
    assert not film.exists()


def test_a_film_is_read_frame_by_frame_and_filmed(run, frame, shown, tmp_path):
    film, out = tmp_path / "film.mov.mp4", tmp_path / "out.mp4"
    write_video(film, shown, fps=7)
    lines = predict(run, film, "--video", out)
    check(lines, frame, [{"frame": i} for i in range(3)])
    capture = cv2.VideoCapture(str(out))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3 and capture.get(cv2.CAP_PROP_FPS) == 7
    for i in range(3):
        bgr = capture.read()[1].astype(int)
        is_red = (bgr[..., 2] > 150) & (bgr[..., 2] > bgr[..., 0] + 80)
        assert is_red.any() == (i != 1)


class FakeCapture:
    """In place of OpenCV's: a camera 0 that shows pictures and then ends."""

    pictures: ClassVar[list[np.ndarray]] = []

    def __init__(self, number):
        self.left, self.number = list(self.pictures), number

    def isOpened(self):
        return self.number == 0

    def set(self, *_):
        return True

    def read(self):
        return (True, self.left.pop(0)[..., ::-1].copy()) if self.left else (False, None)

    def release(self):
        self.left = []


def test_a_camera_is_read_as_long_as_it_shows_something(run, frame, shown, monkeypatch, tmp_path):
    monkeypatch.setattr(FakeCapture, "pictures", shown)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    check(predict(run, "--webcam", 0), frame, [{"frame": i} for i in range(3)])
    result = CliRunner().invoke(main, ["predict", str(run), "--webcam", "3"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: --webcam 3: no camera could be opened; ")


def test_ctrl_c_ends_a_camera_and_keeps_its_film(run, shown, monkeypatch, tmp_path):
    """The signal comes while the second picture is read: it is the last one."""
    import os
    import signal

    monkeypatch.setattr(FakeCapture, "pictures", shown)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    said: list[str] = []

    def say(line):
        said.append(line)
        if len(said) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    assert watch(run, 0, Asked(), say, tmp_path / "o.mp4", "cpu") == 2
    assert len(said) == 2 and (tmp_path / "o.mp4").is_file()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_photograph_of_another_size_takes_the_camera_of_its_exif_aloud(
    run, shown, tmp_path, caplog
):
    caplog.set_level("WARNING")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(shown[0]).resize((320, 240)).save(tmp_path / name, exif=exif)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).rename(folder / name)
    assert len(predict(run, folder)) == 2
    (message,) = (r.getMessage() for r in caplog.records if "EXIF" in r.getMessage())
    assert message.startswith(
        f"{folder}: camera from EXIF: FocalLengthIn35mmFilm 26 mm, so fx = fy = 240 px"
    )
    caplog.clear()
    predict(run, folder, "--camera", "300,300,160,120")
    assert "EXIF" not in caplog.text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give an IMAGE, a folder, a film, or --webcam 0"),
        (["FOLDER", "--webcam", "0"], "--webcam 0 takes the place of IMAGE; leave one"),
        (["FOLDER"], "FOLDER: no PNG or JPEG in it"),
        (
            ["FOLDER", "--box", "1,2,3,4"],
            "--box is for one image, not for a folder, film or camera",
        ),
        (["FOLDER", "--out", "o.png"], "--out is for one image, not for a folder, film or camera"),
        (["FOLDER", "--beside", "RUN"], "--beside belongs to --video FILM.mp4"),
        (["film.mp4"], "film.mp4: no such file"),
        (
            ["film.mp4", "--video", "o.mp4", "--split-file", "a"],
            "--split-file belongs to a BOP scene or NYU's frames",
        ),
        (["film.mp4", "--video", "o.gif"], "o.gif: films are written as .mp4"),
        (["a.png", "--video", "o.mp4"], "a.png: --video needs a folder of frames, a film or"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(run, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    Path("FOLDER").mkdir()
    result = CliRunner().invoke(main, ["predict", str(run), *args])
    assert result.exit_code in (1, 2) and result.output.startswith(f"Error: {message}")
    assert result.output.count("\n") == 1 and not Path("o.mp4").exists()


def test_without_a_detector_a_film_is_refused_and_a_bop_scene_read_by_its_boxes(
    tmp_path, frame, shown
):
    run = save_run(tmp_path / "run", frame, frame.annotations[0].bbox_visib, CAMERA)
    film = tmp_path / "film.mp4"
    write_video(film, shown)
    result = CliRunner().invoke(main, ["predict", str(run), str(film)])
    assert result.exit_code == 1
    assert "nothing says where the object is, and no detector/ lies beside" in result.output
    root = write_dataset(tmp_path / "data", {1: MODEL}, {1: frame, 4: frame})
    lines = [json.loads(line) for line in predict(run, root / "test" / "000002")]
    assert [line["file"] for line in lines] == ["000001.png", "000004.png"]
    for line in lines:
        np.testing.assert_allclose(line["R"], frame.annotations[0].cam_from_obj[:3, :3], atol=1e-4)
        assert line["score"] is None
