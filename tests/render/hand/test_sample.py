import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from render.hand.contact import HandCapsules, segment_distance
from render.hand.file import load_hand
from render.hand.model import JOINTS, POINTS, mirrored, pose_hand
from render.hand.pose import DIP_OF_PIP, hand_angles, pose_from_angles
from render.hand.sample import DIP_SPREAD, draw_angles, perturb_angles
from render.hand.skin import HandSkin
from render.scene.spec import Posture
from tests.hand_samples import stick_hand


@pytest.fixture(scope="module")
def hand():
    model = stick_hand()
    return hand_angles(model), HandCapsules(model, np.zeros(model.shape_size))


def bent(hand, **degrees) -> np.ndarray:
    """The rest pose but for some angles, named as index1_flexion."""
    angles = hand.rest.copy()
    for name, angle in degrees.items():
        angles[hand.index(name.replace("_", " "))] = np.radians(angle)
    return angles[None]


def test_segment_distance_is_the_least_over_both_segments(rng):
    for _ in range(50):
        a0, a1, b0, b1 = rng.normal(size=(4, 3))

        def apart(st, a0=a0, a1=a1, b0=b0, b1=b1):
            return np.linalg.norm(a0 + st[0] * (a1 - a0) - b0 - st[1] * (b1 - b0))

        starts = [(0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
        best = min(minimize(apart, s, bounds=[(0, 1), (0, 1)]).fun for s in starts)
        assert segment_distance(a0, a1, b0, b1) == pytest.approx(best, abs=1e-5)


def test_parallel_and_shrunken_segments_have_the_distance_of_their_nearest_points():
    x, y = np.eye(3)[:2]
    assert segment_distance(0 * x, x, 3 * x + y, 2 * x + y) == pytest.approx(np.sqrt(2))
    assert segment_distance(0 * x, x, 0.5 * x + y, 5 * x + y) == pytest.approx(1)
    assert segment_distance(x, x, y, y) == pytest.approx(np.sqrt(2))
    assert segment_distance(0 * x, 2 * x, x + y, x + y) == pytest.approx(1)


def test_no_bone_is_in_another_at_rest(hand):
    articulated, capsules = hand
    assert capsules.overlap(articulated.rest[None])[0] < 0


def test_a_thumb_laid_through_the_palm_is_seen(hand):
    articulated, capsules = hand
    through = bent(articulated, thumb1_radial_abduction=-15, thumb1_palmar_abduction=-10)
    assert capsules.overlap(through)[0] > 0.001


def test_neighbouring_fingers_that_cross_are_seen_and_those_side_by_side_are_not(hand):
    articulated, capsules = hand
    crossed = bent(articulated, index1_abduction=-20, middle1_abduction=20)
    closed = bent(articulated, index1_abduction=-3, middle1_abduction=0)
    assert capsules.overlap(crossed)[0] > 0 > capsules.overlap(closed)[0]


def test_overlap_is_that_of_points_sampled_along_the_posed_bones(hand, rng):
    articulated, capsules = hand
    model = stick_hand()
    angles = rng.uniform(articulated.lower, articulated.upper, (20, len(articulated.names)))
    shape, placed = np.zeros((20, model.shape_size)), np.tile(np.eye(4), (20, 1, 1))
    points = pose_hand(model, pose_from_angles(articulated, angles), shape, placed)[1]
    along = np.linspace(0, 1, 81)[:, None]
    for hand_points, overlap in zip(points, capsules.overlap(angles), strict=True):
        axes = []
        for start, end, radius in zip(capsules.starts, capsules.ends, capsules.radii, strict=True):
            bone = hand_points[end] - hand_points[start]
            length = np.linalg.norm(bone)
            flesh = radius if "tip" in POINTS[end] else 0
            axes.append(hand_points[start] + along * bone * (1 - flesh / length))
        near = [cdist(axes[a], axes[b]).min() for a, b in capsules.pairs]
        assert overlap == pytest.approx((capsules.apart - near).max(), abs=3e-4)


def test_a_mirrored_hand_overlaps_as_much(hand, rng):
    articulated, capsules = hand
    left = mirrored(stick_hand())
    angles = rng.uniform(articulated.lower, articulated.upper, (50, len(articulated.names)))
    np.testing.assert_allclose(
        HandCapsules(left, np.zeros(left.shape_size)).overlap(angles),
        capsules.overlap(angles),
        atol=1e-12,
    )


def test_drawn_gestures_keep_the_limits_and_cross_nowhere(hand, rng):
    articulated, capsules = hand
    angles = draw_angles(rng, articulated, capsules, 300)
    assert (angles >= articulated.lower).all() and (angles <= articulated.upper).all()
    assert (capsules.overlap(angles) <= 0).all()


def test_drawn_fingers_bend_their_last_joints_together(hand, rng):
    articulated, capsules = hand
    angles = draw_angles(rng, articulated, capsules, 300)
    for finger in ("index", "middle", "ring", "pinky"):
        pip, dip = (angles[:, articulated.index(f"{finger}{i} flexion")] for i in (2, 3))
        assert (np.abs(dip - DIP_OF_PIP * pip) < 5 * DIP_SPREAD).all()
        flexion, abduction = (
            angles[:, articulated.index(f"{finger}1 {way}")] for way in ("flexion", "abduction")
        )
        room = np.abs([articulated.lower, articulated.upper]).max(axis=0)
        room = room[articulated.index(f"{finger}1 abduction")]
        assert (
            np.abs(abduction) <= room * np.clip(1 - flexion / np.radians(90), 0, 1) + 1e-9
        ).all()


def test_gestures_repeat_from_their_seed(hand):
    articulated, capsules = hand
    first, second = (
        draw_angles(np.random.default_rng(3), articulated, capsules, 40) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_disturbed_gestures_stay_near_within_limits_and_cross_no_deeper(hand, rng):
    articulated, capsules = hand
    spread = np.radians(8)
    start = rng.uniform(articulated.lower, articulated.upper, (300, len(articulated.names)))
    disturbed = perturb_angles(rng, articulated, capsules, start, spread)
    assert (disturbed >= articulated.lower).all() and (disturbed <= articulated.upper).all()
    assert np.abs(disturbed - start).max() < 6 * spread
    deeper = capsules.overlap(disturbed) - np.maximum(capsules.overlap(start), 0)
    assert deeper.max() <= 1e-12
    moved = np.abs(disturbed - start).mean(axis=1)
    assert (moved > spread / 4).mean() > 0.5


def windings(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) how often a closed mesh, (F, 3, 3), winds around points (N, 3): 0 outside, 1 inside.

    Sum of the faces' solid angles: Van Oosterom and Strackee, 1983.
    """
    a, b, c = np.moveaxis(corners[None] - points[:, None, None], 2, 0)
    x, y, z = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    volume = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    dots = [np.einsum("nfi,nfi->nf", *pair) for pair in ((a, b), (b, c), (c, a))]
    below = x * y * z + dots[0] * z + dots[1] * x + dots[2] * y
    return np.arctan2(volume, below).sum(axis=1) / (2 * np.pi)


@pytest.mark.slow
def test_flesh_of_drawn_gestures_is_not_in_other_flesh_and_that_of_rejected_ones_is(rng):
    """The capsules against the mesh: points 3 mm under the skin that its other parts hold too."""
    model = load_hand("bundled")
    hand, shape = hand_angles(model), np.zeros(model.shape_size)
    capsules, skin = HandCapsules(model, shape), HandSkin(model)
    palm = [JOINTS.index("wrist"), JOINTS.index("thumb1")]
    fingers = np.flatnonzero(model.weights[:, palm].sum(axis=1) < 0.05)
    uniform = rng.uniform(hand.lower, hand.upper, (500, len(hand.names)))
    inside = []
    for angles in (
        draw_angles(rng, hand, capsules, 12),
        uniform[capsules.overlap(uniform) > 0][:12],
    ):
        found = []
        for pose in pose_from_angles(hand, angles):
            mesh = skin.mesh(Posture.of(pose, shape))
            vertices = mesh.vertices.astype(np.float64)
            some = rng.choice(fingers, 128, replace=False)
            under = vertices[some] - 0.003 * mesh.normals[some]
            found.append(windings(under, vertices[mesh.faces]) > 1.5)
        inside.append(np.mean(found))
    assert inside[0] == 0 and inside[1] > 0.02
