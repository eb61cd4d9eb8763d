"""The board's corners as a detector would give them, from known poses and lens."""

from collections.abc import Sequence

import cv2
import numpy as np

from render.capture.board import Board
from render.capture.board_sheet import make_board
from render.capture.detect import Seen
from render.capture.lens import Lens
from tests.render.capture.film import Shot, path_around

BOARD = make_board()
SHOT = Shot()
LENS = Lens(SHOT.K, np.array(SHOT.distortion), SHOT.size)


def seen_from(
    poses: Sequence[np.ndarray],
    rng: np.random.Generator,
    lens: Lens = LENS,
    board: Board = BOARD,
    noise: float = 0.1,
) -> list[Seen]:
    """What is seen of a board from (4, 4) poses; noise: px, of each coordinate."""
    found = []
    for i, pose in enumerate(poses):
        pixels = lens.project(board.corners @ pose[:3, :3].T + pose[:3, 3])
        inside = (pixels > 5).all(axis=1) & (pixels < np.array(lens.size) - 6).all(axis=1)
        inside &= board.usable
        noisy = pixels[inside] + noise * rng.normal(size=(inside.sum(), 2))
        found.append(Seen(i, f"frame {i}", np.flatnonzero(inside), noisy, 0.9))
    return found


def around(count: int, rng: np.random.Generator, **changes) -> np.ndarray:
    """Poses of a camera that is carried round the board."""
    return path_around(count, rng, Shot(**changes))


def turned_by(lens: Lens, cam_from_board: np.ndarray) -> np.ndarray:
    """(n, 2) pixels of the board's corners, by OpenCV."""
    rvec, _ = cv2.Rodrigues(cam_from_board[:3, :3])
    pixels, _ = cv2.projectPoints(
        BOARD.corners, rvec, cam_from_board[:3, 3], lens.K, lens.distortion
    )
    return pixels.reshape(-1, 2)
