import numpy as np

from render.formats.nyu_joints import NYU_JOINTS
from render.hand.file import load_hand
from render.hand.model import HandModel, pose_hand
from render.hand.nyu_points import nyu_points
from render.hand.points import BonePoints, Placement, PointKinematics, posed_points
from render.hand.pose import hand_angles, pose_from_angles
from render.scene.spec import Posture
from render.transforms import random_rotation, rigid, rodrigues


def posed_one_by_one(
    model: HandModel, points: BonePoints, posture: Posture, cam_from_hand: np.ndarray
) -> np.ndarray:
    """(K, 3): each point turned about its bone's joint, then the joint's parent's, and so on."""
    pose, shape = np.array(posture.pose), np.array(posture.shape)
    joints = model.joints + model.joint_directions @ shape
    placed = points.places + points.directions @ shape
    for k, bone in enumerate(points.bones):
        while bone >= 0:
            placed[k] = joints[bone] + rodrigues(pose[bone]) @ (placed[k] - joints[bone])
            bone = model.parents[bone]
    return placed @ cam_from_hand[:3, :3].T + cam_from_hand[:3, 3]


def test_points_follow_their_bones_as_the_fit_takes_them(rng):
    """Batches, one by one, and by the kinematics of fits: three ways, one answer."""
    model = load_hand("bundled")
    hand, points = hand_angles(model), nyu_points(model, NYU_JOINTS)
    angles = rng.uniform(hand.lower, hand.upper, (3, len(hand.names)))
    pose, shape = pose_from_angles(hand, angles), rng.normal(size=(3, model.shape_size))
    placed = np.stack([rigid(random_rotation(rng), rng.normal(size=3)) for _ in range(3)])
    found = posed_points(model, points, pose, shape, placed)
    for i in range(3):
        alone = posed_one_by_one(model, points, Posture.of(pose[i], shape[i]), placed[i])
        np.testing.assert_allclose(found[i], alone, atol=1e-12)
        kinematics = PointKinematics(model, hand, points, shape[i])
        joints = pose_hand(model, pose[i : i + 1], shape[i : i + 1], placed[i : i + 1])[1]
        at = Placement(placed[i : i + 1, :3, :3], joints[:, 0], angles[i : i + 1])
        np.testing.assert_allclose(found[i], kinematics.locate(at)[0], atol=1e-12)
