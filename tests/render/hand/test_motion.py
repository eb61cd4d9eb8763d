import numpy as np
import pytest

from render.config import fill, load_preset
from render.formats.nyu import CAMERA
from render.hand.contact import HandCapsules
from render.hand.file import load_hand
from render.hand.model import pose_hand
from render.hand.motion import REACH, SPAN, HandMotion
from render.hand.pose import hand_angles, palm_frame, pose_from_angles
from render.hand.props import FOREARM
from render.hand.scene import UPRIGHT, HandRandomizer, HandSceneConfig
from render.scene.spec import SceneSpec
from render.sensor.config import SensorConfig
from render.transforms import invert

MODEL = load_hand("bundled")
ANGLES = hand_angles(MODEL)
COUNT = 4 * SPAN


def arguments(seed: int = 0):
    sections = load_preset("simulated-real-hand")
    scene = fill(HandSceneConfig, sections["hand_scene"], "hand_scene")
    return scene, MODEL, seed, fill(SensorConfig, sections["sensor"], "sensor")


@pytest.fixture(scope="module")
def specs() -> list[SceneSpec]:
    motion = HandMotion(*arguments())
    return [motion.scene(i) for i in range(COUNT)]


def points_of(specs) -> np.ndarray:
    """(n, 21, 3) joints and tips in the camera frame."""
    hands = [spec.objects[0] for spec in specs]
    poses, shapes = (
        np.array([getattr(h.posture, name) for h in hands]) for name in ("pose", "shape")
    )
    return pose_hand(MODEL, poses, shapes, np.array([h.matrix for h in hands]))[1]


def test_a_frame_is_the_same_whichever_others_are_drawn(specs):
    late = HandMotion(*arguments())
    assert [late.scene(i) for i in (COUNT - 1, 3)] == [specs[-1], specs[3]]
    assert HandMotion(*arguments(1)).scene(3) != specs[3]


def test_all_but_hand_arm_and_noise_stands_still_where_the_first_scene_has_it(specs):
    first = HandRandomizer(*arguments()).scene(0)
    assert first.objects[1].obj_id == FOREARM and len(first.objects) > 2
    for spec in specs:
        assert spec.objects[2:] == first.objects[2:]
        assert [o.obj_id for o in spec.objects] == [o.obj_id for o in first.objects]
        assert spec.objects[0].posture.shape == first.objects[0].posture.shape
    before, *after = ({**vars(spec.depth_sensor), "seed": None} for spec in (first, *specs))
    assert all(sensor == before for sensor in after)
    assert len({spec.depth_sensor.seed for spec in specs}) == COUNT


def test_the_forearm_stays_where_it_is_on_the_hand(specs):
    hand_from_arm = [invert(s.objects[0].matrix) @ s.objects[1].matrix for s in specs]
    np.testing.assert_allclose(hand_from_arm, hand_from_arm[:1] * COUNT, atol=1e-9)


def test_motion_is_smooth_and_never_rests(specs):
    """No point is faster than 2 m/s or jumps in its speed; always one of them is in motion."""
    points = points_of(specs)
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=2)  # (n - 1, 21)
    assert lengths.max() < 2 / 24
    changes = np.linalg.norm(np.diff(steps, axis=0), axis=2)
    assert changes.max() < 0.25 * lengths.max()
    assert lengths.max(axis=1).min() > 1e-3


def test_the_hand_stays_within_the_ranges_of_its_scenes(specs):
    scene = arguments()[0]
    first = HandRandomizer(*arguments()).scene(0).objects[0]
    middle, R = palm_frame(MODEL, np.array(first.posture.shape))
    at = first.matrix[:3, :3] @ middle + first.matrix[:3, 3]
    for spec in specs:
        matrix = spec.objects[0].matrix
        assert (np.abs(matrix[:3, :3] @ middle + matrix[:3, 3] - at) <= REACH + 1e-9).all()
        fingers = matrix[:3, :3] @ R[:, 1]
        tilt = np.degrees(np.arccos(fingers @ UPRIGHT[:, 1]))
        assert tilt <= scene.tilt_deg + 1e-6 and fingers[2] <= 1e-9
    pixels = CAMERA.project(points_of(specs))
    assert (pixels > 0).all() and (pixels < np.array(CAMERA.size)).all()


def test_no_angle_leaves_its_limits_and_no_finger_goes_through_another(specs):
    motion, posture = HandMotion(*arguments()), specs[0].objects[0].posture
    angles = np.array([motion.gesture(i) for i in range(COUNT)])
    assert (angles >= ANGLES.lower).all() and (angles <= ANGLES.upper).all()
    assert HandCapsules(MODEL, np.array(posture.shape)).overlap(angles).max() <= 0
    poses = [spec.objects[0].posture.pose for spec in specs]
    np.testing.assert_allclose(poses, pose_from_angles(ANGLES, angles), atol=1e-12)
