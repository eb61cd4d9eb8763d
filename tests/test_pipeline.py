"""The commands as a user types them, on datasets small enough for a test."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline import main
from render.formats.bop import read_split
from render.image_file import image_size, read_rgb

RENDER = ["--objects", "assets", "--frames", 8, "--size", "160x120"]
TINY = ["--set", "scene.occluder_chance=0.2", "--set", "render.frames_per_scene=4"]
TINY_RUN = [
    *("--preset", "demo", "--workers", "1", "--device", "cpu"),
    *("--set", "render.frames=12", "--set", "render.size=48x48", "--set", "crop.size=32"),
    *("--set", "train.pretrain_steps=4", "--set", "train.steps=4", "--set", "train.batch=8"),
    *("--set", "pair.variants=2", "--set", "train.save_every=2", "--set", "train.log_every=2"),
    *("--set", "run.simulated_frames=10", "--set", "detector.size=64"),
    *("--set", "detector.steps=2", "--set", "detector.batch=2"),
]


def invoke(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def succeed(*args: object) -> Result:
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result


def fail(code: int, *args: object) -> str:
    """The single line that a failure prints."""
    result = invoke(*args)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1 and "Traceback" not in result.output, result.output
    return lines[0]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "synth"
    succeed(
        "render", "--objects", "assets", "--frames", 8, "--size", "160x120", "--out", out, *TINY
    )
    return out


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "demo"
    succeed("run", "--out", out, *TINY_RUN)
    return out


def test_only_commands_that_train_load_torch():
    """It takes longer to import than all else together."""
    asked = "import sys, pipeline; print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_render_writes_a_bop_dataset(rendered):
    images = read_split(rendered, "train")
    assert len(images) == 8
    for image in images:
        assert image.camera.size == (160, 120)
        depth = image.read_depth()
        for gt_id, annotation in enumerate(image.annotations):
            visible = image.read_mask(gt_id, visible=True)
            whole = image.read_mask(gt_id, visible=False)
            assert visible.sum() == annotation.px_count_visib
            assert not (visible & ~whole).any() and (depth[visible] > 0).all()
    models = json.loads((rendered / "models" / "models_info.json").read_text())
    assert sorted(models) == ["1", "2", "3"]


def test_a_restarted_render_keeps_what_is_there_and_makes_the_rest_alike(rendered, tmp_path):
    copy = tmp_path / "synth"
    shutil.copytree(rendered, copy)
    shutil.rmtree(copy / "train" / "000001")
    (copy / "train" / ".partial-of-a-killed-run").mkdir()
    succeed(
        "render", "--objects", "assets", "--frames", 8, "--size", "160x120", "--out", copy, *TINY
    )
    assert files_of(copy) == files_of(rendered)


@pytest.mark.slow
def test_two_workers_make_the_bytes_of_one(rendered, tmp_path):
    out = tmp_path / "synth"
    succeed("render", *RENDER, "--workers", 2, "--out", out, *TINY)
    assert files_of(out) == files_of(rendered)


def test_a_dataset_made_with_other_settings_is_not_touched(rendered):
    before = files_of(rendered)
    line = fail(1, "render", "--frames", 9, "--size", "160x120", "--out", rendered, *TINY)
    assert "render.frames = 8, not 9" in line
    assert files_of(rendered) == before


def test_run_leaves_results_pictures_and_bop_files(finished):
    results = json.loads((finished / "results.json").read_text())
    trained = ["synthetic", "real", "finetune", "mixed", "mapping"]
    methods = [row for method in trained for row in (method, f"{method}-refined")]
    assert results["methods"] == methods and list(results["mean"]) == methods
    metrics = results["objects"]["1"]["mapping"]
    assert metrics["n"] > 0 and metrics["corner_px"] > 0 and 0 <= metrics["proj_5px"] <= 100
    assert set(results["subsets"]) == {
        "bbox_visib, visib_fract >= 0.6",
        "detector",
        "detector, visib_fract >= 0.6",
        "bbox_obj",
        "bbox_obj, visib_fract >= 0.6",
    }
    for name in ("pairs.png", "test_frames.png", "neighbours.png"):
        assert image_size(finished / "obj_000001" / name)[0] > 300
    assert list((finished / "obj_000001" / "mapping").glob("mapping_*.csv"))


@pytest.mark.slow
def test_run_skips_what_is_finished(finished):
    checkpoints = {p: p.stat().st_mtime_ns for p in finished.rglob("checkpoint.pt")}
    before = (finished / "results.json").read_text()
    result = succeed("run", "--out", finished, *TINY_RUN)
    assert len(checkpoints) == 7  # six networks and the detector
    assert {p: p.stat().st_mtime_ns for p in finished.rglob("checkpoint.pt")} == checkpoints
    assert (finished / "results.json").read_text() == before
    assert "mapping" in result.output


def test_score_of_our_own_file_agrees_with_results_json(finished):
    """evaluate and score reach the same numbers by different ways."""
    (csv,) = (finished / "obj_000001" / "mapping").glob("mapping_*.csv")
    dataset, split = finished / "simulated_real", finished / "obj_000001" / "split.json"
    flags = ["--ground-truth", dataset, "--split", "real", "--split-file", split, "--json"]
    scored = json.loads(succeed("score", csv, *flags, "--objects", 1).output)
    ours = json.loads((finished / "results.json").read_text())["objects"]["1"]["mapping"]
    for key in ("proj_5px", "add_10", "cm5_deg5", "mssd_recall", "mspd_recall", "n"):
        assert scored["objects"]["1"][key] == pytest.approx(ours[key]), key


def test_predict_prints_a_pose_and_draws_it(finished, tmp_path):
    image = finished / "simulated_real" / "real" / "000000" / "rgb" / "000000.png"
    out = tmp_path / "overlay.png"
    run = finished / "obj_000001" / "mapping"
    result = succeed("predict", run, image, "--box", "200,150,120,120", "--out", out)
    pose = json.loads(result.stdout)
    if pose["R"] is not None:
        R = np.array(pose["R"])
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
        assert not np.array_equal(read_rgb(out), read_rgb(image))
    assert image_size(out) == (640, 480)


@pytest.mark.slow
def test_linemod_preset_runs_on_a_dataset_of_that_layout(tmp_path):
    """The paper's experiment, its network and its 15 % of the frames; only sizes are a test's."""
    lm = tmp_path / "lm"
    scene = ["--set", "scene.objects_per_frame=1,1", "--set", "render.frames_per_scene=30"]
    flags = ["--objects", "assets", "--frames", 60, "--size", "320x240", "--split", "test"]
    succeed("render", *flags, *scene, "--out", lm)

    tiny = {
        "data": {"dataset": lm, "objects": "2,3", "min_visib": 0.05},
        "render": {"frames": 4, "size": "64x64"},
        "pair": {"variants": 1},
        "crop": {"size": 32},
        "train": {"pretrain_steps": 1, "steps": 1, "batch": 8},
    }
    sets = [f"--set={name}.{k}={v}" for name, part in tiny.items() for k, v in part.items()]
    out = tmp_path / "run"
    succeed("run", "--preset", "linemod", *sets, "--workers", 1, "--device", "cpu", "--out", out)

    results = json.loads((out / "results.json").read_text())
    assert sorted(results["objects"]) == ["2", "3"]
    for obj_id in (2, 3):
        split = json.loads((out / f"obj_{obj_id:06d}" / "split.json").read_text())
        total = len(split["train"]) + len(split["test"])
        assert len(split["train"]) == round(0.15 * total)
        assert not {tuple(k) for k in split["train"]} & {tuple(k) for k in split["test"]}


def test_a_dataset_in_metres_is_refused(rendered, tmp_path):
    copy = tmp_path / "metres"
    shutil.copytree(rendered, copy)
    for path in copy.glob("train/*/scene_gt.json"):
        scene = json.loads(path.read_text())
        for annotation in (a for image in scene.values() for a in image):
            annotation["cam_t_m2c"] = [x / 1000 for x in annotation["cam_t_m2c"]]
        path.write_text(json.dumps(scene))
    line = fail(1, "pair", "--dataset", copy, "--split", "train", "--out", tmp_path / "twins")
    assert "scene_gt.json" in line and "metres" in line
    assert not (tmp_path / "twins").exists()


@pytest.mark.parametrize(
    ("args", "code", "what"),
    [
        (("render", "--objects", "{tmp}/none"), 1, "none"),
        (("render", "--objects", "{tmp}/empty"), 1, "no mesh files in this folder"),
        (("render", "--frames", "many"), 2, "--frames: render.frames must be"),
        (("render", "--frames", "0"), 2, "render.frames"),
        (("render", "--preset", "lnemod"), 2, "did you mean linemod"),
        (("render", "--set", "scene.distanse=1"), 2, "scene.distance"),
        (("run", "--preset", "lmo"), 1, "BOP_PATH"),
        (("render", "--seed", "-1"), 2, "--seed"),
        (("render", "--shard", "5/4"), 2, "--shard must be I/N"),
        (("render", "--ray", "--workers", "2"), 2, "--workers is of this machine"),
        (("run", "--preset", "demo", "--set", "run.methods=mapings"), 1, "mapings"),
        (("run", "--preset", "demo", "--device", "tpu"), 1, "--device tpu"),
        (("pair", "--dataset", "{tmp}/none"), 1, "data.dataset"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(args, code, what, tmp_path, monkeypatch):
    monkeypatch.delenv("BOP_PATH", raising=False)
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    line = fail(code, *(arg.format(tmp=tmp_path) for arg in args), "--out", out)
    assert what in line
    assert not out.exists()


def test_a_box_outside_the_image_is_refused(finished, tmp_path):
    image = finished / "simulated_real" / "real" / "000000" / "rgb" / "000000.png"
    run = finished / "obj_000001" / "mapping"
    for box, what in (("700,10,20,20", "outside its image"), ("1,2,3", "x,y,width,height")):
        line = fail(1, "predict", run, image, "--box", box, "--out", tmp_path / "overlay.png")
        assert what in line
    assert not (tmp_path / "overlay.png").exists()


def test_a_truncated_image_is_named(finished, tmp_path):
    image = tmp_path / "cut.png"
    whole = finished / "simulated_real" / "real" / "000000" / "rgb" / "000000.png"
    image.write_bytes(whole.read_bytes()[:5000])
    line = fail(1, "predict", finished / "obj_000001" / "mapping", image, "--box", "9,9,50,50")
    assert "cut.png" in line and "truncated" in line
