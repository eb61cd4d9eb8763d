"""What the mapping does, as a picture: the synthetic images nearest to a real one, by feature.

Before g by f(x_R), after it by g(f(x_R)), beside the real image and its twin.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from render.image_file import write_png
from render.show.overlay import label, sheet
from train.learn.batches import Batch, Batches, Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.networks import PoseNet, evaluating

GALLERY = 256  # synthetic images to choose from
ROWS, NEAREST, TILE = 6, 3, 96  # real images; neighbours of each, before g and after; pixels
CHUNK = 64  # images read at once


class Gallery:
    """The synthetic images that were trained on last."""

    def __init__(self, count: int = GALLERY) -> None:
        self._kept: deque[tuple[Tensor, Tensor]] = deque(maxlen=count)

    def add(self, batch: Batch) -> None:
        self._kept.extend(zip(batch.synthetic, batch.synthetic_targets, strict=True))

    def sheet(self, net: PoseNet, batch: Batch) -> np.ndarray:
        """`neighbour_sheet` among the images that were added."""
        images, targets = (torch.stack(part) for part in zip(*self._kept, strict=True))
        return neighbour_sheet(net, batch, images, targets)


def neighbour_sheet(net: PoseNet, batch: Batch, images: Tensor, targets: Tensor) -> np.ndarray:
    """A row for each of the batch's first real images: it, its twin, its neighbours.

    A neighbour's label says how far its points lie from the real image's, in pixels of the crop.

    Args:
        net: is left as it is. images, targets: synthetic, (n, c, size, size) and (n, s, outputs).

    Returns:
        (height, width, 3) uint8.
    """
    with evaluating(net):
        found = [net.extract(part).float().flatten(1) for part in images.split(CHUNK)]
        unmapped = net.extract(batch.real[:ROWS])  # (r, d), or maps
        queries = {"f": unmapped, "g(f)": net.map(unmapped)}
    features = torch.cat(found)  # (n, d)
    queries = {name: query.float().flatten(1) for name, query in queries.items()}

    points = 2 if images.shape[1] == 3 else 3  # coordinates of each
    rows = []
    for i, real in enumerate(batch.real[:ROWS]):
        row = [label(_picture(real), "real")]
        twin = _picture(batch.twins[i]) if i < len(batch.twins) else np.zeros_like(row[0][:TILE])
        row.append(label(twin, "its twin" if i < len(batch.twins) else "no twin"))
        for name, query in queries.items():
            for j in nearest(features, query[i], NEAREST):
                far = _distance(targets[j][:1], batch.real_targets[i], points) * len(real[0]) / 2
                row.append(label(_picture(images[j]), f"{name}: {far:.1f} px"))
        rows.append(row)
    return sheet(rows)


def nearest(features: Tensor, query: Tensor, count: int) -> list[int]:
    """Indices of the `count` features (n, d) at the least distance from a query (d,)."""
    squares = (features - query).square().sum(dim=1)
    return squares.topk(min(count, len(features)), largest=False).indices.tolist()


def write_neighbours(
    checkpoint: Checkpoint, inputs: Inputs, tests: Sequence[Any], file: Path, seed: int
) -> None:
    """The sheet of training images with their twins, above that of test images, which have none."""
    device = next(checkpoint.net.parameters()).device

    def draw(method: str, size: int, given: Inputs) -> Batch:
        made = Batches(given.real, given.twins, given.synthetic, method, size, given.crops, seed)
        with closing(made):
            return made.batch(0).to(device)

    gallery = draw("synthetic", GALLERY, inputs)
    trained = draw("mapping", 4 * ROWS, inputs)
    tested = draw("real", ROWS, replace(inputs, real=tests))
    sheets = [
        neighbour_sheet(checkpoint.net, batch, gallery.synthetic, gallery.synthetic_targets)
        for batch in (trained, tested)
    ]
    write_png(file, np.concatenate(sheets))


def _distance(one: Tensor, others: Tensor, coordinates: int) -> float:
    """Mean distance of points, (1, n) flat, to those of the nearest of others (s, n)."""
    apart = (one - others).unflatten(1, (-1, coordinates)).norm(dim=2).mean(dim=1)  # (s,)
    return float(apart.min())


def _picture(image: Tensor) -> np.ndarray:
    """(c, size, size) in [-1, 1] -> (TILE, TILE, 3) uint8."""
    pixels = ((image.permute(1, 2, 0).cpu().numpy() + 1) * 127.5).astype(np.uint8)
    resized = cv2.resize(pixels, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return np.broadcast_to(resized.reshape(TILE, TILE, -1), (TILE, TILE, 3)).astype(np.uint8)
