"""Hands rendered into NYU's layout, read back by the reader of the real dataset."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.dataset import hands as hand_dataset
from render.dataset.hands import generate_hands
from render.draw.rasterizer import Rasterizer
from render.draw.renderer import RenderConfig
from render.formats.nyu import CAMERA, EVALUATED
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, read_split
from render.formats.nyu_joints import NYU_JOINTS
from render.hand.file import load_hand
from render.hand.nyu_points import nyu_points
from render.hand.scene import HandRandomizer, HandSceneConfig
from render.sensor.config import SensorConfig
from render.sensor.depth import apply_depth_sensor
from tests.render.hand.test_points import posed_one_by_one

MODEL = load_hand("bundled")
CONFIG = RenderConfig(hand="bundled", format="nyu", frames=7, frames_per_scene=2)
SCENE = HandSceneConfig(second_chance=0.5)
SENSORS = SensorConfig(depth="structured-light", baseline=-0.075)
SEED = 3


def render(out: Path, workers: int = 1, part=(1, 1), scene=SCENE, **changes) -> Path:
    generate_hands(replace(CONFIG, **changes), scene, out, SEED, workers, SENSORS, part)
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return render(tmp_path_factory.mktemp("hands") / "nyu")


@pytest.fixture(scope="module")
def specs():
    draw = HandRandomizer(SCENE, MODEL, SEED, SENSORS)
    return [draw.scene(i) for i in range(CONFIG.frames)]


def test_both_images_of_a_frame_are_what_was_drawn(dataset, specs):
    seen, drawn = (read_split(dataset, "train", stream) for stream in (SENSOR, SYNTHETIC))
    assert seen.numbers == drawn.numbers == tuple(range(1, 8))
    with Rasterizer(HandRandomizer(SCENE, MODEL, SEED).meshes) as rasterizer:
        for i, spec in enumerate(specs):
            whole, hand = rasterizer.render([spec, replace(spec, objects=spec.objects[:1])])
            np.testing.assert_allclose(drawn.read_depth(i), hand.depth, atol=0.00051)
            assert ((drawn.read_depth(i) > 0) == (hand.depth > 0)).all()
            expected = apply_depth_sensor(whole.depth, CAMERA.K, spec.depth_sensor)
            nothing = (expected == 0) | (expected > 2.001)
            image = seen.read_depth(i)
            np.testing.assert_allclose(image[nothing], 2.001, atol=1e-6)
            np.testing.assert_allclose(image[~nothing], expected[~nothing], atol=0.00051)


def test_joints_are_those_of_the_drawn_hand_and_lie_in_its_flesh(dataset, specs):
    split = read_split(dataset, "train", SYNTHETIC)
    points = nyu_points(MODEL, NYU_JOINTS)
    for i, spec in enumerate(specs):
        hand = spec.objects[0]
        joints = posed_one_by_one(MODEL, points, hand.posture, hand.matrix)
        np.testing.assert_allclose(split.joints[i], joints[list(EVALUATED)], atol=1e-6)
        depth = split.read_depth(i)
        u, v = np.rint(split.uvd[i, :, :2]).astype(int).T
        assert (depth[v, u] > 0).all(), [NYU_JOINTS[j] for j in np.flatnonzero(depth[v, u] == 0)]
        assert (depth[v, u] < split.uvd[i, :, 2] / 1000 + 0.001).all()


@pytest.mark.slow
def test_workers_parts_and_restarts_give_the_same_bytes(dataset, tmp_path, monkeypatch):
    expected = files_of(dataset)
    parts = tmp_path / "parts"
    render(parts, part=(2, 2))
    assert not (parts / "train" / "joint_data.mat").exists()
    assert files_of(render(parts, workers=2, part=(1, 2))) == expected

    written = hand_dataset.write_shard
    stopped = tmp_path / "stopped"

    def stop(folder, first, frames):
        written(folder, first, frames)
        if first == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(hand_dataset, "write_shard", stop)
        render(stopped)
    names = {path.name for path in (stopped / "train").glob("depth*")}
    assert names == {"depth_1_0000001.png", "depth_1_0000002.png"}
    assert files_of(render(stopped)) == expected
    before = {p: p.stat().st_mtime_ns for p in stopped.rglob("*")}
    render(stopped)
    assert {p: p.stat().st_mtime_ns for p in stopped.rglob("*")} == before


def test_two_processes_may_finish_a_split_at_once(dataset, tmp_path, monkeypatch):
    """One that finds the shards joined, and gone, under its hands is content with that."""
    finish = hand_dataset.finish_split

    def meet_another(folder, count):
        finish(folder, count)
        finish(folder, count)

    monkeypatch.setattr(hand_dataset, "finish_split", meet_another)
    assert files_of(render(tmp_path)) == files_of(dataset)


def test_the_hand_alone_is_the_same_without_the_sensor_s_images(dataset, tmp_path):
    alone = render(tmp_path, scene=replace(SCENE, images="alone"))
    assert not list(alone.rglob("depth_*"))
    expected = {n: b for n, b in files_of(dataset).items() if "synthdepth" in n or "joint" in n}
    assert {n: b for n, b in files_of(alone).items() if "generation" not in n} == expected


def test_splits_share_a_folder_and_may_have_only_the_evaluated_joints(dataset, tmp_path):
    render(tmp_path, split="test", frames=2, scene=replace(SCENE, joints="evaluated"))
    render(tmp_path, frames=1)
    test, train = read_split(tmp_path, "test"), read_split(tmp_path, "train")
    others = np.setdiff1d(np.arange(36), EVALUATED)
    assert np.isnan(test.uvd[:, others]).all() and np.isfinite(train.uvd).all()
    whole = read_split(dataset, "train")
    np.testing.assert_array_equal(test.uvd[:, EVALUATED], whole.uvd[:2, EVALUATED])


def refused(*args: object) -> str:
    result = CliRunner().invoke(main, ["render", *(str(arg) for arg in args)])
    assert result.exit_code in (1, 2), result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    return line


def test_what_does_not_go_with_hands_is_refused_in_one_line(dataset, tmp_path):
    out = ["--out", tmp_path / "out"]
    assert "nyu holds hands; add --hand bundled" in refused("--format", "nyu", *out)
    hands = ["--hand", "bundled", "--format", "nyu"]
    assert "render.objects: belongs to objects" in refused(*hands, "--objects", "assets", *out)
    assert "render.size: belongs to objects" in refused(*hands, "--size", "64x48", *out)
    assert "no hand of that name" in refused("--hand", "foot", "--format", "nyu", *out)
    assert not (tmp_path / "out").exists()
    line = refused(*hands, "--frames", 7, "--out", dataset)
    assert "was made with render.frames_per_scene = 2, not 100" in line


def test_the_command_writes_what_the_function_does(dataset, tmp_path):
    flags = ["--hand", "bundled", "--format", "nyu", "--frames", "7", "--frames-per-scene", "2"]
    flags += ["--set", "hand_scene.second_chance=0.5", "--set", "sensor.depth=structured-light"]
    flags += ["--set", "sensor.baseline=-0.075", "--seed", "3", "--workers", "1"]
    result = CliRunner().invoke(main, ["render", *flags, "--out", str(tmp_path)])
    assert result.exit_code == 0 and result.output.endswith(f"{tmp_path}: 7 frames\n")
    assert files_of(tmp_path) == files_of(dataset)


@pytest.mark.slow
def test_shards_of_whole_scenes_are_gone_on_from(tmp_path, monkeypatch):
    """As older versions drew them: all frames of a scene at once."""
    changes = {"frames": 12, "frames_per_scene": 6}
    whole = render(tmp_path / "whole", **changes)
    with monkeypatch.context() as patch:
        patch.setattr(hand_dataset, "part_size", lambda frames, size: frames)
        out = render(tmp_path / "out", part=(2, 2), **changes)
    (shard,) = (out / "train").glob(".joints_*")
    assert shard.name == ".joints_0000007.npy"
    drawn = (out / "train" / "synthdepth_1_0000009.png").stat().st_mtime_ns
    render(out, workers=2, **changes)
    assert files_of(out) == files_of(whole)
    assert (out / "train" / "synthdepth_1_0000009.png").stat().st_mtime_ns == drawn
