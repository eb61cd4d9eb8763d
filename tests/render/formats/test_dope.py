"""DOPE's JSON, read back by what its own programs do with it."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.formats.dope import DopeWriter
from render.formats.labels import LabelledImage
from render.transforms import rigid
from tests.render.formats.labelled import CLASSES, label, labelled_image
from tests.small_dataset import CAMERA


def written(image, root):
    (root / "train").mkdir()
    DopeWriter(CLASSES).add(root, "train", image)
    return json.loads((root / "train" / image.name).with_suffix(".json").read_text())


def rotation(x, y, z, w):
    """Of a unit quaternion, by its definition."""
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def cuboid_cm(box):
    """The corners as DOPE's Cuboid3d makes them: front top right, front top left, front bottom
    left, front bottom right, the same of the rear, the centre; OpenCV's axes, front at more z."""
    (left, top, rear), (right, bottom, front) = 100 * box
    face = ((right, top), (left, top), (left, bottom), (right, bottom))
    corners = [(x, y, z) for z in (front, rear) for x, y in face]
    return np.array([*corners, 100 * box.mean(axis=0)])


def test_the_pose_comes_back_and_projects_dopes_cuboid_to_what_is_written(rng, tmp_path):
    image = labelled_image(rng)
    record = written(image, tmp_path)
    fx, fy, cx, cy = (record["camera_data"]["intrinsics"][k] for k in ("fx", "fy", "cx", "cy"))
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    np.testing.assert_array_equal(K, CAMERA.K)
    assert (record["camera_data"]["width"], record["camera_data"]["height"]) == CAMERA.size
    for found, one in zip(record["objects"], image.labels, strict=True):
        assert found["class"] == one.of.name and found["visibility"] == 1
        R, t_cm = rotation(*found["quaternion_xyzw"]), np.array(found["location"])
        np.testing.assert_allclose(R, one.annotation.cam_from_obj[:3, :3], atol=1e-9)
        np.testing.assert_allclose(t_cm / 100, one.annotation.cam_from_obj[:3, 3], atol=1e-12)
        pixels, _ = cv2.projectPoints(cuboid_cm(one.of.box), cv2.Rodrigues(R)[0], t_cm, K, None)
        written_px = [*found["projected_cuboid"], found["projected_cuboid_centroid"]]
        np.testing.assert_allclose(written_px, pixels[:, 0], atol=1e-6)


def test_dopes_pnp_on_its_own_cuboid_finds_the_middle_of_the_box(rng, tmp_path):
    """Its config has dimensions and no offset: the pose is that of the box's middle."""
    image = labelled_image(rng)
    found = written(image, tmp_path)["objects"][0]
    of, cam_from_obj = CLASSES[0], image.labels[0].annotation.cam_from_obj
    DopeWriter(CLASSES).finish(tmp_path, ("train",))
    line = (tmp_path / "dope.yaml").read_text().splitlines()[1]
    name, _, size = line.partition(": ")
    assert json.loads(name.strip()) == of.name
    half = np.array(json.loads(size)) / 200
    points = cuboid_cm(np.array([-half, half]))[:8]
    _, rotvec, t = cv2.solvePnP(points, np.array(found["projected_cuboid"]), CAMERA.K, None,
                                flags=cv2.SOLVEPNP_SQPNP)  # fmt: skip
    np.testing.assert_allclose(cv2.Rodrigues(rotvec)[0], cam_from_obj[:3, :3], atol=1e-4)
    middle = cam_from_obj[:3, :3] @ of.box.mean(axis=0) + cam_from_obj[:3, 3]
    np.testing.assert_allclose(t[:, 0] / 100, middle, atol=1e-5)


def test_a_box_that_reaches_behind_the_camera_is_left_out_and_said(tmp_path, caplog):
    one = label(CLASSES[0], rigid(np.eye(3), [0, 0, 0.5]))
    one.annotation.cam_from_obj[2, 3] = -0.01
    record = written(LabelledImage("a.png", 1, 1, CAMERA, (one,)), tmp_path)
    assert record["objects"] == []
    assert "a.png: the box of thing 1 reaches behind the camera; left out" in caplog.messages


def test_small_images_are_told_of_once_and_a_skewed_camera_is_refused(rng, tmp_path, caplog):
    writer, image = DopeWriter(CLASSES), labelled_image(rng)
    (tmp_path / "train").mkdir()
    for _ in range(2):
        writer.add(tmp_path, "train", image)
    assert [m for m in caplog.messages if "400 pixels" in m] == [
        "000002_000007.png: smaller than the 400 pixels that DOPE's trainer crops"
    ]
    skewed = replace(image, camera=Camera(CAMERA.K + [[0, 1, 0], [0, 0, 0], [0, 0, 0]], 160, 120))
    with pytest.raises(InputError, match="a skew, which DOPE's format cannot say"):
        writer.add(tmp_path, "train", skewed)
