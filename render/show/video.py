"""Pictures -> a film, and a film -> its pictures."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from imageio_ffmpeg import count_frames_and_secs, read_frames

from render.errors import InputError
from render.whole_file import check_file, check_growth, whole_file

log = logging.getLogger(__name__)

FPS = 15
QUALITY = 5  # of 10
ENOUGH = 0.9  # of the pictures that a film promises: fewer are told of
FILMS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".mts")


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: int = FPS) -> int:
    """Write pictures as H.264 in MP4, which every player and browser takes, whole or not at all.

    Args:
        pictures: (H, W, 3) uint8, all of one size. An odd last row or column is shown twice, since
            H.264 as it is played everywhere has even sides only.
        fps: pictures a second.

    Returns:
        The number of pictures.

    Raises:
        InputError: the file is not named .mp4 or cannot be written, or sizes of pictures differ.
        ValueError: there is no picture.
    """
    check_video(path)
    options: dict[str, Any] = {"codec": "libx264", "quality": QUALITY, "macro_block_size": 2}
    options["ffmpeg_log_level"] = "quiet"
    count, size = 0, None
    with whole_file(path) as partial:
        writer: Any = imageio.get_writer(partial, format="FFMPEG", fps=fps, **options)
        with closing(writer):
            for picture in pictures:
                odd = [(0, side % 2) for side in picture.shape[:2]]
                count += 1
                before, size = size or picture.shape[1::-1], picture.shape[1::-1]
                require_one_size({f"{path}: picture 1": before, f"picture {count}": size})
                try:
                    writer.append_data(np.pad(picture, [*odd, (0, 0)], mode="edge"))
                except OSError:  # ffmpeg has ended: the film is short by this picture
                    break
        if not count:
            raise ValueError("a film needs at least one picture")
        _check_film(path, partial, count)
    return count


def _check_film(path: Path, partial: Path, count: int) -> None:
    """Raise what kept ffmpeg, which does not tell, from writing all pictures."""
    try:
        written = count_frames_and_secs(partial)[0]
    except (OSError, RuntimeError):
        written = 0
    if written != count:
        check_growth(partial)
        raise InputError(f"{path}: ffmpeg wrote {written} of {count} pictures")


def require_one_size(sizes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless pictures of a film, by what they are called, have one (width, height)
    in pixels."""
    first = next(iter(sizes), "")
    for name, size in sizes.items():
        if size != sizes[first]:
            (width, height), (others, other) = sizes[first], size
            raise InputError(
                f"{first} has {width}x{height} pixels, {name} {others}x{other}; the pictures of a"
                " film are of one size"
            )


def check_video(path: Path) -> None:
    """Refuse a name that is not a film's, or a folder's, before much is done for it."""
    if path.suffix.lower() != ".mp4":
        raise InputError(f"{path}: films are written as .mp4")
    check_file(path)


def is_film(path: Path) -> bool:
    """Whether a file is a film by its name."""
    return path.suffix.lower() in FILMS


@contextmanager
def open_film(path: Path) -> Iterator[tuple[float, Iterator[np.ndarray]]]:
    """Read a film: frames a second, and its pictures, (H, W, 3) uint8, every one once.

    They are turned as the film says, as every player shows them; pixels are as they are stored,
    which players show wider where a film asks for it.

    Raises:
        InputError: there is no such file, or ffmpeg cannot read it as a film.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    frames = read_frames(str(path), output_params=["-fps_mode", "passthrough"])
    with closing(frames):
        try:
            about = next(frames)
        except (OSError, RuntimeError, StopIteration, KeyError, ValueError, IndexError):
            about = {}
        width, height = about.get("size", (0, 0))
        if not (width and height):
            raise InputError(f"{path}: ffmpeg cannot read it as a film")
        fps, seconds = (float(about.get(key) or 0) for key in ("fps", "duration"))
        yield fps or FPS, _pictures(path, frames, (height, width, 3), fps * seconds)


def _pictures(
    path: Path, frames: Iterable[bytes], shape: tuple[int, int, int], promised: float
) -> Iterator[np.ndarray]:
    count = 0
    for frame in frames:
        yield np.frombuffer(frame, np.uint8).reshape(shape)
        count += 1
    if count < ENOUGH * promised:
        log.warning("%s: %d pictures of about %.0f; the rest is damaged", path, count, promised)
