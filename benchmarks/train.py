"""Steps a second with synthetic images rendered while training, beside the same batches in memory.

    python benchmarks/train.py [--json FILE]

The bundled object 1, the networks `small` at 64 px and `lite` at 96 px, batches of 32; both ways
take turns. Then images a second of every network, read and trained on. Medians.
"""

# the path is set first
import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `train` would be this file

import click
import numpy as np
import torch

import assets
from render.config import fill, load_preset
from render.draw.renderer import RenderConfig
from render.scene.randomize import SceneConfig
from render.sensor.config import DEFAULT_SENSOR
from train.learn.batches import Batch, Batches
from train.learn.device import choose_device
from train.learn.networks import build
from train.learn.start import freeze, parameters
from train.learn.stream import Live
from train.learn.trainer import losses
from train.objects.crops import ObjectCrops
from train.objects.live import ObjectSource
from train.options import WITH_MAPPING, WITH_TRUNK, CropConfig, TrainConfig

BATCH, OBJECT = 32, 1
WAITING = 8  # batches that a stream may have made ahead
TARGET = 0.8  # of the steps a second with batches in memory
# How a network is trained, channels, side of its crops in pixels
NETWORKS = (
    (TrainConfig("small"), 3, 64),
    (TrainConfig("lite"), 3, 96),
    (TrainConfig("lite", frozen_blocks=0), 3, 96),
    (TrainConfig("lite", frozen_blocks=11), 3, 96),
    (TrainConfig("lite-fc"), 3, 96),
    (TrainConfig("paper"), 3, 128),
    (TrainConfig("small"), 1, 64),
    (TrainConfig("paper"), 1, 128),
)


@click.command()
@click.option("--device", default="auto", show_default=True)
@click.option("--steps", type=click.IntRange(1), default=40, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the numbers here too.")
def main(device: str, steps: int, repeats: int, out: Path | None) -> None:
    """Time training, rendered live and from memory."""
    torch_device = choose_device(device)
    click.echo(f"{torch_device}, {torch.get_num_threads()} threads of torch, 1 worker renders")
    found: dict[str, dict[str, float]] = {}
    for config, _, size in NETWORKS[:2]:
        for method in ("synthetic", "mapping"):
            rates = live_and_memory(config, size, method, steps, repeats, torch_device)
            label = f"{config.network}, {method}"
            found[label] = rates
            click.echo(
                f"{label:16} {rates['live']:7.2f} steps/s live, {rates['memory']:7.2f} from memory:"
                f" {rates['live'] / rates['memory']:.2f} (target {TARGET})"
            )
    for config, channels, size in NETWORKS:
        label = f"{config.network}, {'colour' if channels == 3 else 'depth'}, {size} px"
        if config.network in WITH_TRUNK:
            label += f", {config.frozen_blocks} blocks frozen"
        found[label] = rates = images_per_second(config, channels, size, repeats, torch_device)
        click.echo(
            f"{label:38} {rates['read']:8.1f} images/s read, {rates['float32']:7.1f} trained on,"
            f" {rates['bfloat16']:7.1f} in bfloat16"
        )
    if out is not None:
        out.write_text(json.dumps(found, indent=2) + "\n")


def live_and_memory(
    config: TrainConfig, size: int, method: str, steps: int, repeats: int, device: torch.device
) -> dict[str, float]:
    """Steps/s of one network and method, the batches of both ways the same."""
    sections = load_preset("demo")
    side = size * 3 // 2  # of the pictures that are drawn: the presets' share
    drawn = RenderConfig((str(assets.FOLDER),), obj_ids=(OBJECT,), size=(side, side))
    scene = fill(SceneConfig, sections["scene"], "scene")
    source = ObjectSource(drawn, scene, DEFAULT_SENSOR, OBJECT, 0.1)
    source.check()
    live = Live(source)
    crops = ObjectCrops(CropConfig(size=size))
    # Rendered images stand in for real ones and twins, which cost the same to cut and to read.
    few = live.examples(32, seed=1)
    streamed = Batches(few, [[twin] for twin in few], live, method, BATCH, crops, seed=0)
    with closing(streamed):
        kept = [streamed.batch(step) for step in range(steps)]
        train_step = trainer(method, device, config, size=size)
        train_step(kept[0])
        rates: dict[str, list[float]] = {"live": [], "memory": []}
        first = steps
        for _ in range(repeats):
            # What waits from the turn of the others would flatter the stream: it is used up first.
            for i in range(first, first + WAITING):
                train_step(streamed.batch(i))
            first += WAITING
            later = partial(_train_on, train_step, streamed, first)
            rates["live"].append(rate(later, steps, device))
            rates["memory"].append(rate(lambda i: train_step(kept[i]), steps, device))
            first += steps
    return {way: float(np.median(values)) for way, values in rates.items()}


def _train_on(train_step: Callable[[Batch], None], batches: Batches, first: int, i: int) -> None:
    train_step(batches.batch(first + i))


def _train(train_step: Callable[[Batch], None], batch: Batch, _: int) -> None:
    train_step(batch)


def trainer(
    method: str, device: torch.device, config: TrainConfig, channels: int = 3, size: int = 64
) -> Callable[[Batch], None]:
    """One step of training."""
    torch.manual_seed(0)
    net = build(config.network, size, method in WITH_MAPPING, channels=channels).train()
    freeze(net, config, has_start=False)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(parameters(net, config), 1e-4)

    def step(batch: Batch) -> None:
        moved = Batch(**{key: tensor.to(device) for key, tensor in vars(batch).items()})
        loss = torch.stack(list(losses(net, moved, config, method).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def images_per_second(
    config: TrainConfig, channels: int, size: int, repeats: int, device: torch.device
) -> dict[str, float]:
    """Of one network with random weights, on noise."""
    images = (2 * torch.rand(BATCH, size, size, channels) - 1).permute(0, 3, 1, 2)
    targets, none = torch.rand(BATCH, 1, 16), images[:0]
    batch = Batch(none, targets[:0], none, images, targets)
    both = {
        precision: trainer(
            "synthetic", device, replace(config, precision=precision), channels, size
        )
        for precision in ("float32", "bfloat16")
    }
    net = build(config.network, size, False, channels=channels).eval()
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    there = images.to(device)

    def read(_: int) -> None:
        with torch.inference_mode():
            net(there)

    ways = {"read": read} | {key: partial(_train, step, batch) for key, step in both.items()}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, call in ways.items():
            taken[way].append(BATCH * rate(call, 2, device))
    return {way: float(np.median(values)) for way, values in taken.items()}


def rate(step: Callable[[int], None], count: int, device: torch.device) -> float:
    """Calls a second."""
    start = time.perf_counter()
    for i in range(count):
        step(i)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
