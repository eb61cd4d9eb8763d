"""`predict` for many pictures of an object: a line of JSON for each, and a film of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.image_file import image_size
from render.show.video import check_video, require_one_size, write_video
from render.whole_file import check_apart
from train.learn.device import choose_device
from train.learn.task import Asked
from train.objects.read.frames import Stream, open_stream, picture_files
from train.objects.read.given import annotated_boxes, scene_of
from train.objects.read.image import Reader, open_reader


def watch(
    run: Path,
    source: Path | int,
    asked: Asked,
    say: Callable[[str], None],
    video: Path | None = None,
    device: str = "auto",
) -> int:
    """Read the pictures of a folder, a film or a camera of this machine, one after another.

    Args:
        source: the folder, the film's file, or the camera's number.
        asked: camera: of all pictures; without it each has that of its BOP scene, of the frames
            that the network was trained on, or of its EXIF.
        say: is given a picture's line of JSON as soon as it is read.
        video: the film, .mp4, with the pose drawn in, if one is wanted.

    Returns:
        The number of pictures.

    Raises:
        InputError: a picture cannot be read, its camera or where the object is is not known, or
            those of a film are of several sizes.
    """
    if video is not None:
        check_video(video)
        if isinstance(source, Path):
            check_apart(video, source)
        if isinstance(source, Path) and source.is_dir():
            require_one_size({str(file): image_size(file) for file in picture_files(source)})
    torch_device, count = choose_device(device), 0
    with open_reader(run, asked, torch_device) as reader, open_stream(source) as stream:
        _require_detector(reader, run, stream, source)
        seen = _read(reader, stream, say)
        if video is not None:
            first = next(seen, None)
            if first is None:
                raise InputError(f"{stream.name}: shows no picture")
            return write_video(video, _from(first, seen), round(max(stream.fps, 1)))
        for _ in seen:
            count += 1
    if not count:
        raise InputError(f"{stream.name}: shows no picture")
    return count


def _read(reader: Reader, stream: Stream, say: Callable[[str], None]) -> Iterator[np.ndarray]:
    """Read one picture after another; yields each with the pose drawn in."""
    for picture in stream.pictures:
        boxes = None
        if reader.detector is None and picture.file is not None:
            boxes = annotated_boxes(picture.file, scene_of(picture.file), reader.target)
        name = str(picture.file or f"{stream.name}: a picture of it")
        rgb, camera, _ = reader.eye.see(picture.rgb, name, picture.file)
        found = reader.read(rgb, camera, boxes)
        for one in found:
            say(json.dumps({**picture.label, **reader.record(one)}))
        yield reader.drawn(rgb, camera, found)


def _require_detector(reader: Reader, run: Path, stream: Stream, source: Path | int) -> None:
    if reader.detector is None and not (isinstance(source, Path) and source.is_dir()):
        raise InputError(
            f"{stream.name}: nothing says where the object is, and no detector/ lies beside {run};"
            f" train one into {run.resolve().parent / 'detector'} by train --method detector"
        )


def _from(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest
