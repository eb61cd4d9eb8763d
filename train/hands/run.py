"""`train` and `run` for hands: folders in NYU's layout -> localiser -> methods -> results."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from render.errors import InputError
from render.formats.nyu import JOINTS
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, NyuSplit
from train.film import hand_film
from train.hands.crops import HandCrops
from train.hands.data import (
    HandDataConfig,
    Locate,
    at_centers_of,
    at_palm,
    find_nyu,
    load_frames,
    spread_split,
    twins_of,
)
from train.hands.evaluate import evaluate_hand, load_test, write_hand_results
from train.hands.localiser import Localiser, train_localiser
from train.hands.report import hand_sheet, pair_sheet
from train.hands.sources import make_motion, make_sources
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.distributed import first_alone, rank
from train.learn.methods import train_methods, train_network
from train.learn.neighbours import write_neighbours
from train.learn.stream import Live
from train.learn.targets import HandInfo
from train.learn.trainer import Training
from train.options import COMPOSITION, HandCropConfig

# The film's, from left to right; all methods where none of these was run.
FILMED_METHODS = ("synthetic", "mixed", "mapping")
ALL_JOINTS = HandInfo(tuple(range(len(JOINTS))))


@dataclass(frozen=True, eq=False)
class HandSplits:
    """Frames to train on; None are those that a method does not see.

    real: the sensor's images. twins: drawn ones of the same frames. synthetic: drawn ones.
    """

    real: NyuSplit | None = None
    twins: NyuSplit | None = None
    synthetic: NyuSplit | None = None


def train_hand(
    config: Mapping[str, Any],
    method: str,
    out: Path,
    seed: int,
    device: str,
    start: Path | None = None,
    localiser: Path | None = None,
) -> Path:
    """`train`: one method for hands; returns the run folder's checkpoint.

    Args:
        start: a run whose weights to start from.
        localiser: the run of the network that finds the palm.
    """
    data, torch_device = config["hand"], choose_device(device)
    if data.center == "localiser" and localiser is None:
        raise InputError("train for hands needs --localiser RUN, or --set hand.center=palm")
    splits = find_splits(data, COMPOSITION[method])
    finder = Checkpoint.load_finished(localiser, torch_device) if localiser else None
    inputs = load_inputs(data, config["hand_crop"], splits, Localiser(finder, torch_device))
    options, crop = config["train"], config["hand_crop"]
    training = Training(method, options.steps, ALL_JOINTS, options, crop, seed, start)
    return train_network(training, inputs, out, torch_device)


def run_hands(config: Mapping[str, Any], out: Path, seed: int, workers: int, device: str) -> str:
    """`run`: render, train the localiser and every method, test them; what is finished is left.

    Args:
        config: section -> options; of run, hand, hand_crop, localiser and train, and those of
            `make_sources`.

    Returns:
        The table of results.

    Raises:
        InputError: a folder or frame is missing or malformed.
    """
    methods, torch_device = config["run"].methods, choose_device(device)
    with first_alone():
        data = make_sources(config, out, seed, workers)
    splits = find_splits(data)
    assert splits.synthetic is not None
    finder, options = config["localiser"], config["train"]
    localiser = train_localiser(
        finder, options, splits.synthetic, out / "localiser", seed, torch_device
    )
    inputs = load_inputs(data, config["hand_crop"], splits, localiser)
    crops = HandCrops(config["hand_crop"], ALL_JOINTS)
    kind = "simulated real" if config["run"].simulated else "real"
    assert not isinstance(inputs.synthetic, Live)
    if rank() == 0:
        pair_sheet(inputs.real, inputs.twins, inputs.synthetic, crops, out / "pairs.png", kind)

    test = load_test(data, config["hand_crop"], localiser)
    first = Training("synthetic", 0, ALL_JOINTS, options, config["hand_crop"], seed)
    predictions = {}
    for method, checkpoint in train_methods(methods, first, inputs, out, torch_device):
        if rank() == 0:  # the others wait where the next method is trained
            file = out / method / "predictions.txt"
            predictions[method] = evaluate_hand(checkpoint, test, torch_device, file)
            if method == "mapping":
                write_neighbours(checkpoint, inputs, test.frames, out / "neighbours.png", seed)
    if rank() != 0:
        return ""
    hand_sheet(predictions, test.frames, crops, out / "test_frames.png")
    _film(config, data, out, seed, workers, device)
    about = {"dataset": str(find_nyu(data.dataset)), "seed": seed, "methods": list(methods)}
    about |= {"frames": kind}
    heading = f"{len(inputs.real)} {kind} frames to train on, {len(test.frames)} to test on"
    return write_hand_results(predictions, test, about, out, heading)


def _film(
    config: Mapping[str, Any], data: HandDataConfig, out: Path, seed: int, workers: int, device: str
) -> None:
    """Leave film.mp4, unless there is one that shows the networks as they are."""
    methods, film = config["run"].methods, out / "film.mp4"
    runs = {name: out / name for name in FILMED_METHODS if name in methods}
    runs = runs or {name: out / name for name in methods}
    finder = out / "localiser"
    trained = [(run / "checkpoint.pt").stat().st_mtime for run in (*runs.values(), finder)]
    if not film.is_file() or film.stat().st_mtime < max(trained):
        frames = make_motion(config, data, out, seed, workers)
        hand_film(runs, frames, film, finder, device)


def find_splits(data: HandDataConfig, shares: tuple[float, float, float] = (1, 1, 1)) -> HandSplits:
    """Find the frames to train on, before anything is done with them.

    Synthetic frames and twins are the dataset's own where no folder is named.

    Args:
        shares: of real frames, twins and synthetic frames; those of share 0 are not looked for.
    """

    def folder(name: str, where: str) -> Path:
        return find_nyu(name, where) if name else find_nyu(data.dataset)

    real = twins = synthetic = None
    if shares[0]:
        real = spread_split(find_nyu(data.dataset), "train", SENSOR, data.train_frames)
        twins = twins_of(folder(data.twins, "hand.twins"), real) if shares[1] else None
    if shares[2]:
        root = folder(data.synthetic, "hand.synthetic")
        synthetic = spread_split(root, "train", SYNTHETIC, data.synthetic_frames)
    return HandSplits(real, twins, synthetic)


def load_inputs(
    data: HandDataConfig, crop: HandCropConfig, splits: HandSplits, localiser: Localiser
) -> Inputs:
    """Load all that is trained on, centred as `hand.center` says."""

    def locate(split: NyuSplit) -> Locate:
        if data.center == "palm":
            return at_palm(split)
        return lambda _, depths: localiser.locate(depths)

    inputs = Inputs(HandCrops(crop, ALL_JOINTS))
    if splits.real is not None:
        inputs = replace(inputs, real=load_frames(splits.real, crop, locate(splits.real)))
    if splits.twins is not None:
        twins = load_frames(splits.twins, crop, at_centers_of(inputs.real))
        inputs = replace(inputs, twins=[[twin] for twin in twins])
    if splits.synthetic is not None:
        synthetic = load_frames(splits.synthetic, crop, locate(splits.synthetic))
        inputs = replace(inputs, synthetic=synthetic)
    return inputs
