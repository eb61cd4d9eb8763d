"""A lens takes straight lines out of bent ones, and keeps its numbers in a file."""

import json

import cv2
import numpy as np
import pytest

from render.capture.lens import Lens, Straightener, read_lens, write_lens
from render.errors import InputError
from tests.render.capture.corners import LENS


@pytest.mark.parametrize(
    "distortion",
    [
        (0, 0, 0, 0, 0),
        (0.09, -0.25, 0.0008, -0.0005, 0.15),
        (-0.3, 0.1, 0, 0, 0),
        (0.2, 0.05, 0.001, 0.001, 0),
        (0.1, 0.02, 0, 0, 0, 0.05, 0.01, 0),
    ],
)
def test_a_straight_image_is_what_a_pinhole_sees_without_a_rim(distortion):
    lens = Lens(LENS.K, np.array(distortion, np.float64), LENS.size)
    straighten = Straightener(lens)
    width, height = lens.size
    v, u = np.indices((height, width))[:, ::9, ::9].reshape(2, -1)
    u, v = np.append(u, [0, 0, width - 1, width - 1]), np.append(v, [0, height - 1] * 2)
    edge = np.arange(0, width, 3), np.arange(0, height, 3)
    u = np.concatenate([u, *[edge[0]] * 2, 0 * edge[1], 0 * edge[1] + width - 1])
    v = np.concatenate([v, 0 * edge[0], 0 * edge[0] + height - 1, *[edge[1]] * 2])
    pixels = np.column_stack([u, v, np.ones(len(u))])
    taken = lens.project(pixels @ np.linalg.inv(straighten.camera.K).T)
    assert taken.min() > -0.01
    assert (taken.max(axis=0) < np.array(lens.size) - 0.99).all()
    # At the next smaller zoom there would be a rim.
    assert min(taken.min(), *(np.array(lens.size) - 1 - taken.max(axis=0))) < 0.5

    rng = np.random.default_rng(0)
    points = rng.uniform([-0.2, -0.1, 0.9], [0.2, 0.1, 1.1], (6, 3))
    image = np.zeros((height, width, 3), np.uint8)
    for u, v in lens.project(points):
        cv2.circle(image, (round(u * 16), round(v * 16)), 64, (255, 255, 255), -1, cv2.LINE_AA, 4)
    labels = cv2.connectedComponentsWithStats((straighten(image)[..., 0] > 127).astype(np.uint8))
    expected = straighten.camera.project(points)
    for center in labels[3][1:]:
        assert np.linalg.norm(expected - center, axis=1).min() < 0.3


def test_a_distortion_of_no_lens_is_refused():
    with pytest.raises(InputError, match=r"\[-3\.0, .*\] is no lens'"):
        Straightener(Lens(LENS.K, np.array([-3.0, 0, 0, 0, 0]), LENS.size))


def test_a_lens_survives_its_file_and_a_change_of_size(tmp_path):
    lens = Lens(LENS.K, LENS.distortion, LENS.size, 0.001, 0.2, 40)
    write_lens(tmp_path / "lens.json", lens, Straightener(lens).camera)
    again = read_lens(tmp_path / "lens.json")
    np.testing.assert_array_equal(again.K, lens.K)
    np.testing.assert_array_equal(again.distortion, lens.distortion)
    assert again.size == lens.size
    assert json.loads((tmp_path / "lens.json").read_text())["focal_std_percent"] == 0.1

    points = np.random.default_rng(0).uniform([-0.2, -0.1, 0.9], [0.2, 0.1, 1.1], (9, 3))
    small = lens.scaled((480, 270), "--camera")
    # A pixel's corner at -0.5 stays where it is.
    np.testing.assert_allclose(small.project(points) + 0.5, (lens.project(points) + 0.5) / 2)
    with pytest.raises(InputError, match="960x540, these have 540x960; the camera was held"):
        lens.scaled((540, 960), "--camera")
    with pytest.raises(InputError, match="960x540, these have 640x480"):
        lens.scaled((640, 480), "--camera")
    assert "as given" in again.words and "0.10 %" in lens.words


def test_calibrations_of_others_are_read_with_their_distortion(tmp_path):
    file = tmp_path / "camera.yaml"
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    storage.write("camera_matrix", LENS.K)
    storage.write("distortion_coefficients", LENS.distortion[:4])
    storage.write("image_width", 960)
    storage.write("image_height", 540)
    storage.release()
    lens = read_lens(file)
    np.testing.assert_allclose(lens.distortion, [*LENS.distortion[:4], 0])
    file.write_text(file.read_text() + "distortion_model: equidistant\n")
    with pytest.raises(InputError, match=r"lens distortion of another kind .*equidistant"):
        read_lens(file)
    record = {"fx": 700, "fy": 700, "cx": 480, "cy": 270, "width": 960, "height": 540}
    for wrong in ([0.1, 0.2], "bent", [0.1, float("nan"), 0, 0, 0]):
        (tmp_path / "c.json").write_text(json.dumps({**record, "distortion": wrong}))
        with pytest.raises(InputError, match=r"c\.json: .*distortion"):
            read_lens(tmp_path / "c.json")


@pytest.mark.parametrize(("cx", "cy"), [(960, 270), (480, 540), (-20, 270)])
def test_a_calibration_that_looks_beside_its_images_is_refused_by_its_principal_point(
    tmp_path, cx, cy
):
    record = {"fx": 700, "fy": 700, "cx": cx, "cy": cy, "width": 960, "height": 540}
    (tmp_path / "c.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=rf"c\.json: the principal point {cx}, {cy} lies outside"):
        read_lens(tmp_path / "c.json")
