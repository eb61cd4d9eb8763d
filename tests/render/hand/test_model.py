import dataclasses

import numpy as np
import pytest

from assets import hand_skeleton
from render.hand.model import (
    JOINTS,
    PARENTS,
    POINTS,
    HandModel,
    forward_kinematics,
    mirrored,
    mirrored_pose,
    pose_hand,
    shaped,
)
from render.transforms import apply, rigid, rodrigues
from tests.hand_samples import stick_hand
from tests.render.test_transforms import random_transform, random_transforms


@pytest.fixture
def hand(rng) -> HandModel:
    """The stick hand with soft random weights and random pose blend shapes."""
    model = stick_hand()
    weights = rng.dirichlet(np.ones(16), len(model.vertices))
    directions = 1e-3 * rng.normal(size=(len(model.vertices), 3, 9 * 15))
    return dataclasses.replace(model, weights=weights, pose_directions=directions)


def random_articulation(rng, count: int, model: HandModel):
    """Pose, shape and cam_from_hand of so many hands."""
    pose = rng.normal(scale=0.5, size=(count, len(model.joints), 3))
    return pose, rng.normal(size=(count, model.shape_size)), random_transforms(rng, count)


def tube() -> HandModel:
    """A tube about y with two bones, joints at y = 0 and y = 1, weights blended in 0.8..1.2."""
    y = np.linspace(0, 2, 41)
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = 0.1 * np.stack([np.cos(angle), np.zeros(12), np.sin(angle)], axis=1)
    vertices = (ring + np.array([0.0, 1.0, 0.0]) * y[:, None, None]).reshape(-1, 3)
    second = np.clip((vertices[:, 1] - 0.8) / 0.4, 0, 1)
    return HandModel(
        name="tube",
        side="right",
        vertices=vertices,
        faces=np.zeros((0, 3), np.int32),
        joints=np.array([[0.0, 0, 0], [0, 1, 0]]),
        parents=np.array([-1, 0]),
        weights=np.stack([1 - second, second], axis=1),
        tips=np.array([len(vertices) - 1]),
        shape_directions=np.zeros((len(vertices), 3, 1)),
        joint_directions=np.zeros((2, 3, 1)),
        pose_directions=None,
        colors=np.zeros((len(vertices), 3), np.uint8),
    )


def test_zero_shape_and_pose_give_the_template(hand):
    vertices, points = pose_hand(hand, np.zeros((1, 16, 3)), np.zeros((1, 2)), np.eye(4)[None])
    np.testing.assert_allclose(vertices[0], hand.vertices, atol=1e-15)
    np.testing.assert_allclose(points[0, :16], hand.joints, atol=1e-15)
    np.testing.assert_allclose(points[0, 16:], hand.vertices[hand.tips], atol=1e-15)
    assert points.shape[1] == len(POINTS) == 21


def test_moving_the_camera_moves_vertices_and_points_alike(hand, rng):
    pose, shape, cam_from_hand = random_articulation(rng, 3, hand)
    moved_from_cam = random_transform(rng)
    moved = pose_hand(hand, pose, shape, moved_from_cam @ cam_from_hand)
    for got, before in zip(moved, pose_hand(hand, pose, shape, cam_from_hand), strict=True):
        np.testing.assert_allclose(got, apply(moved_from_cam, before), atol=1e-13)


def test_turning_the_wrist_turns_the_hand_about_it(hand, rng):
    pose, shape, cam_from_hand = random_articulation(rng, 1, hand)
    still = pose.copy()
    still[:, 0] = 0
    _, joints = shaped(hand, shape)
    R, wrist = rodrigues(pose[0, 0]), joints[0, 0]
    about_wrist = rigid(R, wrist - R @ wrist)
    np.testing.assert_allclose(
        pose_hand(hand, pose, shape, cam_from_hand)[0],
        pose_hand(hand, still, shape, cam_from_hand @ about_wrist)[0],
        atol=1e-13,
    )


def test_a_bent_tube_lies_where_its_two_bones_take_it():
    """Off the blended part each end moves rigidly; within it, each point between its two places."""
    model, bend = tube(), np.array([0.3, -0.2, 1.1])
    pose = np.stack([np.zeros(3), bend])[None]
    vertices, points = pose_hand(model, pose, np.zeros((1, 1)), np.eye(4)[None])

    about_joint = rigid(rodrigues(bend), np.array([0, 1, 0]) - rodrigues(bend)[:, 1])
    turned = apply(about_joint, model.vertices)
    first, second = model.vertices[:, 1] < 0.8, model.vertices[:, 1] > 1.2
    np.testing.assert_allclose(vertices[0, first], model.vertices[first], atol=1e-15)
    np.testing.assert_allclose(vertices[0, second], turned[second], atol=1e-15)
    share = model.weights[:, 1:]
    between = (1 - share) * model.vertices + share * turned
    np.testing.assert_allclose(vertices[0], between, atol=1e-15)
    np.testing.assert_allclose(points[0], [[0, 0, 0], [0, 1, 0], turned[-1]], atol=1e-15)


def test_a_chain_of_turns_about_one_axis_adds_up(rng):
    """A planar arm: each bone points at the sum of the angles before it."""
    angles = rng.normal(size=4)
    joints = np.array([[0.0, i, 0] for i in range(4)])[None]
    pose = np.zeros((1, 4, 3))
    pose[..., 2] = angles
    got = forward_kinematics(joints, np.array([-1, 0, 1, 2]), pose)[0, :, :3, 3]
    heading = np.cumsum(angles)
    steps = np.stack([-np.sin(heading), np.cos(heading), np.zeros(4)], axis=1)
    np.testing.assert_allclose(got[1:], np.cumsum(steps, axis=0)[:3], atol=1e-14)


def test_posed_bones_keep_their_lengths(hand, rng):
    pose, shape, cam_from_hand = random_articulation(rng, 5, hand)
    _, points = pose_hand(hand, pose, shape, cam_from_hand)
    _, joints = shaped(hand, shape)
    for posed, rest in zip(points[:, :16], joints, strict=True):
        lengths = [
            np.linalg.norm(at[1:] - at[np.array(PARENTS[1:])], axis=1) for at in (posed, rest)
        ]
        np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-14)


def test_a_batch_is_its_hands_one_by_one_to_the_last_bit(hand, rng):
    pose, shape, cam_from_hand = random_articulation(rng, 7, hand)
    together = pose_hand(hand, pose, shape, cam_from_hand)
    for i in range(7):
        alone = pose_hand(hand, pose[i : i + 1], shape[i : i + 1], cam_from_hand[i : i + 1])
        for all_of_them, one in zip(together, alone, strict=True):
            np.testing.assert_array_equal(all_of_them[i], one[0])


def test_pose_blend_shapes_see_the_bends_of_all_joints_but_the_wrist(hand, rng):
    """With weights on the wrist alone, what is left of a pose is its blend shapes."""
    weights = np.zeros_like(hand.weights)
    weights[:, 0] = 1
    model = dataclasses.replace(hand, weights=weights)
    pose = rng.normal(size=(1, 16, 3))
    pose[:, 0] = 0
    vertices, _ = pose_hand(model, pose, np.zeros((1, 2)), np.eye(4)[None])
    feature = np.concatenate([(rodrigues(turn) - np.eye(3)).reshape(9) for turn in pose[0, 1:]])
    expected = model.vertices + np.einsum("vcp,p->vc", model.pose_directions, feature)
    np.testing.assert_allclose(vertices[0], expected, atol=1e-14)


def test_shape_directions_are_the_derivatives_of_vertices_and_joints(hand, rng):
    shape = rng.normal(size=(1, 2))
    for i in range(2):
        ahead, behind = shape.copy(), shape.copy()
        ahead[0, i] += 0.5
        behind[0, i] -= 0.5
        differences = [
            a - b for a, b in zip(shaped(hand, ahead), shaped(hand, behind), strict=True)
        ]
        np.testing.assert_allclose(differences[0][0], hand.shape_directions[..., i], atol=1e-15)
        np.testing.assert_allclose(differences[1][0], hand.joint_directions[..., i], atol=1e-15)


def test_mirroring_twice_changes_nothing(hand):
    again = mirrored(mirrored(hand))
    for field in dataclasses.fields(HandModel):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(hand, field.name))


def test_the_mirrored_hand_makes_the_mirrored_gesture(hand, rng):
    pose, shape, _ = random_articulation(rng, 4, hand)
    still = np.broadcast_to(np.eye(4), (4, 4, 4))
    left = pose_hand(mirrored(hand), mirrored_pose(pose), shape, still)
    for got, right in zip(left, pose_hand(hand, pose, shape, still), strict=True):
        np.testing.assert_allclose(got, right * [-1, 1, 1], atol=1e-14)


def test_another_number_of_joints_or_coefficients_is_refused(hand):
    good = np.zeros((2, 16, 3)), np.zeros((2, 2)), np.zeros((2, 4, 4))
    for i, bad in enumerate((np.zeros((2, 15, 3)), np.zeros((2, 3)), np.zeros((1, 4, 4)))):
        arguments = [*good[:i], bad, *good[i + 1 :]]
        with pytest.raises(ValueError, match="pose, shape and cam_from_hand must be"):
            pose_hand(hand, *arguments)


def test_the_skeleton_has_the_published_proportions():
    """Wrist crease to middle fingertip is the hand's length within 1 %, as Buchholz measured it."""
    joints, tips = hand_skeleton.joints()
    at = dict(zip(JOINTS, joints, strict=True))
    assert tips[1, 1] == pytest.approx(hand_skeleton.HAND_LENGTH, rel=0.011)
    lengths = np.linalg.norm(at["thumb2"] - at["thumb1"]), np.linalg.norm(at["ring3"] - at["ring2"])
    np.testing.assert_allclose(lengths, [0.251 * 187, 0.165 * 187])


def test_a_positive_flexion_moves_each_fingertip_towards_the_palm():
    model = stick_hand()
    axes = hand_skeleton.flexion_axes()
    for joint in range(1, 16):
        pose = np.zeros((1, 16, 3))
        pose[0, joint] = 0.3 * axes[joint]
        _, points = pose_hand(model, pose, np.zeros((1, 2)), np.eye(4)[None])
        _, rest = pose_hand(model, np.zeros((1, 16, 3)), np.zeros((1, 2)), np.eye(4)[None])
        moved = (points - rest)[0, 16 + (joint - 1) // 3]
        assert moved[2] < -0.001
