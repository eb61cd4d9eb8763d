from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.mesh.box import box_corners
from render.mesh.mesh import load_models
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.view import frame_size, old_camera, scene_camera
from render.transforms import apply

DEFAULT = SceneConfig()
OWN = Camera(np.array([[900.0, 0, 630], [0, 910, 350], [0, 0, 1]]), 1280, 720)


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (96, 72), (1280, 960)])
def test_the_default_camera_of_a_four_to_three_frame_is_that_of_before_to_the_bit(size):
    np.testing.assert_array_equal(scene_camera(DEFAULT, size).K, old_camera(DEFAULT, size).K)


@pytest.mark.parametrize("size", [(1280, 720), (512, 512), (480, 640), (100, 31)])
def test_the_default_camera_keeps_its_field_of_view_and_its_centre_at_any_size(size):
    full, camera = scene_camera(DEFAULT, (640, 480)), scene_camera(DEFAULT, size)
    scale = size[0] / 640
    np.testing.assert_allclose(np.diag(camera.K)[:2], scale * np.diag(full.K)[:2])
    off = [c.K[:2, 2] - (np.array(c.size) - 1) / 2 for c in (full, camera)]
    np.testing.assert_allclose(off[1], scale * off[0], atol=1e-9)


def test_intrinsics_are_those_of_the_size_that_is_asked_for():
    config = replace(DEFAULT, intrinsics=(900, 910, 630, 350))
    np.testing.assert_array_equal(scene_camera(config, (1280, 720)).K, OWN.K)
    spec = Randomizer(config, load_models(["assets"]), (1280, 720), 0).scene(0)
    np.testing.assert_array_equal(spec.camera.K, OWN.K)


def test_a_camera_of_another_size_is_scaled_as_its_images_are_and_said(caplog):
    caplog.set_level("INFO")
    half = scene_camera(DEFAULT, (640, 360), OWN)
    assert "scaled by 0.5 for frames of 640x360" in caplog.text
    point = np.array([0.1, -0.2, 1.5])
    # Pixel centres at integers: an image's corner is at -0.5.
    np.testing.assert_allclose(half.project(point) + 0.5, (OWN.project(point) + 0.5) / 2)
    with pytest.raises(InputError, match="640x480 has another shape; give --size 640x360"):
        scene_camera(DEFAULT, (640, 480), OWN)


def test_frames_have_the_size_asked_for_else_the_cameras():
    assert frame_size("tabletop", None, OWN) == (1280, 720)
    assert frame_size("tabletop", (64, 48), OWN) == (64, 48)
    assert frame_size("tabletop", None, None) == frame_size("crop", None, OWN) == (640, 480)


def test_crops_are_taken_from_the_image_of_ones_own_camera():
    config = replace(DEFAULT, layout="crop", occluder_chance=0.0, distractor_chance=0.0)
    models = load_models(["assets"])
    draw = Randomizer(config, models, (96, 96), 0, camera=scene_camera(config, (96, 96), OWN))
    for spec in map(draw.scene, range(8)):
        (fx, skew, _), (_, fy, _) = spec.camera.K[:2]
        assert skew == 0 and fx / fy == pytest.approx(900 / 910)
        corners = apply(spec.objects[0].matrix, box_corners(models[spec.objects[0].obj_id].box))
        assert (np.abs(OWN.project(corners.mean(axis=0)) / OWN.size - 0.5) < 0.4).all()


@pytest.mark.parametrize(
    ("intrinsics", "fault"),
    [
        ((900, 900, 1280, 360), "principal point 1280, 360 lies outside the 1280x720 image"),
        ((900, 900, 640, -1), "principal point 640, -1 lies outside"),
        ((4.25, 900, 640, 360), "fx = 4.25 is 0.00332 of the image's width"),
        ((900, 4500, 640, 360), "fx = 900 and fy = 4500: none is more than 3 times the other"),
    ],
)
def test_intrinsics_that_belong_to_no_such_image_are_refused(intrinsics, fault):
    with pytest.raises(InputError, match=rf"^scene\.intrinsics: .*{fault}"):
        scene_camera(replace(DEFAULT, intrinsics=intrinsics), (1280, 720))


def test_intrinsics_and_a_camera_are_not_both_taken():
    with pytest.raises(InputError, match=r"^scene\.intrinsics: --camera gives them"):
        scene_camera(replace(DEFAULT, intrinsics=(900, 900, 640, 360)), (1280, 720), OWN)


@pytest.mark.parametrize("layout", ["tabletop", "upright"])
@pytest.mark.parametrize("point", [(1239.5, -359.5), (590.0, 240.0)])
def test_objects_fill_the_image_wherever_its_principal_point_is(layout, point):
    config = SceneConfig(layout=layout, intrinsics=(900, 900, *point), off_axis=True, zoom=(1, 1))
    models = load_models(["assets"])
    draw = Randomizer(config, models, (640, 480), 0)
    for spec in map(draw.scene, range(8)):
        boxes = [
            apply(placed.matrix, box_corners(models[placed.obj_id].box))
            for placed in spec.objects
            if placed.annotated
        ]
        pixels = spec.camera.project(np.concatenate(boxes))
        # upright: what is fitted is a ring of 16 points around the objects.
        slack = 0.05 * np.array(spec.size)
        assert (pixels > -slack).all() and (pixels < spec.size + slack).all()
        assert (np.ptp(pixels, axis=0) / spec.size).max() > 0.6
