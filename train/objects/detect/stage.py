"""The detector as a stage: trained for one object of a run, or alone, and tried on test frames."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_results import Detection, write_detections
from render.json_file import write_text
from render.mesh.mesh import ObjectModel, load_models
from render.progress import progress
from train.learn.targets import ObjectInfo
from train.learn.task import Folders
from train.objects.data import DataConfig, find_dataset, with_ids
from train.objects.detect.detector import Detector, Found, overlap
from train.objects.detect.material import CUTOUTS, load_pictures
from train.objects.detect.training import DetectorTraining, train_detector
from train.objects.results import CLEAR
from train.objects.sources import render_images
from train.objects.split import choose_images
from train.options import DETECTOR

log = logging.getLogger(__name__)

DETECTIONS, RECALL = "detections.json", "recall.json"


def prepare_detector(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
    workers: int,
    device: torch.device,
) -> None:
    """`run`: train one object's detector and find the object in the test frames.

    Leaves checkpoint.pt, detections.json and recall.json in detector/ of the object's folder.

    Args:
        config: data.objects names the object alone.
    """
    images, out = folder / "synthetic_images", folder / DETECTOR
    if config["run"].live:
        images = render_images(config, root, model, out, seed, workers, CUTOUTS)
    has_real = not config["run"].held_out
    folders = Folders(images, folder / "twins" if has_real else None)
    _train(config, root if has_real else None, model, folders, out, seed, device)
    write_found(Detector.load(out, device), config["data"], root, seed, out)


def train_alone(
    config: Mapping[str, Any],
    folders: Folders,
    start: Path | None,
    out: Path,
    seed: int,
    device: torch.device,
) -> Path:
    """`train --method detector`; returns the checkpoint's path.

    Real frames are trained on unless data.train_fraction is 0 and no split file names some.

    Raises:
        InputError: what is trained on is unusable, or something else was asked for.
    """
    data, synthetic = config["data"], folders.synthetic
    if config["run"].target != "object":
        raise InputError("--method detector is for objects; hands are found by a localiser")
    given = {"--start": start, "--localiser": folders.localiser}
    for flag, value in given.items():
        if value is not None:
            raise InputError(f"{flag} has no effect on a detector; leave it")
    if len(data.objects) != 1:
        raise InputError("train needs one object id: --objects 5")
    if synthetic is None:
        raise InputError("train --method detector needs --synthetic DIR")
    has_real = bool(data.split_file or data.share)
    root = find_dataset(data.dataset) if has_real else None
    if root is None and folders.twins is not None:
        raise InputError("--twins has no effect without real frames; leave it")
    data = with_ids(data, root or synthetic)
    models = (root or synthetic) / "models"
    model = load_models([models], obj_ids=data.obj_ids)[data.obj_ids[0]]
    return _train({**config, "data": data}, root, model, folders, out, seed, device)


def evaluate_detector(
    config: Mapping[str, Any], run: Path, out: Path, seed: int, device: torch.device
) -> str:
    """`evaluate` of a detector: `write_found` of the test frames; returns the table.

    Raises:
        InputError: the detector or the dataset is unusable, or exemplars were asked for.
    """
    if config["exemplar"].exemplars:
        raise InputError(f"--exemplars belongs to networks that read poses; {run} is a detector")
    detector = Detector.load(run, device)
    data = replace(config["data"], objects=(detector.target.obj_id,))
    root = find_dataset(data.dataset)
    record = write_found(detector, data, root, seed, out)
    name = detector.target.called or str(detector.target.obj_id)
    rows: list[tuple[str, ...]] = [("object", "visib_fract", "n", "IoU 0.5", "IoU 0.75", "sure")]
    for part in (record["all"], record["clear"]):
        figures = [part[name] for name in ("recall_50", "recall_75", "sure")]
        shown = ["-" if figure is None else f"{figure:.1f}" for figure in figures]
        least = f">= {part['visib_fract']:g}"
        rows.append((name, least, str(part["n"]), *shown))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    heading = f"{root}: detector, {record['ms_per_image']:g} ms an image; percent of n found"
    return "\n".join([heading, *lines])


def write_found(
    detector: Detector, data: DataConfig, root: Path, seed: int, out: Path
) -> dict[str, Any]:
    """Find the object in the test frames; leaves detections.json and recall.json in `out`.

    Only what the detector is sure of is a detection: what `predict` would read.

    Returns:
        What recall.json holds, see `recall`.
    """
    images = read_split(root, data.split, choose_images(data, root, "test", seed))
    found: list[list[Found]] = []
    seconds = []
    for image in progress(images, len(images), "detector, test frames"):
        rgb, since = image.read_rgb(), time.perf_counter()
        found.append(detector.candidates(rgb))
        seconds.append(time.perf_counter() - since)
    obj_id = detector.target.obj_id
    sure = [
        Detection(image.scene_id, image.im_id, obj_id, one.score, one.box)
        for image, of_image in zip(images, found, strict=True)
        for one in of_image
        if one.is_sure
    ]
    write_detections(out / DETECTIONS, sure)
    median = 1000 * float(np.median(seconds)) if seconds else 0.0
    record: dict[str, Any] = {"ms_per_image": round(median, 1)}
    for name, least in (("all", data.min_visib), ("clear", CLEAR)):
        shown = find_shown(images, found, obj_id, least)
        record[name] = recall(shown) | {"visib_fract": least}
    write_text(out / RECALL, json.dumps(record, indent=2) + "\n")
    of_all = record["all"]
    if of_all["n"]:
        log.info(
            "detector of %s: %.1f %% of %d test instances found with an overlap of 0.5,"
            " %.1f %% with 0.75",
            detector.target.title, of_all["recall_50"], of_all["n"], of_all["recall_75"],
        )  # fmt: skip
    return record


@dataclass(frozen=True)
class Shown:
    """An instance in a test frame. overlaps: with what was found, the surest first, as many as the
    frame has instances. is_sure: of the surest."""

    overlaps: tuple[float, ...]
    is_sure: bool


def find_shown(
    images: Sequence[BopImage], found: Sequence[Sequence[Found]], obj_id: int, least: float
) -> list[Shown]:
    """The instances of which at least a share is visible, each with what was found in its frame."""
    shown = []
    for image, of_image in zip(images, found, strict=True):
        targets = [
            a.bbox_visib
            for a in image.annotations
            if a.obj_id == obj_id
            and a.bbox_visib is not None
            and (a.visib_fract or 0) >= least
            and min(a.bbox_visib[2:]) > 0
        ]
        surest = of_image[: len(targets)]
        for box in targets:
            overlaps = tuple(overlap(box, one.box) for one in surest)
            shown.append(Shown(overlaps, surest[0].is_sure))
    return shown


def recall(shown: Sequence[Shown]) -> dict[str, Any]:
    """Percentage of instances found with an overlap (intersection over union) of 0.5 and 0.75.

    Of a frame with m instances the m surest places count. sure: percentage of the instances in
    whose frame the detector is sure of something. None where there is no instance.
    """
    figures: dict[str, Any] = {"n": len(shown)}
    for name, least in (("recall_50", 0.5), ("recall_75", 0.75)):
        hits = [max(one.overlaps) >= least for one in shown]
        figures[name] = _percent(hits)
    return figures | {"sure": _percent([one.is_sure for one in shown])}


def _train(
    config: Mapping[str, Any],
    root: Path | None,
    model: ObjectModel,
    folders: Folders,
    out: Path,
    seed: int,
    device: torch.device,
) -> Path:
    data: DataConfig = config["data"]
    assert folders.synthetic is not None
    pictures = load_pictures(config["detector"], data, root, folders.synthetic, seed, folders.twins)
    target = ObjectInfo(model.obj_id, model.box, called=model.name)
    training = DetectorTraining(target, config["detector"], seed, pictures.checksum())
    return train_detector(training, pictures, out, device)


def _percent(hits: Sequence[bool]) -> float | None:
    return 100 * float(np.mean(hits)) if hits else None
