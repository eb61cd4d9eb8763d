"""A drawing laid over a photograph: its rim, what is around it, what is in front of it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.draw.rasterizer import Rasterizer
from render.frame import Frame
from render.scene.spec import Placed, SceneSpec, rows
from render.sensor.spec import ColorSensor
from render.transforms import rigid
from tests.small_dataset import CAMERA, cuboid
from train.objects.twins.composite import Layer, draw_layer, in_front, lay_over, window_of

PERFECT = ColorSensor()
GREY, RED, GREEN = (100, 100, 100), (200, 20, 20), (20, 200, 20)
SHAPE = (60, 80)
OFF = 3  # that OpenCV's inpainting may be from a colour which is the same all around


def disc(u: float, v: float, radius: float) -> np.ndarray:
    """The share of each pixel that a disc covers: (60, 80) float32, of an edge a pixel wide."""
    y, x = np.indices(SHAPE)
    return np.clip(radius + 0.5 - np.hypot(x - u, y - v), 0, 1).astype(np.float32)


def filled(color) -> np.ndarray:
    return np.full((*SHAPE, 3), color, np.uint8)


def photograph(share: np.ndarray) -> np.ndarray:
    """A green thing before grey."""
    share = share[..., None]
    return np.rint(filled(GREY) * (1 - share) + filled(GREEN) * share).astype(np.uint8)


@pytest.fixture
def share() -> np.ndarray:
    return disc(40.3, 29.8, 14.4)


@pytest.fixture
def layer(share) -> Layer:
    return Layer(filled(RED), share, share)


NOTHING = np.zeros(SHAPE, bool)


def test_a_rim_is_mixed_by_how_much_of_each_pixel_is_covered(layer, share):
    real = photograph(disc(40.3, 29.8, 14.4))
    twin = lay_over(real, layer, PERFECT, share >= 0.5, NOTHING, 4.0)
    expected = filled(GREY) * (1 - share[..., None]) + filled(RED) * share[..., None]
    np.testing.assert_allclose(twin, expected, atol=OFF)
    assert ((share > 0.05) & (share < 0.95)).sum() > 50


def test_a_rim_out_of_focus_is_that_of_the_whole_picture_out_of_focus(layer, share):
    real, sensor = photograph(share), ColorSensor(blur_px=0.8)
    sharp = lay_over(real, layer, PERFECT, share >= 0.5, NOTHING, 6.0)
    blurred = lay_over(real, layer, sensor, share >= 0.5, NOTHING, 6.0)
    np.testing.assert_allclose(blurred, cv2.GaussianBlur(sharp, (0, 0), 0.8), atol=OFF)


@pytest.mark.parametrize("shift", [(2.5, 0.0), (-1.5, 2.0), (0.0, -2.0)])
def test_nothing_is_left_of_the_real_object_where_the_pose_is_off(layer, share, shift):
    real = photograph(disc(40.3 + shift[0], 29.8 + shift[1], 14.4))
    twin = lay_over(real, layer, PERFECT, share >= 0.5, NOTHING, 4.0).astype(int)
    assert (twin[..., 1] <= GREY[1] + OFF).all()
    untouched = lay_over(real, layer, PERFECT, share >= 0.5, NOTHING, 0.0).astype(int)
    assert (untouched[..., 1] > GREY[1] + 50).sum() > 20


def test_what_is_further_away_than_the_halo_stays_to_the_bit(layer, share, rng):
    real = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    twin = lay_over(real, layer, PERFECT, share >= 0.5, NOTHING, 3.0)
    changed = (twin != real).any(axis=2)
    assert not (changed & (disc(40.3, 29.8, 18.5) == 0)).any()
    assert changed[disc(40.3, 29.8, 16.0) == 1].mean() > 0.95


@pytest.mark.parametrize("blur_px", [0.0, 0.8])
def test_what_is_kept_stays_to_the_bit_and_colours_nothing(layer, share, blur_px):
    kept = np.indices(SHAPE)[1] > 45
    real = np.where(kept[..., None], np.uint8(255), photograph(share))
    sensor = replace(PERFECT, blur_px=blur_px)
    twin = lay_over(real, layer, sensor, share >= 0.5, kept, 4.0)
    np.testing.assert_array_equal(twin[kept], real[kept])
    assert (twin[~kept][:, 2] <= GREY[2] + OFF).all()


def test_what_hides_an_object_goes_on_beyond_its_rim_and_what_is_behind_does_not():
    """Object 1 in the middle; another before it on its left, a third behind it on its right; by
    the dataset something without annotation hides its top."""
    columns, lines = np.indices((40, 60))[1], np.indices((40, 60))[0]
    object_px = (abs(columns - 30) <= 10) & (abs(lines - 20) <= 10)
    left, right = columns < 24, columns > 38
    hidden = object_px & (lines < 14)
    instance = np.select([left, object_px, right], [2, 1, 3], 0).astype(np.uint8)
    depth = np.select([left, object_px, right], [0.5, 1.0, 2.0], 0).astype(np.float32)
    among = Frame(camera=CAMERA, depth=depth, instance=instance)
    whole = Frame(
        camera=CAMERA,
        depth=np.where(object_px, np.float32(1), 0),
        instance=object_px.astype(np.uint8),
    )
    kept = in_front(among, whole, 0, object_px, hidden)
    assert kept[left].all() and kept[hidden].all()
    assert kept[5:10, 30].all()  # above the hidden top
    assert not kept[14:26, 24:].any()  # its visible part, and the third object beside it
    assert not kept[32:, 30].any()


def test_the_share_of_a_pixel_is_the_area_that_the_object_covers():
    model = cuboid(1, (-0.0503, -0.0302, 0.0), (0.0611, 0.0407, 0.02))
    cam_from_obj = rows(rigid(np.eye(3), np.array([0, 0, 0.4])))
    spec = SceneSpec(rows(CAMERA.K), CAMERA.size, (Placed(1, cam_from_obj),))
    window = slice(20, 100), slice(30, 130)
    with Rasterizer({1: model.mesh}) as renderer:
        layer = draw_layer(renderer, spec, 0, window)
    left, top = CAMERA.project(np.array([-0.0503, -0.0302, 0.4]))
    right, bottom = CAMERA.project(np.array([0.0611, 0.0407, 0.4]))

    def within(low: float, high: float, pixels: slice) -> np.ndarray:
        middle = np.arange(pixels.start, pixels.stop)
        return np.clip(np.minimum(middle + 0.5, high) - np.maximum(middle - 0.5, low), 0, 1)

    area = within(top, bottom, window[0])[:, None] * within(left, right, window[1])
    np.testing.assert_allclose(layer.share, area, atol=0.15)
    np.testing.assert_array_equal(layer.covered, layer.share)
    assert ((layer.share > 0) & (layer.share < 1)).sum() > 50
    assert np.ptp(layer.color) == 0  # one colour, beyond the rim too, and no black in it


def test_what_stands_before_an_object_takes_its_share_of_the_pixels():
    model = cuboid(1, (-0.05, -0.04, 0.0), (0.05, 0.04, 0.02))
    poses = [rigid(np.eye(3), np.array(t)) for t in ([0, 0, 0.4], [0.0507, 0, 0.3])]
    objects = tuple(Placed(1, rows(pose)) for pose in poses)
    spec = SceneSpec(rows(CAMERA.K), CAMERA.size, objects)
    window = slice(0, 120), slice(0, 160)
    with Rasterizer({1: model.mesh}) as renderer:
        layers = [draw_layer(renderer, spec, i, window) for i in (0, 1)]
    both = layers[0].share + layers[1].share
    assert both.max() <= 1 and (layers[0].share < layers[0].covered).any()
    edge = (layers[1].share > 0) & (layers[1].share < 1) & (layers[0].covered == 1)
    assert edge.any() and (both[edge] == 1).all()
    np.testing.assert_array_equal(layers[1].share, layers[1].covered)


def test_a_window_holds_what_is_seen_and_its_margin_within_the_image():
    seen = np.zeros((40, 60), bool)
    seen[10:12, 50:58] = True
    assert window_of(seen, 3) == (slice(7, 15), slice(47, 60))
    assert window_of(seen, 20) == (slice(0, 32), slice(30, 60))
