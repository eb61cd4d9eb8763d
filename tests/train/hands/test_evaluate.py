import json
from pathlib import Path

import numpy as np
import pytest

from render.formats.nyu import JOINTS, uvd_from_joints
from render.formats.nyu_dataset import read_split
from tests.hand_scenes import write_hands
from train.hand_options import HandCropConfig
from train.hands.data import HandDataConfig, load_frames
from train.hands.evaluate import load_test
from train.hands.localiser import Localiser, mass_centers
from train.hands.results import HandTest, center_metrics, write_hand_results

CROP = HandCropConfig(size=32)
ABOUT = {"dataset": "balls", "seed": 3, "methods": ["near", "far"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    return write_hands(tmp_path_factory.mktemp("nyu"), rng, {"test": 6})


def made(root: Path, off: np.ndarray, small_from: int = 0) -> HandTest:
    """Test frames whose centres are `off` metres from the palm, and twice that at first."""
    split = read_split(root, "test")
    palms = split.joints[:, -1]
    frames = load_frames(split, CROP, lambda chunk, _: (palms + off)[list(chunk)], small_from)
    return HandTest(split, frames, palms + 2 * off)


def results_of(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


def test_known_displacements_are_the_errors_in_every_file(root, tmp_path):
    """near: 3 mm in z for every joint; far: 30 mm, but 10 mm in one of the frames."""
    test = made(root, np.zeros(3))
    joints = test.split.joints
    far = joints + [0, 0, 0.03]
    far[2] = joints[2] + [0, 0, 0.01]
    predictions = {"near": uvd_from_joints(joints + [0, 0, 0.003]), "far": uvd_from_joints(far)}
    text = write_hand_results(predictions, test, ABOUT, tmp_path)

    results = results_of(tmp_path)
    assert {key: results[key] for key in ABOUT} == ABOUT
    assert results["mean"] == results["objects"]["hand"]
    near, other = (results["mean"][name] for name in ("near", "far"))
    assert near["joint_mm"] == pytest.approx(3) and near["n"] == 6
    assert near["per_joint_mm"] == pytest.approx(dict.fromkeys(JOINTS, 3))
    assert other["joint_mm"] == pytest.approx((5 * 30 + 10) / 6)
    assert other["joint_mm_median"] == pytest.approx(30)
    assert other["frames_worst_joint_below_20mm"] == pytest.approx(100 / 6)
    assert other["frames_worst_joint_below_40mm"] == 100
    assert (tmp_path / "results.txt").read_text() == text + "\n"
    assert "3.000    26.667" in " ".join(text.splitlines())
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert "subsets" not in results


def test_large_and_small_hands_have_results_of_their_own(root, tmp_path):
    test = made(root, np.zeros(3), small_from=5)
    joints = test.split.joints.copy()
    joints[4:] += [0, 0, 0.012]
    write_hand_results({"a": uvd_from_joints(joints)}, test, ABOUT, tmp_path)
    subsets = results_of(tmp_path)["subsets"]
    assert subsets["large hand"]["a"]["joint_mm"] == pytest.approx(0, abs=1e-9)
    assert subsets["small hand"]["a"]["joint_mm"] == pytest.approx(12)
    assert [subsets[name]["a"]["n"] for name in ("large hand", "small hand")] == [4, 2]


def test_the_centres_distance_from_the_palm_is_measured(root, tmp_path):
    test = made(root, np.array([0.006, 0.0, 0.008]))
    centers = center_metrics(test)
    assert centers == pytest.approx(
        {
            "center_mm": 10,
            "center_mm_median": 10,
            "center_mm_95": 10,
            "center_of_mass_mm": 20,
        }
    )
    text = write_hand_results({"a": uvd_from_joints(test.split.joints)}, test, ABOUT, tmp_path)
    assert results_of(tmp_path)["center"] == centers
    assert "centres 10.0 mm from the palm on average, 95 % within 10.0 mm" in text


def test_test_frames_are_centred_without_the_ground_truth(root):
    """Neither `hand.center` nor the joints have a part in it."""
    data = HandDataConfig(dataset=str(root), center="palm", test_frames=3, small_from=4)
    test = load_test(data, CROP, Localiser(None, "cpu"))
    assert test.split.numbers == (1, 3, 6)
    depths = [test.split.read_depth(i) for i in range(3)]
    np.testing.assert_array_equal([f.center for f in test.frames], mass_centers(depths))
    np.testing.assert_array_equal(test.mass, mass_centers(depths))
    assert [frame.small for frame in test.frames] == [False, False, True]
