"""Frames held out by blocks, and the board taken out of those that are trained on."""

import numpy as np
import pytest

from render.capture.background import behind, replaced
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
    np.testing.assert_array_equal(out[~visible], picture[~visible])
    np.testing.assert_array_equal(out[14:26, 19:41], rgb[14:26, 19:41])
    assert (out[10, 15:45] < 200).all()


@pytest.mark.parametrize("kind", ["noise", "plain"])
def test_a_background_repeats_with_its_random_numbers(kind):
    first, again, other = (
        behind(kind, [], (64, 48), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == (48, 64, 3) and (first != other).any()
