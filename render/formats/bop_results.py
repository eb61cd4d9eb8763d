"""BOP's result files: pose estimates as CSV, detections as JSON."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.bop_records import (
    NEAREST_MM,
    numbers,
    parse_box,
    parse_float,
    parse_integer,
    pose_from_mm,
    pose_to_mm,
    require_box,
)
from render.frame import Box
from render.input_file import read_text
from render.json_file import read_json, write_text

HEADER = "scene_id,im_id,obj_id,score,R,t,time"
COLUMNS = HEADER.split(",")
SEPARATORS = {"semicolons": ";", "tabs": "\t"}  # what spreadsheets write in place of commas


@dataclass(frozen=True, eq=False)
class Estimate:
    """One estimated pose. score: higher is surer. time_s: spent on the whole image, -1 unknown."""

    scene_id: int
    im_id: int
    obj_id: int
    score: float
    cam_from_obj: np.ndarray  # (4, 4) float64, metres
    time_s: float = -1.0


@dataclass(frozen=True)
class Detection:
    """One detected object: where a detector, not the ground truth, says it is."""

    scene_id: int
    im_id: int
    obj_id: int
    score: float
    box: Box


def results_name(method: str, dataset: str, split: str) -> str:
    """The file name that BOP asks for, METHOD_DATASET-SPLIT.csv.

    Raises:
        ValueError: a part holds a character that the name is taken apart at.
    """
    for part, forbidden in ((method, "_./"), (dataset, "_-./"), (split, "_./")):
        if not part or any(character in part for character in forbidden):
            raise ValueError(f"{part!r} must not be empty or hold any of {forbidden}")
    return f"{method}_{dataset}-{split}.csv"


def read_results(path: Path, nearest: float = NEAREST_MM) -> list[Estimate]:
    """Read a BOP results file; the header may be missing, as bop_toolkit allows.

    Args:
        nearest: as `nearest_mm` gives it for the dataset.

    Raises:
        InputError: the file is missing, without a line or no CSV, no pose is in front of the
            camera or further than metres would be, or a line is malformed; the message gives its
            number.
    """
    text = read_text(path)
    _require_csv(text, path)
    lines = text.splitlines()
    if HEADER in lines[0].replace(" ", ""):
        lines[0] = ""
    estimates = [
        _parse_line(line, f"{path}, line {i}")
        for i, line in enumerate(lines, start=1)
        if line.strip()
    ]
    nearness = [np.linalg.norm(estimate.cam_from_obj[:3, 3]) for estimate in estimates]
    if estimates and 1000 * max(nearness) < nearest:
        raise InputError(
            f"{path}: every t is shorter than {nearest:g} mm;"
            " BOP has millimetres, these look like metres"
        )
    if estimates and all(estimate.cam_from_obj[2, 3] <= 0 for estimate in estimates):
        raise InputError(
            f"{path}: every t has a z of 0 or less, behind the camera; BOP's camera looks along z,"
            " with y down, these look like OpenGL's"
        )
    return estimates


def write_results(path: Path, estimates: Sequence[Estimate]) -> None:
    """Write a BOP results file, every number to its last digit.

    Raises:
        ValueError: rows of one image differ in time, which BOP's evaluation refuses.
    """
    times: dict[tuple[int, int], float] = {}
    lines = [HEADER]
    for e in estimates:
        if times.setdefault((e.scene_id, e.im_id), e.time_s) != e.time_s:
            raise ValueError(f"image {e.im_id} of scene {e.scene_id}: rows must have one time_s")
        R, t_mm = pose_to_mm(e.cam_from_obj)
        R_text, t_text = (" ".join(map(repr, values.ravel().tolist())) for values in (R, t_mm))
        lines.append(
            f"{e.scene_id},{e.im_id},{e.obj_id},{float(e.score)},{R_text},{t_text},{float(e.time_s)}"
        )
    write_text(path, "\n".join(lines) + "\n")


def read_detections(
    path: Path, sizes: Mapping[tuple[int, int], tuple[int, int]], obj_ids: Collection[int] = ()
) -> list[Detection]:
    """Read detections in some images from the JSON of BOP's default detections.

    A list of objects with scene_id, image_id, category_id, score and bbox (x, y, width, height).

    Args:
        sizes: (scene id, image id) of the images -> (width, height); what is detected in others is
            left out.
        obj_ids: objects that were looked for: a detector may miss one, but not in every image.

    Raises:
        InputError: the file is missing or malformed, a box does not fit its image, all are of
            other images, or none is of one of the objects; the message names the entry.
    """
    detections, others, found = [], 0, set()
    for i, entry in enumerate(read_json(path, list)):
        where = f"{path}, entry {i}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: expected a JSON object, got {entry!r}")
        box = parse_box(entry, "bbox", where)
        if box[2] <= 0 or box[3] <= 0:
            raise InputError(f"{where}: bbox must have a positive width and height, got {box}")
        scene_id, im_id, obj_id = (
            parse_integer(entry, key, where) for key in ("scene_id", "image_id", "category_id")
        )
        score = parse_float(entry, "score", where)
        found.add(obj_id)
        size = sizes.get((scene_id, im_id))
        if size is None:
            others += 1
            continue
        require_box(box, size, f"{where}: bbox")
        detections.append(Detection(scene_id, im_id, obj_id, score, box))
    if others and not detections:
        raise InputError(
            f"{path}: none of its {others} detections is in one of the {len(sizes)} images asked"
            " for, by scene_id and image_id"
        )
    missing = sorted(set(obj_ids) - found)
    if missing:
        there = f"only of {', '.join(map(str, sorted(found)))}" if found else "none at all"
        raise InputError(
            f"{path}: no detection of object {missing[0]}, {there}; category_id is BOP's obj_id"
        )
    return detections


def write_detections(path: Path, detections: Sequence[Detection]) -> None:
    """Write what `read_detections` reads, a detection a line."""
    lines = [
        json.dumps(
            {
                "scene_id": d.scene_id,
                "image_id": d.im_id,
                "category_id": d.obj_id,
                "score": d.score,
                "bbox": list(d.box),
            }
        )
        for d in detections
    ]
    write_text(path, "[" + ",\n".join(lines) + "]\n")


def _require_csv(text: str, path: Path) -> None:
    """Tell a results file from one that was cut off at its start, and from BOP's JSON files.

    A header alone is the file of a method that found nothing.
    """
    if not text.strip():
        raise InputError(
            f"{path}: empty; a results file has a line for each pose, or at least its header"
            f" {HEADER}"
        )
    if text.lstrip()[0] in "[{":
        raise InputError(
            f"{path}: JSON, as detections and ground truth are; poses are in a CSV file, {HEADER}"
        )


def _parse_line(line: str, where: str) -> Estimate:
    for name, separator in SEPARATORS.items():
        if line.count(separator) >= len(COLUMNS) - 1:
            raise InputError(
                f"{where}: its fields are parted by {name}; export it with commas, as in {HEADER}"
            )
    fields = line.split(",")
    if len(fields) != len(COLUMNS):
        raise InputError(
            f"{where}: expected {len(COLUMNS)} comma-separated fields ({HEADER}), got {len(fields)}"
        )
    record = {key: field.split() for key, field in zip(COLUMNS, fields, strict=True)}
    scene_id, im_id, obj_id = (
        parse_integer(record, key, where) for key in ("scene_id", "im_id", "obj_id")
    )
    R, t_mm = numbers(record, "R", 9, where).reshape(3, 3), numbers(record, "t", 3, where)
    return Estimate(
        scene_id,
        im_id,
        obj_id,
        parse_float(record, "score", where),
        pose_from_mm(R, t_mm, where),
        parse_float(record, "time", where),
    )
