"""The stages as the command line calls them, each from what the one before left on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from render.config import fill, load_preset
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import ObjectModel, load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from train.hands.evaluate import evaluate_hand_run
from train.hands.image import predict_depth
from train.hands.run import run_hands, train_hand
from train.hands.sources import refuse_object_options
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.distributed import first_alone, rank
from train.learn.methods import train_methods, train_network
from train.learn.neighbours import write_neighbours
from train.learn.stream import Live
from train.learn.targets import HandInfo, ObjectInfo
from train.learn.trainer import Training
from train.objects.backgrounds import before_real_frames
from train.objects.crops import ObjectCrops
from train.objects.data import (
    DataConfig,
    Instance,
    check_frames,
    choose_images,
    find_dataset,
    load_instances,
    load_synthetic,
    load_twins,
    write_split,
)
from train.objects.evaluate import (
    Outcome,
    evaluate_method,
    evaluate_run,
    measured_model,
    results,
    test_sets,
    write_estimates,
    write_results,
)
from train.objects.live import ObjectSource
from train.objects.pairs import pair, twin_splits
from train.objects.predict import predict_image
from train.objects.report import contact_sheet, test_sheet
from train.options import COMPOSITION, METHODS, RunConfig

SIMULATED_SEED = 1_000_003  # added to the seed for simulated real frames
EXAMPLES = 8  # of live synthetic images, in the sheet of pairs


def train_one(
    config: Mapping[str, Any],
    method: str,
    out: Path,
    seed: int,
    device: str,
    synthetic: Path | None = None,
    twins: Path | None = None,
    start: Path | None = None,
    localiser: Path | None = None,
) -> Path:
    """`train`: one method for one object, or for hands; returns the run folder's checkpoint.

    Args:
        synthetic, twins: folders of datasets. start: a run whose weights to start from.
        localiser: hands: the run of the network that finds the palm.
    """
    if config["run"].target == "hand":
        refuse_object_options(config["run"])
        given = {"synthetic": synthetic, "twins": twins}
        folders = {name: str(folder) for name, folder in given.items() if folder is not None}
        config = {**config, "hand": replace(config["hand"], **folders)}
        return train_hand(config, method, out, seed, device, start, localiser)
    if localiser is not None:
        raise InputError("--localiser belongs to --set run.target=hand")
    data: DataConfig = config["data"]
    if len(data.objects) != 1:
        raise InputError("train needs one object id: --objects 5")
    real_share, twin_share, synthetic_share = COMPOSITION[method]
    live = config["run"].live
    if live and synthetic is not None:
        raise InputError("--synthetic DIR is what run.live does without; leave one of them")
    lacks_synthetic = synthetic_share and synthetic is None and not live
    if (twin_share and twins is None) or lacks_synthetic:
        missing = "--synthetic" if not twin_share or twins is not None else "--twins"
        raise InputError(f"train --method {method} needs {missing} DIR")

    root = synthetic if synthetic is not None and not real_share else find_dataset(data.dataset)
    model = load_models([root / "models"], obj_ids=data.objects)[data.objects[0]]
    inputs = Inputs(ObjectCrops(config["crop"]))
    if real_share:
        inputs = replace(inputs, real=_real(data, root, model, seed))
    if twin_share and twins is not None:
        inputs = replace(inputs, twins=_twins(twins, inputs.real))
    if synthetic_share and live:
        inputs = replace(inputs, synthetic=_live(config, root, model, out, seed))
    elif synthetic_share and synthetic is not None:
        inputs = replace(inputs, synthetic=load_synthetic(synthetic, model, data.min_visib))
    steps, target = config["train"].steps, object_target(model, inputs)
    training = Training(method, steps, target, config["train"], config["crop"], seed, start)
    return train_network(training, inputs, out, choose_device(device))


def evaluate_one(
    config: Mapping[str, Any], run: Path, localiser: Path | None, out: Path, seed: int, device: str
) -> str:
    """`evaluate`: one network, of an object or of hands; returns the table."""
    if isinstance(Checkpoint.load_finished(run).target, HandInfo):
        if config["exemplar"].exemplars:
            raise InputError(f"--exemplars belongs to networks for objects; {run} is for hands")
        return evaluate_hand_run(config["hand"], run, localiser, out, device)
    if localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    return evaluate_run(config["data"], run, out, seed, device, config["exemplar"])


def predict_one(
    run: Path,
    image: Path,
    box: str | None,
    camera: str | None,
    localiser: Path | None,
    out: Path | None,
    device: str,
) -> str:
    """`predict`: what one network, of an object or of hands, reads from an image."""
    if isinstance(Checkpoint.load_finished(run).target, HandInfo):
        if box is not None or camera is not None:
            raise InputError(f"--box and --camera belong to objects; {run} is for hands")
        return predict_depth(run, image, localiser, out, device)
    if localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    return predict_image(run, image, box, camera, out, device)


def run_all(config: Mapping[str, Any], out: Path, seed: int, workers: int, device: str) -> str:
    """`run`: every stage for every object and method; what is finished is not done again.

    Returns:
        The table of results.
    """
    methods = config["run"].methods
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise InputError(f"run.methods: no method {unknown[0]}; there are {', '.join(METHODS)}")
    if config["run"].target == "hand":
        return run_hands(config, out, seed, workers, device)
    torch_device = choose_device(device)
    data: DataConfig = config["data"]
    if config["run"].simulated:
        with first_alone():
            data = replace(data, dataset=str(simulate(config["run"], out, seed, workers)))
    root = find_dataset(data.dataset)
    models = load_models([root / "models"], obj_ids=data.objects or None)

    check_frames(data, root, list(models), seed)
    outcomes, measured = [], {obj_id: measured_model(root, obj_id) for obj_id in models}
    for obj_id, model in models.items():
        folder = out / f"obj_{obj_id:06d}"
        part = {**config, "data": replace(data, objects=(obj_id,))}
        with first_alone():
            prepare(part, root, model, folder, seed, workers)
        outcomes += _compare(part, root, model, measured[obj_id], folder, seed, torch_device)
    if rank() != 0:
        return ""
    counts = [len(choose_images(data, root, part, seed)) for part in ("train", "test")]
    kind = _kind(config["run"])
    heading = f"{root}: {counts[0]} {kind} frames to train on, {counts[1]} to test on"
    about = {"dataset": data.dataset, "seed": seed, "methods": list(methods)}
    return write_results(results(outcomes, measured, methods), about, heading, out)


def _compare(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    measured: ObjectModel,
    folder: Path,
    seed: int,
    device: torch.device,
) -> list[Outcome]:
    """Train every method for one object and test it, after `prepare`; pictures go to `folder`.

    Args:
        measured: the mesh that errors are measured on.

    Returns:
        What came of the test frames; nothing in processes but the first, which does the tests.
    """
    inputs = load_object(config, root, model, folder, seed)
    if rank() == 0:
        write_split(config["data"], root, seed, folder / "split.json")
        pictures = (inputs.real, inputs.twins, _examples(inputs, seed))
        contact_sheet(*pictures, config["crop"], folder / "pairs.png", _kind(config["run"]))
    tests = test_sets(config["data"], root, model, seed)
    target = object_target(model, inputs)
    start = Training("synthetic", 0, target, config["train"], config["crop"], seed)
    outcomes: list[Outcome] = []
    for method, checkpoint in train_methods(config["run"].methods, start, inputs, folder, device):
        if rank() != 0:
            continue
        found, estimates = evaluate_method(checkpoint, method, tests, measured, device, seed)
        write_estimates(folder / method, method, config["data"], estimates)
        outcomes += found
        if method == "mapping":
            seen = tests[0].instances
            write_neighbours(checkpoint, inputs, seen, folder / "neighbours.png", seed)
    if rank() == 0:
        first = [o for o in outcomes if o.boxes == tests[0].boxes]
        test_sheet(first, config["crop"], folder / "test_frames.png")
    return outcomes


def _kind(run: RunConfig) -> str:
    """What the real frames of a run are called."""
    return "simulated real" if run.simulated else "real"


def simulate(run: RunConfig, out: Path, seed: int, workers: int) -> Path:
    """Render the frames that play the real ones, and return their dataset's folder."""
    sections = load_preset(run.simulated)
    render = fill(RenderConfig, sections["render"], "render")
    render = replace(render, frames=run.simulated_frames)
    scene = fill(SceneConfig, sections["scene"], "scene")
    sensor = fill(SensorConfig, sections.get("sensor", {}), "sensor")
    folder = out / "simulated_real"
    # A seed of its own: no scene of it is one of the synthetic training images'.
    generate(render, scene, folder, seed + SIMULATED_SEED, workers, sensor)
    return folder


def prepare(
    config: Mapping[str, Any],
    root: Path,
    model: ObjectModel,
    folder: Path,
    seed: int,
    workers: int,
) -> None:
    """Render one object's twins, and its synthetic images unless they are rendered live, in
    `folder`; what is finished is left."""
    sensor = config["sensor"]
    if not config["run"].live:
        render, scene = _render_config(config, root, model), _scene(config, root, folder, seed)
        generate(render, scene, folder / "synthetic_images", seed, workers, sensor)
    pair(config["pair"], config["scene"], config["data"], folder / "twins", seed, sensor)


def load_object(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> Inputs:
    """Load all that one object's networks are trained on, after `prepare`."""
    data: DataConfig = config["data"]
    real = _real(data, root, model, seed)
    synthetic: Sequence[Instance] | Live
    if config["run"].live:
        synthetic = _live(config, root, model, folder, seed)
    else:
        synthetic = load_synthetic(folder / "synthetic_images", model, data.min_visib)
    twins = _twins(folder / "twins", real)
    return Inputs(ObjectCrops(config["crop"]), real, twins, synthetic)


def object_target(model: ObjectModel, inputs: Inputs) -> ObjectInfo:
    camera = inputs.real[0].camera if inputs.real else None
    return ObjectInfo(model.obj_id, model.box, camera)


def _render_config(config: Mapping[str, Any], root: Path, model: ObjectModel) -> RenderConfig:
    """How one object's synthetic images are drawn: among the dataset's objects, or those named."""
    objects = config["render"].objects or (str(root / "models"),)
    return replace(config["render"], objects=objects, obj_ids=(model.obj_id,))


def _scene(config: Mapping[str, Any], root: Path, folder: Path, seed: int) -> SceneConfig:
    """What synthetic images of one object show; files that this needs are kept in `folder`."""
    if not config["run"].real_background:
        return config["scene"]
    return before_real_frames(config["scene"], config["data"], root, folder / "backgrounds", seed)


def _live(
    config: Mapping[str, Any], root: Path, model: ObjectModel, folder: Path, seed: int
) -> Live:
    """One object's synthetic images, rendered while they are trained on."""
    source = ObjectSource(
        _render_config(config, root, model),
        _scene(config, root, folder, seed),
        config["sensor"],
        model.obj_id,
        config["data"].min_visib,
    )
    with first_alone():  # levels of detail are made once
        source.check()
    return Live(source, config["run"].live_workers)


def _examples(inputs: Inputs, seed: int) -> Sequence[Instance]:
    """Synthetic instances to be looked at."""
    synthetic = inputs.synthetic
    return synthetic.examples(EXAMPLES, seed) if isinstance(synthetic, Live) else synthetic


def _real(data: DataConfig, root: Path, model: ObjectModel, seed: int) -> list[Instance]:
    images = read_split(root, data.split, choose_images(data, root, "train", seed))
    instances = load_instances(images, model, min_visib=data.min_visib)
    if not instances:
        raise InputError(f"no object {model.obj_id} in the training frames of {root / data.split}")
    return instances


def _twins(folder: Path, real: Sequence[Instance]) -> list[list[Instance]]:
    images = [image for split in twin_splits(folder) for image in read_split(folder, split)]
    return load_twins(images, real)
