"""What of a dataset and of a results file counts in a score."""

import json

import numpy as np
import pytest

from render.formats.bop_results import Estimate, write_results
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.objects.data import DataConfig
from train.objects.score import score_file


@pytest.fixture
def root(tmp_path):
    """Images 1, 4, 7 and 10 of scene 2, each of objects 1 and 2."""
    frames = random_frames(np.random.default_rng(5), cuboids(), 4)
    return write_dataset(tmp_path / "data", cuboids(), frames)


def scored(root, results, of, **options):
    """What is said of a file with true poses of (image, object) of these."""
    frames = random_frames(np.random.default_rng(5), cuboids(), 4)
    poses = {(i, a.obj_id): a.cam_from_obj for i, f in frames.items() for a in f.annotations}
    write_results(results, [Estimate(2, *key, 1.0, poses[key]) for key in of])
    scores = json.loads(score_file(DataConfig(**options), results, root, as_json=True))
    assert scores["targets"]["n"] - scores["targets"]["n_failed"] == len(of)
    return scores["scored"].partition("says what counts. ")[2]


def test_images_and_objects_without_a_line_are_counted(root, tmp_path):
    file, both = tmp_path / "a.csv", [(i, j) for i in (1, 4, 7, 10) for j in (1, 2)]
    assert scored(root, file, both) == ""
    assert scored(root, file, both[1:]) == ""  # of each image, and of each object, there is one
    assert scored(root, file, [key for key in both if key[1] == 2]) == (
        "No line is of object 1: all of it counts as failed, unless --objects 2."
    )
    assert scored(root, file, both[2:5]) == (
        "2 of 4 images have no line in a.csv: all in them counts as failed. Of a part of a split"
        " score that part: --split-file FILE.json."
    )
    assert scored(root, file, []).startswith("4 of 4 images have no line in a.csv")


@pytest.mark.parametrize("place", ["", "mapping"])  # of `evaluate`, and of `run`
def test_the_split_that_a_run_leaves_at_its_file_is_named(root, tmp_path, place):
    file, split = tmp_path / place / "a.csv", tmp_path / "split.json"
    file.parent.mkdir(exist_ok=True)
    split.write_text(json.dumps({"train": [[2, 1], [2, 4]], "test": [[2, 7], [2, 10]]}))
    tested = [(7, 1), (10, 1)]
    said = scored(root, file, tested, objects=(1,))
    assert said.startswith("2 of 4 images") and said.endswith(f"--split-file {split}.")
    assert scored(root, file, tested, objects=(1,), split_file=str(split)) == ""
