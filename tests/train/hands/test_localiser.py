from dataclasses import replace

import numpy as np
import pytest
import torch

from render.formats.nyu import CAMERA
from render.formats.nyu_dataset import SYNTHETIC, NyuSplit, read_split
from render.hand.clutter import add_clutter, nearest_of
from tests.hand_scenes import draw_balls, hand_depth, random_hand, write_hands
from train.hand_options import LocaliserConfig
from train.hands.localiser import (
    NOWHERE,
    PALM,
    Localiser,
    center_of_mass,
    cluttered_frames,
    mass_centers,
    train_localiser,
)
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.options import TrainConfig

CPU = torch.device("cpu")
TINY = LocaliserConfig(frames=4, steps=2, size=16)


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> NyuSplit:
    root = write_hands(tmp_path_factory.mktemp("hands"), np.random.default_rng(0), {"train": 8})
    return read_split(root, "train", SYNTHETIC)


def ball(x: float, y: float, z: float, radius: float = 0.05) -> np.ndarray:
    return draw_balls(np.array([[x, y, z]]), [radius])


def localiser_of(offset: np.ndarray, config: LocaliserConfig = TINY) -> Localiser:
    """One whose network says an offset, in half cubes, of every image."""
    net = build("small", config.size, with_mapping=False, outputs=3, channels=1)
    with torch.no_grad():
        net.predict.weight.zero_()
        net.predict.bias.copy_(torch.from_numpy(offset))
    settings = {"steps": 1}
    return Localiser(Checkpoint(net, "small", config.crop, PALM, "synthetic", 1, settings, {}), CPU)


# The centre of mass


@pytest.mark.parametrize("place", [(0, 0, 0.7), (0.2, -0.1, 0.9), (-0.25, 0.15, 1.2)])
def test_the_centre_of_a_ball_lies_in_its_visible_half(place):
    """From afar one sees a half ball, evenly over its disc: 2/3 of the radius before its centre."""
    center = center_of_mass(ball(*place))
    toward = -np.array(place) / np.linalg.norm(place)
    np.testing.assert_allclose(center, np.array(place) + 2 / 3 * 0.05 * toward, atol=0.003)


def test_the_nearest_blob_of_a_hands_size_is_taken():
    """Not the larger one behind it, nor specks before it."""
    hand, body = ball(-0.1, 0.0, 0.6), ball(0.2, 0.0, 1.1, radius=0.2)
    specks = [ball(0.1 * i, 0.1, 0.4, radius=0.006) for i in (-1, 1)]
    alone = center_of_mass(hand)
    np.testing.assert_allclose(center_of_mass(nearest_of([hand, body])), alone, atol=1e-12)
    np.testing.assert_allclose(center_of_mass(nearest_of([hand, body, *specks])), alone, atol=1e-12)
    assert center_of_mass(body)[2] > 0.9


@pytest.mark.parametrize("depth", [0.0, 2.001, 0.2])
def test_where_nothing_is_within_reach_there_is_no_centre(depth):
    image = np.full((480, 640), depth)
    assert center_of_mass(image) is None
    np.testing.assert_array_equal(mass_centers([image, ball(0, 0, 0.8)])[0], NOWHERE)
    assert mass_centers([]).shape == (0, 3)


def test_of_the_real_frame_the_centre_is_near_the_palm(nyu):
    split = read_split(nyu, "test", numbers=[1])
    error = np.linalg.norm(center_of_mass(split.read_depth(0)) - split.joints[0, -1])
    assert error < 0.03  # 25 mm, of which 15 towards the camera


# The network on top of it


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.1, -0.2, 0.3)])
def test_the_network_moves_the_centre_by_what_it_says(rng, offset):
    depths = [hand_depth(random_hand(rng)) for _ in range(3)]
    found = localiser_of(np.array(offset)).locate(depths)
    expected = mass_centers(depths) + np.array(offset) * TINY.cube_mm / 2000
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(Localiser(None, CPU).locate(depths), mass_centers(depths))


def test_whatever_the_network_says_the_centre_is_within_reach(rng):
    depths = [hand_depth(random_hand(rng))]
    for far in (9.0, -9.0, 1e6):
        (center,) = localiser_of(np.array([far, -far, far])).locate(depths)
        assert 0.3 <= center[2] <= 1.5 and np.abs(center).max() < 3


def test_a_training_frame_depends_on_the_seed_and_its_number_only(hands):
    few, more = (
        cluttered_frames(TINY, hands, 4),
        cluttered_frames(replace(TINY, frames=6), hands, 4),
    )
    other = cluttered_frames(TINY, hands, 5)
    assert [f.packed for f in few] == [f.packed for f in more[: len(few)]]
    assert [f.packed for f in few] != [f.packed for f in other]
    for frame in few:
        assert (np.abs(frame.joints - hands.joints).max(axis=(1, 2)) < 1e-12).any()


def test_it_is_trained_once_and_the_same_each_time(hands, tmp_path):
    options = TrainConfig(batch=8, network="paper")
    one, again = (
        train_localiser(TINY, options, hands, tmp_path / name, 0, CPU) for name in ("a", "b")
    )
    assert one.checkpoint.network == "small" and one.checkpoint.hand == PALM
    for name, tensor in one.checkpoint.net.state_dict().items():
        assert torch.equal(tensor, again.checkpoint.net.state_dict()[name])
    before = (tmp_path / "a" / "checkpoint.pt").stat().st_mtime_ns
    train_localiser(TINY, options, hands, tmp_path / "a", 0, CPU)
    assert (tmp_path / "a" / "checkpoint.pt").stat().st_mtime_ns == before


@pytest.mark.slow
def test_trained_it_finds_palms_that_the_centre_of_mass_misses(tmp_path):
    """With a forearm, a body and a second hand in view as it never saw them."""
    root = write_hands(tmp_path / "nyu", np.random.default_rng(1), {"train": 12})
    hands = read_split(root, "train", SYNTHETIC)
    config = LocaliserConfig(frames=120, steps=200, size=32)
    options = TrainConfig(batch=16, lr=1e-3)
    trained = train_localiser(config, options, hands, tmp_path / "run", 0, CPU)
    rng = np.random.default_rng(2)
    depths, palms = [], []
    for i in range(24):
        one, other = i % 12, (i + 5) % 12
        second = (hands.read_depth(other), hands.joints[other])
        depths.append(add_clutter(rng, hands.read_depth(one), hands.joints[one], second, CAMERA))
        palms.append(hands.joints[one, -1])
    mass, found = (
        np.linalg.norm(centers - palms, axis=1)
        for centers in (mass_centers(depths), trained.locate(depths))
    )
    assert np.median(found) < 0.6 * np.median(mass)
