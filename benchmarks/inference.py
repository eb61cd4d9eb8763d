"""Time to read one image: the crop, the network with and without its mapping, PnP.

    python benchmarks/inference.py [--device cuda] [--json FILE]

Weights are random and images noise, on which no time depends; PnP is given true corners of random
poses, half a pixel off. Medians over rounds in which all that is compared takes turns.
"""

# the path is set first
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import click
import numpy as np
import torch

from render.camera import Camera
from render.transforms import apply, random_rotation, rigid
from train.learn.device import choose_device
from train.learn.networks import PoseNet, build
from train.objects.crops import normalize, square_crop, warp
from train.objects.predict import solve_pose
from train.options import CropConfig

NETWORKS = {"small": 64, "paper": 128}  # name -> side of its crops, pixels
CAMERA = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480)
BOX = 0.1 * (np.stack(np.meshgrid(*[[0, 1]] * 3), axis=-1).reshape(8, 3) - 0.5)  # metres
TARGET = 3.0  # % that the mapping may add to `paper`


@click.command()
@click.option("--device", default="cpu", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=201, show_default=True)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the numbers here too.")
def main(device: str, rounds: int, out: Path | None) -> None:
    """Print milliseconds an image, and what the mapping adds."""
    torch_device = choose_device(device)
    batch = 64 if torch_device.type == "cuda" else 1
    click.echo(f"{torch_device}, {torch.get_num_threads()} threads, {batch} images at once")
    click.echo(f"{'':8}{'crop':>8}{'f, h':>8}{'f, g, h':>9}{'g adds':>9}{'PnP':>8}{'images/s':>10}")
    found = {}
    for name, size in NETWORKS.items():
        ways = stages(name, size, batch, torch_device)
        ms = {way: taken / batch for way, taken in medians(ways, rounds).items()}
        ms |= medians({"crop": crop_one(size), "pnp": pnp_one()}, rounds)
        added = 100 * (ms["mapped"] / ms["plain"] - 1)
        rate = 1000 / (ms["crop"] + ms["mapped"] + ms["pnp"])
        found[name] = {**ms, "mapping_adds_percent": added, "images_per_s": rate}
        target = f"  (target {TARGET:.0f} %)" if name == "paper" else ""
        click.echo(
            f"{name:8}{ms['crop']:8.3f}{ms['plain']:8.3f}{ms['mapped']:9.3f}{added:8.2f}%"
            f"{ms['pnp']:8.3f}{rate:10.0f}{target}"
        )
    click.echo("milliseconds an image; images/s: crop, f, g, h and PnP one after another")
    if out is not None:
        out.write_text(json.dumps(found, indent=2) + "\n")


def stages(
    name: str, size: int, batch: int, device: torch.device
) -> dict[str, Callable[[int], object]]:
    """One network read with its mapping and without."""
    torch.manual_seed(0)
    net = build(name, size, with_mapping=True).eval()
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = PoseNet(net.extract, None, net.predict)
    images = torch.rand(batch, size, size, 3, device=device).permute(0, 3, 1, 2) * 2 - 1

    def read(net: PoseNet) -> Callable[[int], object]:
        def once(_: int) -> object:
            with torch.inference_mode():
                return net(images).cpu()  # waits for a GPU

        return once

    return {"plain": read(plain), "mapped": read(net)}


def crop_one(size: int) -> Callable[[int], object]:
    """Cut a box out of a 640x480 image, as a network takes it."""
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(480, 640, 3), dtype=np.uint8)
    config = CropConfig(size=size)

    def once(i: int) -> object:
        box = (100.0 + i % 300, 80.0 + i % 200, 120.0, 100.0)
        return normalize(warp(image, square_crop(box, config), size))

    return once


def pnp_one() -> Callable[[int], object]:
    """Find the pose of a box from the pixels of its 8 corners."""
    rng = np.random.default_rng(0)
    poses = [
        rigid(random_rotation(rng), rng.uniform([-0.2, -0.2, 0.6], [0.2, 0.2, 1.2]))
        for _ in range(64)
    ]
    pixels = [CAMERA.project(apply(pose, BOX)) + rng.normal(0, 0.5, (8, 2)) for pose in poses]
    return lambda i: solve_pose(pixels[i % len(pixels)], BOX, CAMERA)


def medians(ways: Mapping[str, Callable[[int], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 5):
        for name, way in ways.items():
            start = time.perf_counter()
            way(i)
            if i >= 5:  # the first ones make caches
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in taken.items()}


if __name__ == "__main__":
    main()
