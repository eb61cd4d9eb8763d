"""Frames without labels that show the bundled hand: so what a network should read is known."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.formats.nyu import write_depth
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path, read_split, write_joint_data
from render.formats.nyu_joints import LABEL_CAMERA
from render.image_file import image_size
from render.scene.spec import SceneSpec, rows
from tests.train.hands.test_pairs import MODEL, labelled_hands
from train.hand_options import HandCropConfig
from train.hands import unlabelled
from train.hands.crops import HandCrops
from train.hands.data import HandDataConfig, find_splits, find_unlabelled, load_frames
from train.hands.task import ALL_JOINTS
from train.hands.unlabelled import WORST_MM, Labeller, compare_with_truth
from train.learn.rounds import LABELS, Pairs

COUNT, LABELLED = 14, (1, 4, 6, 9, 11, 14)  # six of them, spread evenly
UNLABELLED = (2, 3, 5, 7, 8, 10, 12, 13)
WELL = (2, 5, 8, 12)  # read well; the others are not
CROPS = HandCrops(HandCropConfig(size=48), ALL_JOINTS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Hands before a wall."""
    folder = tmp_path_factory.mktemp("nyu") / "train"
    folder.mkdir()
    uvd, hands = labelled_hands(COUNT)
    specs = [SceneSpec(rows(LABEL_CAMERA.K), LABEL_CAMERA.size, (hand,)) for hand in hands]
    with Rasterizer({1: MODEL}) as rasterizer:
        for number, frame in enumerate(rasterizer.render(specs), start=1):
            seen = np.where(frame.depth > 0, frame.depth, 1.5)
            write_depth(depth_path(folder, SENSOR, number), seen)
    write_joint_data(folder / "joint_data.mat", uvd[None])
    return folder.parent


@pytest.fixture(scope="module")
def joints(root) -> np.ndarray:
    """(COUNT, 14, 3) metres, of all frames: what no labeller is told."""
    return read_split(root, "train").joints


@pytest.fixture(autouse=True)
def reader(joints, monkeypatch):
    """In place of a network: joints that are 8 mm off, or whose whole hand is 25 mm farther off."""

    def read(checkpoint, frames, device):
        found = []
        for frame in frames:
            rng = np.random.default_rng(frame.number)
            way = rng.normal(size=(14, 3))
            read = joints[frame.number - 1] + 0.008 * way / np.linalg.norm(way, axis=1)[:, None]
            found.append(read if frame.number in WELL else read + [0.025, 0.015, 0.02])
        return np.array(found)

    monkeypatch.setattr(unlabelled, "predict_joints", read)


def labeller(data: HandDataConfig, joints: np.ndarray) -> Labeller:
    """With crops around the palms, as a perfect localiser has them."""
    split = find_unlabelled(data)
    palms = np.array([joints[number - 1, 13] for number in split.numbers])
    frames = load_frames(split, CROPS.config, lambda chunk, _: palms[list(chunk)])
    return Labeller("bundled", CROPS, split, frames, find_splits(data, (1, 0, 0)).real)


def label(data: HandDataConfig, joints: np.ndarray, out: Path) -> Pairs:
    return labeller(data, joints).label(None, out, CPU)


def same_folder(root: Path) -> HandDataConfig:
    return HandDataConfig(dataset=str(root), train_frames=len(LABELLED))


def other_labels(root: Path, out: Path, uvd: np.ndarray | None) -> Path:
    """The same images under other labels, or none."""
    shutil.copytree(root, out)
    (out / "train" / "joint_data.mat").unlink()
    if uvd is not None:
        write_joint_data(out / "train" / "joint_data.mat", uvd[None])
    return out


def left_by(out: Path) -> dict[str, bytes]:
    """What is made of the labels that were read: all but what tells where the frames are."""
    files = (path for path in out.rglob("*") if path.is_file())
    apart = (unlabelled.TRUTH, "generation.json")
    return {str(p.relative_to(out)): p.read_bytes() for p in files if p.name not in apart}


@pytest.fixture(scope="module")
def made(root, joints, tmp_path_factory) -> tuple[Path, Pairs]:
    """Frames of the folder that the labelled ones are in."""
    out = tmp_path_factory.mktemp("unlabelled") / "round_1"
    with pytest.MonkeyPatch.context() as patch:
        reader.__wrapped__(joints, patch)
        return out, label(same_folder(root), joints, out)


# Which frames there are


def test_labelled_frames_are_left_out_where_the_folder_is_theirs(root, tmp_path):
    data = same_folder(root)
    found = find_unlabelled(data)
    assert find_splits(data, (1, 0, 0)).real.numbers == LABELLED and found.numbers == UNLABELLED
    assert found.stream == SENSOR and found.uvd.shape == (8, 36, 3) and np.isnan(found.uvd).all()
    (tmp_path / "link").symlink_to(root)
    assert find_unlabelled(replace(data, unlabelled=str(tmp_path / "link"))).numbers == UNLABELLED
    for i, number in enumerate(found.numbers):
        whole = read_split(root, "train", numbers=[number])
        np.testing.assert_array_equal(found.read_depth(i), whole.read_depth(0))


def test_all_frames_of_another_folder_are_taken_with_or_without_joints(root, tmp_path):
    for name, uvd in (("none", None), ("some", labelled_hands(COUNT)[0][:3])):
        other = other_labels(root, tmp_path / name, uvd)
        found = find_unlabelled(replace(same_folder(root), unlabelled=str(other)))
        assert found.numbers == tuple(range(1, COUNT + 1)) and found.folder == other / "train"


def test_fewer_frames_are_spread_and_other_files_passed_over(root, tmp_path):
    other = other_labels(root, tmp_path / "other", None)
    (other / "train" / "depth_1_copy.png").touch()
    (other / "train" / "depth_2_0000020.png").touch()
    data = replace(same_folder(root), unlabelled=str(other))
    assert find_unlabelled(replace(data, unlabelled_frames=3)).numbers == (1, 7, 14)
    assert len(find_unlabelled(replace(data, unlabelled_frames=COUNT + 1)).numbers) == COUNT


def test_no_frame_beyond_the_labelled_ones_is_an_error(root, tmp_path):
    with pytest.raises(
        InputError, match=r"^hand\.unlabelled: .*train holds no depth_1_\*\.png bey"
    ):
        find_unlabelled(HandDataConfig(dataset=str(root)))
    with pytest.raises(InputError, match=r"^hand\.unlabelled: .*nowhere is no folder"):
        find_unlabelled(replace(same_folder(root), unlabelled=str(tmp_path / "nowhere")))


# Simulated ones


# What is read in them


def test_those_are_believed_whose_drawing_agrees_better(made):
    """They are just those that were read well."""
    out, pairs = made
    record = json.loads((out / LABELS).read_text())
    off = {row["frame"]: row["disagreement_mm"] for row in record["frames"]}
    assert tuple(off) == UNLABELLED and max(off.values()) <= WORST_MM
    assert tuple(frame.number for frame in pairs.real) == WELL
    assert sorted(sorted(off, key=off.__getitem__)[:4]) == list(WELL)
    threshold = record["threshold_mm"]
    assert max(off[n] for n in WELL) < threshold < min(off[n] for n in off if n not in WELL)
    for name in ("believed.png", "refused.png"):
        assert min(image_size(out / name)) > 50


def test_the_labels_are_nearer_than_what_was_read_and_those_of_the_twins(made, joints):
    _, pairs = made
    found = np.array([frame.joints for frame in pairs.real])
    away_mm = 1000 * np.linalg.norm(found - joints[np.array(WELL) - 1], axis=2)
    assert away_mm.mean(axis=1).max() < 5 < 8  # mm that they were read at
    assert len(pairs.twins) == len(pairs.real) and pairs.frames == ()
    for real, (twin,) in zip(pairs.real, pairs.twins, strict=True):
        assert twin.number == real.number
        np.testing.assert_array_equal(twin.center, real.center)
        np.testing.assert_allclose(twin.joints, real.joints, atol=1e-9)
        crop = CROPS.plain(real)
        seen, drawn = CROPS.image(real, crop), CROPS.image(twin, crop)
        both, either = (seen < 1) & (drawn < 1), (seen < 1) | (drawn < 1)
        assert both.sum() > 0.9 * either.sum() > 100


def test_the_pixels_of_a_real_frame_stay_as_they_were(made, root, joints):
    before = {frame.number: frame for frame in labeller(same_folder(root), joints).frames}
    for real in made[1].real:
        assert np.isnan(before[real.number].joints).all()
        assert real.packed == before[real.number].packed


@pytest.mark.parametrize("where", ["in the labelled frames' folder", "in another"])
def test_the_joints_of_unlabelled_frames_are_never_read(made, root, joints, tmp_path, where):
    """Others there, or none, leave all but the comparison with them as it is, to the byte."""
    uvd = labelled_hands(COUNT)[0]
    wrong = uvd.copy()
    wrong[np.array(UNLABELLED) - 1] += [30, -20, 60]
    if where == "in another":
        data = [same_folder(root)] * 3
        roots = [
            other_labels(root, tmp_path / f"other{i}", one)
            for i, one in enumerate((uvd, wrong, None))
        ]
        data = [replace(data[0], unlabelled=str(other)) for other in roots]
        for other in roots:
            for number in LABELLED:
                depth_path(other / "train", SENSOR, number).unlink()
    else:
        data = [same_folder(other_labels(root, tmp_path / "other", wrong))]
    outs = [tmp_path / f"round_{i}" for i in range(len(data))]
    for one, out in zip(data, outs, strict=True):
        pairs = label(one, joints, out)
        assert left_by(out) == left_by(made[0]) and len(left_by(out)) == 12
        for frame, expected in zip(pairs.real, made[1].real, strict=True):
            np.testing.assert_array_equal(frame.joints, expected.joints)
    truths = [(out / unlabelled.TRUTH) for out in (made[0], *outs)]
    texts = [path.read_text() if path.is_file() else None for path in truths]
    if where == "in another":
        assert texts[1] == texts[0] != texts[2] and texts[2] and texts[3] is None
    else:
        assert texts[1] and texts[1] != texts[0]


def test_the_labelled_frames_tell_of_the_person(made, root, joints, tmp_path):
    """Labels of a hand that is a fifth larger lead to one that is drawn larger."""
    uvd = labelled_hands(COUNT)[0]
    uvd[..., :2] = 1.2 * (uvd[..., :2] - [320, 240]) + [320, 240]
    larger = other_labels(root, tmp_path / "larger", uvd)
    data = replace(same_folder(larger), unlabelled=str(root), unlabelled_frames=2)
    label(data, joints, tmp_path / "out")
    shapes = [
        np.load(next(out.glob("twins/train/fits/*.npz")))["shape"]
        for out in (made[0], tmp_path / "out")
    ]
    lengths = [np.ptp(MODEL.joints + MODEL.joint_directions @ s, axis=0).max() for s in shapes]
    assert lengths[1] > 1.05 * lengths[0]


# What is finished


def test_what_is_finished_is_not_made_again(made, root, joints, tmp_path):
    out = tmp_path / "round_1"
    shutil.copytree(made[0], out)
    before = {p: p.stat().st_mtime_ns for p in (out / "twins").rglob("*.*")}
    again = label(same_folder(root), joints, out)
    assert {p: p.stat().st_mtime_ns for p in (out / "twins").rglob("*.*")} == before
    assert left_by(out) == left_by(made[0])
    for frame, expected in zip(again.real, made[1].real, strict=True):
        np.testing.assert_array_equal(frame.joints, expected.joints)

    drawn = out / "twins" / "train"
    depth_path(drawn, SYNTHETIC, 5).write_bytes(b"half")
    next(drawn.glob("fits/*.npz")).unlink()
    label(same_folder(root), joints, out)
    assert left_by(out) == left_by(made[0])


def test_finished_twins_of_another_hand_or_of_other_frames_are_refused(
    made, root, joints, tmp_path
):
    """They would stand for what they do not show."""
    out = tmp_path / "round_1"
    shutil.copytree(made[0], out)
    of_left = replace(labeller(same_folder(root), joints), hand="bundled-left")
    with pytest.raises(InputError, match="was made with hand = bundled, not bundled-left"):
        of_left.label(None, out, CPU)
    other = other_labels(root, tmp_path / "other", None)
    for number in LABELLED:
        depth_path(other / "train", SENSOR, number).unlink()
    with pytest.raises(InputError, match="was made with dataset = "):
        label(replace(same_folder(root), unlabelled=str(other)), joints, out)
    assert left_by(out) == left_by(made[0])


# Beside the truth


def test_the_comparison_is_of_the_errors_of_the_joints(root, joints, tmp_path):
    split = read_split(root, "train", numbers=(3, 5, 8))
    off = joints[np.array(split.numbers) - 1] + [0, 0, 0.004]
    off[2, :, 2] += 0.006
    compare_with_truth(split, off, np.array([True, False, False]), tmp_path)
    record = json.loads((tmp_path / unlabelled.TRUTH).read_text())
    assert record["frames"] == 3
    assert record["believed"] == {"n": 1, "joint_mm": pytest.approx(4, rel=0.03)}
    assert record["refused"] == {"n": 2, "joint_mm": pytest.approx(7, rel=0.03)}
    compare_with_truth(split, off, np.array([True, True, True]), tmp_path)
    record = json.loads((tmp_path / unlabelled.TRUTH).read_text())
    assert record["refused"] == {"n": 0, "joint_mm": None}


def test_frames_that_the_dataset_has_no_joints_of_are_left_out_of_the_comparison(
    root, joints, tmp_path
):
    """A folder that holds more images than joints, or joints of some frames only."""
    uvd = labelled_hands(COUNT)[0][:10]
    uvd[7] = np.nan
    other = other_labels(root, tmp_path / "other", uvd)
    split = find_unlabelled(replace(same_folder(root), unlabelled=str(other)))
    assert len(split.numbers) == COUNT
    believed = np.arange(COUNT) % 2 == 0
    compare_with_truth(split, joints + [0, 0, 0.004], believed, tmp_path)
    record = json.loads((tmp_path / unlabelled.TRUTH).read_text())
    assert record["frames"] == 9
    assert [record[name]["n"] for name in ("believed", "refused")] == [5, 4]
    assert record["believed"]["joint_mm"] == pytest.approx(4, rel=0.03)

    uvd[:] = np.nan
    write_joint_data(other / "train" / "joint_data.mat", uvd[None])
    (tmp_path / unlabelled.TRUTH).unlink()
    compare_with_truth(split, joints, believed, tmp_path)
    assert not (tmp_path / unlabelled.TRUTH).exists()
