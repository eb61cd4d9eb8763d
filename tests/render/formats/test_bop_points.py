from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop_points import keypoints, points_records
from render.frame import Annotation
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import CAMERA, cuboid, cuboids

HANDLE = {"handle": [10.0, -20.0, 30.0]}


def test_keypoints_of_models_info_are_in_metres():
    model = cuboid(1, (-0.05, -0.05, 0), (0.05, 0.05, 0.1), keypoints=HANDLE)
    np.testing.assert_allclose(keypoints(model)["handle"], [0.01, -0.02, 0.03])


def test_points_are_where_the_camera_sees_them(rng):
    models = cuboids() | {3: cuboid(3, (-0.05, -0.05, 0), (0.05, 0.05, 0.1), keypoints=HANDLE)}
    poses = [rigid(random_rotation(rng), [0.3 * i, 0, 0.7]) for i in range(3)]
    annotations = [Annotation(i + 1, pose) for i, pose in enumerate(poses)]
    records = points_records(annotations, models, CAMERA)
    for annotation, record in zip(annotations, records, strict=True):
        vertices = models[annotation.obj_id].mesh.vertices  # a cuboid's are its box's corners
        pixels = CAMERA.project(apply(annotation.cam_from_obj, vertices))
        np.testing.assert_allclose(record["box_corners"], pixels, atol=2e-3)
    (pixel,) = CAMERA.project(apply(poses[2], np.array([[0.01, -0.02, 0.03]])))
    np.testing.assert_allclose(records[2]["keypoints"]["handle"], pixel, atol=1e-3)
    assert [record["keypoints"] for record in records[:2]] == [{}, {}]


def test_a_point_behind_the_camera_is_null():
    annotation = Annotation(1, rigid(np.eye(3), [0, 0, -0.02]))
    (record,) = points_records([annotation], cuboids(), CAMERA)
    near, far = record["box_corners"][::2], record["box_corners"][1::2]  # z is fastest
    assert near == [None] * 4
    assert None not in far


@pytest.mark.parametrize(
    "wrong", [[1, 2, 3], {"tip": [1, 2]}, {"tip": "abc"}, {"tip": [1, 2, None]}]
)
def test_malformed_keypoints_are_refused_by_name(wrong):
    model = cuboid(1, (0, 0, 0), (0.1, 0.1, 0.1))
    model = replace(model, info=model.info | {"keypoints": wrong}, source="models/obj_000001.ply")
    with pytest.raises(InputError, match=r"models/obj_000001.ply, keypoints"):
        keypoints(model)
