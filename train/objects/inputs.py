"""What networks for one object are trained on, from disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import ObjectModel
from train.learn.batches import Inputs
from train.learn.stream import Live
from train.learn.targets import ObjectInfo
from train.learn.task import Folders
from train.objects.crops import ObjectCrops
from train.objects.data import (
    DataConfig,
    Instance,
    load_instances,
    load_synthetic,
    load_twins,
)
from train.objects.keypoints import surface_points
from train.objects.sources import live_images
from train.objects.split import choose_images
from train.objects.symmetry import KEYS
from train.objects.twins.pair import twin_splits
from train.options import COMPOSITION


def object_crops(config: Mapping[str, Any], model: ObjectModel) -> ObjectCrops:
    """How an object is cut out of images, and which points of it are read."""
    points = surface_points(model.mesh, config["train"].surface_points)
    return ObjectCrops(config["crop"], points)


def object_target(model: ObjectModel, inputs: Inputs) -> ObjectInfo:
    """What networks for an object read; the camera is that of its real frames."""
    assert isinstance(inputs.crops, ObjectCrops)
    camera = inputs.real[0].camera if inputs.real else None
    symmetries = {name: model.info[name] for name in KEYS if model.info.get(name)}
    surface = inputs.crops.surface
    return ObjectInfo(model.obj_id, model.box, camera, symmetries or None, model.name, surface)


def real_instances(data: DataConfig, root: Path, model: ObjectModel, seed: int) -> list[Instance]:
    """The object in the real frames to train on.

    Raises:
        InputError: none of them shows it.
    """
    images = read_split(root, data.split, choose_images(data, root, "train", seed))
    instances = load_instances(images, model, min_visib=data.min_visib)
    if not instances:
        raise InputError(f"no {model.title} in the training frames of {root / data.split}")
    return instances


def twins_in(folder: Path, real: Sequence[Instance]) -> list[list[Instance]]:
    """The twins of real instances in a folder that `pair` made."""
    images = [image for split in twin_splits(folder) for image in read_split(folder, split)]
    return load_twins(images, real)


def load_inputs(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> Inputs:
    """All that the networks of an object of a run are trained on.

    Args:
        folder: the object's in the run, in which `sources.prepare` has left it.
    """
    data: DataConfig = config["data"]
    real: list[Instance] = []
    twins: list[list[Instance]] = []
    if not config["run"].held_out:
        real = real_instances(data, root, model, seed)
        twins = twins_in(folder / "twins", real)
    synthetic: Sequence[Instance] | Live
    if config["run"].live:
        synthetic = live_images(config, root, model, folder, seed)
    else:
        synthetic = load_synthetic(folder / "synthetic_images", model, data.min_visib)
    return Inputs(object_crops(config, model), real, twins, synthetic)


def check_folders(config: Mapping[str, Any], method: str, folders: Folders) -> None:
    """Raise InputError for what `train` for an object cannot do with, or without."""
    if folders.localiser is not None:
        raise InputError("--localiser belongs to --set run.target=hand")
    if len(config["data"].objects) != 1:
        raise InputError("train needs one object id: --objects 5")
    _, twin_share, synthetic_share = COMPOSITION[method]
    live, synthetic, twins = config["run"].live, folders.synthetic, folders.twins
    if live and synthetic is not None:
        raise InputError("--synthetic DIR is what run.live does without; leave one of them")
    lacks_synthetic = synthetic_share and synthetic is None and not live
    if (twin_share and twins is None) or lacks_synthetic:
        missing = "--synthetic" if not twin_share or twins is not None else "--twins"
        raise InputError(f"train --method {method} needs {missing} DIR")
