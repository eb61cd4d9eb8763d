import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from render.errors import InputError
from render.formats.bop_results import read_results
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects import evaluate, results
from train.objects.crops import cut, detector_crop, square_crop, to_crop, warp
from train.objects.data import DataConfig, Instance
from train.options import CropConfig, ExemplarConfig, RunConfig

MODELS = cuboids()
CROP = CropConfig(size=32)
CPU = torch.device("cpu")
SEED = 4
SHARES = ("proj_5px", "add_10", "cm5_deg5", "mssd_recall", "mspd_recall")


@pytest.fixture(scope="module")
def frames():
    """Images 1, 4, ..., 16; of every other one only a part of the objects is visible."""
    frames = random_frames(np.random.default_rng(2), MODELS, 6)
    for im_id in (4, 10, 16):
        partly = tuple(replace(a, visib_fract=0.3) for a in frames[im_id].annotations)
        frames[im_id] = replace(frames[im_id], annotations=partly)
    return frames


@pytest.fixture(scope="module")
def root(tmp_path_factory, frames) -> Path:
    """A dataset whose images are all test images but the first, in a folder of an awkward name."""
    root = write_dataset(tmp_path_factory.mktemp("evaluate") / "my_data-set.v2", MODELS, frames)
    keys = [[2, im_id] for im_id in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:1], "test": keys[1:]}))
    return root


def data_of(root: Path, obj_id: int, **changes) -> DataConfig:
    config = DataConfig(dataset=str(root), split_file="split.json", objects=(obj_id,))
    return replace(config, **changes)


def config_of(root: Path, crop: CropConfig) -> dict[str, Any]:
    """What `evaluate` is given for object 2."""
    sections = {"run": RunConfig(), "data": data_of(root, 2), "exemplar": ExemplarConfig()}
    return {**sections, "crop": crop}


def checkpoint_of(obj_id: int) -> Checkpoint:
    target = ObjectInfo(obj_id, MODELS[obj_id].box, CAMERA)
    net = build("small", CROP.size, with_mapping=False)
    return Checkpoint(net, "small", CROP, target, "real", 1, settings={"steps": 1}, optimizer={})


class Oracle:
    """Stands for the network: knows the corners of the crops that it was shown the answers to."""

    def __init__(self) -> None:
        self.answers: dict[bytes, np.ndarray] = {}

    def learn(self, crop: np.ndarray, crop_from_image: np.ndarray, corners: np.ndarray) -> None:
        self.answers[crop.tobytes()] = to_crop(corners, crop_from_image, CROP.size)

    def learn_instance(self, instance: Instance, corners: np.ndarray) -> None:
        crop_from_image = detector_crop(SEED, instance.key, instance.box, CROP)
        self.learn(cut(instance, crop_from_image, CROP.size), crop_from_image, corners)

    def __call__(self, checkpoint, crops: np.ndarray, device) -> np.ndarray:
        return np.stack([self.answers[crop.tobytes()] for crop in crops])


@pytest.fixture
def oracle(monkeypatch) -> Oracle:
    oracle = Oracle()
    monkeypatch.setattr("train.objects.predict.predict_points", oracle)
    return oracle


def sets_of(root: Path, obj_id: int, **changes) -> list[evaluate.TestSet]:
    return evaluate.test_sets(data_of(root, obj_id, **changes), root, MODELS[obj_id], SEED)


def tables_of(tests, obj_id: int) -> dict[str, dict]:
    """Caption -> metrics of the only object and method."""
    model = MODELS[obj_id]
    outcomes, _ = evaluate.evaluate_method(checkpoint_of(obj_id), "real", tests, model, CPU, SEED)
    tables = results.results(outcomes, {obj_id: model}, ["real"])
    return {caption: table["objects"][str(obj_id)]["real"] for caption, table in tables.items()}


def write_detections(file: Path, boxes: dict[int, tuple]) -> str:
    keys = ("scene_id", "image_id", "category_id", "score", "bbox")
    entries = [dict(zip(keys, (2, i, 1, 0.5, box), strict=True)) for i, box in boxes.items()]
    file.write_text(json.dumps(entries))
    return str(file)


@pytest.mark.parametrize(("obj_id", "symmetry"), [(1, 0), (2, 0), (2, 1)])
def test_exact_corners_give_a_perfect_score(root, oracle, obj_id, symmetry):
    """Under whichever of the object's symmetries they are those."""
    tests = sets_of(root, obj_id)
    for instance in (i for test in tests for i in test.instances):
        oracle.learn_instance(instance, instance.corners[symmetry])
    tables = tables_of(tests, obj_id)
    counts = {caption: metrics["n"] for caption, metrics in tables.items()}
    assert counts == {
        "bbox_visib": 5,
        "bbox_visib, visib_fract >= 0.6": 2,
        "bbox_obj": 5,
        "bbox_obj, visib_fract >= 0.6": 2,
    }
    for metrics in tables.values():
        assert metrics["corner_px"] < 1e-5 and metrics["corner_raw_px"] < 1e-9
        assert metrics["rotation_deg_median"] < 1e-5 and metrics["translation_mm_median"] < 1e-5
        assert [metrics[name] for name in SHARES] == [100] * 5 and metrics["n_failed"] == 0


def test_the_networks_own_corners_are_measured_in_pixels_of_the_image(root, oracle):
    tests = sets_of(root, 2)
    for instance in (i for test in tests for i in test.instances):
        oracle.learn_instance(instance, instance.corners[1] + [3, -4])
    for metrics in tables_of(tests, 2).values():
        assert metrics["corner_raw_px"] == pytest.approx(5)
        assert 4 < metrics["corner_px"] < 6


def test_confidence_ranks_poses_by_how_well_their_corners_fit(root, oracle, tmp_path):
    """Corners that are pulled apart, image by image further, make poses worse and less sure."""
    tests = sets_of(root, 1)[:1]
    apart = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [-1, 0], [0, -1], [1, 0], [0, 1]])
    pulls = (8, 1, 4, 0, 2)
    for instance, pull in zip(tests[0].instances, pulls, strict=True):
        oracle.learn_instance(instance, instance.corners[0] + pull * apart)
    outcomes, estimates = evaluate.evaluate_method(
        checkpoint_of(1), "real", tests, MODELS[1], CPU, SEED
    )
    scores = [estimate.score for estimate in estimates]
    assert scores == [outcome.confidence for outcome in outcomes]
    assert list(np.argsort(scores)) == list(np.argsort(pulls)[::-1])
    assert max(scores) == pytest.approx(1, abs=1e-6) and min(scores) > 0
    errors = [outcome.errors.mssd for outcome in outcomes]
    rho = tables_of(tests, 1)["bbox_visib"]["confidence_rho"]
    assert rho == pytest.approx(spearmanr(scores, errors).statistic) and rho < -0.5


def test_every_instance_is_read_from_its_own_detection(root, oracle, tmp_path, rng):
    """Of two instances in an image: figures of their true boxes, rows with the detections' scores.

    A third detection is less sure than both, and one instance in the second image has none.
    """
    frames = {}
    for im_id in (1, 4):
        one, two = (random_frames(rng, {1: MODELS[1]}, 1)[1] for _ in range(2))
        frames[im_id] = replace(one, annotations=one.annotations + two.annotations)
    data = write_dataset(tmp_path / "two", MODELS, frames)
    (data / "split.json").write_text(json.dumps({"train": [], "test": [[2, 1], [2, 4]]}))

    boxes = {(i, k): a.bbox_visib for i, f in frames.items() for k, a in enumerate(f.annotations)}
    shown = [(1, 1, 0.6), (1, 0, 0.9), (4, 1, 0.8)]  # image, instance, score
    entries = [(2, i, 1, score, boxes[i, k]) for i, k, score in shown]
    entries.append((2, 1, 1, 0.5, (3, 3, 9, 9)))
    keys = ("scene_id", "image_id", "category_id", "score", "bbox")
    file = tmp_path / "detections.json"
    file.write_text(json.dumps([dict(zip(keys, entry, strict=True)) for entry in entries]))

    tests = sets_of(data, 1, boxes=str(file))[:1]
    for instance in tests[0].instances:
        crop_from_image = square_crop(boxes[instance.key[1:]], CROP)
        crop = cut(instance, crop_from_image, CROP.size)
        oracle.learn(crop, crop_from_image, instance.corners[0])
    _, estimates = evaluate.evaluate_method(checkpoint_of(1), "real", tests, MODELS[1], CPU, SEED)
    assert [i.key[1:] for i in tests[0].boxless] == [(4, 0)]
    assert [(e.im_id, round(e.score, 4)) for e in estimates] == [(1, 0.9), (1, 0.6), (4, 0.8)]
    truths = [frames[i].annotations[k].cam_from_obj for i, k in ((1, 0), (1, 1), (4, 1))]
    for estimate, truth in zip(estimates, truths, strict=True):
        np.testing.assert_allclose(estimate.cam_from_obj, truth, atol=1e-5)
    metrics = tables_of(tests, 1)["detections"]
    assert (metrics["n"], metrics["n_failed"], metrics["proj_5px"]) == (4, 1, 75)


def test_where_no_pose_is_found_the_crops_side_counts(root, oracle):
    tests = sets_of(root, 1)
    for instance in (i for test in tests for i in test.instances):
        oracle.learn_instance(instance, np.tile([80.0, 60.0], (8, 1)))
    sides = [
        CROP.size / np.sqrt(np.linalg.det(detector_crop(SEED, i.key, i.box, CROP)[:, :2]))
        for i in tests[0].instances
    ]
    metrics = tables_of(tests, 1)["bbox_visib"]
    assert metrics["n_failed"] == metrics["n"] == 5
    assert metrics["corner_px"] == pytest.approx(np.mean(sides))
    assert [metrics[name] for name in SHARES] == [0] * 5
    assert metrics["rotation_deg_median"] is None


def test_an_object_that_a_detector_missed_is_a_failure(root, oracle, tmp_path, frames):
    boxes = {i: frames[i].annotations[0].bbox_obj for i in (4, 7, 13, 16)}
    tests = sets_of(root, 1, boxes=write_detections(tmp_path / "boxes.json", boxes))
    for instance in tests[0].instances:
        crop_from_image = square_crop(instance.box, CROP)  # no jitter on top of a detector's own
        crop = cut(instance, crop_from_image, CROP.size)
        oracle.learn(crop, crop_from_image, instance.corners[0])
    for instance in tests[1].instances:
        oracle.learn_instance(instance, instance.corners[0])
    tables = tables_of(tests, 1)
    metrics = tables["detections"]
    assert (metrics["n"], metrics["n_failed"]) == (5, 1)
    assert [metrics[name] for name in SHARES] == pytest.approx([80] * 5)
    side = CROP.margin * max(frames[10].annotations[0].bbox_obj[2:])
    assert metrics["corner_px"] == pytest.approx(side / 5, abs=1e-4)
    assert tables["bbox_obj"]["n_failed"] == 0


def test_a_detector_that_looks_elsewhere_sees_what_is_there(root, oracle, tmp_path, frames):
    """Not a mirror of the object's surroundings, which only the ground truth knows."""
    boxes = {i: (2.0, 3.0, 30.0, 20.0) for i in (4, 7, 10, 13, 16)}
    tests = sets_of(root, 1, boxes=write_detections(tmp_path / "boxes.json", boxes))[:1]
    crop_from_image = square_crop(boxes[4], CROP)
    for instance in tests[0].instances:
        rgb = frames[instance.key[1]].rgb
        crop = warp(rgb, crop_from_image, CROP.size)
        oracle.learn(crop, crop_from_image, instance.corners[0])
    assert tables_of(tests, 1)["detections"]["corner_raw_px"] < 1e-9


def test_boxes_of_no_file_are_refused(root, tmp_path):
    with pytest.raises(InputError, match="bbox_vis: no such file, nor bbox_visib or bbox_obj"):
        sets_of(root, 1, boxes="bbox_vis")
    file = write_detections(tmp_path / "boxes.json", {4: (2.0, 3.0, 30.0, 20.0)})
    with pytest.raises(InputError, match="no detection of object 2, only of 1"):
        sets_of(root, 2, boxes=file)


def test_test_frames_without_the_object_are_refused(root, tmp_path):
    hidden = tmp_path / "split.json"
    hidden.write_text(json.dumps({"train": [[2, 1]], "test": [[2, 4], [2, 10]]}))
    with pytest.raises(InputError, match=r"no test frame of .*test shows object 1$"):
        sets_of(root, 1, split_file=str(hidden), min_visib=0.5)


def test_evaluate_writes_bops_file_and_results(root, oracle, tmp_path, frames):
    for instance in (i for test in sets_of(root, 2) for i in test.instances):
        oracle.learn_instance(instance, instance.corners[0])
    (tmp_path / "run").mkdir()
    checkpoint_of(2).save(tmp_path / "run" / "checkpoint.pt")
    out = tmp_path / "out"
    config = config_of(root, CropConfig())
    text = evaluate.evaluate_run(config, tmp_path / "run", None, out, SEED, "cpu")

    names = ["real_mydatasetv2-test.csv", "results.json", "results.txt", "split.json"]
    pictures = ["extremes.png", "test_frames.png"]
    assert {path.name for path in out.iterdir()} == {*names, *pictures}
    estimates = read_results(out / names[0])
    assert [(e.scene_id, e.im_id, e.obj_id) for e in estimates] == [
        (2, im_id, 2) for im_id in (4, 7, 10, 13, 16)
    ]
    for estimate in estimates:
        truth = frames[estimate.im_id].annotations[1].cam_from_obj
        np.testing.assert_allclose(estimate.cam_from_obj, truth, atol=1e-6)
        assert estimate.time_s > 0 and estimate.score == pytest.approx(1, abs=1e-6)

    assert json.loads((out / "split.json").read_text()) == json.loads(
        (root / "split.json").read_text()
    )
    record = json.loads((out / "results.json").read_text())
    assert record["methods"] == ["real"] and record["seed"] == SEED
    assert record["boxes"] == "bbox_visib" and len(record["subsets"]) == 3
    metrics = record["objects"]["2"]["real"]
    assert metrics["n"] == 5 and metrics["corner_px"] < 1e-5
    assert record["mean"]["real"]["corner_px"] == metrics["corner_px"]
    assert (out / "results.txt").read_text() == text + "\n" and "5 test instances" in text


def test_how_exact_test_boxes_are_is_for_evaluate_to_say(root, oracle, tmp_path):
    """Not for the training that the network came from."""
    exact = CropConfig(test_shift=0, test_scale=0)
    for instance in (i for test in sets_of(root, 2) for i in test.instances):
        crop_from_image = square_crop(instance.box, CROP)
        crop = cut(instance, crop_from_image, CROP.size)
        oracle.learn(crop, crop_from_image, instance.corners[0])
    (tmp_path / "run").mkdir()
    checkpoint_of(2).save(tmp_path / "run" / "checkpoint.pt")
    config = config_of(root, exact)
    evaluate.evaluate_run(config, tmp_path / "run", None, tmp_path / "out", SEED, "cpu")
    with pytest.raises(KeyError):  # the oracle has not seen the jittered crops
        config = {**config, "crop": CropConfig()}
        evaluate.evaluate_run(config, tmp_path / "run", None, tmp_path / "out", SEED, "cpu")


def test_errors_are_measured_on_the_evaluation_meshes_where_there_are_some(root, tmp_path):
    assert evaluate.measured_model(root, 1).source.startswith(str(root / "models"))
    copy = write_dataset(tmp_path / "data", MODELS, {})
    (copy / "models").rename(copy / "models_eval")
    assert evaluate.measured_model(copy, 1).source.startswith(str(copy / "models_eval"))


def test_a_method_without_outcomes_leaves_its_object_out_of_the_tables(root, oracle):
    """No table compares methods on different instances."""
    tests = sets_of(root, 1)
    for instance in (i for test in tests for i in test.instances):
        oracle.learn_instance(instance, instance.corners[0])
    outcomes, _ = evaluate.evaluate_method(checkpoint_of(1), "real", tests, MODELS[1], CPU, SEED)
    assert results.results(outcomes, MODELS, ["real", "mapping"]) == {}


def test_the_time_of_an_image_is_in_all_its_rows(root, oracle, tmp_path, rng):
    """Two instances of the object in one image: BOP's evaluation refuses rows that differ."""
    one, two = (random_frames(rng, {1: MODELS[1]}, 1)[1] for _ in range(2))
    both = replace(one, annotations=one.annotations + two.annotations)
    data = write_dataset(tmp_path / "two", MODELS, {1: both})
    (data / "split.json").write_text(json.dumps({"train": [], "test": [[2, 1]]}))
    tests = sets_of(data, 1)
    for instance in (i for test in tests for i in test.instances):
        oracle.learn_instance(instance, instance.corners[0])
    _, estimates = evaluate.evaluate_method(checkpoint_of(1), "real", tests, MODELS[1], CPU, SEED)
    assert len(estimates) == 2 and estimates[0].time_s == estimates[1].time_s
