"""The way of hands from folders to a table, on balls that stand for them."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.formats.nyu import EVALUATED, JOINTS, joints_from_uvd, read_joints, write_joints
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, depth_path, read_split
from render.image_file import read_rgb
from tests.hand_scenes import write_hands
from train.hands.film import hand_film
from train.learn.checkpoint import Checkpoint
from train.learn.pictures import PREDICTED
from train.learn.task import Asked

pytestmark = pytest.mark.slow  # all of it renders and trains

METHODS = ["synthetic", "real", "mapping"]
TINY = [
    *("--preset", "nyu", "--device", "cpu", "--set", "hand_crop.size=16"),
    *("--set", "localiser.frames=16", "--set", "localiser.steps=3", "--set", "localiser.size=16"),
    *("--set", "train.network=small", "--set", "train.pretrain_steps=2", "--set", "train.steps=3"),
    *(
        "--set",
        "run.methods=synthetic,real,mapping",
        "--set",
        "train.batch=8",
        "--set",
        "train.log_every=2",
        "--set",
        "hand.small_from=4",
    ),
]


def invoke(*args: object):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def fail(*args: object) -> str:
    result = invoke(*args)
    assert result.exit_code in (1, 2), result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    return line


def run(root: Path, out: Path, *more: object) -> str:
    result = invoke("run", *TINY, "--set", f"hand.dataset={root}", "--out", out, *more)
    assert result.exit_code == 0, result.output
    return result.output


def checkpoints(out: Path) -> dict[str, int]:
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.rglob("checkpoint.pt")}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    return write_hands(tmp_path_factory.mktemp("nyu"), rng, {"train": 10, "test": 5})


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "nyu"
    run(root, out)
    return out


def test_run_leaves_results_predictions_and_pictures(root, finished):
    results = json.loads((finished / "results.json").read_text())
    assert results["methods"] == METHODS and results["dataset"] == str(root)
    assert list(results["objects"]["hand"]) == list(results["mean"]) == METHODS
    assert set(results["center"]) == {
        "center_mm", "center_mm_median", "center_mm_95", "center_of_mass_mm",
    }  # fmt: skip
    counts = {name: part["real"]["n"] for name, part in results["subsets"].items()}
    assert counts == {"large hand": 3, "small hand": 2}
    for method in METHODS:
        assert read_joints(finished / method / "predictions.txt").shape == (5, 14, 3)
    for name in ("pairs.png", "test_frames.png", "curve.png"):
        assert len(np.unique(read_rgb(finished / name).reshape(-1, 3), axis=0)) > 50


def test_the_predictions_files_score_as_the_results_say(root, finished, tmp_path):
    """By the command that scores others' predictions, against labels in their text form."""
    results = json.loads((finished / "results.json").read_text())
    labels = tmp_path / "labels.txt"
    write_joints(labels, read_split(root, "test").uvd[:, EVALUATED])
    for method in METHODS:
        file = finished / method / "predictions.txt"
        scored = invoke("score", file, "--ground-truth", labels, "--format", "nyu", "--json")
        (metrics,) = json.loads(scored.output).values()
        for key, value in results["mean"][method].items():
            # The files have three decimals.
            assert metrics[key] == pytest.approx(value, abs=0.01), key


def test_run_leaves_a_film_of_its_test_frames_without_and_with_mapping(root, finished, tmp_path):
    """Of the methods that were run, `real` has no panel."""
    runs = {name: finished / name for name in ("synthetic", "mapping")}
    frames = [depth_path(root / "test", SENSOR, number) for number in range(1, 6)]
    asked = Asked(localiser=finished / "localiser")
    hand_film(runs, frames, tmp_path / "film.mp4", asked, "cpu")
    films = [iio.imread(out / "film.mp4", plugin="FFMPEG") for out in (finished, tmp_path)]
    np.testing.assert_array_equal(*films)


def test_a_finished_run_is_not_done_again(root, finished):
    before = {**checkpoints(finished), "film": (finished / "film.mp4").stat().st_mtime_ns}
    trained = {f"{m}/checkpoint.pt" for m in (*METHODS, "localiser", "pretrained")}
    assert set(before) == {*trained, "film"}
    text = (finished / "results.txt").read_text()
    assert run(root, finished).endswith(text)
    after = {**checkpoints(finished), "film": (finished / "film.mp4").stat().st_mtime_ns}
    assert after == before


def test_two_runs_of_one_seed_are_the_same(root, finished, tmp_path):
    run(root, tmp_path / "again", "--set", "run.methods=mapping")
    for file in ("mapping/predictions.txt", "pairs.png"):
        assert (tmp_path / "again" / file).read_bytes() == (finished / file).read_bytes()


def test_evaluate_gives_the_figures_of_run(root, finished, tmp_path):
    """With the localiser; without it crops are centred on the centre of mass."""
    results = json.loads((finished / "results.json").read_text())
    flags = ["--set", f"hand.dataset={root}", "--set", "hand.small_from=4", "--device", "cpu"]
    evaluate = ["evaluate", finished / "mapping", *flags]
    done = invoke(*evaluate, "--out", tmp_path / "a", "--localiser", finished / "localiser")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "a" / "results.json").read_text())
    assert found["mean"]["mapping"] == results["mean"]["mapping"]
    assert found["center"] == results["center"]
    predictions = (finished / "mapping" / "predictions.txt").read_bytes()
    assert (tmp_path / "a" / "mapping.txt").read_bytes() == predictions

    assert invoke(*evaluate, "--out", tmp_path / "b").exit_code == 0
    center = json.loads((tmp_path / "b" / "results.json").read_text())["center"]
    assert center["center_mm"] == center["center_of_mass_mm"]
    assert center["center_of_mass_mm"] == results["center"]["center_of_mass_mm"]


def test_evaluate_measures_the_centres_of_a_localiser(root, finished, tmp_path):
    flags = ["--set", f"hand.dataset={root}", "--device", "cpu", "--out", tmp_path]
    done = invoke("evaluate", finished / "localiser", *flags)
    results = json.loads((finished / "results.json").read_text())
    assert json.loads((tmp_path / "results.json").read_text())["center"] == results["center"]
    assert f"centres {results['center']['center_mm']:.1f} mm from the palm" in done.output


def test_crops_may_be_centred_on_the_annotated_palm_in_training_only(root, finished, tmp_path):
    run(root, tmp_path, "--set", "hand.center=palm", "--set", "run.methods=synthetic")
    results, before = (
        json.loads((out / "results.json").read_text()) for out in (tmp_path, finished)
    )
    assert results["center"] == before["center"] and results["center"]["center_mm"] > 0
    assert results["mean"]["synthetic"] != before["mean"]["synthetic"]


def test_train_makes_the_network_of_run(root, finished, tmp_path):
    """Step by step, from what run left: the same weights."""
    step = ["train", *TINY, "--seed", 1, "--method", "mapping"]
    step += ["--set", f"hand.dataset={root}", "--start", finished / "pretrained" / "checkpoint.pt"]
    done = invoke(*step, "--localiser", finished / "localiser", "--out", tmp_path / "mapping")
    assert done.exit_code == 0, done.output
    one, other = (Checkpoint.load(out / "mapping") for out in (tmp_path, finished))
    for name, tensor in one.net.state_dict().items():
        assert torch.equal(tensor, other.net.state_dict()[name]), name
    assert "needs --localiser RUN, or --set hand.center=palm" in fail(
        *step, "--out", tmp_path / "b"
    )


def test_what_a_method_does_not_see_is_not_looked_for(root, tmp_path, monkeypatch):
    """synthetic needs no real frame: its folder is all that there is."""
    monkeypatch.delenv("NYU_PATH", raising=False)
    step = ["train", *TINY, "--set", "hand.center=palm", "--synthetic", root]
    done = invoke(*step, "--method", "synthetic", "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    assert "NYU_PATH" in fail(*step, "--method", "real", "--out", tmp_path / "b")
    assert "NYU_PATH" in fail(*step, "--method", "mapping", "--out", tmp_path / "c")


def test_predict_prints_what_evaluate_found(root, finished, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    expected = joints_from_uvd(read_joints(finished / "mapping" / "predictions.txt"))
    for i in (0, 2):  # large hands; that it is a small one predict is not told
        image = depth_path(root / "test", SENSOR, i + 1)
        flags = ["--localiser", finished / "localiser", "--device", "cpu"]
        result = invoke("predict", finished / "mapping", image, *flags)
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)["joints_cam_mm"]
        assert list(found) == list(JOINTS)
        assert f"overlay: {image.stem}_pose.png" in caplog.messages
        np.testing.assert_allclose(list(found.values()), 1000 * expected[i], atol=0.01)
        drawn = read_rgb(tmp_path / f"{image.stem}_pose.png")
        assert drawn.shape == (480, 640, 3) and (drawn == PREDICTED).all(axis=-1).any()


def test_options_of_the_other_kind_and_unusable_images_are_refused(finished, tmp_path):
    image, run_folder = finished / "pairs.png", finished / "mapping"
    line = fail("predict", run_folder, image, "--box", "1,1,9,9")
    assert "--box and --camera belong to objects" in line
    assert "must be 640x480" in fail("predict", run_folder, image)
    assert "a.png: no such file" in fail("predict", run_folder, tmp_path / "a.png")
    line = fail("predict", run_folder, image, "--localiser", tmp_path)
    assert "holds no checkpoint.pt" in line


def test_what_is_missing_is_said_in_one_line(root, tmp_path, monkeypatch):
    monkeypatch.delenv("NYU_PATH", raising=False)
    out = ["--out", tmp_path / "out"]
    assert "hand.dataset: name the folder of the NYU dataset, or set" in fail("run", *TINY, *out)
    monkeypatch.setenv("NYU_PATH", str(tmp_path / "nowhere"))
    assert "NYU_PATH: " in fail("run", *TINY, *out)
    monkeypatch.setenv("NYU_PATH", str(root))
    line = fail("run", *TINY, *out, "--set", f"hand.synthetic={tmp_path / 'a'}")
    assert "hand.synthetic: " in line and "a is no folder" in line
    (tmp_path / "empty").mkdir()
    assert "no folder train" in fail(
        "run", *TINY, *out, "--set", f"hand.twins={tmp_path / 'empty'}"
    )
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("results.json"))


def test_a_run_without_drawn_images_names_the_first_that_is_missing(tmp_path):
    root = write_hands(tmp_path / "nyu", np.random.default_rng(1), {"train": 2, "test": 1})
    depth_path(root / "train", SYNTHETIC, 2).unlink()
    line = fail("run", *TINY, "--set", f"hand.dataset={root}", "--out", tmp_path / "out")
    assert "synthdepth_1_0000002.png: no such file" in line
    assert depth_path(root / "train", SENSOR, 2).is_file()
