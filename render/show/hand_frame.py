"""A frame of NYU's hands, for a person to look at."""

from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.nyu import BONES, EVALUATED, read_depth
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path
from render.show.overlay import draw_depth, draw_skeleton

COLOR = (255, 255, 255)


def draw_hand(split: Path, number: int, uvd: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """What the sensor saw, as colours with the evaluated joints; and the drawn hand, metres.

    Where there is but one of both images, the joints are in that one, and there is no second.

    Args:
        number: of the frame, from 1. uvd: (n, 36, 3), of all frames.

    Raises:
        InputError: an image is missing or damaged, or the frame has no joints.
    """
    paths = [depth_path(split, stream, number) for stream in (SENSOR, SYNTHETIC)]
    if not 1 <= number <= len(uvd):
        raise InputError(f"{paths[0].name}: there are joints of {len(uvd)} frames only")
    first, *rest = [read_depth(path) for path in paths if path.is_file()]
    joints = uvd[number - 1][list(EVALUATED), :2]
    drawn = draw_skeleton(draw_depth(first), joints, BONES, COLOR, thickness=2)
    return drawn, rest[0] if rest else None
