"""What `run` renders for hands: simulated real frames, their twins, synthetic frames."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from render.config import fill, load_preset
from render.errors import InputError
from render.hand_dataset import generate_hands
from render.hand_scene import HandSceneConfig
from render.renderer import RenderConfig
from render.sensor_config import SensorConfig
from train.hand_data import HandDataConfig
from train.hand_pairs import pair_hands

# Added to the seed for simulated real frames: no scene of theirs is one of the synthetic images'.
SIMULATED_SEEDS = {"train": 1_000_003, "test": 2_000_003}


def make_sources(config: Mapping[str, Any], out: Path, seed: int, workers: int) -> HandDataConfig:
    """Render what the run says is rendered; what is finished is left.

    Twins are made of the annotated joints alone, as those of real frames are: how the simulated
    hand was really shaped and bent they are not told.

    Args:
        config: section -> options; of run, hand, render, hand_scene, sensor and pair.

    Returns:
        The `hand` section, with the folders of what was made.
    """
    data: HandDataConfig = config["hand"]
    if config["run"].simulated:
        root = out / "simulated_real"
        _simulate(config["run"].simulated, data, root, seed, workers)
        pair_hands(config["pair"].hand, root, "train", out / "twins", workers)
        data = replace(data, dataset=str(root), twins=str(out / "twins"))
    if config["render"].hand is not None:
        folder, ranges = out / "synthetic_hands", config["hand_scene"]
        generate_hands(config["render"], ranges, folder, seed, workers, config["sensor"])
        data = replace(data, synthetic=str(folder))
    return data


def _simulate(preset: str, data: HandDataConfig, root: Path, seed: int, workers: int) -> None:
    """Render the frames that play the real ones, to train and to test on."""
    sections = load_preset(preset)
    render = fill(RenderConfig, sections.get("render", {}), "render")
    scene = fill(HandSceneConfig, sections.get("hand_scene", {}), "hand_scene")
    sensor = fill(SensorConfig, sections.get("sensor", {}), "sensor")
    for split, frames in (("train", data.train_frames), ("test", data.test_frames)):
        if not frames:
            raise InputError(f"hand.{split}_frames: say how many simulated real frames to render")
        part = replace(render, split=split, frames=frames)
        generate_hands(part, scene, root, seed + SIMULATED_SEEDS[split], workers, sensor)
