"""Motions of an object on the board."""

import numpy as np

from render.camera import Camera
from render.capture.placed.motion import FREE, Standing
from render.transforms import apply, look_at, random_rotation, rigid

CAMERA = Camera(np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]]), 640, 480)
SEEN_FROM = look_at(np.array([0.3, -0.4, 0.5]), np.zeros(3), np.array([0.0, 0, 1]))


def test_a_motion_moves_points_as_its_derivative_says(rng):
    standing = Standing(rigid(random_rotation(rng), [0.03, -0.02, 0.04]), np.array([0.01, 0, 0.02]))
    points = rng.normal(0, 0.03, (20, 3))
    said = standing.jacobian(CAMERA, SEEN_FROM, points)
    for i in range(FREE):
        step = 1e-6 * np.eye(FREE)[i]
        ends = [
            CAMERA.project(apply(SEEN_FROM, standing.moved(s * step).place(points)))
            for s in (1, -1)
        ]
        np.testing.assert_allclose(said[..., i], (ends[0] - ends[1]) / 2e-6, atol=1e-3)


def test_a_motion_between_poses_leads_from_one_to_the_other(rng):
    middle = np.array([0.01, 0.02, 0])
    start, end = (
        Standing(rigid(random_rotation(rng), rng.normal(0, 0.1, 3)), middle, grown)
        for grown in (0.0, 0.02)
    )
    reached = start.moved(start.motion_to(end))
    np.testing.assert_allclose(reached.board_from_obj, end.board_from_obj, atol=1e-12)
    assert abs(reached.grown - end.grown) < 1e-15


def test_growing_keeps_the_middle_in_its_place(rng):
    middle = np.array([0.01, 0.02, 0])
    standing = Standing(rigid(random_rotation(rng), [0.1, 0, 0]), middle, 0.3)
    np.testing.assert_allclose(standing.place(middle[None])[0], standing.center, atol=1e-15)
