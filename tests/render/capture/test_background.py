"""Frames held out by blocks, and the board taken out of those that are trained on."""

import cv2
import numpy as np
import pytest

from render.capture.background import behind, replaced, with_paper
from render.capture.splits import held_out


@pytest.mark.parametrize("count", [3, 8, 16, 60, 61])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9])
def test_a_share_of_the_frames_is_held_out_in_few_blocks(count, share):
    tested = held_out(count, share)
    assert abs(tested.sum() - share * count) <= 1 and not tested.all()
    assert (np.diff(tested.astype(int)) == 1).sum() <= 3


def test_the_object_stays_and_all_else_goes(rng):
    rgb = np.full((40, 60, 3), 200, np.uint8)
    visible = np.zeros((40, 60), bool)
    visible[10:30, 15:45] = True
    picture = rng.integers(0, 100, rgb.shape, np.uint8)
    out = replaced(rgb, visible, picture)
    near = cv2.dilate(visible.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    np.testing.assert_array_equal(out[~near], picture[~near])
    np.testing.assert_array_equal(out[14:26, 19:41], rgb[14:26, 19:41])
    np.testing.assert_array_equal(replaced(rgb, ~visible & visible, picture), picture)


@pytest.mark.parametrize("behind_grey", [30, 230])
def test_the_object_is_as_large_as_it_was_filmed_and_nothing_of_the_board_is_left(behind_grey):
    y, x = np.mgrid[:80, :80]
    away = np.hypot(y - 40, x - 40)
    filmed_share = np.clip(25.0 - away + 0.5, 0, 1)  # of a disc of radius 25, white the board
    filmed = np.rint(100 * filmed_share + 255 * (1 - filmed_share))
    rgb = np.repeat(filmed[..., None], 3, axis=2).astype(np.uint8)
    out = replaced(rgb, away < 25, np.full((80, 80, 3), behind_grey, np.uint8))[..., 0].astype(
        float
    )
    share = (out - behind_grey) / (100 - behind_grey)
    assert abs(np.sqrt(share.sum() / np.pi) - 25) < 0.15  # pixels of radius
    assert share.max() < 1.02 and share.min() > -0.02  # else the white of the board shows


@pytest.mark.parametrize("kind", ["noise", "plain"])
def test_a_background_repeats_with_its_random_numbers(kind):
    first, again, other = (
        behind(kind, [], (64, 48), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == (48, 64, 3) and (first != other).any()


@pytest.fixture
def papers():
    """Backgrounds of one colour with what lies under an object, of 60 seeds; where it is seen."""
    visible = np.zeros((90, 120), bool)
    visible[35:55, 50:75] = True
    green = np.full((90, 120, 3), (20, 160, 40), np.uint8)
    found = [with_paper(green, visible, np.random.default_rng(seed)) for seed in range(60)]
    return green, visible, found


def test_in_half_of_the_images_a_board_lies_under_the_object(papers):
    green, visible, found = papers
    with_one = [picture for picture in found if (picture != green).any()]
    assert 18 <= len(with_one) <= 42
    grey = [np.ptp(picture.astype(int), axis=2) < 60 for picture in with_one]  # paper, not green
    assert np.mean([here[visible].mean() for here in grey]) > 0.9
    around = cv2.dilate(visible.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.mean([here[around & ~visible].mean() for here in grey]) > 0.8
    assert min(picture[here].min() for picture, here in zip(with_one, grey, strict=True)) < 60


def test_where_it_lies_says_nothing_of_the_object(papers):
    """No two lie alike, and the same numbers lay the same one."""
    green, visible, found = papers
    middles = [
        np.argwhere((picture != green).any(axis=2)).mean(axis=0)
        for picture in found
        if (picture != green).any()
    ]
    assert np.std(middles, axis=0).min() > 3
    again = with_paper(green, visible, np.random.default_rng(5))
    np.testing.assert_array_equal(again, found[5])


def test_without_an_object_nothing_lies_there(papers):
    green, visible, _ = papers
    for seed in range(8):
        nothing = with_paper(green, visible & ~visible, np.random.default_rng(seed))
        np.testing.assert_array_equal(nothing, green)
