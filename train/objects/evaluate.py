"""Checkpoints and test frames -> poses, BOP result files, results.json and a table."""

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
from render.formats.bop_results import Estimate, read_detections, results_name
from render.formats.bop_results import write_results as write_csv
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.transforms import apply
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.objects.crops import cut, detector_crop, square_crop
from train.objects.data import (
    DataConfig,
    Instance,
    choose_images,
    find_dataset,
    load_instances,
    with_boxes,
)
from train.objects.exemplar import METHOD as EXEMPLAR
from train.objects.exemplar import NO_EXEMPLARS, exemplar_reader
from train.objects.metrics import PoseErrors, pose_errors
from train.objects.predict import Prediction, predict
from train.objects.summary import Group, mean_over_objects, summarize
from train.objects.table import format_rows
from train.options import ExemplarConfig

BOXES = {
    "bbox_visib": "boxes of the visible part, jittered as a detector's",
    "bbox_obj": "boxes of the whole object, jittered alike; they give away where hidden parts are",
    "detections": "boxes of a detector",
}
CLEAR = 0.6  # visib_fract from which an instance counts as clearly visible, in a table of its own


@dataclass(frozen=True, eq=False)
class TestSet:
    """Test instances of one object whose boxes come from one source.

    boxes: the source. instances: those that have a box. boxless: those that a detector missed; they
    count as failures.
    """

    boxes: str
    instances: list[Instance]
    boxless: list[Instance]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One test instance under one method.

    corners: (8, 2) box corners under the final pose, image pixels. errors, corners: None where no
    pose was found. side: of the crop, image pixels; it stands in for corner_px there.
    corner_raw_px: error of the network's own corners, before PnP.
    """

    obj_id: int
    method: str
    boxes: str
    instance: Instance
    errors: PoseErrors | None
    corners: np.ndarray | None
    side: float
    corner_raw_px: float


def evaluate_run(
    data: DataConfig,
    run: Path,
    out: Path,
    seed: int,
    device: str,
    exemplars: ExemplarConfig = NO_EXEMPLARS,
) -> str:
    """`evaluate`: one trained network on a dataset's test frames; exemplars beside it if asked for.

    Leaves a BOP results file for each, results.json and results.txt in `out`; returns the table.
    """
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    obj_id, method = checkpoint.object.obj_id, checkpoint.method
    data = replace(data, objects=(obj_id,))
    root = find_dataset(data.dataset)
    model = load_models([root / "models"], obj_ids=[obj_id])[obj_id]
    tests = test_sets(data, root, model, seed)
    models = {obj_id: measured_model(root, obj_id)}
    readers = {method: checkpoint}
    heading = f"{root}: {method}"
    about: dict[str, Any] = {"dataset": data.dataset, "seed": seed}
    if exemplars.exemplars:
        readers[EXEMPLAR] = exemplar_reader(checkpoint, exemplars, model, seed)
        heading += f" and {exemplars.exemplars} exemplars of {exemplars.synthetic}"
        about["exemplar"] = asdict(exemplars)

    outcomes = []
    out.mkdir(parents=True, exist_ok=True)
    for name, reader in readers.items():
        found, estimates = evaluate_method(reader, name, tests, models[obj_id], torch_device, seed)
        write_estimates(out, name, data, estimates)
        outcomes += found
    count = len(tests[0].instances) + len(tests[0].boxless)
    heading += f", {count} test instances of object {obj_id}"
    about["methods"] = list(readers)
    return write_results(results(outcomes, models, list(readers)), about, heading, out)


def measured_model(root: Path, obj_id: int) -> ObjectModel:
    """The mesh that errors are measured on: BOP's choice is models_eval, where there is one."""
    folder = root / "models_eval" if (root / "models_eval").is_dir() else root / "models"
    return load_models([folder], obj_ids=[obj_id])[obj_id]


def write_estimates(
    out: Path, method: str, data: DataConfig, estimates: Sequence[Estimate]
) -> Path:
    """Write poses as BOP's results file METHOD_DATASET-SPLIT.csv; returns its path."""
    # The parts of the name are told apart by _ - and . so they hold none themselves.
    dataset, split = (
        "".join(filter(str.isalnum, name))
        for name in (Path(data.dataset).resolve().name, data.split)
    )
    path = out / results_name(method.replace("_", "-"), dataset, split)
    write_csv(path, estimates)
    return path


def test_sets(data: DataConfig, root: Path, model: ObjectModel, seed: int) -> list[TestSet]:
    """The test frames' instances, first with the configured boxes, then with bbox_obj.

    Raises:
        InputError: there is none.
    """
    images = read_split(root, data.split, choose_images(data, root, "test", seed))
    sets = []
    for boxes in dict.fromkeys([data.boxes, "bbox_obj"]):
        if boxes in ("bbox_visib", "bbox_obj"):
            instances = load_instances(images, model, boxes, data.min_visib)
            sets.append(TestSet(boxes, instances, []))
            continue
        # Whole images, since a detector may see the object anywhere.
        instances = load_instances(images, model, "bbox_obj", data.min_visib, reach=np.inf)
        found = with_boxes(instances, read_detections(Path(boxes)))
        keys = {instance.key for instance in found}
        missed = [instance for instance in instances if instance.key not in keys]
        sets.append(TestSet("detections", found, missed))
    if not sets[0].instances and not sets[0].boxless:
        raise InputError(f"no test frame of {root / data.split} shows object {model.obj_id}")
    return sets


def evaluate_method(
    checkpoint: Checkpoint,
    method: str,
    tests: Sequence[TestSet],
    model: ObjectModel,
    device: torch.device,
    seed: int,
) -> tuple[list[Outcome], list[Estimate]]:
    """Read every test instance with one network.

    Args:
        model: the mesh that errors are measured on.

    Returns:
        Outcomes on all test sets, and the poses of the first one, each image timed.
    """
    outcomes: list[Outcome] = []
    estimates: list[Estimate] = []
    for test in tests:
        for (scene_id, im_id), group in groupby(test.instances, key=lambda i: i.key[:2]):
            instances = list(group)
            start = time.perf_counter()
            # A detector's boxes are as inexact as they are; the annotated ones are made so.
            jitter = None if test.boxes == "detections" else seed
            predictions = predict_instances(checkpoint, instances, device, jitter)
            seconds = time.perf_counter() - start
            for instance, prediction in zip(instances, predictions, strict=True):
                outcomes.append(_outcome(method, test.boxes, instance, prediction, model))
                if test is tests[0] and prediction.cam_from_obj is not None:
                    pose = prediction.cam_from_obj
                    estimates.append(Estimate(scene_id, im_id, model.obj_id, 1.0, pose, seconds))
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
        model.obj_id, method, boxes, instance, errors, corners, prediction.side, float(raw)
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


def results(
    outcomes: Sequence[Outcome], models: Mapping[int, ObjectModel], methods: Sequence[str]
) -> dict[str, dict]:
    """Every table, {caption: {"objects": {id: {method: metrics}}, "mean": {method: metrics}}}.

    One for each source of the boxes, and one more for the clearly visible instances of each.
    """
    tables = {}
    for boxes in dict.fromkeys(outcome.boxes for outcome in outcomes):
        part = [o for o in outcomes if o.boxes == boxes]
        clear = [o for o in part if (o.instance.annotation.visib_fract or 0) >= CLEAR]
        tables[boxes] = _table(part, models, methods)
        tables[f"{boxes}, visib_fract >= {CLEAR}"] = _table(clear, models, methods)
    return {caption: table for caption, table in tables.items() if table["objects"]}


def write_results(tables: Mapping[str, dict], about: Mapping, heading: str, out: Path) -> str:
    """Write results.json and results.txt; returns the text: heading and every table.

    Args:
        about: what results.json says first: dataset, seed, methods.
        heading: a line that says what was trained and tested on.

    Raises:
        InputError: there is no table, since no test frame shows an object.
    """
    if not tables:
        raise InputError(f"no test frame of {about['dataset']} shows the object")
    captions = list(tables)
    record = {
        **about,
        "boxes": captions[0],
        **tables[captions[0]],
        "subsets": {caption: tables[caption] for caption in captions[1:]},
    }
    text = "\n\n".join([heading, *(format_table(c, tables[c]) for c in captions)])
    for name, content in (("results.json", json.dumps(record, indent=2)), ("results.txt", text)):
        partial = out / f".{name}.partial"
        partial.write_text(content + "\n")
        partial.replace(out / name)
    return text


def format_table(caption: str, table: Mapping[str, dict]) -> str:
    """One table for the terminal: a line for each object and method, then the means."""
    objects = table["objects"]
    rows = {**objects, "mean": table["mean"]} if len(objects) > 1 else objects
    lines = [
        ((name, method), metrics)
        for name, by_method in rows.items()
        for method, metrics in by_method.items()
    ]
    boxes = caption.split(",")[0]
    return f"{caption}: {BOXES[boxes]}\n" + format_rows(("object", "method"), lines)


def _table(
    outcomes: Sequence[Outcome], models: Mapping[int, ObjectModel], methods: Sequence[str]
) -> dict[str, dict]:
    objects: dict[str, dict] = {}
    for obj_id, model in models.items():
        by_method = {
            m: [o for o in outcomes if (o.obj_id, o.method) == (obj_id, m)] for m in methods
        }
        if all(by_method.values()):
            objects[str(obj_id)] = {
                method: _summary(part, model.diameter) for method, part in by_method.items()
            }
    mean = {m: mean_over_objects([o[m] for o in objects.values()]) for m in methods if objects}
    return {"objects": objects, "mean": mean}


def _summary(outcomes: Sequence[Outcome], diameter: float) -> dict:
    """metrics of `summarize`, and the network's own corners, before PnP."""
    groups = [Group(((o.errors,),) if o.errors else (), (o.side,)) for o in outcomes]
    raw = [o.corner_raw_px for o in outcomes]
    return {**summarize(groups, diameter), "corner_raw_px": float(np.mean(raw))}
