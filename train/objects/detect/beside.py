"""What lies in the folder of a run: which network `predict` reads with, and the detector beside it.

A run's folder holds an obj_NNNNNN for each object, and that a folder for each method and detector/.
"""

from pathlib import Path
from typing import Any

import torch

from render.errors import InputError
from render.json_file import read_json
from train.learn.checkpoint import Checkpoint
from train.learn.targets import ObjectInfo
from train.objects.detect.checkpoint import FILE, DetectorCheckpoint, is_detector
from train.objects.detect.detector import Detector
from train.options import DETECTOR, METHODS

RESULTS = "results.json"


def network_folder(run: Path) -> Path:
    """The folder of a network for what a user names: its own, its object's, or a run's.

    An object's folder may be called by the object's name, RUN/boat, once the run has a table. Of an
    object's networks that is taken whose poses had the smallest corner_px on the run's test frames;
    where there is no table yet, that of the last method of `options.METHODS`.

    Raises:
        InputError: a run is of several objects, or what is named is a detector.
    """
    run = _by_number(run)
    if (run / FILE).is_file() or not run.is_dir():
        if is_detector(run):
            raise InputError(f"{run} is a detector, which reads no pose; give the folder above it")
        return run
    objects = sorted(path for path in run.glob("obj_*") if path.is_dir() and _networks(path))
    if len(objects) > 1:
        called = {folder: name for name, folder in _named(run).items()}
        named = " or ".join(str(run / called.get(folder, folder.name)) for folder in objects)
        raise InputError(f"{run} is a run of {len(objects)} objects; give {named}")
    folder = objects[0] if objects else run
    networks = _networks(folder)
    if not networks:
        return run  # which is then said to hold none
    scores = _scores(folder)
    best = min(networks, key=lambda name: (scores.get(name, float("inf")), -METHODS.index(name)))
    return folder / best


def object_of(run: Path) -> ObjectInfo:
    """What a finished network for an object reads, or a finished detector finds."""
    if is_detector(run):
        return DetectorCheckpoint.load_finished(run / FILE).target
    return Checkpoint.load_finished(run).object


def detector_beside(checkpoint: Checkpoint, run: Path, device: torch.device) -> Detector | None:
    """The finished detector beside a network, both in an object's folder; None: there is none.

    Raises:
        InputError: it is damaged, or finds another object.
    """
    folder = run.resolve().parent / DETECTOR
    if not (folder / FILE).is_file():
        return None
    detector = Detector.load(folder, device)
    own, found = checkpoint.object, detector.target
    if own.obj_id != found.obj_id:
        raise InputError(f"{folder} finds {found.title}, and {run} reads {own.title}")
    return detector


def _by_number(run: Path) -> Path:
    """The path with an object's folder in place of its name, where it does not exist as it is."""
    if run.exists() or run == run.parent:
        return run
    folder = _by_number(run.parent)
    return _named(folder).get(run.name, folder / run.name)


def _named(run: Path) -> dict[str, Path]:
    """Name -> folder of those of a run's objects that have one, by the run's table."""
    names = _part(_table(run), "names")
    return {
        name: run / f"obj_{int(i):06d}"
        for i, name in names.items()
        if i.isdecimal() and isinstance(name, str) and Path(name).name == name
    }


def _networks(folder: Path) -> list[str]:
    return [name for name in METHODS if (folder / name / FILE).is_file()]


def _scores(folder: Path) -> dict[str, float]:
    """Method -> corner_px of an object's networks in the run's table; empty where there is none."""
    number = folder.name.removeprefix("obj_")
    if not number.isdecimal():
        return {}
    of_object = _part(_part(_table(folder.parent), "objects"), str(int(number)))
    found = {name: row.get("corner_px") for name, row in of_object.items() if isinstance(row, dict)}
    return {name: px for name, px in found.items() if isinstance(px, int | float)}


def _table(run: Path) -> dict[str, Any]:
    """A run's results.json; empty where it has none yet."""
    file = run / RESULTS
    return read_json(file) if file.is_file() else {}


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """An object of JSON in another; empty where something else stands there."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}
