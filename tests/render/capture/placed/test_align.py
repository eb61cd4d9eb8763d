"""An object in frames of a board: its pose, its masks, what is behind it."""

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.capture.board_sheet import make_board
from render.capture.masks import visible_masks
from render.capture.placed.align import Round, align, learn_colors, log_odds, start_at
from render.capture.placed.drawing import open_drawer
from render.capture.placed.fit import iou
from render.capture.placed.ground import see_ground
from render.capture.placed.place import resting_pose
from render.capture.placed.symmetry import is_unseen_turn, turn_pose
from render.capture.views import BoardView
from render.mesh.mesh import load_models
from render.transforms import apply, rotation_angle
from tests.render.capture.film import Shot, make_film

COUNT = 8
MODEL = load_models(["assets"], obj_ids=[2])[2]
TRUTH = turn_pose(resting_pose(MODEL, 0).board_from_obj, 4.0, np.array([0.004, -0.003, 0]))
ROUNDS = (Round(96, 14), Round(96, 8), Round(128, None), Round(128, None))


@pytest.fixture(scope="module")
def views() -> list[BoardView]:
    shot = Shot(size=(320, 240), distortion=(0, 0, 0, 0, 0), parts=2, shake=0, noise=1.5)
    film = make_film(
        make_board(blank=(5, 5)), COUNT, np.random.default_rng(4), shot, MODEL.mesh, TRUTH
    )
    camera = Camera(film.K, *shot.size)
    return [
        BoardView(f"frame {i}", rgb, camera, pose, 0.2, 0.2, 1.0)
        for i, (rgb, pose) in enumerate(zip(film.frames, film.cam_from_board, strict=True))
    ]


@pytest.fixture(scope="module")
def drawer():
    with open_drawer(MODEL) as drawer:
        yield drawer


@pytest.fixture(scope="module")
def ground(drawer, views):
    return see_ground(views, drawer.placed(TRUTH))


def test_a_pose_that_is_a_little_off_comes_to_where_all_frames_show_the_object(
    drawer, views, ground
):
    start = turn_pose(TRUTH, 6.0, np.zeros(3))
    start[:3, 3] += [0.005, 0.004, 0.0]
    found = align(drawer, views, start_at(drawer, start), ROUNDS, ground=ground)
    pose = found.standing.board_from_obj
    # Frames are 320 wide, in which the object is 60 px large: a pixel is 2 mm.
    assert np.degrees(rotation_angle(pose[:3, :3], TRUTH[:3, :3])) < 1.0
    assert 1000 * np.linalg.norm(pose[:3, 3] - TRUTH[:3, 3]) < 1.0
    assert abs(np.expm1(found.standing.grown)) < 0.01
    assert found.rms_px < 0.8


@pytest.mark.slow
def test_a_mesh_that_is_too_small_shows_by_how_much(drawer, views, ground):
    start = start_at(drawer, TRUTH)
    smaller = TRUTH.copy()
    scale = 0.95  # of all that the camera knows of the board: the object then looks larger
    scaled = [_scaled(view, scale) for view in views]
    smaller[:3, 3] *= scale
    near = see_ground(scaled, drawer.placed(smaller))
    found = align(drawer, scaled, start_at(drawer, smaller), ROUNDS, ground=near)
    assert found.standing.grown == pytest.approx(np.log(scale), abs=0.012)
    assert start.grown == 0


def test_the_ground_is_told_from_the_object_where_colours_alone_do_not(drawer, views, ground):
    windows = drawer.windows(views, TRUTH, 128)
    colors = learn_colors(windows)
    by_ground = [iou(w, colors, ground) for w in windows]
    by_colors = [iou(w, colors, None) for w in windows]
    assert min(np.median(by_ground), np.median(by_colors)) > 0.9
    right = [_rightly_told(w, log_odds(w, colors, ground)) for w in windows]
    assert np.mean(right) > np.mean([_rightly_told(w, log_odds(w, colors, None)) for w in windows])
    said = log_odds(windows[0], colors, ground)
    assert said[windows[0].mask].mean() > 2 > -1 > said[~windows[0].mask].mean()


def _rightly_told(window, said):
    """The share of pixels that are told to be what they are."""
    return np.mean(((said > 0) == window.mask)[window.within])


def test_a_finger_before_the_object_is_cut_out_of_its_mask_alone(drawer, views):
    hidden, finger = list(views), np.zeros((240, 320), np.uint8)
    middle = apply(views[2].cam_from_board @ TRUTH, MODEL.box.mean(axis=0)[None])
    x, y = views[2].camera.project(middle)[0].astype(int).tolist()
    cv2.ellipse(finger, (x, y + 8), (20, 8), 40, 0, 360, 1, -1)
    rgb = np.where(finger[..., None] > 0, np.uint8([150, 190, 120]), views[2].rgb)
    hidden[2] = BoardView("frame 2", rgb, *list(vars(views[2]).values())[2:])
    visible = visible_masks(drawer, hidden, TRUTH, cut=True)
    whole = visible_masks(drawer, hidden, TRUTH, cut=False)
    assert visible.told and not whole.told
    np.testing.assert_array_equal(np.flatnonzero(visible.hidden), [2])
    cut, true = whole.masks[2] & ~visible.masks[2], whole.masks[2] & (finger > 0)
    assert (cut & true).sum() > 0.8 * cut.sum() and cut.sum() > 0.3 * true.sum()
    for i in set(range(COUNT)) - {2}:
        np.testing.assert_array_equal(visible.masks[i], whole.masks[i])


def test_only_a_body_of_revolution_turns_unseen(drawer, views):
    axis = np.array([0.0, 0, 1])
    assert not is_unseen_turn(drawer, views, start_at(drawer, TRUTH), axis)
    vase = load_models(["assets"], obj_ids=[3])[3]
    with open_drawer(vase) as other:
        standing = start_at(other, resting_pose(vase, 0).board_from_obj)
        assert is_unseen_turn(other, views, standing, axis)
        assert not is_unseen_turn(other, views, standing, np.array([1.0, 0, 0]))


def _scaled(view: BoardView, scale: float) -> BoardView:
    """The view if the board were taken for smaller than it is."""
    pose = view.cam_from_board.copy()
    pose[:3, 3] *= scale
    return BoardView(view.name, view.rgb, view.camera, pose, 0.2, 0.2, 1.0)
