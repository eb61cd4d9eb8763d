"""The contour of a drawn object, and where colours say that it is."""

import numpy as np
import pytest

from render.contour.contour import contour_of, offsets
from render.frame import Frame
from tests.small_dataset import CAMERA

Y, X = np.indices((128, 128))
DISTANCE = np.hypot(X - 63.5, Y - 63.5)
DRAWN = Frame(  # a disc of radius 30
    CAMERA,
    instance=(DISTANCE < 30).astype(np.uint8),
    coordinates=np.stack([X, Y, 0 * X], axis=-1).astype(np.float32),
)
UNDECIDED = np.zeros((128, 128), np.float32)


@pytest.mark.parametrize("larger", [-4, 0, 5])
def test_a_contour_is_found_where_colours_end(larger):
    contour = contour_of(DRAWN)
    np.testing.assert_array_equal(contour.points[:, :2], contour.px)
    radial = contour.px - 63.5
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    assert (np.sum(radial * contour.outward, axis=1) > 0.95).all()
    said = np.clip(30 + larger - DISTANCE, -1, 1).astype(np.float32) * 2
    found, weight = offsets(said, contour.px, contour.outward, 10)
    assert abs(np.median(found) - larger) < 0.5 and (weight > 0).all()


@pytest.mark.parametrize("larger", [-4, 0, 5])
def test_where_colours_of_all_images_tell_nothing_those_beside_the_contour_do(larger):
    """White before white: the disc's shade goes round, and so does that of what is behind it."""
    contour, noise = contour_of(DRAWN), np.random.default_rng(0).normal(0, 3, (128, 128, 3))
    angle = np.arctan2(Y - 63.5, X - 63.5)
    shade = 190 + 40 * np.cos(angle) + 25 * (30 + larger > DISTANCE)
    rgb = np.rint(shade[..., None] + noise).clip(0, 255).astype(np.uint8)
    _, alone = offsets(UNDECIDED, contour.px, contour.outward, 10)
    assert (alone == 0).all()
    found, weight = offsets(UNDECIDED, contour.px, contour.outward, 10, rgb)
    assert abs(np.median(found) - larger) < 0.8 and np.abs(found - larger).max() < 2
    assert np.mean(weight > 0.04) > 0.9


def test_where_nothing_changes_no_line_says_where_the_contour_is():
    contour = contour_of(DRAWN)
    rgb = np.random.default_rng(0).normal(200, 3, (128, 128, 3)).astype(np.uint8)
    _, weight = offsets(UNDECIDED, contour.px, contour.outward, 10, rgb)
    assert weight.max() < 0.02
