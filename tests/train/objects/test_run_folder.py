"""What a whole run leaves for `predict`: what refines poses, the lens, the object's name."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.capture.lens import Lens, Straightener, write_lens
from render.image_file import write_png
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.objects.read.eye import LENS
from train.objects.refine.file import REFINER, read_refiner

SETTINGS = [
    *("run.simulated=", "run.methods=mixed", "run.refine=2", "run.detect=false"),
    *("run.real_views=false", "run.real_background=false", "pair.variants=1"),
    *("train.network=small", "train.pretrain_steps=1", "train.steps=1", "train.batch=8"),
    *("render.frames=8", "render.size=48x48", "crop.size=32"),
    *("data.split=test", "data.split_file=split.json", "data.objects=mug"),
]
BENT = Lens(CAMERA.K * [[1.1], [1.1], [1]], np.array([0.1, -0.2, 0, 0, 0.0]), CAMERA.size)
SCENE = Path("test") / "000002"


def invoke(*args: object) -> str:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


def run(root: Path, out: Path, *more: str) -> Path:
    asked = [part for s in (*SETTINGS, f"data.dataset={root}", *more) for part in ("--set", s)]
    invoke("run", "--preset", "demo", "--device", "cpu", "--workers", 1, *asked, "--out", out)
    return out


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root, models = tmp_path_factory.mktemp("filmed") / "real", {1: cuboids()[1]}
    frames = random_frames(np.random.default_rng(3), models, 9)
    write_dataset(root, models, frames)
    (root / "models" / "names.json").write_text('{"1": {"name": "mug", "file": "mug.glb"}}')
    keys = [[2, i] for i in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:6], "test": keys[6:]}))
    write_lens(root / SCENE / LENS, BENT, Straightener(BENT).camera)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory) -> Path:
    return run(root, tmp_path_factory.mktemp("runs") / "mug")


def test_what_refines_poses_and_the_lens_lie_beside_the_networks(root, finished):
    folder = finished / "obj_000001"
    with read_refiner(folder, 1) as refiner:
        assert refiner.rounds == 2
        np.testing.assert_allclose(refiner.model.box, cuboids()[1].box, atol=1e-6)
    assert (folder / LENS).read_bytes() == (root / SCENE / LENS).read_bytes()


def test_tables_and_what_predict_prints_have_the_objects_name(finished, tmp_path):
    assert json.loads((finished / "results.json").read_text())["names"] == {"1": "mug"}
    picture = tmp_path / "a.png"
    write_png(picture, np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8))
    overlay = tmp_path / "b.png"
    network = finished / "obj_000001" / "mixed"
    printed = invoke("predict", network, picture, "--box", "60,40,40,30", "--out", overlay)
    found = json.loads(printed)
    assert (found["obj_id"], found["name"]) == (1, "mug")
    assert found["box"] != [60, 40, 40, 30]  # where it is without the lens's distortion


def test_a_run_without_refinement_leaves_nothing_that_refines(root, tmp_path):
    out = run(root, tmp_path, "run.refine=0")
    assert not (out / "obj_000001" / REFINER).exists()
    assert (out / "obj_000001" / LENS).exists()


@pytest.mark.slow
def test_a_study_calls_objects_by_their_names(root, tmp_path):
    tuning = ["study.seeds=1", "study.tuning=*: lr=0.001|0.0001", "study.tune_objects=mug"]
    asked = [s for s in SETTINGS if s != "run.refine=2"]
    sets = [part for s in (*asked, *tuning, "run.refine=0") for part in ("--set", s)]
    named = ("--set", f"data.dataset={root}", "--device", "cpu", "--workers", 1)
    invoke("study", "--preset", "demo", *sets, *named, "--out", tmp_path)
    text = (tmp_path / "study.txt").read_text()
    assert "of objects mug, seed 0" in text and "real frames, objects mug" in text
