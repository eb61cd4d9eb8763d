"""The benchmark that runs bop_toolkit's scripts beside `score`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import bop_toolkit
from benchmarks.bop_toolkit import choose_targets, main, make_estimates, table, theirs
from render.formats.bop import read_split
from tests.small_dataset import cuboids, random_frames, write_dataset


def test_what_is_no_toolkit_is_refused_before_anything_is_rendered(tmp_path, monkeypatch):
    monkeypatch.setattr(bop_toolkit, "make_dataset", None)
    ran = CliRunner().invoke(main, [f"--toolkit={tmp_path}"])
    assert ran.exit_code == 2
    assert f"{tmp_path} holds no scripts/eval_bop19_pose.py" in ran.output


def test_the_toolkits_figures_are_those_that_its_script_leaves(tmp_path):
    """Of the results file in the folder of the datasets, each in percent."""
    (tmp_path / "scripts").mkdir()
    figures = {"bop19_average_recall": 0.5} | {
        f"bop19_average_recall_{name}": value
        for name, value in (("vsd", 0.25), ("mssd", 0.5), ("mspd", 0.75))
    }
    (tmp_path / "scripts" / "eval_bop19_pose.py").write_text(
        "import json, os, sys\nfrom pathlib import Path\n"
        "name = sys.argv[1].removeprefix('--result_filenames=')\n"
        "assert (Path(os.environ['BOP_RESULTS_PATH']) / name).is_file()\n"
        "out = Path(os.environ['BOP_EVAL_PATH']) / Path(name).stem\n"
        "out.mkdir(parents=True)\n"
        f"(out / 'scores_bop19.json').write_text({json.dumps(json.dumps(figures))})\n"
    )
    results = tmp_path / "noisy_tudl-test.csv"
    results.touch()
    found = theirs(tmp_path, Path(sys.executable), tmp_path, results)
    assert found == {"VSD": 25, "MSSD": 50, "MSPD": 75, "AR": 50}
    lines = table(found, found | {"AR": 49.5}).splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(found)
    assert lines[-1].split()[1:] == ["50.0000", "49.5000", "0.5000"]


@pytest.fixture
def images(tmp_path, rng):
    models = cuboids()
    frames = random_frames(rng, models, 60)
    return read_split(write_dataset(tmp_path, models, frames), "test")


def test_some_targets_and_estimates_are_missing_and_some_are_too_many(images, rng):
    targets = choose_targets(images, rng)
    named = {(target["im_id"], target["obj_id"]) for target in targets}
    assert 60 < len(named) == len(targets) < 120
    estimates = make_estimates(images, cuboids(), rng)
    counts = np.bincount([60 * e.obj_id + (e.im_id - 1) // 3 for e in estimates], minlength=180)
    assert set(counts[60:]) == {0, 1, 2}
    assert len({e.score for e in estimates}) < len(estimates)  # ties
