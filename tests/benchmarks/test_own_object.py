"""What the benchmark says of poses that were read in a film whose poses are known."""

import json

import numpy as np
import pytest

from benchmarks.own_object import errors_in_words
from render.transforms import rigid
from tests.render.capture.film import Film
from tests.small_dataset import CAMERA, cuboids

MODEL = cuboids()[1]
FRAMES = 4


@pytest.fixture
def film():
    board = np.stack([rigid(np.eye(3), [0.01 * i, 0, 0.6]) for i in range(FRAMES)])
    frames = [np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)] * FRAMES
    return Film(frames, None, CAMERA.K, np.zeros(5), board, rigid(np.eye(3), [0, 0.02, 0]))


def _records(film, away_mm=0.0):
    """As `predict` writes them, moved along x."""
    poses = film.cam_from_board @ film.board_from_obj
    return [
        {
            "frame": i,
            "R": pose[:3, :3].tolist(),
            "t_mm": (1000 * pose[:3, 3] + [away_mm, 0, 0]).tolist(),
        }
        for i, pose in enumerate(poses)
    ]


def test_poses_that_are_right_are_all_within(film):
    said = errors_in_words(json.loads(json.dumps(_records(film))), film, MODEL)
    assert said.startswith("4 of 4 frames read; of all, 100.0 % within 5 px, ADD(-S) 100.0 %")
    assert said.endswith("0.0 degrees, 0.0 mm")


def test_a_frame_without_a_pose_counts_as_one_that_is_wrong(film):
    records = _records(film)
    records[1] |= {"R": None, "t_mm": None}
    assert "3 of 4 frames read; of all, 75.0 % within" in errors_in_words(records, film, MODEL)


def test_the_first_reading_of_a_frame_is_the_one_that_counts(film):
    records = _records(film) + _records(film, away_mm=400)
    assert "100.0 % within 5 px" in errors_in_words(records, film, MODEL)
    assert "0.0 % within 5 px, ADD(-S) 0.0 %" in errors_in_words(records[FRAMES:], film, MODEL)
