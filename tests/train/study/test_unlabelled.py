"""Studies of methods that learn from frames without labels, with tiny networks, by the command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.io import loadmat, savemat

from pipeline import main
from tests.hand_scenes import write_hands
from train.learn.checkpoint import Checkpoint
from train.learn.rounds import LABELS

pytestmark = pytest.mark.slow  # all of it trains

TRAINED, UNLABELLED = [1, 3, 5, 7, 9], [2, 4, 6, 8]
METHODS = ["mixed", "mixed_unlabelled", "mapping_unlabelled", "mapping_unlabelled_adversary"]
TINY = [
    *("--preset", "nyu", "--workers", 1, "--device", "cpu", "--set", "train.network=small"),
    *("--set", "train.pretrain_steps=2", "--set", "train.steps=3", "--set", "train.batch=8"),
    *("--set", "hand_crop.size=16", "--set", "localiser.frames=16", "--set", "localiser.steps=3"),
    *("--set", "localiser.size=16", "--set", "hand.train_frames=5", "--set", "study.seeds=1"),
    *("--set", f"run.methods={','.join(METHODS)}"),
]


def study(root: Path, out: Path, *sets: str, rounds: bool = True) -> dict:
    args = ["study", *TINY, "--set", f"hand.dataset={root}", "--out", out]
    args += ["--set", "run.rounds=2"] if rounds else []
    args += [word for text in sets for word in ("--set", text)]
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return json.loads((out / "study.json").read_text())


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    return write_hands(tmp_path_factory.mktemp("nyu"), rng, {"train": 9, "test": 3})


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    record = study(root, out, "study.real_frames=3,0", "study.tuning=")
    assert record["failed"] == {} and record["done"][0] == record["done"][1]
    return out


def inputs(run: Path) -> dict[str, str]:
    return Checkpoint.load(run).settings["inputs"]


def made(folder: Path, name: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob(name)}


def test_methods_of_one_number_of_frames_share_what_was_read(finished):
    folder = finished / "hand" / "seed0"
    labels = [f"real{n}/labelled/round_{i}/{LABELS}" for n in (0, 3) for i in (1, 2)]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob(LABELS)) == labels
    for n, labelled in ((3, 3), (0, 5)):
        of_it = folder / f"real{n}"
        for i in (1, 2):
            record = json.loads((of_it / "labelled" / f"round_{i}" / LABELS).read_text())
            assert [row["frame"] for row in record["frames"]] == UNLABELLED
        mixed, *enlarged = (inputs(of_it / method) for method in METHODS)
        assert mixed["real"].startswith(f"{labelled} samples")
        assert enlarged[0]["real"].startswith(f"{labelled + 2} samples")  # the better half
        assert enlarged[0]["real"] == enlarged[1]["real"] == enlarged[2]["real"]
        assert enlarged[2]["unlabelled"].startswith("4 samples")
        assert [one.keys() for one in enlarged[:2]] == [mixed.keys()] * 2
        for method in METHODS:
            used = json.loads((of_it / method / "result.json").read_text())["real_frames"]
            assert len(used) == labelled and set(used) <= set(TRAINED)


def test_the_method_mixed_reads_first_and_is_trained_once(finished):
    """It is a network of the study; the second round's is one of its own."""
    for n in (3, 0):
        of_it = finished / "hand" / "seed0" / f"real{n}"
        runs = {str(p.parent.relative_to(of_it)) for p in of_it.rglob("checkpoint.pt")}
        assert runs == {*METHODS, "labelled/round_1/network"}
        order = "mixed", "labelled/round_1/network", "mixed_unlabelled"
        times = [(of_it / run / "checkpoint.pt").stat().st_mtime_ns for run in order]
        assert times == sorted(times)
        assert Checkpoint.load(of_it / order[1]).method == "mixed_unlabelled"
        assert inputs(of_it / order[1])["real"] != inputs(of_it / "mixed")["real"]


def test_a_study_that_was_killed_goes_on_to_the_same_result(root, finished):
    """In the midst of the reading of frames, too: what was drawn is kept."""
    of_it = finished / "hand" / "seed0" / "real3"
    again = of_it / "labelled" / "round_2" / LABELS
    files = {file: file.read_bytes() for file in (again, finished / "study.json")}
    files |= {file: file.read_bytes() for file in of_it.rglob("result.json")}
    for name in ("labelled/result.json", "mixed_unlabelled/result.json"):
        (of_it / name).unlink()
    shutil.rmtree(again.parent)
    shutil.rmtree(of_it / "mapping_unlabelled")
    kept = {**made(finished, "checkpoint.pt"), **made(of_it, "synthdepth*.png")}
    assert len(kept) > len(UNLABELLED)
    study(root, finished, "study.real_frames=3,0", "study.tuning=")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for file, before in files.items():
        assert file.read_bytes() == before


def test_candidates_of_a_fold_share_what_was_read_without_its_held_out_frames(root, tmp_path):
    sets = "study.real_frames=0", "study.tuning=*: lr=0.001|0.0001", "study.tune_folds=2"
    record = study(root, tmp_path, *sets, "study.tune_judged=1", "run.rounds=1")
    assert {found["runs"] for found in record["tuning"].values()} == {2}
    folder = tmp_path / "hand" / "seed0"
    places = {str(path.parents[1].relative_to(folder)) for path in folder.rglob(LABELS)}
    assert places == {"tuning/fold0/labelled-0", "real0/labelled"}
    teachers = [folder / place / "mixed" for place in sorted(places)]
    counts = [inputs(teacher)["real"].split()[0] for teacher in teachers]
    assert counts == ["5", "2"]  # three of five are held out
    lr = [Checkpoint.load(teacher).settings["train"]["lr"] for teacher in teachers]
    assert lr[0] == lr[1]  # the study's own, whatever is tuned


def test_an_adversary_alone_reads_no_frame_and_no_label(root, tmp_path):
    """Other joints of the unlabelled frames, or none, lead to the same weights, to the bit."""
    made = []
    for name in ("others", "none"):
        other = Path(shutil.copytree(root, tmp_path / name))
        file = other / "train" / "joint_data.mat"
        record = {k: v for k, v in loadmat(file).items() if not k.startswith("__")}
        file.unlink()
        if name == "others":
            savemat(file, record | {k: v[:, ::-1] for k, v in record.items() if v.ndim == 4})
        sets = "study.real_frames=3", f"hand.unlabelled={other}", "run.methods=mapping_adversary"
        study(root, tmp_path / f"of_{name}", *sets, rounds=False)
        out = tmp_path / f"of_{name}" / "hand" / "seed0"
        assert not list(out.rglob(LABELS)) and not list(out.rglob("mixed"))
        made.append(Checkpoint.load(out / "real3" / "mapping_adversary"))
    one, two = (of.settings["inputs"] for of in made)
    assert one["unlabelled"].startswith("9 samples") and one == two
    for name, tensor in made[0].net.state_dict().items():
        assert torch.equal(tensor, made[1].net.state_dict()[name]), name
