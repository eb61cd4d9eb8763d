"""How well silhouettes cover what colours show, of an object that is as white as the paper."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.capture.board_sheet import make_board
from render.capture.placed.align import learn_colors
from render.capture.placed.drawing import open_drawer
from render.capture.placed.ground import see_ground
from render.capture.placed.overlap import iou
from render.capture.placed.place import resting_pose
from render.capture.views import BoardView
from render.mesh.mesh import load_models
from tests.render.capture.film import Shot, make_film

WHITE, BLUE = (245, 245, 245), (40, 70, 190)
TOP = 0.6  # of its height: what is higher is blue


@pytest.fixture(scope="module")
def model():
    tug = load_models(["assets"], obj_ids=[1])[1]
    z = tug.mesh.vertices[:, 2]
    blue = z > z.min() + TOP * np.ptp(z)
    colors = np.where(blue[:, None], np.uint8(BLUE), np.uint8(WHITE))
    return replace(tug, mesh=replace(tug.mesh, colors=colors))


@pytest.fixture(scope="module")
def found(model):
    """Median overlap at the true pose, and at poses that are moved by a share of the diameter."""
    truth = resting_pose(model, 0).board_from_obj
    shot = Shot(size=(320, 240), distortion=(0, 0, 0, 0, 0), parts=2, shake=0, noise=1.5)
    film = make_film(make_board(blank=(7, 5)), 8, np.random.default_rng(4), shot, model.mesh, truth)
    camera = Camera(film.K, *shot.size)
    views = [
        BoardView(f"frame {i}", rgb, camera, pose, 0.2, 0.2, 1.0)
        for i, (rgb, pose) in enumerate(zip(film.frames, film.cam_from_board, strict=True))
    ]
    overlaps = {}
    with open_drawer(model) as drawer:
        ground = see_ground(views, drawer.placed(truth))
        for share in (0.0, 0.15, 0.3):
            pose = truth.copy()
            pose[0, 3] += share * model.diameter
            windows = drawer.windows(views, pose, 128)
            colors = learn_colors(windows)
            overlaps[share] = np.median([iou(window, colors, ground) for window in windows])
    return overlaps


def test_what_could_be_paper_as_well_is_not_held_against_a_pose_that_is_right(found):
    assert found[0.0] > 0.9


def test_a_pose_that_is_wrong_is_still_told_by_the_rest(found):
    assert found[0.3] < found[0.15] < found[0.0]
    assert found[0.3] < 0.8
