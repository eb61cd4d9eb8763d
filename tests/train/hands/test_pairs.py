"""Twins of frames whose labels were made with the bundled hand: so what they show is known."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.formats.nyu import EVALUATED, JOINTS, write_joints
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path, read_split, write_joint_data
from render.formats.nyu_joints import LABEL_CAMERA, NYU_JOINTS
from render.hand.contact import HandCapsules
from render.hand.file import load_hand
from render.hand.nyu_points import nyu_points
from render.hand.points import Placement, PointKinematics
from render.hand.pose import hand_angles, pose_from_angles
from render.hand.sample import draw_angles
from render.image_file import write_png
from render.scene.spec import Placed, Posture, SceneSpec, rows
from render.transforms import rigid, rodrigues
from train.hands import pairs as hand_pairs
from train.hands.data import twins_of
from train.hands.pairs import pair_hands

COUNT = 7
MODEL = load_hand("bundled")


def labelled_hands(count: int = COUNT) -> tuple[np.ndarray, list[Placed]]:
    """(count, 36, 3) labels in px, px, mm, of hands seen from the palm, and those hands."""
    rng, hand = np.random.default_rng(0), hand_angles(MODEL)
    shape = np.zeros(MODEL.shape_size)
    angles = draw_angles(rng, hand, HandCapsules(MODEL, shape), count)
    R = rodrigues(rng.normal(0, 0.4, (count, 3)))
    t = np.array([0, 0, 0.7]) + rng.uniform(-0.05, 0.05, (count, 3))
    points = PointKinematics(MODEL, hand, nyu_points(MODEL, NYU_JOINTS), shape)
    joints = points.locate(Placement(R, R @ MODEL.joints[0] + t, angles))
    uvd = np.concatenate([LABEL_CAMERA.project(joints), 1000 * joints[..., 2:]], axis=2)
    poses = pose_from_angles(hand, angles)
    return uvd, [
        Placed(1, rows(rigid(R[i], t[i])), posture=Posture.of(poses[i], shape))
        for i in range(count)
    ]


def images(folder: Path, numbers: range) -> None:
    for number in numbers:
        write_png(depth_path(folder, SENSOR, number), np.zeros((480, 640, 3), np.uint8))


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.suffix != ".json"}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("nyu")
    (root / "train").mkdir()
    write_joint_data(root / "train" / "joint_data.mat", labelled_hands()[0][None])
    images(root / "train", range(1, COUNT + 1))
    return root


@pytest.fixture(scope="module")
def twins(root, tmp_path_factory) -> Path:
    """Made in shards of three."""
    out = tmp_path_factory.mktemp("twins") / "twins"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand_pairs, "SHARD", 3)
        text = pair_hands("bundled", root, "train", out, workers=1)
    assert text.startswith(f"{out / 'train'}: 7 twins\nperson 1: 7 frames, 36 joints each; joint")
    return out


def test_a_twin_shows_the_hand_that_the_labels_are_of(twins):
    found = read_split(twins, "train", SYNTHETIC)
    with Rasterizer({1: MODEL}) as rasterizer:
        for i, placed in enumerate(labelled_hands()[1]):
            spec = SceneSpec(rows(LABEL_CAMERA.K), LABEL_CAMERA.size, (placed,))
            expected, depth = rasterizer.render([spec])[0].depth, found.read_depth(i)
            both, either = (expected > 0) & (depth > 0), (expected > 0) | (depth > 0)
            assert both.sum() > 0.96 * either.sum() > 1000
            assert np.median(np.abs(expected - depth)[both]) < 0.001


def test_twins_have_the_numbers_and_joints_of_the_real_frames(root, twins):
    """As `hand.twins` is read."""
    real = read_split(root, "train")
    found = twins_of(twins, real)
    assert found.numbers == real.numbers == tuple(range(1, COUNT + 1))
    np.testing.assert_array_equal(found.uvd, real.uvd)


def test_the_fits_say_what_was_drawn(twins):
    parts = [np.load(path) for path in sorted((twins / "train" / "fits").glob("*.npz"))]
    assert [part["numbers"].tolist() for part in parts] == [[1, 2, 3], [4, 5, 6], [7]]
    assert np.median(np.concatenate([part["residual_mm"] for part in parts])) < 0.5
    split = read_split(twins, "train", SYNTHETIC)
    posture = Posture.of(parts[1]["pose"][2], parts[1]["shape"])
    placed = Placed(1, rows(parts[1]["cam_from_hand"][2]), posture=posture)
    with Rasterizer({1: MODEL}) as rasterizer:
        spec = SceneSpec(rows(LABEL_CAMERA.K), LABEL_CAMERA.size, (placed,))
        depth = rasterizer.render([spec])[0].depth
    np.testing.assert_allclose(split.read_depth(5), depth, atol=0.00051)  # whole mm


@pytest.mark.slow
def test_what_is_there_is_kept_and_the_rest_made_alike(root, twins, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_pairs, "SHARD", 3)
    out = tmp_path / "twins"
    shutil.copytree(twins, out)
    (out / "train" / "fits" / "0000004.npz").unlink()
    depth_path(out / "train", SYNTHETIC, 5).write_bytes(b"half")
    (out / "train" / "joint_data.mat").unlink()
    kept = depth_path(out / "train", SYNTHETIC, 3).stat().st_mtime_ns
    text = pair_hands("bundled", root, "train", out, workers=1)
    assert files_of(out) == files_of(twins)
    assert depth_path(out / "train", SYNTHETIC, 3).stat().st_mtime_ns == kept
    assert pair_hands("bundled", root, "train", out, workers=1) == text
    with pytest.raises(InputError, match="was made with hand = bundled, not bundled-left"):
        pair_hands("bundled-left", root, "train", out, workers=1)


@pytest.mark.slow
def test_two_workers_make_the_bytes_of_one(root, twins, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_pairs, "SHARD", 3)
    pair_hands("bundled", root, "train", tmp_path / "twins", workers=2)
    assert files_of(tmp_path / "twins") == files_of(twins)


def test_frames_that_get_an_image_later_get_a_twin_then(tmp_path):
    """With joints from the text labels, of the 14 evaluated ones, and two people."""
    uvd = labelled_hands()[0][:, EVALUATED]
    larger = uvd.copy()  # seen from 0.8 of the distance, but said to be as far as it was
    larger[..., :2] = 1.25 * (uvd[..., :2] - [320, 240]) + [320, 240]
    (tmp_path / "test").mkdir()
    labels = tmp_path / "nyu_test_groundtruth_label.txt"
    write_joints(labels, np.concatenate([uvd[:4], larger]))
    images(tmp_path / "test", range(2, 4))
    out = tmp_path / "twins"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand_pairs, "TEST_SUBJECTS", (slice(0, 4), slice(4, None)))
        text = pair_hands("bundled", tmp_path, "test", out, workers=1)
        assert "2 twins of the 11 annotated frames: those with image\nperson 1: 2 frames" in text
        assert "person 2" not in text
        images(tmp_path / "test", range(1, 12))
        text = pair_hands("bundled", tmp_path, "test", out, workers=1)
    assert "11 twins\nperson 1: 4 frames, 14 joints each" in text
    assert "\nperson 2: 7 frames" in text
    assert len(twins_of(out, read_split(tmp_path, "test")).numbers) == 11
    shapes = [np.load(p)["shape"] for p in sorted((out / "test" / "fits").glob("*.npz"))]
    lengths = [np.ptp(MODEL.joints + MODEL.joint_directions @ s, axis=0).max() for s in shapes]
    assert len(lengths) == 2 and lengths[1] > 1.05 * lengths[0]


def test_a_folder_without_images_or_with_a_label_missing_is_named(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "train").glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"no depth_1_\*\.png of any of the frames in .*\.mat"):
        pair_hands("bundled", tmp_path, "train", tmp_path / "twins", workers=1)
    images(tmp_path / "train", range(1, 8))
    uvd = labelled_hands()[0]
    uvd[2, EVALUATED[JOINTS.index("palm")]] = np.nan
    write_joint_data(tmp_path / "train" / "joint_data.mat", uvd[None])
    with pytest.raises(InputError, match="frame 3: palm must be a finite u v d"):
        pair_hands("bundled", tmp_path, "train", tmp_path / "twins", workers=1)
    assert not (tmp_path / "twins").exists()


@pytest.mark.parametrize(
    ("flags", "flag", "owner"),
    [
        (["--real", "nyu", "--variants", "2"], "--variants", "bop"),
        (["--real", "nyu", "--dataset", "lmo"], "--dataset", "bop"),
        (["--hand", "bundled"], "--hand", "nyu"),
        (["--real", "bop", "--workers", "2"], "--workers", "nyu"),
    ],
)
def test_options_of_the_other_kind_of_frames_are_refused(tmp_path, flags, flag, owner):
    result = CliRunner().invoke(main, ["pair", *flags, "--out", str(tmp_path / "twins")])
    other = {"bop": "nyu", "nyu": "bop"}[owner]
    line = f"Error: {flag} belongs to --real {owner}, not to --real {other}\n"
    assert result.exit_code == 2 and result.output == line
