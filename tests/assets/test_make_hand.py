"""The bundled hand: reproducible, closed, of human proportions, whole in every pose."""

import numpy as np
import pytest
import trimesh

import assets
from assets import hand_skeleton
from assets.hand_mesh import subdivide, surface_net
from assets.hand_rig import SHAPE
from assets.hand_surface import hand_distance
from assets.make_hand import make_hand
from render.hand.file import load_hand
from render.hand.model import FINGERS, JOINTS, HandModel, pose_hand, shaped

# Farthest bend of each joint of a finger, degrees, and of the thumb's.
BENDS = {1: 90, 2: 105, 3: 80}
THUMB_BENDS = {1: 40, 2: 60, 3: 85}


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand("bundled")


def posed(hand: HandModel, *bends: tuple[int, float]) -> np.ndarray:
    """Vertices with joints bent by so many degrees about their flexion axes."""
    pose = np.zeros((1, 16, 3))
    for joint, angle in bends:
        pose[0, joint] = np.radians(angle) * hand_skeleton.flexion_axes()[joint]
    return pose_hand(hand, pose, np.zeros((1, hand.shape_size)), np.eye(4)[None])[0][0]


def farthest(joint: int) -> float:
    finger, number = JOINTS[joint][:-1], int(JOINTS[joint][-1])
    return (THUMB_BENDS if finger == "thumb" else BENDS)[number]


def fist() -> list[tuple[int, float]]:
    return [(joint, farthest(joint)) for joint in range(1, 16)]


def edge_lengths(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    return np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)


@pytest.mark.slow
def test_regeneration_gives_the_same_arrays(tmp_path):
    make_hand(tmp_path)
    with np.load(tmp_path / "hand.npz") as made, np.load(assets.FOLDER / "hand.npz") as kept:
        assert made.files == kept.files
        for name in kept.files:
            if np.issubdtype(kept[name].dtype, np.floating):  # rounded unlike by other processors
                np.testing.assert_allclose(made[name], kept[name], rtol=0, atol=1e-9)
            else:
                np.testing.assert_array_equal(made[name], kept[name])


def test_the_skin_is_one_closed_surface_on_the_zero_of_its_distance(hand):
    mesh = trimesh.Trimesh(hand.vertices, hand.faces, process=False)
    assert 1500 <= len(hand.faces) <= 4000
    assert mesh.is_watertight and mesh.euler_number == 2 and mesh.volume > 0
    assert np.abs(hand_distance(1000 * hand.vertices)).max() < 0.02  # mm
    # No face cuts off more than a millimetre of the exact skin.
    assert np.abs(hand_distance(1000 * mesh.triangles_center)).max() < 1.0


def test_length_and_breadth_are_the_published_ones(hand):
    """From wrist to middle fingertip, and across the knuckles."""
    vertices = 1000 * hand.vertices
    assert vertices[:, 1].max() == pytest.approx(hand_skeleton.HAND_LENGTH, rel=0.02)
    index, pinky = 1000 * hand.joints[[1, 7]]
    across = (pinky - index) / np.linalg.norm(pinky - index)
    along = np.cross(across, [0, 0, 1])
    thumb = hand.weights[:, 13:].sum(axis=1) > 0.5
    at_knuckles = vertices[~thumb & (np.abs((vertices - index) @ along) < 6)]
    assert np.ptp(at_knuckles @ across) == pytest.approx(hand_skeleton.HAND_BREADTH, rel=0.02)
    tips = hand_skeleton.joints()[1]
    np.testing.assert_allclose(vertices[hand.tips], tips, atol=2.5)


def test_every_vertex_hangs_together_with_its_neighbours(hand):
    np.testing.assert_allclose(hand.weights.sum(axis=1), 1, atol=1e-15)
    assert hand.weights.min() >= 0
    corners = hand.weights[hand.faces]
    assert np.abs(corners - np.roll(corners, 1, axis=1)).sum(axis=2).max() < 1.0


@pytest.mark.parametrize("joint", range(1, 16), ids=JOINTS[1:])
def test_a_bent_joint_neither_tears_nor_collapses(hand, joint):
    """Through its whole range. A web beside a finger that bends alone stretches most."""
    rest = edge_lengths(hand.vertices, hand.faces)
    volume = trimesh.Trimesh(hand.vertices, hand.faces, process=False).volume
    for share in (-0.25, 0.5, 1.0):
        vertices = posed(hand, (joint, share * farthest(joint)))
        assert (edge_lengths(vertices, hand.faces) / rest).max() < 3.5
        bent = trimesh.Trimesh(vertices, hand.faces, process=False)
        assert bent.volume == pytest.approx(volume, rel=0.03)


def test_no_knuckle_grows_thin_in_a_fist(hand):
    """The skin over a bent joint stays as far from the joint as it was, within a fifth."""
    vertices = posed(hand, *fist())
    pose = np.zeros((1, 16, 3))
    for joint, angle in fist():
        pose[0, joint] = np.radians(angle) * hand_skeleton.flexion_axes()[joint]
    _, points = pose_hand(hand, pose, np.zeros((1, hand.shape_size)), np.eye(4)[None])
    for joint in range(1, 16):
        if JOINTS[joint] == "thumb1":
            continue  # inside the ball of the thumb
        before = np.linalg.norm(hand.vertices - hand.joints[joint], axis=1)
        near = before < np.sort(before)[11]
        after = np.linalg.norm(vertices - points[0, joint], axis=1)
        assert after[near].mean() > 0.8 * before[near].mean(), JOINTS[joint]


def test_shape_coefficients_do_what_their_names_say(hand):
    still, _ = shaped(hand, np.zeros((1, len(SHAPE))))
    for i, name in enumerate(SHAPE):
        shape = np.zeros((1, len(SHAPE)))
        shape[0, i] = 1
        vertices, joints = shaped(hand, shape)
        bones = np.linalg.norm(
            joints[0, 1:] - joints[0, [max(0, j - 1) for j in range(1, 16)]], axis=1
        )
        before = np.linalg.norm(
            hand.joints[1:] - hand.joints[[max(0, j - 1) for j in range(1, 16)]], axis=1
        )
        grown = bones / before
        finger, _, what = name.partition(" ")
        if name == "size":
            np.testing.assert_allclose(vertices[0], 1.06 * still[0], atol=1e-8)
        elif what == "length":
            first = 3 * FINGERS.index(finger)
            expected = np.ones(15)
            expected[first + 1 : first + 3] = 1.05
            within = [j for j in range(15) if j % 3]  # bones, not the ways from finger to finger
            np.testing.assert_allclose(grown[within], expected[within], atol=1e-9)
        elif what == "thickness":
            np.testing.assert_allclose(joints[0], hand.joints, atol=1e-9)
        else:
            knuckles = joints[0, [1, 7], 0]
            np.testing.assert_allclose(knuckles, 1.05 * hand.joints[[1, 7], 0], rtol=1e-6)


def test_the_left_hand_is_the_right_one_in_a_mirror(hand):
    left = load_hand("bundled-left")
    assert (hand.side, left.side) == ("right", "left")
    np.testing.assert_array_equal(left.vertices, hand.vertices * [-1, 1, 1])
    mesh = trimesh.Trimesh(left.vertices, left.faces, process=False)
    assert mesh.is_watertight and mesh.volume > 0


def test_a_surface_net_of_a_ball_is_a_closed_ball():
    vertices, faces = subdivide(
        *surface_net(
            lambda points: np.linalg.norm(points, axis=1) - 1,
            np.array([[-1.5] * 3, [1.5] * 3]),
            0.1,
        )
    )
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight and mesh.euler_number == 2
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 1).max() < 0.1
