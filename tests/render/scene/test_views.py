"""Scenes whose objects show sides near those of annotated frames."""

from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop_records import gt_record, write_records
from render.frame import Annotation
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.views import near_view, read_views
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import cuboids

MODELS = cuboids()
CROP = SceneConfig(layout="crop", background="plain")


def angle_deg(one, other):
    """Between rotations (..., 3, 3)."""
    trace = np.trace(np.swapaxes(one, -1, -2) @ other, axis1=-2, axis2=-1)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


@pytest.fixture
def poses(rng):
    return [rigid(random_rotation(rng), [0.2, -0.1, 0.9]) for _ in range(3)]


@pytest.fixture
def file(tmp_path, poses):
    path = tmp_path / "scene_gt.json"
    records = {i: [gt_record(Annotation(1, pose))] for i, pose in enumerate(poses)}
    write_records(path, records)
    return path


def seen_side(cam_from_obj, model):
    """The object's axes as seen along the ray to its middle: depth is the ray's."""
    (middle,) = apply(cam_from_obj, model.box.mean(axis=0)[None])
    return cam_from_obj[:3, :3].T @ (middle / np.linalg.norm(middle))


def test_a_view_is_the_side_that_the_pose_shows_moved_to_the_optical_axis(file, poses):
    views = read_views(file, {1: MODELS[1]})[1]
    assert views.shape == (3, 3, 3)
    for R, pose in zip(views, poses, strict=True):
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(R.T @ [0, 0, 1], seen_side(pose, MODELS[1]), atol=1e-9)


def test_drawn_views_are_near_one_of_them_and_fill_that_ball(rng, file):
    views = read_views(file, {1: MODELS[1]})[1]
    drawn = np.stack([near_view(views, 20.0, rng) for _ in range(600)])
    nearest = angle_deg(drawn[:, None], views).min(axis=1)
    assert nearest.max() <= 20
    # Of a ball's volume an eighth lies within half its radius.
    assert 0.08 < (nearest < 10).mean() < 0.18
    assert (np.bincount(angle_deg(drawn[:, None], views).argmin(axis=1)) > 150).all()


def test_none_is_off_where_no_degree_is_allowed(rng, file):
    views = read_views(file, {1: MODELS[1]})[1]
    drawn = near_view(views, 0.0, rng)
    assert angle_deg(drawn, views).min() == pytest.approx(0, abs=1e-5)


def test_scenes_show_the_object_from_such_a_side_wherever_it_stands(file):
    config = replace(CROP, views=str(file), views_deg=10.0)
    randomizer = Randomizer(config, MODELS, (64, 64), 0, [1])
    views = read_views(file, {1: MODELS[1]})[1]
    sides = np.stack([R.T @ [0, 0, 1] for R in views])
    for frame_id in range(40):
        placed = randomizer.scene(frame_id).objects[0]
        side = seen_side(placed.matrix, MODELS[1])
        assert np.degrees(np.arccos((sides @ side).clip(-1, 1))).min() <= 10 + 1e-6


def test_without_such_a_file_scenes_are_what_they_were(file):
    one, other = (Randomizer(c, MODELS, (64, 64), 0, [1]) for c in (CROP, replace(CROP, views="")))
    assert one.scene(3) == other.scene(3)


def test_an_object_that_the_file_lacks_is_named(file):
    with pytest.raises(InputError, match=r"scene.views: .*scene_gt.json has no pose of object 2"):
        Randomizer(replace(CROP, views=str(file)), MODELS, (64, 64), 0, [1, 2])
