"""Checkpoints and test frames -> poses and their errors."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_results import Estimate
from render.json_file import write_text
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.mesh.names import read_names
from render.transforms import apply
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.objects.crops import cut, detector_crop, square_crop
from train.objects.data import DataConfig, Instance, find_dataset, load_instances
from train.objects.detections import ANNOTATED, read_boxes, with_boxes
from train.objects.exemplar import METHOD as EXEMPLAR
from train.objects.exemplar import exemplar_reader
from train.objects.metrics import pose_errors
from train.objects.predict import Prediction, predict
from train.objects.refine.refiner import Refiner, open_refiner
from train.objects.report import extreme_sheet, test_sheet
from train.objects.results import Outcome, names_of, results, write_estimates, write_results
from train.objects.seen import parts_by_sight
from train.objects.sources import APART
from train.objects.split import SPLIT, choose_images, write_split
from train.objects.symmetry import load_object, with_symmetries
from train.options import REFINED, CropConfig

OWN = "detector"  # boxes of the detector that a run trains


@dataclass(frozen=True, eq=False)
class TestSet:
    """Test instances of one object whose boxes come from one source.

    boxes: the source. instances: those that have a box. boxless: those that a detector missed; they
    count as failures.
    """

    boxes: str
    instances: list[Instance]
    boxless: list[Instance]


def evaluate_run(
    config: Mapping[str, Any], run: Path, localiser: Path | None, out: Path, seed: int, device: str
) -> str:
    """`evaluate`: one trained network on a dataset's test frames; beside it, if asked for,
    exemplars, and the poses of both refined.

    Leaves a BOP results file for each, the split.json that `score` takes for them, results.json,
    results.txt, test_frames.png and extremes.png in `out`; returns the table.
    """
    if localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    torch_device, exemplars = choose_device(device), config["exemplar"]
    checkpoint = _with_test_jitter(Checkpoint.load_finished(run, torch_device), config["crop"])
    obj_id, method = checkpoint.object.obj_id, checkpoint.method
    data = replace(config["data"], objects=(obj_id,))
    root = find_dataset(data.dataset)
    model, proposed = load_object(data, root, obj_id)
    model = replace(model, name=model.name or checkpoint.object.called)
    if np.abs(checkpoint.object.box - model.box).max() > APART * model.diameter:
        raise InputError(
            f"{run} is for another {model.title} than that of {model.source}: their boxes differ"
            f" by more than {APART:.0%} of the diameter; give a dataset of its own object"
        )
    if data.symmetry == "file":
        proposed = checkpoint.object.symmetries
        model = with_symmetries(model, data, proposed)
    data, scope = _by_sight(data, root, checkpoint, config["run"].refine, out)
    tests = test_sets(data, root, model, seed)
    measured = replace(measured_model(root, obj_id), name=model.name)
    models = {obj_id: with_symmetries(measured, data, proposed)}
    readers = {method: checkpoint}
    heading = f"{root}: {method}"
    about: dict[str, Any] = {"dataset": data.dataset, "seed": seed}
    if exemplars.exemplars:
        readers[EXEMPLAR] = exemplar_reader(checkpoint, exemplars, model, seed)
        heading += f" and {exemplars.exemplars} exemplars of {exemplars.synthetic}"
        about["exemplar"] = asdict(exemplars)

    outcomes = []
    out.mkdir(parents=True, exist_ok=True)
    write_split(data, root, seed, out / SPLIT)
    with open_refiner(config["run"].refine, data, root, obj_id, seed) as refiner:
        for name, reader in readers.items():
            for row, used in passes(name, refiner).items():
                found, estimates = evaluate_method(
                    reader, row, tests, models[obj_id], torch_device, seed, used
                )
                write_estimates(out, row, data, estimates)
                outcomes += found
    count = len(tests[0].instances) + len(tests[0].boxless)
    heading += f", {count} test instances of {model.title}{scope}"
    about |= names_of(models.values())
    about["methods"] = methods = list(dict.fromkeys(o.method for o in outcomes))
    shown = [outcome for outcome in outcomes if outcome.boxes == tests[0].boxes]
    test_sheet(shown, checkpoint.crop, out / "test_frames.png")
    extreme_sheet(shown, checkpoint.crop, out / "extremes.png")
    return write_results(results(outcomes, models, methods), about, heading, out)


def _by_sight(
    data: DataConfig, root: Path, checkpoint: Checkpoint, refine: int, out: Path
) -> tuple[DataConfig, str]:
    """The data with a split file of the frames that a network has seen, and of all others, and a
    phrase on these; as it is where the user says which frames are tested on, or nobody knows."""
    if not data.says_nothing or checkpoint.seen is None:
        return data, ""
    parts = parts_by_sight(data, root, checkpoint.object.obj_id, checkpoint.seen)
    if refine and not parts["train"]:
        raise InputError(
            "run.refine takes an object's colours from frames that its network was trained on, and"
            f" it has seen none of {root / data.split}; leave it, or name some by --split-file"
        )
    file = out / SPLIT
    out.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(parts) + "\n")
    seen, rest = len(parts["train"]), len(parts["test"])
    scope = f"the {rest} of {seen + rest} frames that it has not seen"
    if not seen:
        scope = f"all {rest} frames, none of which it has seen"
    return replace(data, split_file=str(file)), f", in {scope}"


def _with_test_jitter(checkpoint: Checkpoint, crop: CropConfig) -> Checkpoint:
    """How exact test boxes are is the test's to say; all else of crops is the network's."""
    tested = replace(checkpoint.crop, test_shift=crop.test_shift, test_scale=crop.test_scale)
    return replace(checkpoint, crop=tested)


def measured_model(root: Path, obj_id: int) -> ObjectModel:
    """The mesh that errors are measured on: BOP's choice is models_eval, where there is one; it is
    called as in models."""
    folder = root / "models_eval" if (root / "models_eval").is_dir() else root / "models"
    model = load_models([folder], obj_ids=[obj_id])[obj_id]
    return replace(model, name=read_names(root / "models").get(obj_id, model.name))


def test_sets(
    data: DataConfig, root: Path, model: ObjectModel, seed: int, detections: Path | None = None
) -> list[TestSet]:
    """The test frames' instances, first with the configured boxes, then with bbox_obj.

    Args:
        detections: what a detector of ours found, whose boxes come between these.

    Raises:
        InputError: there is none.
    """
    images = read_split(root, data.split, choose_images(data, root, "test", seed))
    sets = []
    for boxes in dict.fromkeys([data.boxes, *[OWN] * (detections is not None), "bbox_obj"]):
        if boxes in ANNOTATED:
            instances = load_instances(images, model, boxes, data.min_visib)
            sets.append(TestSet(boxes, instances, []))
            continue
        # Whole images, since a detector may see the object anywhere.
        instances = load_instances(images, model, "bbox_obj", data.min_visib, reach=np.inf)
        if boxes == OWN:  # it may have found nothing
            detected = read_boxes(str(detections), images, [])
        else:
            detected, boxes = read_boxes(boxes, images, [model.obj_id]), "detections"
        found = with_boxes(instances, detected)
        keys = {instance.key for instance in found}
        missed = [instance for instance in instances if instance.key not in keys]
        sets.append(TestSet(boxes, found, missed))
    if not sets[0].instances and not sets[0].boxless:
        raise InputError(f"no test frame of {root / data.split} shows {model.title}")
    return sets


def passes(method: str, refiner: Refiner | None) -> dict[str, Refiner | None]:
    """A method's rows in the tables: its poses as read and, if there is a refiner, refined."""
    return {method: None} if refiner is None else {method: None, method + REFINED: refiner}


def evaluate_method(
    checkpoint: Checkpoint,
    method: str,
    tests: Sequence[TestSet],
    model: ObjectModel,
    device: torch.device,
    seed: int,
    refiner: Refiner | None = None,
) -> tuple[list[Outcome], list[Estimate]]:
    """Read every test instance with one network.

    Args:
        model: the mesh that errors are measured on.
        refiner: refines the poses that the network read.

    Returns:
        Outcomes on all test sets, and the poses of the first one, each image timed. A pose's score
        is its own confidence times that of the detection.
    """
    outcomes: list[Outcome] = []
    estimates: list[Estimate] = []
    for test in tests:
        for (scene_id, im_id), group in groupby(test.instances, key=lambda i: i.key[:2]):
            instances = list(group)
            start = time.perf_counter()
            # A detector's boxes are as inexact as they are; the annotated ones are made so.
            jitter = seed if test.boxes in ANNOTATED else None
            predictions = predict_instances(checkpoint, instances, device, jitter)
            if refiner is not None:
                predictions = [
                    refiner.refined(i, p) for i, p in zip(instances, predictions, strict=True)
                ]
            seconds = time.perf_counter() - start
            for instance, prediction in zip(instances, predictions, strict=True):
                outcomes.append(_outcome(method, test.boxes, instance, prediction, model))
                pose, score = prediction.cam_from_obj, instance.box_score * prediction.confidence
                if test is tests[0] and pose is not None:
                    estimates.append(Estimate(scene_id, im_id, model.obj_id, score, pose, seconds))
        for instance in test.boxless:
            side = checkpoint.crop.margin * max(instance.box[2:])
            outcomes.append(
                Outcome(model.obj_id, method, test.boxes, instance, None, None, side, side)
            )
    return outcomes, estimates


def _outcome(
    method: str, boxes: str, instance: Instance, prediction: Prediction, model: ObjectModel
) -> Outcome:
    raw = np.linalg.norm(prediction.corners - instance.corners, axis=-1).mean(axis=-1).min()
    pose, errors, corners = prediction.cam_from_obj, None, None
    if pose is not None:
        errors = pose_errors(pose, instance.annotation.cam_from_obj, model, instance.camera)
        corners = instance.camera.project(apply(pose, box_corners(model.box)))
    return Outcome(
        model.obj_id,
        method,
        boxes,
        instance,
        errors,
        corners,
        prediction.side,
        float(raw),
        prediction.confidence,
    )


def predict_instances(
    checkpoint: Checkpoint,
    instances: Sequence[Instance],
    device: torch.device,
    jitter: int | None,
) -> list[Prediction]:
    """Crop instances and read them.

    Args:
        jitter: seed that their boxes are jittered by, as a detector's would be; None leaves them.
    """
    crop = checkpoint.crop
    maps = [
        square_crop(i.box, crop) if jitter is None else detector_crop(jitter, i.key, i.box, crop)
        for i in instances
    ]
    crops = np.stack([cut(i, m, crop.size) for i, m in zip(instances, maps, strict=True)])
    return predict(checkpoint, crops, maps, [i.camera for i in instances], device)
