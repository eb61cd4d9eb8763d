"""Pictures -> a film."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from render.errors import InputError
from render.whole_file import whole_file

FPS = 15
QUALITY = 5  # of 10


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: int = FPS) -> int:
    """Write pictures as H.264 in MP4, which every player and browser takes, whole or not at all.

    Args:
        pictures: (H, W, 3) uint8, all of one size. An odd last row or column is shown twice, since
            H.264 as it is played everywhere has even sides only.
        fps: pictures a second.

    Returns:
        The number of pictures.

    Raises:
        InputError: the file is not named .mp4, or cannot be written.
        ValueError: there is no picture.
    """
    check_video(path)
    options: dict[str, Any] = {"codec": "libx264", "quality": QUALITY, "macro_block_size": 2}
    count = 0
    with whole_file(path) as partial:
        writer: Any = imageio.get_writer(partial, format="FFMPEG", fps=fps, **options)
        with closing(writer):
            for picture in pictures:
                odd = [(0, side % 2) for side in picture.shape[:2]]
                writer.append_data(np.pad(picture, [*odd, (0, 0)], mode="edge"))
                count += 1
        if not count:
            raise ValueError("a film needs at least one picture")
    return count


def check_video(path: Path) -> None:
    """Refuse a name that is not a film's, before much is done for it."""
    if path.suffix.lower() != ".mp4":
        raise InputError(f"{path}: films are written as .mp4")
