"""Studies of random pictures with tiny networks, by the command."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.config import PRESETS, OptionError, fill, load_preset
from render.errors import InputError
from render.image_file import image_size
from tests.hand_scenes import write_hands
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.options import TrainConfig
from train.study import job as study_job
from train.study.config import StudyConfig, candidates
from train.study.job import draw_frames

METHODS = ["synthetic", "finetune", "mapping"]
TUNING = "*: lr=0.001|0.0001,mapping: beta=0.001|1"
NETWORK = [
    *("--workers", 1, "--device", "cpu", "--set", "train.network=small"),
    *("--set", "train.pretrain_steps=2", "--set", "train.steps=3", "--set", "train.batch=8"),
    *("--set", f"run.methods={','.join(METHODS)}"),
]
TINY = [
    *("--preset", "demo", *NETWORK, "--set", "run.simulated=", "--set", "run.refine=0"),
    *("--set", "run.real_views=false", "--set", "run.real_background=false"),
    *("--set", "data.split=test", "--set", "data.split_file=split.json"),
    *("--set", "render.frames=8", "--set", "render.size=48x48", "--set", "pair.variants=1"),
    *("--set", "crop.size=32", "--set", "study.seeds=2", "--set", "study.real_frames=2,0"),
    *("--set", f"study.tuning={TUNING}"),
]


def invoke(root: Path, out: Path, *more: object):
    args = ["study", *TINY, "--set", f"data.dataset={root}", "--out", out, *more]
    return CliRunner().invoke(main, [str(arg) for arg in args])


def succeed(root: Path, out: Path, *more: object) -> dict:
    result = invoke(root, out, *more)
    assert result.exit_code == 0, result.output
    return json.loads((out / "study.json").read_text())


def write_root(root: Path, spoilt_tests: bool = False) -> Path:
    """Twelve images, the last six of them to test on; those spoilt have their poses swapped."""
    models = {1: cuboids()[1]}
    frames = random_frames(np.random.default_rng(2), models, 12)
    ids = list(frames)
    if spoilt_tests:
        for one, other in zip(ids[6:], reversed(ids[6:]), strict=True):
            if one != other:
                frames[one] = replace(frames[one], rgb=255 - frames[one].rgb)
                (annotation,) = frames[one].annotations
                moved = annotation.cam_from_obj @ np.diag([-1.0, -1.0, 1.0, 1.0])
                frames[one] = replace(
                    frames[one], annotations=(replace(annotation, cam_from_obj=moved),)
                )
    write_dataset(root, models, frames)
    keys = [[2, i] for i in ids]
    (root / "split.json").write_text(json.dumps({"train": keys[:6], "test": keys[6:]}))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_root(tmp_path_factory.mktemp("study") / "real")


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    succeed(root, out)
    return out


def results(out: Path) -> set[str]:
    return {str(path.parent.relative_to(out)) for path in out.rglob("result.json")}


def copy_without(finished: Path, out: Path, *folders: str) -> Path:
    shutil.copytree(finished, out)
    for folder in folders:
        shutil.rmtree(out / "obj_000001" / folder)
    return out


@pytest.mark.slow
def test_a_study_compares_all_methods_for_each_number_of_frames(finished):
    record = json.loads((finished / "study.json").read_text())
    assert record["done"] == [10, 10] and record["failed"] == {}
    tables = {(table["visib"], table["real_frames"]): table for table in record["tables"]}
    assert list(tables) == [(0.6, 2), (0.6, 0), (0.1, 2), (0.1, 0)]
    for table in tables.values():
        assert list(table["methods"]) == METHODS and table["seeds"] == {"1": [0, 1]}
        means = {method: found["corner_px"]["mean"] for method, found in table["methods"].items()}
        assert table["rival"] == min(["synthetic", "finetune"], key=means.__getitem__)
        assert list(table["ratios"]) == ["synthetic", "finetune"]
    assert image_size(finished / "study_frames.png")[0] > 500


@pytest.mark.slow
def test_what_one_pretraining_leads_to_is_there_before_the_next_begins(finished):
    folder = finished / "obj_000001"
    first = [path.stat().st_mtime_ns for path in (folder / "seed0").rglob("checkpoint.pt")]
    assert len(first) > len(METHODS)
    assert max(first) < (folder / "seed1" / "pretrained" / "result.json").stat().st_mtime_ns


@pytest.mark.slow
def test_the_figures_are_those_of_the_errors_on_disk(finished):
    record = json.loads((finished / "study.json").read_text())
    table = next(t for t in record["tables"] if (t["visib"], t["real_frames"]) == (0.6, 2))
    errors = {}
    for method in METHODS:
        part = method if method == "synthetic" else f"real2/{method}"
        files = [finished / "obj_000001" / f"seed{s}" / part / "result.json" for s in (0, 1)]
        rows = [json.loads(file.read_text())["rows"] for file in files]
        errors[method] = [
            np.mean([r["errors"]["corner_px"] if r["errors"] else r["crop_side_px"] for r in rs])
            for rs in rows
        ]
        found = table["methods"][method]["corner_px"]
        assert found["mean"] == pytest.approx(np.mean(errors[method]))
    logs = np.log(np.array(errors["mapping"]) / errors["finetune"])
    assert table["ratios"]["finetune"]["mean"] == pytest.approx(np.exp(logs.mean()))


@pytest.mark.slow
def test_each_method_has_as_many_tuning_runs_and_what_it_chose_is_used(finished):
    record = json.loads((finished / "study.json").read_text())
    assert {found["runs"] for found in record["tuning"].values()} == {2}
    assert len(list(finished.rglob("tuning/*/*/result.json"))) == 2 * len(METHODS)
    for method in METHODS:
        chosen = record["tuning"][method]["chosen"]
        assert set(chosen) == ({"beta"} if method == "mapping" else {"lr"})
        for file in finished.glob(f"obj_*/seed*/**/{method}/result.json"):
            assert json.loads(file.read_text())["options"] == chosen


@pytest.mark.slow
def test_seeds_that_share_a_start_are_pretrained_once_and_differ_after(root, tmp_path):
    more = ("--set", "study.share_start=true", "--set", "study.tuning=")
    record = succeed(root, tmp_path, *more, "--set", "study.real_frames=0")
    assert [path.parent.name for path in tmp_path.rglob("pretrained")] == ["seed0"]
    assert record["done"] == [6, 6]
    start = Checkpoint.load(tmp_path / "obj_000001" / "seed0" / "pretrained").settings
    nets = [
        Checkpoint.load(tmp_path / "obj_000001" / f"seed{seed}" / "real0" / "finetune")
        for seed in (0, 1)
    ]
    for net in nets:
        assert net.settings["start"] == str(tmp_path / "obj_000001/seed0/pretrained/checkpoint.pt")
    assert start["start"] is None
    weights = [net.net.state_dict()["predict.weight"] for net in nets]
    assert not torch.equal(*weights)
    assert (
        "All seeds of an object start from one pre-training" in (tmp_path / "study.txt").read_text()
    )


@pytest.mark.slow
def test_a_study_that_was_killed_goes_on_to_the_same_result(root, finished, tmp_path, monkeypatch):
    out = copy_without(finished, tmp_path / "out", "seed1", "seed0/real2", "seed0/tuning")
    real_train, calls = study_job.train_network, []

    def killed(training, inputs, folder, device):
        calls.append(folder)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return real_train(training, inputs, folder, device)

    monkeypatch.setattr(study_job, "train_network", killed)
    assert invoke(root, out).exit_code == 130
    monkeypatch.setattr(study_job, "train_network", real_train)
    kept = {name: (out / name / "result.json").stat().st_mtime_ns for name in results(out)}
    succeed(root, out)
    assert all((out / n / "result.json").stat().st_mtime_ns == t for n, t in kept.items())
    for name in ("study.json", "study.txt"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()
    assert results(out) == results(finished)


@pytest.mark.slow
def test_two_workers_find_what_one_finds(root, finished, tmp_path):
    copy_without(finished, tmp_path / "out", "seed1", "seed0/tuning")
    succeed(root, tmp_path / "out", "--workers", 2)
    ours, theirs = (out / "study.json" for out in (tmp_path / "out", finished))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_what_is_chosen_does_not_depend_on_the_test_frames(finished, tmp_path):
    """Their pictures inverted and their poses turned, choices and their errors stay to the bit."""
    changed = write_root(tmp_path / "real", spoilt_tests=True)
    record = succeed(changed, tmp_path / "out", "--set", "study.seeds=2")
    before = json.loads((finished / "study.json").read_text())
    assert record["tuning"] == before["tuning"]
    assert record["tables"] != before["tables"]


@pytest.mark.slow
def test_a_part_that_fails_is_named_and_all_others_are_finished(
    root, finished, tmp_path, monkeypatch
):
    out = copy_without(finished, tmp_path / "out", "seed1/real2")
    real_train = study_job.train_network

    def failing(training, inputs, folder, device):
        if training.method == "mapping":
            raise RuntimeError("CUDA out of\nmemory")
        return real_train(training, inputs, folder, device)

    monkeypatch.setattr(study_job, "train_network", failing)
    result = invoke(root, out)
    name = "object 1, seed 1, mapping, 2 real frames"
    assert result.exit_code == 1 and "parts failed: 1" in result.output
    assert f"{name}: CUDA out of memory" in result.output
    record = json.loads((out / "study.json").read_text())
    assert record["failed"] == {name: "CUDA out of memory"} and record["done"] == [9, 10]
    assert "1 seeds" not in (out / "study.txt").read_text()
    assert "a SINGLE SEED each" in (out / "study.txt").read_text()

    monkeypatch.setattr(study_job, "train_network", real_train)
    succeed(root, out)
    assert (out / "study.json").read_bytes() == (finished / "study.json").read_bytes()


@pytest.mark.slow
def test_other_settings_are_refused_by_name(root, finished):
    before = (finished / "study.json").read_bytes()
    result = invoke(root, finished, "--set", "study.seeds=3")
    assert result.exit_code == 1 and "study.seeds = 2, not 3" in result.output
    assert (finished / "study.json").read_bytes() == before


def test_more_real_frames_than_there_are_is_an_error(root, tmp_path):
    result = invoke(root, tmp_path / "out", "--set", "study.real_frames=7")
    assert "study.real_frames: 7, but there are 6 to train on" in result.output


@pytest.mark.parametrize("option", ["real_background=true", "real_views=true", "refine=2"])
def test_what_knows_all_real_frames_is_refused_where_fewer_are_trained_on(root, tmp_path, option):
    result = invoke(root, tmp_path / "out", "--set", f"run.{option}")
    assert result.exit_code == 1
    name = option.partition("=")[0]
    assert f"study.real_frames: 2, but with run.{name} " in result.output
    assert "all 6 training frames; use 0, or leave that out" in result.output


@pytest.mark.slow
def test_hands_take_the_same_way(tmp_path):
    root = write_hands(tmp_path / "nyu", np.random.default_rng(0), {"train": 9, "test": 4})
    flags = ["--preset", "nyu", *NETWORK, "--set", f"hand.dataset={root}"]
    for setting in ("hand_crop.size=16", "localiser.frames=16", "localiser.steps=3"):
        flags += ["--set", setting]
    flags += ["--set", "localiser.size=16", "--set", "study.seeds=2"]
    flags += ["--set", "study.real_frames=3,0", "--set", f"study.tuning={TUNING}"]
    args = ["study", *flags, "--out", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [table["real_frames"] for table in record["tables"]] == [3, 0]
    (file,) = (tmp_path / "out").glob("hand/seed0/real3/mapping/result.json")
    found = json.loads(file.read_text())
    assert len(found["real_frames"]) == 3 and len(found["rows"]) == 4
    mean = record["tables"][0]["methods"]["mapping"]["joint_mm"]["mean"]
    both = [
        np.mean([row["joint_mm"] for row in json.loads(f.read_text())["rows"]])
        for f in (tmp_path / "out").glob("hand/seed*/real3/mapping/result.json")
    ]
    assert mean == pytest.approx(np.mean(both))


# The grid


def grid(*tuning: str, methods=("finetune", "mapping")) -> dict:
    return candidates(StudyConfig(tuning=tuning), TrainConfig(), methods)


def test_a_grid_is_every_combination_in_the_types_of_the_options():
    found = grid("*: lr=0.1|0.2|0.3|0.4", "mapping: lr=0.1|0.2 twin_pose=true|false")
    assert found["finetune"] == [{"lr": lr} for lr in (0.1, 0.2, 0.3, 0.4)]
    assert found["mapping"] == [
        {"lr": lr, "twin_pose": pose} for lr in (0.1, 0.2) for pose in (True, False)
    ]


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        (("*: lr=0.1|0.2", "mapping: beta=1|2|3"), "as many candidates; these have finetune 2"),
        (("*: steps=1|2",), "steps is shared by all methods"),
        (("maping: lr=0.1",), "no method maping"),
        (("*: lr",), "an entry is like"),
        (("*: lr=0.1|",), "an entry is like"),
    ],
)
def test_an_unfair_or_malformed_grid_is_refused(tuning, message):
    with pytest.raises(InputError, match=message):
        grid(*tuning)


def test_a_candidate_that_no_option_takes_is_refused():
    with pytest.raises(OptionError, match=r"train.lr must be a number"):
        grid("*: lr=fast")


CANDIDATES = {"lmo-study": 6, "lmo-study-small": 3, "hand-study": 4}


def test_the_presets_tune_every_method_alike():
    for name in [path.stem for path in PRESETS.glob("*study*.toml")]:
        sections = load_preset(name)
        options = fill(TrainConfig, sections["train"], "train")
        study = fill(StudyConfig, sections["study"], "study")
        found = candidates(study, options, sections["run"]["methods"])
        (count,) = {len(of_method) for of_method in found.values()}
        assert count == CANDIDATES[name]


def test_fewer_frames_are_among_more_and_other_seeds_draw_others():
    frames = [(2, i) for i in range(30)]
    few, more, all_of_them = (draw_frames(frames, count, seed=1) for count in (5, 10, 0))
    assert len(few) == 5 and few < more < all_of_them == set(frames)
    assert few != draw_frames(frames, 5, seed=2)
