"""`run` on one's own mesh: what it begins with, with real frames and without."""

import json
import logging

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.formats.bop_records import read_records
from render.json_file import read_json
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.objects.data import DataConfig, with_ids
from train.objects.own import choose

TINY = [
    *("--device", "cpu", "--workers", "1", "--set", "crop.size=32", "--set", "train.network=small"),
    *("--set", "train.pretrain_steps=1", "--set", "train.steps=1", "--set", "train.batch=8"),
    *("--set", "detector.steps=2", "--set", "detector.size=96"),
    *("--set", "render.frames=8", "--set", "render.size=48x48", "--set", "run.simulated_frames=4"),
]


@pytest.fixture
def real(tmp_path):
    """Nine frames of an object, six to train on."""
    frames = random_frames(np.random.default_rng(3), {1: cuboids()[1]}, 9)
    root = write_dataset(tmp_path / "real", {1: cuboids()[1]}, frames, "filmed")
    keys = [[2, i] for i in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:6], "test": keys[6:]}))
    return root


def chosen(meshes=(), real=None, preset=None, config=None, **more):
    given = {"meshes": meshes, "real": real, "seed": 0, "sets": (), **more}
    return choose(preset, config, given)


def fail(*arguments):
    result = CliRunner().invoke(main, ["run", *map(str, arguments)])
    lines = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert result.exit_code in (1, 2) and len(lines) == 1, result.output
    return lines[0]


def test_a_mesh_and_real_frames_say_all_that_run_needs(real, caplog):
    mesh = real / "models" / "obj_000001.ply"
    with caplog.at_level(logging.INFO):
        preset, found = chosen([mesh], real)
    assert preset == "own"
    data = {"dataset": str(real), "split": "filmed", "split_file": "split.json", "objects": [1]}
    assert found["data"] == data
    assert found["render"]["objects"] == [str(mesh)]
    line = caplog.messages[-1]
    assert "preset own: object 1 is obj_000001.ply; 6 real frames to train on and 3" in line


def test_a_camera_that_cannot_be_taken_is_named(real, caplog):
    record = {"fx": 4.25, "fy": 4.25, "cx": 80, "cy": 60, "width": 160, "height": 120}
    (real / "camera.json").write_text(json.dumps(record))
    _, found = chosen([], real)
    assert "camera" not in found["render"]
    (warned,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "camera.json: fx = 4.25 is" in warned and "are of LINEMOD's camera" in warned


def test_synthetic_images_are_as_far_away_as_the_training_frames_show_the_object(real):
    _, found = chosen([], real)
    middle = np.append(cuboids()[1].box.mean(axis=0), 1)
    records = read_records(real / "filmed" / "000002" / "scene_gt.json")
    away = []
    for key in sorted(records)[:6]:
        (gt,) = records[key]
        pose = np.column_stack([np.reshape(gt["cam_R_m2c"], (3, 3)), gt["cam_t_m2c"]])
        away.append(np.linalg.norm(pose @ (middle * [1000, 1000, 1000, 1])) / 1000)
    assert found["scene"]["distance"] == pytest.approx([0.9 * min(away), 1.1 * max(away)], abs=1e-4)


def test_what_the_user_says_of_the_frames_is_not_looked_for(real):
    (real / "other.json").write_text((real / "split.json").read_text())
    (real / "split.json").rename(real / "another.json")
    with pytest.raises(Exception, match=r"another.json, other.json; say by --split-file"):
        chosen([], real)
    assert chosen([], real, split_file="other.json")[1]["data"]["split_file"] == "other.json"
    assert chosen([], real, sets=("data.train_fraction=0.5",))[1]["data"]["split_file"] == ""


def test_objects_are_asked_for_by_the_names_that_their_dataset_has(real, caplog):
    (real / "models" / "names.json").write_text('{"1": {"name": "mug", "file": "mug.glb"}}')
    with caplog.at_level(logging.INFO):
        chosen([], real, objects="mug")
    assert "preset own: objects mug; 6 real frames" in caplog.text
    data = DataConfig(objects=("mug",), dataset=str(real))
    assert with_ids(data, real).obj_ids == (1,)
    with pytest.raises(
        InputError, match=r"data\.objects: there is no object mugg; did you mean mug"
    ):
        chosen([], real, objects="mugg")


def test_without_mesh_and_frames_nothing_is_chosen(real):
    assert chosen(preset="demo") == ("demo", {})


def test_a_preset_or_a_file_that_extends_one_is_kept(real, tmp_path):
    assert chosen(real=real, preset="lmo")[0] == "lmo"
    file = tmp_path / "mine.toml"
    file.write_text('extends = "lmo"\n')
    assert chosen(real=real, config=file)[0] is None
    file.write_text("[train]\nsteps = 3\n")
    assert chosen(real=real, config=file)[0] == "own"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--object", "assets", "--set", "run.methods=mapping"], "mapping needs real frames"),
        (["--object", "assets", "--set", "render.objects=assets"], "no effect with --object"),
        (["--object", "assets", "--set", "data.split=x"], "data.split belongs to real frames"),
        (["--object", "assets", "--set", "pair.lit=0"], "pair.lit belongs to real frames"),
        (["--object", "assets", "--refine", "3"], "run.refine needs real frames"),
        (["--object", "assets", "--preset", "hand-demo"], "--object is of objects"),
        (["--real", "REAL", "--dataset", "lmo"], "--real names the dataset"),
        (["--real", "REAL", "--preset", "demo"], "--real has no effect with run.simulated"),
        (["--real", "REAL/models"], "no dataset"),
        (["--object", "assets/obj_000002.ply", "--real", "REAL"], "is object 2, by its name"),
    ],
)
def test_what_has_no_use_is_refused_and_nothing_is_left(real, tmp_path, arguments, line):
    arguments = [argument.replace("REAL", str(real)) for argument in arguments]
    assert line in fail(*arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "held_out").exists()


@pytest.mark.slow
def test_without_real_frames_synthetic_ones_are_tested_on_and_all_say_so(tmp_path):
    arguments = ["run", "--object", "assets/obj_000001.ply", *TINY, "--out", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    heading = (tmp_path / "results.txt").read_text().splitlines()[0]
    assert "no real frame to train on, 4 to test on: held-out SYNTHETIC frames" in heading
    results = read_json(tmp_path / "results.json")
    assert "SYNTHETIC" in results["tested_on"] and results["methods"] == ["synthetic"]
    assert "Tested on held-out SYNTHETIC frames" in (tmp_path / "report.html").read_text()
    # None of them was trained on: another seed, another kind of scene, and no twin of any.
    seeds = {
        read_json(tmp_path / folder / "generation.json")["settings"]["seed"]
        for folder in ("held_out", "obj_000001/synthetic_images")
    }
    assert len(seeds) == 2 and not (tmp_path / "obj_000001" / "twins").exists()
