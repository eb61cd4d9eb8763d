"""The board's pose in one image: exact without noise, refused where it is open."""

import numpy as np
import pytest

from render.capture.board_sheet import make_board
from render.capture.calibrate import guess_camera
from render.capture.lens import Lens
from render.capture.pose import LeftOut, board_pose, part_of, rough_pose
from render.capture.spread import spread_views
from render.transforms import look_at, rotation_angle
from tests.render.capture.corners import BOARD, LENS, SHOT, around, seen_from

LEAST, MOST_RMS = 12, 1.0


def pose_of(seen):
    return board_pose(seen, BOARD, LENS, LEAST, MOST_RMS)


def test_without_noise_the_pose_is_exact(rng):
    for truth in around(8, rng):
        (seen,) = seen_from([truth], rng, noise=0)
        found = pose_of(seen)
        np.testing.assert_allclose(found.cam_from_board, truth, atol=1e-6)
        assert found.rms_px < 1e-3 and found.held_out_px < 1e-3


def test_half_a_board_and_corners_far_off_leave_the_pose_right(rng):
    for truth in around(8, rng):
        (seen,) = seen_from([truth], rng, noise=0.1)
        half = part_of(seen, seen.ids % 12 < 6)
        half.pixels[::6] += 3
        found = pose_of(half)
        assert np.degrees(rotation_angle(found.cam_from_board[:3, :3], truth[:3, :3])) < 0.5
        assert np.abs(found.cam_from_board[:3, 3] - truth[:3, 3]).max() < 0.002
        assert len(found.seen.ids) <= len(half.ids) - len(half.pixels[::6]) + 1
        assert 0.08 < found.rms_px < 0.2 and found.rms_px < 1.1 * found.held_out_px < 0.35


def test_what_is_of_no_use_is_left_out_with_the_reason(rng):
    (seen,) = seen_from(around(1, rng), rng)
    nothing = np.zeros(len(seen.ids), bool)
    with pytest.raises(LeftOut, match="no board is seen"):
        pose_of(part_of(seen, nothing))
    few = nothing.copy()
    few[:11] = True
    with pytest.raises(LeftOut, match="11 corners of the board are seen, of at least 12"):
        pose_of(part_of(seen, few))
    seen.pixels[:] += 3 * rng.normal(size=seen.pixels.shape)
    with pytest.raises(LeftOut, match=r"miss the board by [\d.]+ px|only \d+ of its"):
        pose_of(seen)
    wavy = seen_from(around(1, rng), rng, noise=0.6)[0]
    with pytest.raises(LeftOut, match=r"miss the board by 0\.\d+ px, at most 0\.5"):
        board_pose(wavy, BOARD, LENS, LEAST, 0.5)


def test_a_row_of_corners_or_a_far_board_leaves_the_pose_open(rng):
    (seen,) = seen_from([look_at(np.array([0, -0.2, 0.5]), np.zeros(3), np.array([0, 0, 1]))], rng)
    with pytest.raises(LeftOut, match="its 12 corners are in one line"):
        pose_of(part_of(seen, seen.ids // 12 < 1))
    far = look_at(np.array([0.2, -1.0, 6.0]), np.zeros(3), np.array([0, 0, 1]))
    with pytest.raises(LeftOut, match=r"two poses \d+ degrees apart fit the board"):
        pose_of(seen_from([far], rng)[0])
    (wavy,) = seen_from(around(1, rng, distance=(0.9, 0.9)), rng, noise=0.4)
    few = np.isin(wavy.ids, [40, 41, 42, 43, 52, 53, 54, 55, 64, 65, 66, 67])
    with pytest.raises(LeftOut, match=r"tilt open by [\d.]+ degrees|two poses"):
        pose_of(part_of(wavy, few))


def test_views_are_spread_and_the_same_view_is_kept_once(rng):
    poses = around(40, rng)
    views = [pose_of(seen) for seen in seen_from([*poses, *poses], rng, noise=0.02)]
    assert len(spread_views(views, BOARD, LENS, 80)) <= 40
    kept = spread_views(views, BOARD, LENS, 8)
    assert [view.seen.index for view in kept] == sorted({view.seen.index for view in kept})
    sides = np.array([-v.cam_from_board[:3, :3].T @ v.cam_from_board[:3, 3] for v in kept])
    azimuths = np.sort(np.degrees(np.arctan2(sides[:, 1], sides[:, 0])))
    assert np.diff(np.append(azimuths, azimuths[0] + 360)).max() < 120
    assert spread_views([], BOARD, LENS, 8) == []


@pytest.mark.parametrize("focal_share", [0.6, 0.95])
def test_a_guessed_lens_tells_about_where_a_frame_of_squares_is(rng, focal_share):
    """As views are chosen to calibrate with: no gate may leave one out for the guess's error."""
    board = make_board(squares=(17, 12), square_mm=15.0, blank=(11, 8))  # around a large object
    true_lens = Lens(guess_camera(SHOT.size, focal_share), LENS.distortion, SHOT.size)
    guessed = Lens(guess_camera(SHOT.size), np.zeros(5), SHOT.size)
    poses, refused = around(12, rng), 0
    for truth, seen in zip(poses, seen_from(poses, rng, true_lens, board), strict=True):
        found = rough_pose(seen, board, guessed)
        assert np.degrees(rotation_angle(found.cam_from_board[:3, :3], truth[:3, :3])) < 20
        assert len(found.seen.ids) >= 0.8 * len(seen.ids)
        try:
            board_pose(seen, board, guessed, LEAST, np.inf)
        except LeftOut:
            refused += 1
    assert refused  # by the gates of poses that are kept
