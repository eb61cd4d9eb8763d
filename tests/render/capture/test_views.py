"""From a film of a board to views with its pose; the film's truth is the reference."""

from dataclasses import replace

import numpy as np
import pytest

from render.capture.board_sheet import make_board
from render.capture.config import CaptureConfig
from render.capture.lens import Lens
from render.capture.views import board_views, by_reason
from render.transforms import rotation_angle
from tests.mesh_samples import refusal
from tests.render.capture.film import Film, Shot, make_film, write_film

BOARD = make_board()
SHOT = Shot(size=(640, 480), distance=(0.4, 0.5), elevation_deg=(35, 65), shake=1.5)
CONFIG = CaptureConfig()


@pytest.fixture(scope="module")
def film() -> Film:
    return make_film(BOARD, 20, np.random.default_rng(5), SHOT)


@pytest.fixture(scope="module")
def filmed(film, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, film.frames)
    return path


def worst(views, film) -> tuple[float, float]:
    """The largest error of the board's pose, degrees and share of the distance."""
    angles, shifts = [], []
    for view in views:
        true = film.cam_from_board[int(view.name.split()[1])]
        angles.append(np.degrees(rotation_angle(view.cam_from_board[:3, :3], true[:3, :3])))
        distance = np.linalg.norm(true[:3, 3])
        shifts.append(np.linalg.norm(view.cam_from_board[:3, 3] - true[:3, 3]) / distance)
    return max(angles), max(shifts)


@pytest.mark.slow
def test_a_film_gives_lens_and_poses_of_the_truth(film, filmed):
    views, lens, left_out = board_views(filmed, BOARD, CONFIG)
    assert abs(lens.K[0, 0] / film.K[0, 0] - 1) < 0.003
    assert 0 < lens.focal_std < 0.003
    assert len(views) + len(left_out) <= 20 and len(views) >= 14
    angle, shift = worst(views, film)
    assert angle < 0.3 and shift < 0.004
    for view in views:
        # The straight image shows the board where the straight camera and its pose have it.
        at = view.cam_from_board[:3, :3] @ BOARD.corners.T + view.cam_from_board[:3, 3:]
        u, v = np.rint(view.camera.project(at.T)).astype(int).T
        inside = (u > 20) & (u < 620) & (v > 20) & (v < 460)
        assert inside.sum() > 30 and view.rms_px < 0.4 and view.held_out_px < 0.6
        assert view.camera.size == SHOT.size and view.rgb.shape == (480, 640, 3)


def test_with_a_known_lens_three_frames_are_enough_and_the_ruler_counts(film, tmp_path):
    write_film(tmp_path / "film.mp4", film.frames[:3])
    lens = Lens(film.K, film.distortion, film.size)
    for board in (BOARD, BOARD.measured(98.0)):
        views, same, _ = board_views(tmp_path / "film.mp4", board, CONFIG, lens)
        shrunk = replace(film, cam_from_board=film.cam_from_board.copy())
        shrunk.cam_from_board[:, :3, 3] *= board.scale
        angle, shift = worst(views, shrunk)
        assert same is lens and len(views) >= 2 and angle < 0.3 and shift < 0.003


def test_one_frame_does_not_tell_the_camera(film, tmp_path):
    write_film(tmp_path / "film.mp4", film.frames[:1])
    message = refusal(board_views, tmp_path / "film.mp4", BOARD, CONFIG)
    assert "too few images" in message and "1 of the 8" in message and "--camera" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "said"),
    [
        (
            make_board("a4", dictionary="DICT_6X6_100"),
            "a board of DICT_4X4 is seen, not of DICT_6X6_100",
        ),
        (make_board("a4", (9, 7), 20.0), "the print of another board"),
        (BOARD, "seen mirrored"),
        (BOARD, "no marker of DICT_4X4_100 is seen"),
        (BOARD, "blurred"),
    ],
    ids=["dictionary", "layout", "mirrored", "nothing", "blurred"],
)
def test_a_film_of_another_board_is_refused_with_the_reason(board, said, film, tmp_path):
    frames = film.frames[2:3]
    if "mirrored" in said:
        frames = [frame[:, ::-1] for frame in frames]
    if "no marker" in said:
        frames = [np.full_like(frame, 90) for frame in frames]
    config = replace(CONFIG, least_sharpness=0.999) if said == "blurred" else CONFIG
    write_film(tmp_path / "film.mp4", [np.ascontiguousarray(f).astype(np.uint8) for f in frames])
    message = refusal(board_views, tmp_path / "film.mp4", board, config)
    assert said in message and "film.mp4" in message


def test_what_is_left_out_is_told_by_its_reason():
    left = [
        ("frame 1", "5 corners are seen"),
        ("frame 4", "blurred"),
        ("frame 9", "7 corners are seen"),
    ]
    assert by_reason(left) == [
        "left out 2, such as 5 corners are seen: frame 1, frame 9",
        "left out 1, blurred: frame 4",
    ]
