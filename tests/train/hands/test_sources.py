"""What stands in for real hands: rendered once, and its twins made of nothing but annotations."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import SECTIONS, main
from render.config import resolve
from render.errors import InputError
from render.formats.nyu import JOINTS, read_depth
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path, read_split, write_joint_data
from tests.hand_scenes import write_hands
from train.hands.data import find_unlabelled
from train.hands.pairs import pair_hands
from train.hands.sources import FILMED, make_motion, make_sources
from train.options import REFINED, RunConfig

SMALL = ["hand.train_frames=12", "hand.test_frames=2", "render.frames=3"]


def configured(*sets: str):
    return resolve(SECTIONS, "hand-demo", None, [*SMALL, *sets], {})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sources") / "run"
    data = make_sources(configured(), out, seed=0, workers=1)
    folders = {name: str(out / name) for name in ("simulated_real", "twins", "synthetic_hands")}
    assert [data.dataset, data.twins, data.synthetic] == list(folders.values())
    return out


def twins_of(out: Path) -> list[bytes]:
    return [p.read_bytes() for p in sorted((out / "train").glob("synthdepth_1_*.png"))]


def test_twins_come_of_the_annotated_joints_alone(made, tmp_path):
    """All that says how the simulated hand really is removed, they are the same to the last bit."""
    root = tmp_path / "real"
    (root / "train").mkdir(parents=True)
    for path in (made / "simulated_real" / "train").glob("depth_1_*.png"):
        (root / "train" / path.name).write_bytes(path.read_bytes())
    uvd = read_split(made / "simulated_real", "train").uvd
    assert np.isfinite(uvd).all(axis=2).sum(axis=1).tolist() == 12 * [len(JOINTS)]
    write_joint_data(root / "train" / "joint_data.mat", uvd[None])
    pair_hands("bundled", root, "train", tmp_path / "twins", 1)
    assert twins_of(tmp_path / "twins") == twins_of(made / "twins") and len(uvd) == 12


def test_twins_are_near_the_simulated_hands_but_are_not_them(made):
    """The fitted hand is another one: it misses joints by its residual, and surfaces by more."""
    (file,) = (made / "twins" / "train" / "fits").glob("*.npz")
    fits = np.load(file)
    assert 0.05 < fits["residual_mm"].mean() < 5
    real = configured()["run"].simulated
    scene = json.loads((made / "simulated_real/train/generation.json").read_text())["settings"]
    true = np.array(scene["hand_scene"]["shape"])
    assert real == "simulated-real-hand" and np.abs(fits["shape"] - true).max() > 0.5
    for i in range(12):
        twin, own = (
            read_split(made / folder, "train", SYNTHETIC).read_depth(i)
            for folder in ("twins", "simulated_real")
        )
        both, either = (twin > 0) & (own > 0), (twin > 0) | (own > 0)
        assert 0.6 < both.sum() / either.sum() < 0.99
        assert 0.0005 < np.abs(twin - own)[both].mean() < 0.02


def test_no_simulated_frame_is_a_synthetic_one_or_one_of_the_other_split(made):
    joints = [
        read_split(made / folder, split, SYNTHETIC).joints
        for folder, split in (
            ("simulated_real", "train"),
            ("simulated_real", "test"),
            ("synthetic_hands", "train"),
        )
    ]
    found = np.concatenate(joints)[:, -1]
    apart = np.linalg.norm(found[:, None] - found, axis=2) + np.eye(len(found))
    assert len(found) == 17 and apart.min() > 1e-3


def test_what_is_made_is_not_made_again(made):
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*.png")}
    make_sources(configured(), made, seed=0, workers=1)
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*.png")} == before


def test_the_hand_that_is_filmed_is_that_of_the_simulated_person_and_moves(made, monkeypatch):
    monkeypatch.setattr("train.hands.sources.FILMED", 8)
    config = configured()
    data = make_sources(config, made, seed=0, workers=1)
    frames = make_motion(config, data, made, seed=0, workers=1)
    folder = made / "moving_hand" / "test"
    assert frames == [depth_path(folder, SENSOR, number) for number in range(1, 9)]
    records = [
        json.loads((root / "test" / "generation.json").read_text())["settings"]
        for root in (made / "moving_hand", made / "simulated_real")
    ]
    for section in ("hand_scene", "sensor", "hand"):
        assert records[0][section] == records[1][section]

    joints = read_split(folder.parent, "test").joints
    moved = np.linalg.norm(np.diff(joints, axis=0), axis=2).max(axis=1)
    assert (moved > 1e-4).all() and (moved < 0.08).all()
    depths = np.array([read_depth(path) for path in frames])
    assert np.median(np.abs(np.diff(depths, axis=0)) > 0.01, axis=(1, 2)).max() == 0

    before = {path: path.stat().st_mtime_ns for path in frames}
    assert make_motion(config, data, made, seed=0, workers=1) == frames
    assert {path: path.stat().st_mtime_ns for path in frames} == before


def test_the_number_of_simulated_frames_must_be_said(tmp_path):
    with pytest.raises(InputError, match=r"hand\.test_frames: say how many simulated real"):
        make_sources(configured("hand.train_frames=1", "hand.test_frames=0"), tmp_path, 0, 1)


def test_all_that_is_given_is_looked_for_before_anything_is_rendered(tmp_path, rng, monkeypatch):
    def refuse(*_args, **_settings):
        raise AssertionError("rendered")

    monkeypatch.setattr("train.hands.sources.generate_hands", refuse)
    monkeypatch.delenv("NYU_PATH", raising=False)
    root, real = tmp_path / "nyu", ("run.simulated=", "render.hand=bundled")

    def refusal(*sets: str) -> str:
        with pytest.raises(InputError) as caught:
            make_sources(configured(*sets), tmp_path / "out", 0, 1)
        return str(caught.value)

    assert "name the folder of the NYU dataset, or set NYU_PATH" in refusal(*real)
    write_hands(root, rng, {"train": 2})
    no_test = f"{root}: no folder test; NYU's holds train and test"
    assert refusal(*real, f"hand.dataset={root}") == no_test
    write_hands(root, rng, {"test": 2})
    twin = depth_path(root / "train", SYNTHETIC, 2)
    twin.unlink()
    assert refusal(*real, f"hand.dataset={root}").startswith(f"{twin}: no such file")
    both = refusal("hand.test_frames=0", "pair.hand=no.glb")
    assert both.startswith("2 faults: ") and "no.glb" in both and "hand.test_frames: say" in both
    assert not (tmp_path / "out").exists()


def with_unlabelled(*sets: str):
    few = "hand.train_frames=3", "hand.unlabelled_frames=4", "run.methods=mixed,mapping_unlabelled"
    return configured(*few, *sets)


def test_simulated_unlabelled_frames_are_more_of_the_same_person(tmp_path):
    data = make_sources(with_unlabelled(), tmp_path, seed=0, workers=1)
    folder = tmp_path / "simulated_unlabelled"
    assert data.unlabelled == str(folder) and find_unlabelled(data).numbers == (1, 2, 3, 4)
    roots = folder, tmp_path / "simulated_real"
    made = [json.loads((one / "train" / "generation.json").read_text()) for one in roots]
    for section in ("hand_scene", "sensor", "hand"):
        assert made[0]["settings"][section] == made[1]["settings"][section]
    splits = (folder, "train"), (roots[1], "train"), (roots[1], "test")
    palms = np.concatenate([read_split(*split).joints[:, 13] for split in splits])
    apart = np.linalg.norm(palms[:, None] - palms, axis=2) + np.eye(len(palms))
    assert len(palms) == 9 and apart.min() > 1e-3

    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}
    make_sources(with_unlabelled(), tmp_path, seed=0, workers=1)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")} == before


def test_unlabelled_frames_are_looked_for_before_anything_is_rendered_if_a_method_needs_them(
    tmp_path, rng, monkeypatch
):
    def refuse(*_args, **_settings):
        raise AssertionError("rendered")

    monkeypatch.setattr("train.hands.sources.generate_hands", refuse)

    def refusal(*sets: str) -> str:
        with pytest.raises(InputError) as caught:
            make_sources(with_unlabelled(*sets), tmp_path / "out", 0, 1)
        return str(caught.value)

    assert refusal("hand.unlabelled_frames=0").startswith("hand.unlabelled_frames: say how many")
    empty = tmp_path / "empty"
    (empty / "train").mkdir(parents=True)
    line = f"hand.unlabelled: {empty / 'train'} holds no depth_1_*.png beyond the labelled frames"
    assert refusal(f"hand.unlabelled={empty}").startswith(line)
    assert refusal("hand.unlabelled=nowhere").startswith("hand.unlabelled: nowhere is no folder")
    real = write_hands(tmp_path / "nyu", rng, {"train": 2, "test": 1})
    sets = "run.simulated=", f"hand.dataset={real}", "hand.train_frames=0", "hand.test_frames=0"
    line = f"hand.unlabelled: {real / 'train'} holds no depth_1_*.png beyond the labelled frames"
    assert refusal(*sets).startswith(line)
    assert "no.glb" in refusal(*sets, "hand.train_frames=1", "pair.hand=no.glb")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_demo_goes_the_whole_way_and_says_that_it_is_simulated(tmp_path):
    sets = [*SMALL, "hand_crop.size=32", "localiser.frames=16", "localiser.steps=3"]
    sets += ["localiser.size=32", "train.pretrain_steps=2", "train.steps=2", "train.batch=8"]
    flags = [word for text in sets for word in ("--set", text)]
    run = ["run", "--preset", "hand-demo", "--out", str(tmp_path), "--device", "cpu", *flags]
    result = CliRunner().invoke(main, [*run, "--workers", "1"])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "results.txt").read_text()
    assert text.startswith("12 simulated real frames to train on, 2 to test on\n")
    results = json.loads((tmp_path / "results.json").read_text())
    methods = RunConfig().methods
    rows = [row for method in methods for row in (method, method + REFINED)]
    assert results["frames"] == "simulated real" and list(results["mean"]) == rows
    assert depth_path(tmp_path / "twins" / "train", SYNTHETIC, 12).is_file()
    assert len(iio.imread(tmp_path / "film.mp4", plugin="FFMPEG")) == FILMED
