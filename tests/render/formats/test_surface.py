"""Normals and object coordinates on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.camera import Camera
from render.dataset.generate import generate
from render.draw.rasterizer import Rasterizer
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.surface import (
    encode_nocs,
    encode_normals,
    nocs_from_points,
    points_from_nocs,
    read_nocs,
    read_normals,
)
from render.frame import Annotation, Frame
from render.image_file import write_png
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.transforms import apply, invert
from render.validate.validate import validate
from tests.scenes import random_scene, two_meshes

RENDER = RenderConfig(
    frames=3, size=(160, 120), frames_per_scene=2, normals=True, coordinates=True, obj_ids=(1, 2)
)
SCENE = SceneConfig(layout="crop", occluder_chance=1.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("surface") / "made"
    generate(RENDER, SCENE, out, seed=4, workers=1)
    return out


def test_normals_come_back_within_half_a_step(tmp_path, rng):
    with Rasterizer(two_meshes(), normals=True) as rasterizer:
        (frame,) = rasterizer.render([random_scene(rng)])
    frame.normals[0, 0] = [0, 0, -1]
    frame.normals[0, 1] = [1, 0, 0]
    write_png(tmp_path / "normals.png", encode_normals(frame.normals))
    again = read_normals(tmp_path / "normals.png")
    assert again.dtype == np.float32
    assert np.abs(again - frame.normals).max() <= 0.51 / 32767
    np.testing.assert_array_equal(again[:1, :2], [[[0, 0, -1], [1, 0, 0]]])
    np.testing.assert_array_equal(again.any(axis=2), frame.normals.any(axis=2))


def test_normalised_coordinates_have_a_diagonal_of_1_and_the_middle_at_a_half(rng):
    box = np.array([[-0.1, 0.02, 0.3], [0.2, 0.06, 0.42]])  # 0.3^2 + 0.04^2 + 0.12^2 = 0.106
    nocs = nocs_from_points(np.stack([*box, box.mean(axis=0)]), box)
    np.testing.assert_allclose(np.linalg.norm(nocs[1] - nocs[0]), 1)
    np.testing.assert_allclose(nocs[2], 0.5)
    # One scale for all axes, so that an angle is as it was.
    np.testing.assert_allclose(nocs[1] - nocs[0], (box[1] - box[0]) / np.sqrt(0.106))
    points = rng.uniform(*box, (5, 7, 3))
    np.testing.assert_allclose(points_from_nocs(nocs_from_points(points, box), box), points)


def test_a_dataset_gives_back_the_points_that_its_depth_and_poses_say(dataset):
    boxes = {i: model.box for i, model in load_models([dataset / "models"]).items()}
    for image in read_split(dataset, "train"):
        normals, nocs, depth = image.read_normals(), image.read_nocs(), image.read_depth()
        np.testing.assert_array_equal(normals.any(axis=2), depth > 0)  # un-annotated ones too
        annotated = np.zeros_like(depth, bool)
        for gt_id, a in enumerate(image.annotations):
            seen = image.read_mask(gt_id, visible=True)
            annotated |= seen
            points = points_from_nocs(nocs[seen], boxes[a.obj_id])
            expected = apply(invert(a.cam_from_obj), image.camera.unproject(depth)[seen])
            # Depth is stored in steps of 0.1 mm, along rays that are a little longer than z.
            assert np.linalg.norm(points - expected, axis=1).max() < 0.6e-4
        np.testing.assert_array_equal(nocs.any(axis=2), annotated)
        assert annotated.any() and (depth > 0).sum() > annotated.sum()


def test_validate_has_nothing_to_say_of_them(dataset):
    assert validate(dataset, None) == []


def test_there_are_none_where_none_were_asked_for(dataset, tmp_path):
    less = replace(RENDER, normals=False, coordinates=False)
    generate(less, SCENE, tmp_path / "plain", seed=4, workers=1)
    plain = read_split(tmp_path / "plain", "train")
    for image, complete in zip(plain, read_split(dataset, "train"), strict=True):
        assert image.read_normals() is None and image.read_nocs() is None
        assert image.rgb_path.read_bytes() == complete.rgb_path.read_bytes()


def test_a_point_beside_the_record_of_its_box_is_kept_in_range():
    box = np.array([[0.0, 0, 0], [0.1, 0, 0]])
    points = np.array([[[-0.001, 0, 0], [0.101, 0, 0]]], np.float32)
    frame = Frame(
        Camera(np.eye(3), 2, 1),
        (Annotation(1, np.eye(4)),),
        coordinates=points,
        instance=np.ones((1, 2), np.uint8),
    )
    np.testing.assert_array_equal(encode_nocs(frame, {1: box})[0, :, 0], [0, 65535])


def test_a_map_of_another_size_or_cut_off_is_refused_by_name(dataset):
    image = read_split(dataset, "train")[0]
    path = image.scene_dir / "nocs" / "000000.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"nocs/000000\.png"):
        image.read_nocs()
    write_png(path, np.zeros((5, 5, 3), np.uint16))
    with pytest.raises(InputError, match=r"nocs/000000\.png has 5x5 pixels, its camera 160x120"):
        image.read_nocs()
    path.write_bytes(whole)
    assert read_nocs(path).max() <= 1
