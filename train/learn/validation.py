"""Held-out real training frames, which say at what step a network was best; no test frame does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from train.learn.batches import Crops
from train.learn.losses import pose_loss
from train.learn.networks import PoseNet, evaluating

VIEWS = 4  # random crops of each held-out sample
CHUNK = 64  # images read at once


class Validation:
    """Crops of held-out samples, the same whenever they are read."""

    def __init__(self, samples: Sequence[Any], crops: Crops, seed: int) -> None:
        pairs = []
        for i, sample in enumerate(samples):
            for view in range(VIEWS):
                crop = crops.draw(np.random.default_rng([seed, i, view, 18]), sample)
                pairs.append((crops.image(sample, crop), crops.targets(sample, crop)))
        images, targets = (np.stack(part).astype(np.float32) for part in zip(*pairs, strict=True))
        self._images = torch.from_numpy(images).permute(0, 3, 1, 2)  # (n, c, size, size)
        self._targets = torch.from_numpy(targets)  # (n, s, outputs)

    def error(self, net: PoseNet, delta: float) -> float:
        """The pose loss of the held-out images; the network is left as it is.

        Args:
            delta: as `pose_loss` takes it.
        """
        device = next(net.parameters()).device
        with evaluating(net):
            parts = self._images.split(CHUNK)
            predicted = torch.cat([net(part.to(device)).float().cpu() for part in parts])
            return float(pose_loss(predicted, self._targets, delta))


def held_out(count: int, share: float) -> list[int]:
    """Indices of the samples that are held out of `count`: evenly spread, neither all nor none."""
    wanted = min(max(round(share * count), 1), count - 1)
    return [int(i) for i in (np.arange(wanted) + 0.5) * count / wanted]
