"""The training of a detector: exact again after any interruption."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.config import first_difference, to_dict
from render.errors import InputError
from render.progress import progress
from train.learn.ahead import made_ahead
from train.learn.checkpoint_record import check_optimizer
from train.learn.device import autocast, out_of_memory
from train.learn.start import freeze_statistics, with_share
from train.learn.targets import ObjectInfo
from train.objects.augment import augment
from train.objects.crops import normalize
from train.objects.detect.checkpoint import FILE, DetectorCheckpoint
from train.objects.detect.images import Pictures, compose, targets
from train.objects.detect.network import DetectorNet, detector_loss
from train.options import DetectorConfig

log = logging.getLogger(__name__)

COMPOSE = 107  # purpose: what an image of a batch shows
LR, TRUNK_SHARE = 2e-3, 0.3  # of what is new, and the trunk's share of it
FROZEN = 8  # blocks that keep ImageNet's weights, and the stem: all but the last stage
SAVE_EVERY = 100  # steps

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class DetectorTraining:
    """One detector to train. checksum: of the pictures that it is trained on."""

    target: ObjectInfo
    config: DetectorConfig
    seed: int
    checksum: int

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the result, as plain data."""
        return {
            "detector": to_dict(self.config),
            **self.target.settings,
            "seed": self.seed,
            "steps": self.config.steps,
            "pictures": self.checksum,
        }


def train_detector(
    training: DetectorTraining, pictures: Pictures, out: Path, device: torch.device
) -> Path:
    """Train a detector, or go on where an earlier call with the same settings stopped.

    Returns:
        The checkpoint's path in `out`.

    Raises:
        InputError: `out` was begun with other settings or cannot be written to, the weights of
            ImageNet are not there, the loss is no longer finite, or memory ran out.
    """
    try:
        return _train(training, pictures, out, device)
    except RuntimeError as error:
        raise out_of_memory(error) or error from None


def _train(training: DetectorTraining, pictures: Pictures, out: Path, device: torch.device) -> Path:
    config, file, steps = training.config, out / FILE, training.config.steps
    net, optimizer, first = _begin(training, file, device)
    if first == steps:
        return file
    since = time.monotonic()
    for step, batch in _drawn(training, pictures, first):
        share = 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 20)
        for group in optimizer.param_groups:
            group["lr"] = LR * share * group["share"]
        images, heat, sides, counted = (part.to(device) for part in batch)
        with autocast("auto", device):
            said = net(images)
        terms = detector_loss(said, heat, sides, counted)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise InputError(f"{out}: the detector's loss is {loss.item()} at step {step + 1}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            log.debug(
                "detector %d: %s", step + 1, {k: round(v.item(), 3) for k, v in terms.items()}
            )
            settings, state = training.settings, optimizer.state_dict()
            target, size = training.target, config.size
            DetectorCheckpoint(net, target, size, step + 1, settings, state).save(file)
    log.info("detector: %d steps in %.0f s", steps - first, time.monotonic() - since)
    return file


def _begin(
    training: DetectorTraining, file: Path, device: torch.device
) -> tuple[DetectorNet, torch.optim.Adam, int]:
    """The network, its optimiser and the step to go on from."""
    torch.manual_seed(training.seed)
    first, state = 0, None
    if file.is_file():
        before = DetectorCheckpoint.load(file)
        difference = first_difference(before.settings, training.settings)
        if difference:
            name, was, now = difference
            raise InputError(
                f"{file.parent} was trained with {name} = {was}, not {now};"
                " give the old value, or another --out"
            )
        net, first, state = before.net, before.step, before.optimizer
    else:
        net = DetectorNet()
        net.trunk.load_imagenet()
    net.train()
    net.trunk.freeze(FROZEN)
    freeze_statistics(net)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(with_share(net, net.trunk, TRUNK_SHARE), LR)
    if state:
        check_optimizer(state, optimizer, f"{file}: optimizer")
        optimizer.load_state_dict(state)
    return net, optimizer, first


def _drawn(
    training: DetectorTraining, pictures: Pictures, first: int
) -> Iterator[tuple[int, Batch]]:
    """The steps to be made, each with its batch; the next is made while one is trained on."""
    steps = training.config.steps
    left = progress(range(first, steps), steps, "train detector", done=first)
    yield from made_ahead(partial(make_batch, training, pictures), left, first, steps)


def make_batch(training: DetectorTraining, pictures: Pictures, step: int) -> Batch:
    """Images (B, 3, h, w) in [-1, 1] and what `detector_loss` wants; fixed by seed and step."""
    count = training.config.batch
    rngs = [np.random.default_rng([training.seed, COMPOSE, step, i]) for i in range(count)]
    scenes = [compose(rng, pictures) for rng in rngs]
    images = normalize(np.stack([scene.rgb for scene in scenes]))  # (B, h, w, 3)
    images = augment(images, np.random.default_rng([training.seed, COMPOSE, step]), "strong")
    wanted = zip(*(targets(scene) for scene in scenes), strict=True)
    heat, sides, counted = (torch.from_numpy(np.stack(part)) for part in wanted)
    return torch.from_numpy(images).permute(0, 3, 1, 2), heat, sides, counted
