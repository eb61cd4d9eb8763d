"""MANO files in other units, and the left hand as it is distributed."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.hand.file import load_hand
from render.hand.model import MIRROR, HandModel, mirrored, mirrored_pose, pose_hand
from render.transforms import apply, rigid, rodrigues
from tests.hand_samples import as_mano, stick_hand

LENGTHS = ("v_template", "shapedirs", "posedirs")
TURNS = {"fingers along y": np.zeros(3), "fingers along x, as MANO's": np.array([0, 0, np.pi / 2])}


@pytest.fixture
def write(tmp_path):
    """Write arrays as a MANO file, and give its path."""

    def write_arrays(arrays, name="MANO_RIGHT.npz"):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return write_arrays


def turned(hand: HandModel, rotation: np.ndarray) -> HandModel:
    """The hand in another frame; what its pose adds to vertices is left out."""
    turn = rodrigues(rotation)
    return replace(
        hand,
        vertices=hand.vertices @ turn.T,
        joints=hand.joints @ turn.T,
        shape_directions=np.einsum("ij,vjs->vis", turn, hand.shape_directions),
        joint_directions=np.einsum("ij,vjs->vis", turn, hand.joint_directions),
        pose_directions=None,
    )


def with_wrong_sign(arrays: dict) -> dict:
    """As the left hand is distributed: x of its shape directions is the right hand's."""
    return arrays | {"shapedirs": arrays["shapedirs"] * MIRROR[:, None]}


def distance(hand: HandModel, other: HandModel, rng, mirror: bool = False) -> float:
    """How far vertices and joints of two hands are apart at most, bent and shaped alike, metres."""
    pose, shape = 0.4 * rng.normal(size=(4, 16, 3)), rng.normal(size=(4, hand.shape_size))
    places = np.tile(np.eye(4), (4, 1, 1))
    ours = pose_hand(hand, pose, shape, places)
    theirs = pose_hand(other, mirrored_pose(pose) if mirror else pose, shape, places)
    sign = MIRROR if mirror else 1
    return max(float(np.abs(a - sign * b).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rotation", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("coefficients", [1, 2, 10, 12])
def test_the_left_hand_as_distributed_becomes_the_mirrored_right_one(
    write, rng, caplog, rotation, coefficients
):
    caplog.set_level(logging.INFO)
    hand = turned(load_hand("bundled"), rotation)
    hand = replace(hand, shape_directions=hand.shape_directions[..., :coefficients])
    right = load_hand(write(as_mano(hand)))
    good = as_mano(mirrored(hand))
    good["J_regressor"] = as_mano(hand)["J_regressor"]
    for arrays, words in ((good, 0), (with_wrong_sign(good), 1)):
        caplog.clear()
        left = load_hand(write(arrays, "MANO_LEFT.npz"))
        assert (right.side, left.side) == ("right", "left")
        assert caplog.text.count("the x of its shapedirs has the wrong sign") == words
        assert distance(right, left, rng, mirror=True) < 1e-9
    file = write(with_wrong_sign(good))
    wrong = replace(left, shape_directions=np.load(file)["shapedirs"])
    assert distance(right, wrong, rng, mirror=True) > 5e-3  # so far off it would be


def test_coefficients_of_any_sign_and_mixture_tell_it_too(write, rng):
    """Principal directions of other people are not the size itself, and may shrink the hand."""
    hand = mirrored(load_hand("bundled"))
    mixing = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    hand = replace(hand, shape_directions=-hand.shape_directions @ mixing)
    for arrays in (as_mano(hand), with_wrong_sign(as_mano(hand))):
        np.testing.assert_allclose(
            load_hand(write(arrays)).shape_directions, hand.shape_directions, atol=1e-15
        )


@pytest.mark.parametrize("name", ["MANO_RIGHT.npz", "MANO_LEFT.npz"])
def test_a_right_hand_is_never_touched(write, caplog, name):
    """Whatever its file is called, and even if its directions are odd."""
    caplog.set_level(logging.INFO)
    arrays = as_mano(load_hand("bundled"))
    for given in (arrays, with_wrong_sign(arrays)):
        hand = load_hand(write(given, name))
        assert hand.side == "right" and not caplog.text
        np.testing.assert_array_equal(hand.shape_directions, given["shapedirs"])


def test_directions_that_say_nothing_of_size_are_left(write, rng):
    arrays = as_mano(mirrored(stick_hand()))
    arrays["shapedirs"] = 1e-3 * rng.normal(size=arrays["shapedirs"].shape)
    hand = load_hand(write(arrays))
    np.testing.assert_array_equal(hand.shape_directions, arrays["shapedirs"])
    none = load_hand(write(arrays | {"shapedirs": arrays["shapedirs"][..., :0]}))
    assert none.shape_size == 0 and none.side == "left"


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1000), ("cm", 100)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_other_units_become_metres(write, rng, caplog, unit, scale, side):
    caplog.set_level(logging.INFO)
    hand = load_hand("bundled")
    arrays = as_mano(hand if side == "right" else mirrored(hand))
    metres = load_hand(write(arrays))
    assert not caplog.text
    large = {name: a * scale if name in LENGTHS else a for name, a in arrays.items()}
    scaled = load_hand(write(large))
    assert f"taken as {unit}, for its hand is {0.245 * scale:.4g} long" in caplog.text
    assert distance(metres, scaled, rng) < 1e-12 and scaled.side == side
    if side == "left":
        assert distance(metres, load_hand(write(with_wrong_sign(large))), rng) < 1e-12


@pytest.mark.parametrize("scale", [0.001, 0.1, 3.0, 39.37, 1e6, 0.0])
def test_what_is_no_hands_size_is_refused(write, scale):
    arrays = as_mano(load_hand("bundled"))
    large = {name: a * scale if name in LENGTHS else a for name, a in arrays.items()}
    with pytest.raises(InputError, match=r"in metres it must be 0\.1 to 0\.3"):
        load_hand(write(large))


@pytest.mark.parametrize(
    ("name", "scale"),
    [("v_template", 1000), ("shapedirs", 1000), ("shapedirs", 0.001), ("posedirs", 1000)],
)
def test_arrays_in_different_units_are_refused(write, name, scale):
    arrays = as_mano(load_hand("bundled"))
    with pytest.raises(InputError, match="it must be in v_template's unit"):
        load_hand(write(arrays | {name: arrays[name] * scale}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.zeros((126, 16))}, "weights are 0 in a row"),
        ({"f": np.zeros((0, 3), int)}, "f holds no faces"),
        (
            {"shapedirs": np.full((126, 3, 2), "x")},
            "shapedirs has shape .* of numbers was expected",
        ),
        ({"weights": np.eye(16)[np.zeros(126, int)]}, "no vertex belongs to the end of the index"),
        ({"posedirs": None, "f": None}, "has no f"),
    ],
)
def test_other_damage_is_refused_by_name(write, change, message):
    arrays = {k: v for k, v in (as_mano(stick_hand()) | change).items() if v is not None}
    with pytest.raises(InputError, match=message):
        load_hand(write(arrays))


def test_the_turned_hand_of_these_tests_is_the_same_hand(rng):
    hand = load_hand("bundled")
    moved = turned(hand, TURNS["fingers along x, as MANO's"])
    place = rigid(rodrigues(np.array([0, 0, np.pi / 2])), np.zeros(3))
    np.testing.assert_allclose(moved.vertices, apply(place, hand.vertices), atol=1e-15)
