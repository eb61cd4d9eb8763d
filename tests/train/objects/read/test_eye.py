"""Pictures as they were taken, and the pinhole camera that they are read with."""

import logging

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.capture.lens import Lens, Straightener, write_lens
from render.errors import InputError
from train.objects.read.eye import LENS, Eye, leave_lens

SIZE = 320, 240
BENT = Lens(
    np.array([[300.0, 0, 158], [0, 302.0, 121], [0, 0, 1]]),
    np.array([0.12, -0.2, 0.001, -0.001, 0.0]),
    SIZE,
)
POINTS = np.array([[0.1, -0.08, 0.6], [-0.15, 0.1, 0.8], [0.02, 0.05, 0.5]])  # metres, camera


@pytest.fixture
def kept(tmp_path):
    write_lens(tmp_path / LENS, BENT, Straightener(BENT).camera)
    return tmp_path / LENS


def taken() -> np.ndarray:
    """A picture through the lens: a bright spot where each point is seen."""
    y, x = np.mgrid[:240, :320]
    spots = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / 8) for u, v in BENT.project(POINTS)]
    grey = (255 * np.sum(spots, axis=0)).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def spot_near(rgb: np.ndarray, u: float, v: float) -> np.ndarray:
    """The centre of brightness within six pixels."""
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    weight = rgb[..., 0] * ((abs(x - u) < 6) & (abs(y - v) < 6)).astype(float)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("asked", [True, False])
def test_points_are_where_the_camera_that_is_given_sees_them(kept, asked, caplog):
    eye = Eye(str(kept), None, None) if asked else Eye(None, kept, None)
    with caplog.at_level(logging.INFO):
        rgb, camera, _ = eye.see(taken(), "picture")
    for u, v in camera.project(POINTS):
        np.testing.assert_allclose(spot_near(rgb, u, v), [u, v], atol=0.1)
    assert np.linalg.norm(camera.project(POINTS) - BENT.project(POINTS), axis=1).max() > 1
    assert ("straightened; --camera says otherwise" in caplog.text) == (not asked)


def test_a_box_goes_where_what_is_in_it_goes(kept):
    u, v = BENT.project(POINTS)[1]
    _, camera, box = Eye(str(kept), None, None).see(taken(), "a", box=(u - 9, v - 5, 18, 10))
    x, y, width, height = box
    center = x + width / 2, y + height / 2
    np.testing.assert_allclose(center, camera.project(POINTS)[1], atol=0.3)
    assert 0.8 < width / 18 < 1.25 and 0.8 < height / 10 < 1.25


def test_numbers_that_are_given_take_the_picture_as_it_is(kept):
    rgb, camera, _ = Eye("300,300,160,120", kept, None).see(taken(), "picture")
    np.testing.assert_array_equal(rgb, taken())
    assert camera.K[0, 0] == 300 and camera.size == SIZE


@pytest.mark.parametrize("asked", ["/nope.json", "nope", "1,2,3,x", "/"])
def test_a_calibration_that_is_not_there_is_named(asked):
    with pytest.raises(InputError, match=rf"^--camera {asked}: no such file; give fx,fy,cx,cy"):
        Eye(asked, None, None)


def test_a_picture_of_half_the_size_is_of_the_lens_that_is_named_and_not_of_one_that_is_kept(kept):
    half = cv2.resize(taken(), (160, 120), interpolation=cv2.INTER_AREA)
    rgb, camera, _ = Eye(str(kept), None, None).see(half, "picture")
    u, v = camera.project(POINTS)[1]
    np.testing.assert_allclose(spot_near(rgb, u, v), [u, v], atol=0.15)
    own = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), *SIZE)
    with pytest.raises(InputError, match=r"film is 160x120 and its camera unknown"):
        Eye(None, kept, own).see(half, "film")


def test_the_lens_of_the_first_scene_that_has_one_is_kept_and_an_old_one_is_not(kept, tmp_path):
    scenes, run = [tmp_path / "1", tmp_path / "2"], tmp_path / "run"
    for folder in (*scenes, run):
        folder.mkdir()
    leave_lens(scenes, run)
    assert not (run / LENS).exists()
    (scenes[1] / LENS).write_bytes(kept.read_bytes())
    leave_lens(scenes, run)
    assert (run / LENS).read_bytes() == kept.read_bytes()
    leave_lens(scenes[:1], run)
    assert not (run / LENS).exists()
