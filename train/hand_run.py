"""`run` for hands: folders in NYU's layout -> localiser -> every method -> results, pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.nyu import JOINTS
from render.nyu_dataset import SENSOR, SYNTHETIC, NyuSplit
from train.device import choose_device
from train.hand_crops import HandCropConfig, HandCrops
from train.hand_data import (
    HandDataConfig,
    Locate,
    at_palm,
    find_nyu,
    load_frames,
    load_twins,
    spread_split,
)
from train.hand_evaluate import evaluate_hand, load_test, write_hand_results
from train.hand_report import hand_sheet, pair_sheet
from train.localiser import Localiser, train_localiser
from train.methods import Inputs, train_methods
from train.targets import HandInfo
from train.trainer import Training

ALL_JOINTS = HandInfo(tuple(range(len(JOINTS))))


@dataclass(frozen=True, eq=False)
class HandSplits:
    """Frames that a run trains on: the sensor's, and drawn ones. twins: the folder of the twins."""

    real: NyuSplit
    synthetic: NyuSplit
    twins: Path


def run_hands(config: Mapping[str, Any], out: Path, seed: int, device: str) -> str:
    """Train the localiser and every method, and test them; what is finished is not done again.

    Args:
        config: section -> options; of run, hand, hand_crop, localiser and train.

    Returns:
        The table of results.

    Raises:
        InputError: a folder or frame is missing or malformed.
    """
    data, methods = config["hand"], config["run"].methods
    torch_device = choose_device(device)
    splits = find_splits(data)
    localiser = train_localiser(
        config["localiser"],
        config["train"],
        splits.synthetic,
        out / "localiser",
        seed,
        torch_device,
    )
    inputs = load_inputs(data, config["hand_crop"], splits, localiser)
    pictures = (inputs.real, inputs.twins, inputs.synthetic)
    crops = HandCrops(config["hand_crop"], ALL_JOINTS)
    pair_sheet(*pictures, crops, out / "pairs.png")

    test = load_test(data, config["hand_crop"], localiser)
    first = Training("synthetic", 0, ALL_JOINTS, config["train"], config["hand_crop"], seed)
    predictions = {}
    for method, checkpoint in train_methods(methods, first, inputs, out, torch_device):
        file = out / method / "predictions.txt"
        predictions[method] = evaluate_hand(checkpoint, test, torch_device, file)
    hand_sheet(predictions, test.frames, crops, out / "test_frames.png")
    about = {"dataset": str(find_nyu(data.dataset)), "seed": seed, "methods": list(methods)}
    return write_hand_results(predictions, test, about, out)


def find_splits(data: HandDataConfig) -> HandSplits:
    """The training frames; synthetic ones and twins are the dataset's own where none are named."""
    root = find_nyu(data.dataset)
    synthetic = find_nyu(data.synthetic, "hand.synthetic") if data.synthetic else root
    return HandSplits(
        real=spread_split(root, "train", SENSOR, data.train_frames),
        synthetic=spread_split(synthetic, "train", SYNTHETIC, data.synthetic_frames),
        twins=find_nyu(data.twins, "hand.twins") if data.twins else root,
    )


def load_inputs(
    data: HandDataConfig, crop: HandCropConfig, splits: HandSplits, localiser: Localiser
) -> Inputs:
    """Load all that the methods are trained on, centred as `hand.center` says."""

    def locate(split: NyuSplit) -> Locate:
        if data.center == "palm":
            return at_palm(split)
        return lambda _, depths: localiser.locate(depths)

    real = load_frames(splits.real, crop, locate(splits.real))
    return Inputs(
        crops=HandCrops(crop, ALL_JOINTS),
        real=real,
        twins=load_twins(splits.twins, splits.real, real, crop),
        synthetic=load_frames(splits.synthetic, crop, locate(splits.synthetic)),
    )
