"""Joints that were read, moved to what depth images show of a known person."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.formats.nyu import JOINTS, read_joints, write_depth
from render.formats.nyu_dataset import (
    SENSOR,
    SYNTHETIC,
    NyuSplit,
    depth_path,
    read_split,
    write_joint_data,
)
from render.formats.nyu_joints import LABEL_CAMERA
from render.hand.file import load_hand
from render.scene.spec import SceneSpec, rows
from tests.train.hands.test_pairs import MODEL, labelled_hands
from train.hands.refine import (
    REFINER,
    HandRefiner,
    around,
    learn_person,
    leave_refiner,
    read_refiner,
)

COUNT, KNOWN = 14, 8
METHOD = "mixed"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Eight hands of a person with labels in train/, six others in test/; twins of the first."""
    root = tmp_path_factory.mktemp("nyu")
    uvd, hands = labelled_hands(COUNT)
    specs = [SceneSpec(rows(LABEL_CAMERA.K), LABEL_CAMERA.size, (hand,)) for hand in hands]
    with Rasterizer({1: MODEL}) as rasterizer:
        depths = [frame.depth for frame in rasterizer.render(specs)]
    for split, part in (("train", slice(0, KNOWN)), ("test", slice(KNOWN, COUNT))):
        folder = root / split
        folder.mkdir()
        for number, depth in enumerate(depths[part], start=1):
            write_depth(depth_path(folder, SENSOR, number), np.where(depth > 0, depth, 1.5))
            write_depth(depth_path(folder, SYNTHETIC, number), depth)
        write_joint_data(folder / "joint_data.mat", uvd[part][None])
    return root


@pytest.fixture(scope="module")
def refiner(root) -> HandRefiner:
    person = learn_person("bundled", read_split(root, "train"))
    return HandRefiner("bundled", load_hand("bundled"), person, 0.15)


def refine(refiner: HandRefiner, split: NyuSplit, read: np.ndarray) -> np.ndarray:
    palms = split.joints[:, JOINTS.index("palm")]
    return refiner.refine(read, palms, split.read_depth)


def off_mm(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return 1000 * np.linalg.norm(found - true, axis=-1).mean(axis=-1)


def read_badly(true: np.ndarray) -> np.ndarray:
    """Joints each 12 mm off in a way of its own, as a network's are."""
    way = np.random.default_rng(2).normal(size=true.shape)
    return true + 0.012 * way / np.linalg.norm(way, axis=-1, keepdims=True)


def test_joints_come_back_to_the_hand_that_is_seen(root, refiner):
    split = read_split(root, "test")
    found = off_mm(refine(refiner, split, read_badly(split.joints)), split.joints)
    assert found.max() < 12 and found.mean() < 6


def test_a_refiner_reads_as_it_was_left(root, refiner, tmp_path):
    leave_refiner(refiner, tmp_path)
    again, split = read_refiner(tmp_path), read_split(root, "test")
    read = read_badly(split.joints)
    np.testing.assert_array_equal(refine(again, split, read), refine(refiner, split, read))
    leave_refiner(None, tmp_path)
    assert read_refiner(tmp_path) is None and not (tmp_path / REFINER).exists()


def test_frames_are_refined_alike_whichever_are_beside_them(root, refiner):
    split = read_split(root, "test")
    read = read_badly(split.joints)
    alone = NyuSplit(split.folder, split.stream, split.numbers[2:3], split.uvd[2:3])
    together = refine(refiner, split, read)
    np.testing.assert_allclose(refine(refiner, alone, read[2:3])[0], together[2], atol=1e-6)


def test_what_is_beyond_the_cube_is_cut_away():
    depth = np.full((480, 640), 1.0, np.float32)
    depth[200:280, 300:340] = 0.7
    kept = around(depth, np.array([0.0, 0.0, 0.7]), 0.15)
    assert (kept[200:280, 300:340] == np.float32(0.7)).all()
    assert np.count_nonzero(kept) == 80 * 40


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": np.array("other")}, "is of another hand than bundled is now"),
        ({"bones": np.full(14, 99)}, "bones must be of the hand's"),
        ({"half": np.float64(0)}, "half above 0"),
        ({"places": np.zeros((3, 3))}, "places"),
    ],
)
def test_a_damaged_file_is_refused_by_name(refiner, tmp_path, change, words):
    leave_refiner(refiner, tmp_path)
    with np.load(tmp_path / REFINER) as file:
        arrays = dict(file)
    np.savez(tmp_path / REFINER, **(arrays | change))
    with pytest.raises(InputError, match=words) as caught:
        read_refiner(tmp_path)
    assert str(tmp_path / REFINER) in str(caught.value)


def test_a_run_shows_joints_as_read_and_refined_and_predict_refines(root, tmp_path):
    settings = [
        *("run.target=hand", f"run.methods={METHOD}", "run.refine=1", f"hand.dataset={root}"),
        *("hand_crop.size=32", "train.network=small", "train.pretrain_steps=0", "train.steps=1"),
        *("train.batch=8", "localiser.frames=16", "localiser.steps=1", "hand.small_from=5"),
    ]
    asked = [part for setting in settings for part in ("--set", setting)]
    out, test = tmp_path / "run", depth_path(root / "test", SENSOR, 1)
    ran = CliRunner().invoke(main, ["run", "--device", "cpu", *asked, "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    results = json.loads((out / "results.json").read_text())
    assert results["methods"] == list(results["mean"]) == [METHOD, f"{METHOD}-refined"]
    read, refined = (
        read_joints(out / METHOD / f"predictions{name}.txt") for name in ("", "-refined")
    )
    assert (read[:4] != refined[:4]).any(axis=(1, 2)).all()
    # From frame 5 on hands are small: of another person.
    np.testing.assert_array_equal(read[4:], refined[4:])

    predict = ["predict", str(out / METHOD), str(test), "--out", str(tmp_path / "p.png")]
    predict += ["--localiser", str(out / "localiser")]
    for flags, is_refined in (([], True), (["--no-refine"], False)):
        shown = CliRunner().invoke(main, [*predict, *flags])
        assert shown.exit_code == 0, shown.output
        assert json.loads(shown.output.splitlines()[0])["refined"] is is_refined
    shutil.rmtree(out)
