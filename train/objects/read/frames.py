"""Where pictures come from one after another: a folder, a film, or a camera of this machine."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.errors import InputError
from render.image_file import read_rgb
from render.scene.background import IMAGE_SUFFIXES
from render.show.video import open_film

FOLDER_FPS = 5.0  # of a film that is made of a folder's pictures
WEBCAM_FPS = 8.0  # of one that is made of a camera's: about as many as are read on two cores


@dataclass(frozen=True, eq=False)
class Picture:
    """One of several pictures. label: what tells it from the others, in what is printed. file: the
    file that it is, if it is one."""

    label: dict[str, Any]
    rgb: np.ndarray
    file: Path | None = None


@dataclass(frozen=True, eq=False)
class Stream:
    """Pictures, one after another. name: for messages. fps: of a film of them."""

    name: str
    fps: float
    pictures: Iterator[Picture]


@contextmanager
def open_stream(source: Path | int) -> Iterator[Stream]:
    """The pictures of a folder, a film, or the camera of a number.

    Raises:
        InputError: there are none, or they cannot be read.
    """
    if isinstance(source, int):
        with _webcam(source) as pictures:
            yield Stream(f"--webcam {source}", WEBCAM_FPS, pictures)
    elif source.is_dir():
        yield Stream(str(source), FOLDER_FPS, _of_files(picture_files(source)))
    else:
        with open_film(source) as (fps, frames):
            numbered = (Picture({"frame": i}, rgb) for i, rgb in enumerate(frames))
            yield Stream(str(source), fps, numbered)


def picture_files(folder: Path) -> list[Path]:
    """The PNGs and JPEGs of a folder, by name; of the folder of a BOP scene those of its rgb/.

    Raises:
        InputError: there are none.
    """
    pictures = folder / "rgb" if (folder / "scene_camera.json").is_file() else folder
    files = sorted(
        path
        for path in pictures.glob("[!.]*")  # other systems hide files of their own there
        if path.suffix.lower() in IMAGE_SUFFIXES
    )
    if not files:
        raise InputError(f"{pictures}: no PNG or JPEG in it")
    return files


def _of_files(files: list[Path]) -> Iterator[Picture]:
    return (Picture({"file": file.name}, read_rgb(file), file) for file in files)


@contextmanager
def _webcam(number: int) -> Iterator[Iterator[Picture]]:
    """The pictures of a camera until it ends, or the user stops by Ctrl-C."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it has more to say than we
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise InputError(
                f"--webcam {number}: no camera could be opened; of this machine's cameras 0 is the"
                " first, /dev/video0 on Linux, which this user must be allowed to read"
            )
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # pictures of now, not of when the last was read
        with _stopped_by_ctrl_c() as is_stopped:
            yield _captured(camera, is_stopped)
    finally:
        camera.release()


def _captured(camera: cv2.VideoCapture, is_stopped: list[bool]) -> Iterator[Picture]:
    number = 0
    while not is_stopped:
        seen, bgr = camera.read()
        if not seen:
            return
        yield Picture({"frame": number}, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        number += 1


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[list[bool]]:
    """A list that is no longer empty once the user has pressed Ctrl-C.

    That then ends nothing else: a film that is being written is finished.
    """
    stopped: list[bool] = []
    before = signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
