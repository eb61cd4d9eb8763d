"""What lies in the folder of a run: which network `predict` reads with, and the detector beside it.

A run's folder holds an obj_NNNNNN for each object, and that a folder for each method and detector/.
"""

from pathlib import Path

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

    Of an object's networks that whose poses had the smallest corner_px on the run's test frames;
    where the run has no table yet, that of the last method of `options.METHODS`.

    Raises:
        InputError: a run is of several objects, or what is named is a detector.
    """
    if (run / FILE).is_file() or not run.is_dir():
        if is_detector(run):
            raise InputError(f"{run} is a detector, which reads no pose; give the folder above it")
        return run
    objects = sorted(path for path in run.glob("obj_*") if path.is_dir() and _networks(path))
    if len(objects) > 1:
        named = " or ".join(map(str, objects))
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
    own, found = checkpoint.object.obj_id, detector.target.obj_id
    if own != found:
        raise InputError(f"{folder} finds object {found}, and {run} reads object {own}")
    return detector


def _networks(folder: Path) -> list[str]:
    return [name for name in METHODS if (folder / name / FILE).is_file()]


def _scores(folder: Path) -> dict[str, float]:
    """Method -> corner_px of an object's networks in the run's table; empty where there is none."""
    file = folder.parent / RESULTS
    if not file.is_file():
        return {}
    objects = read_json(file).get("objects")
    number = folder.name.removeprefix("obj_")
    of_object = (
        objects.get(str(int(number))) if isinstance(objects, dict) and number.isdecimal() else None
    )
    if not isinstance(of_object, dict):
        return {}
    found = {name: row.get("corner_px") for name, row in of_object.items() if isinstance(row, dict)}
    return {name: px for name, px in found.items() if isinstance(px, int | float)}
