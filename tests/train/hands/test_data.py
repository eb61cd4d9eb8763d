from pathlib import Path

import numpy as np
import pytest

from render.errors import InputError
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path, read_split
from tests.hand_scenes import write_hands
from train.hand_options import HandCropConfig
from train.hands import data as hand_data
from train.hands.crops import HandCrops
from train.hands.data import at_centers_of, at_palm, find_nyu, load_frames, spread_split, twins_of
from train.learn.targets import HandInfo

CROP = HandCropConfig(size=32)
CROPS = HandCrops(CROP, HandInfo((13,)))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    return write_hands(tmp_path_factory.mktemp("nyu"), rng, {"train": 7})


def test_frames_have_the_depth_and_joints_of_their_numbers(root, monkeypatch):
    """Whatever the number that is in memory at once."""
    split = read_split(root, "train", SENSOR, [5, 1, 4, 2, 3])
    for chunk in (1, 2, 128):
        monkeypatch.setattr(hand_data, "CHUNK", chunk)
        frames = load_frames(split, CROP, at_palm(split), small_from=4)
        assert [frame.number for frame in frames] == [5, 1, 4, 2, 3]
        assert [frame.small for frame in frames] == [True, False, True, False, False]
        for i, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.joints, split.joints[i])
            np.testing.assert_array_equal(frame.center, split.joints[i, 13])
            crop = CROPS.plain(frame)
            expected = crop.image(split.read_depth(i))
            np.testing.assert_allclose(CROPS.image(frame, crop), expected, atol=1e-5)


def test_locate_is_given_the_places_and_images_of_every_frame_once(root, monkeypatch):
    monkeypatch.setattr(hand_data, "CHUNK", 3)
    split, asked = read_split(root, "train"), []

    def locate(chunk, depths):
        asked.extend(chunk)
        for i, depth in zip(chunk, depths, strict=True):
            np.testing.assert_array_equal(depth, split.read_depth(i))
        return np.array([[0.01 * i, 0, 0.7] for i in chunk])

    frames = load_frames(split, CROP, locate)
    assert asked == list(range(7)) and not any(frame.small for frame in frames)
    np.testing.assert_allclose([f.center[0] for f in frames], 0.01 * np.arange(7))


def test_twins_are_the_drawn_images_in_the_cubes_of_the_real_ones(root):
    split = read_split(root, "train")
    real = load_frames(split, CROP, at_palm(split))
    twins = load_frames(twins_of(root, split), CROP, at_centers_of(real))
    drawn = read_split(root, "train", SYNTHETIC)
    for i, (frame, twin) in enumerate(zip(real, twins, strict=True)):
        np.testing.assert_array_equal(twin.center, frame.center)
        crop = CROPS.draw(np.random.default_rng(i), frame)
        np.testing.assert_allclose(
            CROPS.image(twin, crop), crop.image(drawn.read_depth(i)), atol=1e-5
        )
        assert not np.array_equal(CROPS.image(twin, crop), CROPS.image(frame, crop))


def test_images_of_other_poses_are_no_twins(root, tmp_path):
    other = write_hands(tmp_path / "other", np.random.default_rng(5), {"train": 7})
    split = read_split(root, "train")
    with pytest.raises(InputError, match=r"frame \d is no twin of the real one, .* mm away; give"):
        twins_of(other, split)
    depth_path(other / "train", SYNTHETIC, 6).unlink()
    with pytest.raises(InputError, match=r"synthdepth_1_0000006\.png: no such file"):
        twins_of(other, split)


@pytest.mark.parametrize(
    ("count", "numbers"), [(0, (1, 2, 3, 4, 5, 6, 7)), (3, (1, 4, 7)), (1, (1,)), (9, range(1, 8))]
)
def test_fewer_frames_are_spread_over_the_split(root, count, numbers):
    split = spread_split(root, "train", SENSOR, count)
    assert split.numbers == tuple(numbers)
    whole = read_split(root, "train")
    for i, number in enumerate(numbers):
        np.testing.assert_array_equal(split.joints[i], whole.joints[number - 1])
        np.testing.assert_array_equal(split.read_depth(i), whole.read_depth(number - 1))


def test_the_folder_is_named_or_in_nyu_path(tmp_path, monkeypatch):
    monkeypatch.setenv("NYU_PATH", str(tmp_path))
    (tmp_path / "other").mkdir()
    assert find_nyu("") == tmp_path and find_nyu(str(tmp_path / "other")) == tmp_path / "other"
    with pytest.raises(InputError, match=r"^hand\.twins: .*nowhere is no folder"):
        find_nyu(str(tmp_path / "nowhere"), "hand.twins")
    monkeypatch.setenv("NYU_PATH", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"^NYU_PATH: .*gone is no folder; it must hold"):
        find_nyu("")
    monkeypatch.delenv("NYU_PATH")
    with pytest.raises(InputError, match=r"^hand\.dataset: name the folder .* or set NYU_PATH"):
        find_nyu("")
