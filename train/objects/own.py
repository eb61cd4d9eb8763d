"""A mesh, perhaps with real frames of it -> what `run` begins with: its preset, what it reads."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from render.config import OptionError, fill, load_preset, load_toml, parse_set
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.camera_file import read_camera_file
from render.formats.splits import BOP, find_splits
from render.json_file import read_json
from render.mesh.mesh import ObjectModel, load_models
from render.mesh.sources import mesh_files, number_files
from render.transforms import apply
from train.objects.data import DataConfig, find_dataset, with_ids
from train.objects.split import choose_images

log = logging.getLogger(__name__)

WITH_REAL, SYNTHETIC = "own", "own-synthetic"  # presets
RENDERED = ("pbr", "synt", "render")  # in names of splits that hold no real frames
SPLIT = "split.json"  # taken before other files of the same form
NEARER, FARTHER = 0.9, 1.1  # than the training frames show objects, synthetic images do
NEAREST = 0.6  # diameters from the camera
Found = dict[str, dict[str, Any]]


def choose(
    preset: str | None, config: Path | None, arguments: Mapping[str, Any]
) -> tuple[str | None, Found]:
    """What `run` begins with; it says so in a line, where --object or --real was given.

    Args:
        preset, config: what was given as such.
        arguments: what else was given; "meshes" of --object, "real", "sets", and options.

    Returns:
        The preset, and section -> settings over it.

    Raises:
        InputError: there are no such meshes or frames.
    """
    meshes, real = list(arguments["meshes"]), arguments["real"]
    if not meshes and real is None:
        return preset, {}
    asked = _asked(arguments)
    if preset is None and not (config is not None and "extends" in load_toml(config)):
        preset = SYNTHETIC if real is None else WITH_REAL
    found: Found = {"data": {}, "render": {}}
    numbered = number_files([file for mesh in meshes for file in mesh_files(mesh)])
    if meshes:
        found["render"]["objects"] = [str(mesh) for mesh in meshes]
        found["data"]["objects"] = list(numbered)
    said = f"preset {preset}" if preset else f"settings of {config}"
    names = ", ".join(f"object {i} is {file.name}" for i, file in numbered.items())
    if real is None:
        log.info("%s: %s; no real frames were given (--real DATASET)", said, names)
        return preset, found
    data = _data(real, asked, preset, numbered)
    images, what = _training_images(data, arguments["seed"])
    root = find_dataset(data.dataset)
    models = _models(root, data, numbered)
    found["data"] |= {"dataset": data.dataset, "split": data.split, "split_file": data.split_file}
    distance = _distance(images, models)
    if distance is not None:
        found["scene"] = {"distance": distance}
    if (root / "camera.json").is_file():
        try:
            read_camera_file(root / "camera.json")
            found["render"]["camera"] = str(root / "camera.json")
        except InputError as error:  # it has no size, say
            log.warning("%s; synthetic images are of LINEMOD's camera", error)
    away = "" if distance is None else ", {:.2f} to {:.2f} m away".format(*distance)
    names = names or "objects " + ", ".join(model.name or str(i) for i, model in models.items())
    log.info("%s: %s; %s%s", said, names, what, away)
    return preset, found


def check_asked(config: Mapping[str, Any], meshes: Sequence[Path], real: Path | None) -> None:
    """Refuse --object and --real beside settings that have no use for them.

    Raises:
        OptionError: a hand is read, or the real frames are rendered.
    """
    run, given = config["run"], "--object" if meshes else "--real"
    if run.target == "hand" and (meshes or real is not None):
        raise OptionError(f"{given} is of objects; leave it with run.target=hand")
    for name in ("simulated", "held_out"):
        if real is not None and getattr(run, name):
            raise OptionError(
                f"--real has no effect with run.{name}={getattr(run, name)}, which renders the"
                " frames to test on; leave one of them"
            )


def _asked(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Options of [data] that were given on the command line, by name."""
    names = ("split", "split_file", "train_fraction", "objects")
    asked = {name: arguments[name] for name in names if arguments.get(name) is not None}
    for section, name, value in map(parse_set, arguments["sets"]):
        if section == "data":
            asked[name] = value
    named = "dataset" in asked or arguments.get("dataset") is not None
    if named and arguments["real"] is not None:
        raise OptionError("--real names the dataset, and so does data.dataset; leave one of them")
    return asked


def _data(
    real: Path, asked: Mapping[str, str], preset: str | None, numbered: Mapping[int, Path]
) -> DataConfig:
    """Which frames of a dataset are trained and tested on, by what lies in it."""
    root = find_dataset(str(real), "--real")
    split = asked.get("split") or _split(root)
    split_file = asked.get("split_file")
    if split_file is None:
        split_file = "" if "train_fraction" in asked else _split_file(root)
    of_preset = load_preset(preset).get("data", {}) if preset else {}
    fraction = asked.get("train_fraction", of_preset.get("train_fraction"))
    values: dict[str, Any] = {"dataset": str(real), "split": split, "split_file": split_file}
    values |= {"train_fraction": fraction, "objects": asked.get("objects") or tuple(numbered)}
    return with_ids(fill(DataConfig, values, "data"), root)


def _split(root: Path) -> str:
    """The split that holds real frames: the only one, or the one called test."""
    kinds = find_splits(root)
    splits = [name for name, kind in kinds.items() if kind == BOP]
    splits = [name for name in splits if not any(part in name for part in RENDERED)] or splits
    if not splits:
        raise InputError(
            f"--real {root}: a dataset in BOP's layout was expected, with scene folders"
        )
    if len(splits) > 1 and "test" not in splits:
        raise InputError(
            f"--real {root}: holds the splits {', '.join(splits)}; say by --split which of them has"
            " the real frames"
        )
    return splits[0] if len(splits) == 1 else "test"


def _split_file(root: Path) -> str:
    """Name of the file that says what is trained and tested on; empty where there is none."""
    found = []
    for file in sorted(root.glob("*.json")):
        with suppress(InputError):  # a list, or no JSON: none of ours
            record = read_json(file)
            if isinstance(record.get("train"), list) and isinstance(record.get("test"), list):
                found.append(file.name)
    if len(found) > 1 and SPLIT not in found:
        raise InputError(f"--real {root}: has {', '.join(found)}; say by --split-file which counts")
    return SPLIT if SPLIT in found else (found or [""])[0]


def _training_images(data: DataConfig, seed: int) -> tuple[list[Any], str]:
    """The images to train on, and a phrase that says which are trained and tested on."""
    root = find_dataset(data.dataset)
    keys = [choose_images(data, root, part, seed) for part in ("train", "test")]
    how = data.split_file or f"a random {100 * data.share:g} % to train on"
    said = f"{len(keys[0])} real frames to train on and {len(keys[1])} to test on, of"
    return read_split(root, data.split, keys[0]), f"{said} {root / data.split} ({how})"


def _models(root: Path, data: DataConfig, numbered: Mapping[int, Path]) -> dict[int, ObjectModel]:
    """The dataset's objects that are asked for."""
    models = load_models([root / "models"])
    for obj_id, file in numbered.items():
        if obj_id not in models:
            there = ", ".join(map(str, models))
            raise InputError(
                f"--object {file} is object {obj_id}, by its name or its place, but"
                f" {root / 'models'} has {there}; leave --object and name one by --objects, to draw"
                " the dataset's own mesh"
            )
    return {i: model for i, model in models.items() if not data.objects or i in data.obj_ids}


def _distance(images: Sequence[Any], models: Mapping[int, ObjectModel]) -> list[float] | None:
    """Metres from the camera to the middles of objects, a little more widely than images show."""
    away = [
        float(np.linalg.norm(apply(a.cam_from_obj, models[a.obj_id].box.mean(axis=0)[None])))
        for image in images
        for a in image.annotations
        if a.obj_id in models
    ]
    if not away:
        return None
    nearest = NEAREST * max(model.diameter for model in models.values())
    low, high = max(NEARER * min(away), nearest), FARTHER * max(away)
    return [round(low, 4), round(max(low, high), 4)]
