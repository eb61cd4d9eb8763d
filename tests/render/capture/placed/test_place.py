"""How an object may stand on the board, and the outline that is printed there."""

import cv2
import numpy as np
import pytest

from render.capture.placed.outline import outline
from render.capture.placed.place import footprint, resting_pose, resting_poses
from render.errors import InputError
from render.mesh.mesh import load_models
from render.transforms import apply
from tests.small_dataset import cuboid

MODELS = load_models(["assets"])


@pytest.mark.parametrize("obj_id", MODELS)
def test_an_object_first_stands_as_it_was_modelled(obj_id):
    model = MODELS[obj_id]
    first = resting_poses(model)[0]
    assert first.words == "-z down"
    np.testing.assert_allclose(first.board_from_obj[:3, :3], np.eye(3), atol=1e-6)
    placed = apply(first.board_from_obj, model.mesh.vertices)
    assert abs(placed[:, 2].min()) < 1e-6
    np.testing.assert_allclose(placed[:, :2].min(axis=0), -placed[:, :2].max(axis=0), atol=1e-6)


def test_a_brick_rests_on_each_of_its_sides_the_broadest_as_likely_as_any():
    poses = resting_poses(cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.02)))
    assert {pose.words for pose in poses} == {f"{s}{a} down" for s in "+-" for a in "xyz"}
    assert poses[0].words == "-z down" and poses[1].words == "+z down"
    assert sum(pose.likely for pose in poses) == pytest.approx(1)


def test_a_round_side_counts_once_where_the_symmetry_is_named():
    sides = [pose for pose in resting_poses(MODELS[3]) if abs(pose.down[2]) < 0.5]
    assert len(sides) == 1


def test_a_resting_pose_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match=r"--rest 9: .* rests in \d poses \(0: -z down, 1: "):
        resting_pose(MODELS[1], 9)


def test_the_outline_of_a_brick_is_its_rectangle():
    model = cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.02))
    (loop,) = outline(model, resting_pose(model, 0).board_from_obj)
    assert cv2.contourArea(loop.astype(np.float32)) == pytest.approx(0.1 * 0.06, rel=0.02)
    np.testing.assert_allclose(loop.min(axis=0), [-0.05, -0.03], atol=3e-4)
    np.testing.assert_allclose(loop.max(axis=0), [0.05, 0.03], atol=3e-4)


def test_a_foot_that_is_smaller_than_the_object_is_printed_too():
    model = MODELS[3]
    whole, foot = outline(model, resting_pose(model, 0).board_from_obj)
    radii = [np.linalg.norm(loop, axis=1) for loop in (whole, foot)]
    vertices = model.mesh.vertices
    low = vertices[:, 2] < vertices[:, 2].min() + 0.003
    for radius, of in zip(radii, (vertices, vertices[low]), strict=True):
        assert np.median(radius) == pytest.approx(np.linalg.norm(of[:, :2], axis=1).max(), abs=6e-4)


def test_an_object_lies_along_the_board_whichever_axis_of_its_mesh_is_the_longer():
    for low, high in (
        ((-0.05, -0.03, 0), (0.05, 0.03, 0.02)),
        ((-0.03, -0.05, 0), (0.03, 0.05, 0.02)),
    ):
        model = cuboid(1, low, high)
        least, greatest = footprint(model, resting_pose(model, 0).board_from_obj)
        np.testing.assert_allclose(greatest - least, [0.1, 0.06], atol=1e-6)
