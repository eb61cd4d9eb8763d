import dataclasses

import numpy as np
import pytest

from render.hand.model import FINGERS, JOINTS, POINTS, mirrored, mirrored_pose, pose_hand
from render.hand.pose import clamp, hand_angles, pose_from_angles
from render.transforms import random_rotation
from tests.hand_samples import stick_hand

PLACE = np.eye(4)[None]


@pytest.fixture(params=["right", "left"])
def model(request):
    hand = stick_hand()
    return hand if request.param == "right" else mirrored(hand)


def points_at(model, angles) -> np.ndarray:
    pose = pose_from_angles(hand_angles(model), angles[None])
    return pose_hand(model, pose, np.zeros((1, model.shape_size)), PLACE)[1][0]


def bone(points, start: str, end: str) -> np.ndarray:
    vector = points[POINTS.index(end)] - points[POINTS.index(start)]
    return vector / np.linalg.norm(vector)


def test_the_rest_angles_make_the_rest_pose(model):
    hand = hand_angles(model)
    np.testing.assert_allclose(pose_from_angles(hand, hand.rest[None]), 0, atol=1e-12)


def test_the_rest_pose_lies_within_the_limits(model):
    hand = hand_angles(model)
    np.testing.assert_array_equal(clamp(hand, hand.rest), hand.rest)


@pytest.mark.parametrize("finger", FINGERS)
@pytest.mark.parametrize("number", [2, 3])
def test_a_flexion_angle_is_the_angle_between_the_two_bones(model, finger, number):
    hand = hand_angles(model)
    angles = hand.rest.copy()
    angles[hand.index(f"{finger}1 {'turn' if finger == 'thumb' else 'abduction'}")] += 0.2
    angles[hand.index(f"{finger}{number} flexion")] = 0.8
    points = points_at(model, angles)
    chain = [f"{finger}{i}" for i in (1, 2, 3)] + [f"{finger} tip"]
    near = bone(points, *chain[number - 2 : number])
    far = bone(points, *chain[number - 1 : number + 1])
    # The thumb's bones do not quite lie in the plane that they bend in.
    tolerance = 0.03 if finger == "thumb" else 0.003
    assert np.arccos(near @ far) == pytest.approx(0.8, abs=tolerance)


def test_flexion_brings_every_fingertip_to_the_palm_side(model):
    hand = hand_angles(model)
    flat = points_at(model, hand.rest)
    side = 1 if model.side == "right" else -1
    across = flat[JOINTS.index("pinky1")] - flat[JOINTS.index("index1")]
    along = flat[JOINTS.index("middle1")] - flat[JOINTS.index("wrist")]
    palmar = side * np.cross(along, across)
    for i, name in enumerate(hand.names):
        if "flexion" in name:
            angles = hand.rest.copy()
            angles[i] += 0.3
            tip = POINTS.index(f"{name.split()[0][:-1]} tip")
            assert (points_at(model, angles)[tip] - flat[tip]) @ palmar > 0


def test_abduction_brings_fingertips_towards_the_thumb(model):
    hand = hand_angles(model)
    flat = points_at(model, hand.rest)
    radial = flat[JOINTS.index("index1")] - flat[JOINTS.index("pinky1")]
    for finger in ("index", "middle", "ring", "pinky"):
        angles = hand.rest.copy()
        angles[hand.index(f"{finger}1 abduction")] += 0.2
        tip = POINTS.index(f"{finger} tip")
        assert (points_at(model, angles)[tip] - flat[tip]) @ radial > 0


def test_thumb_abductions_are_the_spherical_angles_of_its_metacarpal(model):
    hand = hand_angles(model)
    away, palmar = (hand.index(f"thumb1 {way} abduction") for way in ("radial", "palmar"))
    angles = hand.rest.copy()
    angles[[away, palmar]] = 0.3, 0.0
    flat = bone(points_at(model, angles), "thumb1", "thumb2")
    angles[palmar] = 0.7
    raised = bone(points_at(model, angles), "thumb1", "thumb2")
    assert flat @ hand.axes[away] == pytest.approx(0, abs=1e-12)
    assert np.arccos(flat @ raised) == pytest.approx(0.7, abs=1e-12)
    assert abs(raised @ hand.axes[away]) == pytest.approx(np.sin(0.7), abs=1e-12)


def test_the_same_angles_make_mirrored_poses_of_mirrored_hands(rng):
    right, left = stick_hand(), mirrored(stick_hand())
    hands = hand_angles(right), hand_angles(left)
    angles = rng.uniform(hands[0].lower, hands[0].upper, (20, len(hands[0].names)))
    np.testing.assert_allclose(hands[1].rest, hands[0].rest, atol=1e-12)
    np.testing.assert_allclose(
        mirrored_pose(pose_from_angles(hands[0], angles)),
        pose_from_angles(hands[1], angles),
        atol=1e-9,
    )


def test_the_angles_turn_with_the_model(rng):
    """Axes come from the skeleton alone: a model that lies elsewhere gets the same angles."""
    model, R = stick_hand(), random_rotation(rng)
    turned = dataclasses.replace(
        model, vertices=model.vertices @ R.T + 0.3, joints=model.joints @ R.T + 0.3
    )
    np.testing.assert_allclose(hand_angles(turned).axes, hand_angles(model).axes @ R.T, atol=1e-9)
    np.testing.assert_allclose(hand_angles(turned).rest, hand_angles(model).rest, atol=1e-9)


def test_clamping_leaves_what_is_inside_and_stops_at_the_limits():
    hand = hand_angles(stick_hand())
    inside = (hand.lower + hand.upper) / 2
    np.testing.assert_array_equal(clamp(hand, inside), inside)
    np.testing.assert_array_equal(clamp(hand, inside + 10), hand.upper)
    np.testing.assert_array_equal(clamp(hand, inside - 10), hand.lower)
