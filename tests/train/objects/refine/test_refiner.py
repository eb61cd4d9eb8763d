"""Poses that are refined by an object's contour."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.contour.colors import Colors
from render.errors import InputError
from render.formats.bop import read_split
from render.frame import Frame
from render.transforms import apply, random_rotation, rigid, rotation_angle
from tests.small_dataset import CAMERA, cuboid, write_dataset
from tests.train.objects.refine.photographs import AROUND, CROP, HIDING, MODEL, OBJECT, off
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects import evaluate
from train.objects.data import DataConfig, Instance, load_instances
from train.objects.predict import Prediction
from train.objects.refine.refiner import open_refiner


def distance_px(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the vertices' projections."""
    first, second = (CAMERA.project(apply(pose, MODEL.mesh.vertices)) for pose in (a, b))
    return float(np.linalg.norm(first - second, axis=1).mean())


def hidden(instance: Instance, share: float) -> Instance:
    """The instance behind something green that covers its box from the left."""
    x, y, width, height = (round(v) for v in instance.box)
    left, top = instance.corner
    window = instance.window.copy()
    window[max(y - top - 9, 0) : y - top + height + 9, max(x - left - 9, 0) :][
        :, : 9 + round(share * width)
    ] = HIDING
    return replace(instance, window=window)


def test_an_estimate_comes_back_to_the_pose_that_an_image_shows(refiner, instances):
    rng = np.random.default_rng(1)
    before, after, away = [], [], []
    for instance in instances:
        true = instance.annotation.cam_from_obj
        start = off(true, rng)
        found = refiner.refine(instance, start)
        before.append(distance_px(start, true))
        after.append(distance_px(found, true))
        away.append(abs(found[2, 3] / true[2, 3] - 1))
    assert np.median(before) > 2.5
    assert np.median(after) < 1 and max(after) < max(before)
    assert np.median(away) < 0.015


def test_an_estimate_comes_back_where_training_images_do_not_tell_its_colours(
    refiner, instances, monkeypatch
):
    """As of something white on white paper: what lies on either side of the contour tells."""
    monkeypatch.setattr(
        Colors, "log_odds", lambda _, rgb, silhouette: np.zeros(silhouette.shape, np.float32)
    )
    rng = np.random.default_rng(1)
    starts = [(instance, off(instance.annotation.cam_from_obj, rng)) for instance in instances]
    before, after = (
        [distance_px(pose, instance.annotation.cam_from_obj) for instance, pose in poses]
        for poses in (starts, [(i, refiner.refine(i, pose)) for i, pose in starts])
    )
    assert np.median(after) < 0.6 * np.median(before)


def test_what_hides_an_object_is_not_taken_for_its_contour(refiner, instances):
    rng = np.random.default_rng(2)
    before, after = [], []
    for instance in instances:
        true = instance.annotation.cam_from_obj
        start = off(true, rng)
        before.append(distance_px(start, true))
        after.append(distance_px(refiner.refine(hidden(instance, 0.4), start), true))
    assert np.median(after) < np.median(before)
    assert all(a < b + 0.5 for a, b in zip(after, before, strict=True))


def test_an_estimate_of_an_object_that_is_not_seen_stays(refiner, instances):
    true = instances[0].annotation.cam_from_obj
    unseen = replace(instances[0], window=np.full_like(instances[0].window, AROUND))
    np.testing.assert_allclose(refiner.refine(unseen, true), true, atol=1e-12)


def test_refining_repeats_bit_for_bit(refiner, instances):
    start = off(instances[0].annotation.cam_from_obj, np.random.default_rng(3))
    first, again = (refiner.refine(instances[0], start) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert rotation_angle(first[:3, :3], start[:3, :3]) > np.radians(1)


def test_an_estimate_behind_the_camera_stays(refiner, instances):
    behind = rigid(np.eye(3), [0, 0, -0.3])
    np.testing.assert_array_equal(refiner.refine(instances[0], behind), behind)
    nothing = Prediction(np.zeros((8, 2)), None, 50.0, 0.0)
    assert refiner.refined(instances[0], nothing) is nothing


def test_a_motion_moves_points_as_its_derivative_says(refiner):
    rng = np.random.default_rng(4)
    pose = rigid(random_rotation(rng), [0.03, -0.02, 0.4])
    points = MODEL.mesh.vertices.astype(np.float64)
    said = refiner._jacobian(CAMERA, pose, points)
    for i in range(6):
        step = 1e-6 * np.eye(6)[i]
        ends = [CAMERA.project(apply(refiner.moved(pose, s * step), points)) for s in (1, -1)]
        np.testing.assert_allclose(said[..., i], (ends[0] - ends[1]) / 2e-6, atol=1e-4)


def test_a_motion_between_poses_leads_from_one_to_the_other(refiner):
    rng = np.random.default_rng(5)
    start = rigid(random_rotation(rng), [0.03, -0.02, 0.4])
    end = off(start, rng)
    np.testing.assert_allclose(refiner.moved(start, refiner._motion(start, end)), end, atol=1e-12)


def test_a_rim_that_photographs_show_further_out_is_measured(root, renderer, refiner):
    images = read_split(root, "test")
    instances = load_instances(images, MODEL)
    assert abs(refiner.calibrated(instances).rim_px) < 0.5
    # The crop shows each pixel of the image at about twice its size.
    wider = [replace(i, window=_dilated(i.window)) for i in instances]
    assert refiner.calibrated(wider).rim_px >= 1


def test_a_contour_is_trusted_as_far_as_annotations_agree_with_it(refiner, instances):
    """Whoever annotated all frames 4 mm to the left of the contour wants poses of that kind."""
    left = np.eye(4)
    left[0, 3] = -0.004
    aside = [
        replace(i, annotation=replace(i.annotation, cam_from_obj=left @ i.annotation.cam_from_obj))
        for i in instances
    ]
    agreed, differed = refiner.calibrated(instances), refiner.calibrated(aside)
    sideways = [np.sqrt(learnt.contour_error[3, 3]) for learnt in (agreed, differed)]
    np.testing.assert_allclose(sideways[1], 0.004 / MODEL.diameter, rtol=0.3)
    assert sideways[0] < 0.25 * sideways[1]

    def moved_px(learnt) -> float:
        starts = [(i, i.annotation.cam_from_obj) for i in aside]
        return float(np.mean([distance_px(pose, learnt.refine(i, pose)) for i, pose in starts]))

    assert moved_px(differed) < 0.8 * moved_px(agreed)


def test_a_dataset_whose_training_frames_do_not_show_the_object_is_refused(root, tmp_path):
    other = cuboid(2, (-0.02, -0.02, 0), (0.02, 0.02, 0.02))
    frame = Frame(CAMERA, (), rgb=np.zeros((120, 160, 3), np.uint8))
    empty = write_dataset(tmp_path / "empty", {1: MODEL, 2: other}, {0: frame, 1: frame})
    data = DataConfig(dataset=str(empty), train_fraction=0.5)
    refused = pytest.raises(
        InputError, match=r"run\.refine: no training frame of .* shows object 1"
    )
    with refused, open_refiner(4, data, empty, 1, 0):
        pass


def test_without_rounds_nothing_is_opened(tmp_path):
    with open_refiner(0, DataConfig(), tmp_path, 1, 0) as refiner:
        assert refiner is None


def test_tables_show_poses_as_read_and_refined(root, refiner, monkeypatch):
    data = DataConfig(dataset=str(root), train_fraction=0.5, objects=(1,))
    tests = evaluate.test_sets(data, root, MODEL, 0)[:1]
    rng = np.random.default_rng(7)
    starts = {i.key: off(i.annotation.cam_from_obj, rng) for i in tests[0].instances}

    def read(checkpoint, instances, device, jitter):
        return [Prediction(i.corners[0], starts[i.key], 50.0, 0.5) for i in instances]

    monkeypatch.setattr(evaluate, "predict_instances", read)
    errors = {}
    for row, used in evaluate.passes("mixed", refiner).items():
        outcomes, estimates = evaluate.evaluate_method(
            None, row, tests, MODEL, torch.device("cpu"), 0, used
        )
        assert len(estimates) == len(tests[0].instances)
        errors[row] = np.median([o.errors.proj_px for o in outcomes])
    assert list(errors) == ["mixed", "mixed-refined"]
    assert errors["mixed-refined"] < errors["mixed"] / 2


def test_evaluate_writes_refined_poses_as_a_method_of_their_own(tmp_path, root):
    torch.manual_seed(3)
    net, target = build("small", CROP.size, with_mapping=False), ObjectInfo(1, MODEL.box, CAMERA)
    (tmp_path / "run").mkdir()
    Checkpoint(net, "small", CROP, target, "real", 1, {"steps": 1}, optimizer={}).save(
        tmp_path / "run" / "checkpoint.pt"
    )
    arguments = f"evaluate {tmp_path / 'run'} --dataset {root} --device cpu --set run.refine=2"
    result = CliRunner().invoke(main, [*arguments.split(), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["methods"] == ["real", "real-refined"] == list(record["objects"]["1"])
    for method in record["methods"]:
        assert (tmp_path / "out" / f"{method}_frames-test.csv").is_file()


def _dilated(window: np.ndarray) -> np.ndarray:
    """A window whose object, brighter in red than all else, is a pixel larger."""
    red = (window[..., 0] > 120).astype(np.uint8)
    grown = cv2.dilate(red, np.ones((3, 3), np.uint8)) > red
    return np.where(grown[..., None], np.array(OBJECT, np.uint8), window)
