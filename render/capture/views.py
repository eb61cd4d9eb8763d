"""A film or photographs of a printed board -> undistorted views, each with the board's pose."""

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.capture.board import Board
from render.capture.calibrate import calibrate, check_focal_length, guess_camera
from render.capture.config import CaptureConfig
from render.capture.detect import Detector, Seen, lies_otherwise, why_unseen
from render.capture.frames import Source, open_source
from render.capture.lens import Lens, Straightener
from render.capture.pose import BoardPose, LeftOut, board_pose, check_count, rough_pose
from render.capture.spread import spread_views
from render.errors import InputError
from render.progress import progress

log = logging.getLogger(__name__)

LOOKED_AT = 3  # times as many images as views to keep, of a film
CALIBRATED_FROM = 120  # views at most; more add seconds and little else
EXAMINED = 8  # images, to tell why there is no board in any
TOLD = 3  # reasons in one line
NAMED = 12  # images in one line
NUMBER = re.compile(r"[\d.]+")


@dataclass(frozen=True, eq=False)
class BoardView:
    """An undistorted image with the pose of the board in it.

    name: the photograph's file name, or "frame 123" of a film, counted from 0. rgb: (H, W, 3)
    uint8, without lens distortion and without rims. camera: of that image; the same for all views.
    cam_from_board: (4, 4) metres. rms_px: of the corners that the pose was fitted to. held_out_px:
    rms of each corner to a pose that was fitted without it and others. sharpness: 1 where edges of
    the board are as sharp as pixels allow, towards 0 the more they are blurred.
    """

    name: str
    rgb: np.ndarray
    camera: Camera
    cam_from_board: np.ndarray
    rms_px: float
    held_out_px: float
    sharpness: float


def board_views(
    source: Path, board: Board, config: CaptureConfig, lens: Lens | None = None
) -> tuple[list[BoardView], Lens, list[tuple[str, str]]]:
    """The views of a film or of a folder of photographs that show the board well, from many sides.

    Args:
        source: a film, or a folder of photographs that one camera took with one focal length.
        lens: a known calibration; None calibrates from the views themselves.

    Returns:
        The views in the order of the film or of the files' names; the lens; and what was left out:
        (name, why).

    Raises:
        InputError: the source cannot be read, shows no such board, or does not determine the
            camera's focal length.
    """
    images = open_source(source, config.longest_side)
    seen, size = _look(images, board, config)
    if lens is not None:
        lens = lens.scaled(size, "--camera")
    good, left_out = _sift(seen, board, size, config)
    if not good:
        raise _no_board(images, board, left_out)
    if lens is None:
        lens = calibrate(_to_calibrate(good, board, size), board, size)
        check_focal_length(lens, config.most_focal_std)
    poses, more = _pose(good, board, lens, config)
    left_out = sorted([*left_out, *more], key=lambda one: one[0])
    if not poses:
        raise InputError(f"{source}: in no image is the board's pose known: {_told(left_out)}")
    kept = spread_views(poses, board, lens, config.views)
    log.info(
        "%s: %d images, %d looked at, %d left out, %d of %d views kept",
        *(source, images.count, len(seen), len(left_out), len(kept), len(poses)),
    )
    return _straighten(images, kept, lens), lens, [(name, why) for _, name, why in left_out]


def by_reason(left_out: Sequence[tuple[str, str]]) -> list[str]:
    """A line for each kind of reason: what was left out for it, by name."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, why in left_out:
        kinds.setdefault(NUMBER.sub("", why), []).append((name, why))
    lines = []
    for group in sorted(kinds.values(), key=len, reverse=True):
        names = ", ".join(name for name, _ in group[:NAMED])
        more = f" and {len(group) - NAMED} more" if len(group) > NAMED else ""
        why = group[0][1] if len(group) == 1 else f"such as {group[0][1]}"
        lines.append(f"left out {len(group)}, {why}: {names}{more}")
    return lines


def _look(
    images: Source, board: Board, config: CaptureConfig
) -> tuple[list[Seen], tuple[int, int]]:
    """Find the board in the sharpest image of each of many short stretches; the images' size."""
    detector = Detector(board)
    stretch = max(1, images.count // (LOOKED_AT * config.views))
    seen, size = [], (0, 0)
    shown = progress(images.grey(), images.count, "looking for the board")
    for _, group in groupby(shown, lambda one: one.index // stretch):
        best, most = None, -1.0
        for one in group:
            clear = _clarity(one.image) if stretch > 1 else 0.0
            if clear > most:
                best, most = one, clear
        assert best is not None
        size = best.image.shape[1], best.image.shape[0]
        seen.append(detector.find(best.image, best.index, best.name))
    if not seen:
        raise InputError(f"{images.path}: has no frame")
    return seen, size


def _clarity(grey: np.ndarray) -> float:
    """How much detail an image shows: for images of nearly the same, the sharpest has most."""
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_16S).astype(np.float32).std())


def _sift(
    seen: Sequence[Seen], board: Board, size: tuple[int, int], config: CaptureConfig
) -> tuple[list[Seen], list[tuple[int, str, str]]]:
    """Those with enough sharp corners; of the others (index, name, why)."""
    good, left_out = [], []
    for one in seen:
        try:
            check_count(one, config.least_corners)
            if lies_otherwise(one, board, size):
                raise LeftOut("its markers lie otherwise than on this board")
            if one.sharpness < config.least_sharpness:
                raise LeftOut(
                    f"blurred: {one.sharpness:.2f} sharp, at least {config.least_sharpness:g}"
                )
            good.append(one)
        except LeftOut as why:
            left_out.append((one.index, one.name, str(why)))
    return good, left_out


def _no_board(images: Source, board: Board, left_out: Sequence[tuple[int, str, str]]) -> InputError:
    """Why the board is seen well in no image."""
    if any("blurred" in why for _, _, why in left_out):
        return InputError(f"{images.path}: shows no sharp board: {_told(left_out)}")
    step = max(1, len(left_out) // EXAMINED)
    wanted = [index for index, _, _ in left_out[::step]][:EXAMINED]
    greys = [cv2.cvtColor(one.image, cv2.COLOR_RGB2GRAY) for one in images.color(wanted)]
    return InputError(f"{images.path}: {why_unseen(board, greys)}")


def _told(left_out: Sequence[tuple[int, str, str]]) -> str:
    """The first few of what was left out."""
    told = [f"{name}: {why}" for _, name, why in left_out[:TOLD]]
    more = f"; and {len(left_out) - TOLD} more" if len(left_out) > TOLD else ""
    return "; ".join(told) + more


def _to_calibrate(good: Sequence[Seen], board: Board, size: tuple[int, int]) -> list[Seen]:
    """Views from as many sides as there are, which a rough lens tells."""
    rough = Lens(guess_camera(size), np.zeros(5), size)
    poses = []
    for one in good:
        with suppress(LeftOut):
            poses.append(rough_pose(one, board, rough))
    return [pose.seen for pose in spread_views(poses, board, rough, CALIBRATED_FROM)]


def _pose(
    good: Sequence[Seen], board: Board, lens: Lens, config: CaptureConfig
) -> tuple[list[BoardPose], list[tuple[int, str, str]]]:
    """The board's poses; of the images where it has none (index, name, why)."""
    poses, left_out = [], []
    for one in good:
        try:
            poses.append(board_pose(one, board, lens, config.least_corners, config.most_rms))
        except LeftOut as why:
            left_out.append((one.index, one.name, str(why)))
    return poses, left_out


def _straighten(images: Source, kept: Sequence[BoardPose], lens: Lens) -> list[BoardView]:
    """Read the chosen images in colour, and take the distortion out of them."""
    straighten = Straightener(lens)
    of_index = {pose.seen.index: pose for pose in kept}
    views = []
    shown = images.color(of_index)
    for one in progress(shown, len(of_index), "reading frames"):
        pose = of_index[one.index]
        quality = pose.rms_px, pose.held_out_px, pose.seen.sharpness
        rgb = straighten(one.image)
        views.append(BoardView(one.name, rgb, straighten.camera, pose.cam_from_board, *quality))
    return views
