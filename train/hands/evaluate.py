"""Networks and test frames of hands -> predictions in NYU's format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.errors import InputError
from render.formats.nyu import uvd_from_joints, write_joints
from train.hand_options import HandCropConfig
from train.hands.crops import HandCrops
from train.hands.data import HandDataConfig, find_test, load_frames
from train.hands.localiser import PALM, Localiser, mass_centers
from train.hands.predict import predict_joints
from train.hands.refine import HandRefiner, read_refiner
from train.hands.report import extreme_sheet, hand_sheet
from train.hands.results import (
    HandTest,
    center_metrics,
    centers_text,
    write_hand_results,
    write_record,
)
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.options import REFINED


def load_test(data: HandDataConfig, crop: HandCropConfig, localiser: Localiser) -> HandTest:
    """Read the test frames and find the hands in them."""
    split = find_test(data)
    mass: list[np.ndarray] = []

    def locate(_: Sequence[int], depths: Sequence[np.ndarray]) -> np.ndarray:
        mass.append(mass_centers(depths))
        return localiser.refine(depths, mass[-1])

    frames = load_frames(split, crop, locate, data.small_from)
    return HandTest(split, frames, np.concatenate(mass))


def evaluate_hand(
    checkpoint: Checkpoint,
    method: str,
    test: HandTest,
    device: torch.device,
    folder: Path,
    name: str,
    refiner: HandRefiner | None,
) -> dict[str, np.ndarray]:
    """Read every test frame; leaves the predictions in NAME.txt and, where something refines them,
    in NAME-refined.txt of a folder, a line a frame.

    Returns:
        Row of the tables -> (n, 14, 3) predicted uvd: px, px, mm.
    """
    joints = predict_joints(checkpoint, test.frames, device)
    found = {method: uvd_from_joints(joints)}
    write_joints(folder / f"{name}.txt", found[method])
    if refiner is not None:
        found[method + REFINED] = uvd_from_joints(refine_frames(refiner, joints, test))
        write_joints(folder / f"{name}{REFINED}.txt", found[method + REFINED])
    return found


def refine_frames(refiner: HandRefiner, joints: np.ndarray, test: HandTest) -> np.ndarray:
    """The (n, 14, 3) joints read in test frames, refined; those of a small hand, which is another
    person's, stay."""
    refined = joints.copy()
    own = [i for i, frame in enumerate(test.frames) if not frame.small]
    centers = np.array([test.frames[i].center for i in own]).reshape(-1, 3)
    refined[own] = refiner.refine(joints[own], centers, lambda i: test.split.read_depth(own[i]))
    return refined


def evaluate_run(
    config: Mapping[str, Any], run: Path, localiser: Path | None, out: Path, seed: int, device: str
) -> str:
    """`evaluate`: one trained network on NYU's test frames, or those of a folder laid out alike.

    Args:
        run: of a network that reads joints, or of a localiser: then its centres are measured.
        localiser: the run of the network that finds the palm; None centres crops on the centre of
            mass.

    Returns:
        The table, after writing predictions, results.json, results.txt, curve.png, test_frames.png
        and extremes.png to `out`.
    """
    if config["exemplar"].exemplars:
        raise InputError(f"--exemplars belongs to networks for objects; {run} is for hands")
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    is_localiser = checkpoint.hand == PALM
    finder = Localiser.of_run(run if is_localiser else localiser, torch_device)
    test = load_test(config["hand"], checkpoint.crop, finder)
    out.mkdir(parents=True, exist_ok=True)
    method = checkpoint.method
    about: dict[str, Any] = {"dataset": str(test.split.folder.parent), "methods": [method]}
    if is_localiser:
        return write_record({**about, "center": center_metrics(test)}, centers_text(test), out)
    refiner = read_refiner(run.resolve().parent)
    predictions = evaluate_hand(checkpoint, method, test, torch_device, out, method, refiner)
    about["methods"] = list(predictions)
    crops = HandCrops(checkpoint.crop, checkpoint.hand)
    hand_sheet(predictions, test.frames, crops, out / "test_frames.png")
    extreme_sheet(predictions, test.frames, crops, out / "extremes.png")
    return write_hand_results(predictions, test, about, out)
