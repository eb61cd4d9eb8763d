"""The training of a detector: exact again after any interruption."""

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.config import first_difference, to_dict
from render.errors import InputError
from render.progress import progress
from train.learn.checkpoint_record import check_optimizer
from train.learn.device import out_of_memory
from train.learn.start import freeze_statistics
from train.learn.targets import ObjectInfo
from train.objects.augment import augment
from train.objects.crops import normalize
from train.objects.detect.checkpoint import FILE, DetectorCheckpoint
from train.objects.detect.images import Pictures, compose, targets
from train.objects.detect.network import FROZEN, DetectorNet, detector_loss
from train.options import DetectorConfig

log = logging.getLogger(__name__)

COMPOSE, CHOOSE = 107, 109  # purposes: what an image shows; which images are in a batch
LR, TRUNK_SHARE = 2e-3, 0.3  # of what is new, and the trunk's share of it
SAVE_EVERY = 100  # steps

CHUNK = 8  # images that are made, and pass through the blocks that are fixed, at once

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
    views = make_views(training, pictures, net, device)
    for step in progress(range(first, steps), steps, "train detector", done=first):
        share = 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 20)
        for group in optimizer.param_groups:
            group["lr"] = LR * share * group["share"]
        eighth, sixteenth, heat, sides, counted = views.batch(step, device)
        terms = detector_loss(net.read(eighth, sixteenth), heat, sides, counted)
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
    trunk = [p for p in net.trunk.parameters() if p.requires_grad]
    of_trunk = {id(p) for p in net.trunk.parameters()}
    others = [p for p in net.parameters() if id(p) not in of_trunk]
    groups = [{"params": others, "share": 1.0}, {"params": trunk, "share": TRUNK_SHARE}]
    optimizer = torch.optim.Adam(groups, LR)
    if state:
        check_optimizer(state, optimizer, f"{file}: optimizer")
        optimizer.load_state_dict(state)
    return net, optimizer, first


@dataclass(frozen=True, eq=False)
class Views:
    """Images for training, as the blocks make them that are not trained: each passes through these
    once, however often it is seen.

    features: `DetectorNet.taught` of all, in half precision, which halves the memory. wanted: what
    `detector_loss` wants of each.
    """

    features: tuple[torch.Tensor, torch.Tensor]
    wanted: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    batch_size: int
    seed: int

    def batch(self, step: int, device: torch.device) -> list[torch.Tensor]:
        """Both features and all that is wanted of some of the images, fixed by seed and step."""
        rng = np.random.default_rng([self.seed, CHOOSE, step])
        chosen = torch.from_numpy(rng.integers(len(self.features[0]), size=self.batch_size))
        parts = [part[chosen].to(device) for part in (*self.features, *self.wanted)]
        return [part.float() if part.dtype == torch.float16 else part for part in parts]


def make_views(
    training: DetectorTraining, pictures: Pictures, net: DetectorNet, device: torch.device
) -> Views:
    """Compose the images; the next ones are made while the blocks see the ones before."""
    count, made = training.config.images, []
    chunks = [range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
    with ThreadPoolExecutor(1) as pool, torch.no_grad():
        waiting = pool.submit(make_images, training, pictures, chunks[0])
        left = progress(
            range(len(chunks)), count, "images for the detector", count=lambda i: len(chunks[i])
        )
        for i in left:
            images, *wanted = waiting.result()
            if i + 1 < len(chunks):
                waiting = pool.submit(make_images, training, pictures, chunks[i + 1])
            features = [part.half().cpu() for part in net.taught(images.to(device))]
            made.append([*features, *wanted])
    eighth, sixteenth, heat, sides, counted = (torch.cat(part) for part in zip(*made, strict=True))
    wanted_of_all = heat, sides, counted
    return Views((eighth, sixteenth), wanted_of_all, training.config.batch, training.seed)


def make_images(training: DetectorTraining, pictures: Pictures, numbers: range) -> Batch:
    """Images (B, 3, h, w) in [-1, 1] and what `detector_loss` wants, each by seed and number."""
    rngs = [np.random.default_rng([training.seed, COMPOSE, number]) for number in numbers]
    scenes = [compose(rng, pictures) for rng in rngs]
    images = normalize(np.stack([scene.rgb for scene in scenes]))  # (B, h, w, 3)
    images = np.concatenate(
        [augment(image[None], rng, "strong") for image, rng in zip(images, rngs, strict=True)]
    )
    wanted = zip(*(targets(scene) for scene in scenes), strict=True)
    heat, sides, counted = (torch.from_numpy(np.stack(part)) for part in wanted)
    return torch.from_numpy(images).permute(0, 3, 1, 2), heat, sides, counted
