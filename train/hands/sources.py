"""What `run` renders for hands: simulated real frames, their twins, synthetic frames."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from render.config import fill, load_preset
from render.dataset.hands import generate_hands
from render.draw.renderer import RenderConfig
from render.errors import InputError, all_of
from render.hand.file import load_hand
from render.hand.scene import HandSceneConfig
from render.sensor.config import SensorConfig
from train.hands.data import (
    HandDataConfig,
    find_nyu,
    find_splits,
    find_test,
    find_unlabelled,
    unlabelled_numbers,
)
from train.hands.film import depth_frames
from train.hands.pairs import pair_hands
from train.options import RunConfig

# Added to the seed for simulated real frames: no scene of theirs is one of the synthetic images'.
SIMULATED_SEEDS = {
    "train": 1_000_003,
    "test": 2_000_003,
    "film": 3_000_003,
    "unlabelled": 4_000_003,
}
FILMED = 120  # frames of a film


def make_sources(config: Mapping[str, Any], out: Path, seed: int, workers: int) -> HandDataConfig:
    """Render what the run says is rendered; what is finished is left.

    Twins are made of the annotated joints alone, as those of real frames are: how the simulated
    hand was really shaped and bent they are not told.

    Args:
        config: section -> options; of run, hand, render, hand_scene, sensor and pair.

    Returns:
        The `hand` section, with the folders of what was made.

    Raises:
        InputError: an option is wrong, or something is missing or damaged of what is not rendered
            but given; names all, before anything is rendered.
    """
    refuse_object_options(config["run"])
    check_inputs(config)
    data: HandDataConfig = config["hand"]
    if config["run"].simulated:
        root = out / "simulated_real"
        _simulate(config["run"].simulated, data, root, seed, workers)
        pair_hands(config["pair"].hand, root, "train", out / "twins", workers)
        data = replace(data, dataset=str(root), twins=str(out / "twins"))
        if config["run"].has_unlabelled and not data.unlabelled:
            unlabelled = out / "simulated_unlabelled"
            _simulate_unlabelled(config["run"].simulated, data, unlabelled, seed, workers)
            data = replace(data, unlabelled=str(unlabelled))
    if config["render"].hand is not None:
        folder, ranges = out / "synthetic_hands", config["hand_scene"]
        generate_hands(config["render"], ranges, folder, seed, workers, config["sensor"])
        data = replace(data, synthetic=str(folder))
    return data


def check_inputs(config: Mapping[str, Any]) -> None:
    """See, before long work, that all is there that a run of hands is given.

    Args:
        config: as of `make_sources`.

    Raises:
        InputError: frames, their joints, the hand or a count of frames are missing or damaged.
    """
    data: HandDataConfig = config["hand"]
    checks: list[Callable[[], Any]] = []
    if config["run"].simulated:
        checks.append(lambda: load_hand(config["pair"].hand))
        checks += [partial(_simulated_frames, data, split) for split in ("train", "test")]
    else:
        checks.append(lambda: find_splits(data, (1, 1, 0)))
        checks.append(lambda: find_test(data))
    if config["run"].has_unlabelled:
        checks.append(lambda: _check_unlabelled(config))
    if config["render"].hand is not None:
        checks.append(lambda: load_hand(config["render"].hand))
    elif data.synthetic or not config["run"].simulated:
        checks.append(lambda: find_splits(data, (0, 0, 1)))
    all_of(checks, lambda check: check(), "faults")


def make_motion(
    config: Mapping[str, Any], data: HandDataConfig, out: Path, seed: int, workers: int
) -> list[Path]:
    """The depth images of a moving hand over which a run's networks are filmed, in their order.

    Of real frames they are the first test frames; where real frames are simulated they are
    simulated too, unless that is finished: the same person, camera and ranges, 5 seconds of one
    scene.

    Args:
        config: as of `make_sources`. data: as `make_sources` gives it.
    """
    if not config["run"].simulated:
        return depth_frames(find_nyu(data.dataset) / "test")[:FILMED]
    render, scene, sensor = _simulated(config["run"].simulated)
    part = replace(render, split="test", frames=FILMED, frames_per_scene=FILMED // 4)
    root, own_seed = out / "moving_hand", seed + SIMULATED_SEEDS["film"]
    generate_hands(part, scene, root, own_seed, workers, sensor, moving=True)
    return depth_frames(root / "test")


def refuse_object_options(run: RunConfig) -> None:
    """Raise InputError for an option of synthetic images that those of hands have not."""
    for name in ("live", "real_background", "real_views"):
        if getattr(run, name):
            raise InputError(f"run.{name} is for objects so far; leave it out with run.target=hand")


def _simulate(preset: str, data: HandDataConfig, root: Path, seed: int, workers: int) -> None:
    """Render the frames that play the real ones, to train and to test on."""
    render, scene, sensor = _simulated(preset)
    for split in ("train", "test"):
        part = replace(render, split=split, frames=_simulated_frames(data, split))
        generate_hands(part, scene, root, seed + SIMULATED_SEEDS[split], workers, sensor)


def _simulate_unlabelled(
    preset: str, data: HandDataConfig, root: Path, seed: int, workers: int
) -> None:
    """Render more frames of the same kind, whose joints are not to be read."""
    render, scene, sensor = _simulated(preset)
    part = replace(render, split="train", frames=_simulated_frames(data, "unlabelled"))
    generate_hands(part, scene, root, seed + SIMULATED_SEEDS["unlabelled"], workers, sensor)


def _check_unlabelled(config: Mapping[str, Any]) -> None:
    """See that there will be frames without labels, and a hand to draw in them."""
    data: HandDataConfig = config["hand"]
    load_hand(config["pair"].hand)
    if not config["run"].simulated:
        find_unlabelled(data)
    elif not data.unlabelled:
        _simulated_frames(data, "unlabelled")
    else:
        unlabelled_numbers(find_nyu(data.unlabelled, "hand.unlabelled") / "train")


def _simulated_frames(data: HandDataConfig, split: str) -> int:
    """How many frames to render that play real ones; InputError where that is not said."""
    frames = {
        "train": data.train_frames,
        "test": data.test_frames,
        "unlabelled": data.unlabelled_frames,
    }[split]
    if not frames:
        raise InputError(f"hand.{split}_frames: say how many simulated real frames to render")
    return frames


def _simulated(preset: str) -> tuple[RenderConfig, HandSceneConfig, SensorConfig]:
    sections = load_preset(preset)
    return (
        fill(RenderConfig, sections.get("render", {}), "render"),
        fill(HandSceneConfig, sections.get("hand_scene", {}), "hand_scene"),
        fill(SensorConfig, sections.get("sensor", {}), "sensor"),
    )
