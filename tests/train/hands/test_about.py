"""What is said of an exported hand network's crops makes the crops that it was trained with."""

import numpy as np

from render.formats.nyu import CAMERA
from train.hand_options import HandCropConfig
from train.hands.about import about_hand
from train.hands.crops import HandCrop
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import HandInfo

CONFIG = HandCropConfig(size=32, cube_mm=280.0)


def test_the_steps_that_are_said_cut_the_same_crop_and_give_back_the_joints(rng):
    net = build("small", CONFIG.size, False, 6, 1)
    target = HandInfo((13, 0))
    about = about_hand(Checkpoint(net, "small", CONFIG, target, "real", 1, {}, {}))
    assert about["joints"] == ["palm", "pinky tip"]

    center = np.array([0.05, -0.02, 0.7])
    depth = np.round(rng.uniform(0.5, 0.9, (480, 640)), 3)
    depth[rng.random(depth.shape) < 0.1] = 0
    K, size = np.array(about["camera"]["K"]), about["crop"]["size_px"]
    half = about["crop"]["cube_mm"] / 2000
    u, v = (K @ center)[:2] / center[2]
    offset = np.arange(size) - (size - 1) / 2
    columns = np.rint(u + offset / (size * center[2] / (2 * half * K[0, 0]))).astype(int)
    rows = np.rint(v + offset / (size * center[2] / (2 * half * K[1, 1]))).astype(int)
    found = depth[np.ix_(rows, columns)]
    expected = np.where(found > 0, np.clip((found - center[2]) / half, -1, 1), 1)

    crop = HandCrop(CAMERA, center, half, size)
    np.testing.assert_allclose(crop.image(depth)[..., 0], expected, atol=1e-6)
    values = rng.uniform(-1, 1, (2, 3))
    np.testing.assert_allclose(crop.restore(values), center + half * values, atol=1e-12)
