"""The training loop."""

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from render.config import first_difference, to_dict
from render.errors import InputError
from render.progress import progress
from train.learn.adversary import Discriminator, adversary_loss, build_discriminator, ramp
from train.learn.ahead import made_ahead
from train.learn.batches import Batch, Batches
from train.learn.checkpoint import Checkpoint
from train.learn.checkpoint_record import check_optimizer
from train.learn.device import autocast
from train.learn.distributed import average, average_gradients, rank, wait
from train.learn.log import Log, open_log
from train.learn.losses import mapping_loss, pose_loss
from train.learn.neighbours import Gallery
from train.learn.networks import PoseNet
from train.learn.start import begin, freeze, parameters
from train.learn.targets import Target
from train.learn.validation import Validation
from train.options import COMPOSITION, MAPPING, WITH_ADVERSARY, TrainConfig

log = logging.getLogger(__name__)


def losses(
    net: PoseNet,
    batch: Batch,
    config: TrainConfig,
    method: str,
    discriminator: nn.Module | None = None,
    done: float = 1.0,
) -> dict[str, torch.Tensor]:
    """The terms of the loss, weighted; their sum is minimised.

    L_pose(h(f(x_S)), y_S) + gamma L_pose(h(g(f(x_R))), y_R) + beta || g(f(x_R)) - f(x_S') ||^2,
    the last one for `mapping` only; g is the identity where the network has none. With a
    discriminator `adversary_loss` of g(f(x_U)) and f(x_S) is one more, of strength
    config.adversary ramp(done) for the network. The network computes in config.precision, the
    losses in float32.

    Args:
        done: share of the training.
    """
    parts = [batch.real, batch.twins, batch.synthetic]
    if discriminator is not None:
        parts.append(batch.unlabelled)
    sizes, images = [len(part) for part in parts], torch.cat(parts)
    targets = batch.synthetic_targets
    with autocast(config.precision, images.device):
        real, twins, synthetic, *more = net.extract(images).split(sizes)  # (n, d) each
        mapped, unlabelled, drawn = net.map(real), [net.map(u) for u in more], synthetic
        if method == "mixed_layers":
            synthetic = net.map(synthetic)
        if sizes[1] and config.twin_pose:
            synthetic = torch.cat([synthetic, twins])
            targets = torch.cat([targets, batch.real_targets[: sizes[1]]])
        of_synthetic, of_real = net.predict(synthetic).float(), net.predict(mapped).float()

    terms = {}
    if len(synthetic):
        terms["synthetic"] = pose_loss(of_synthetic, targets, config.huber_delta)
    if sizes[0]:
        terms["real"] = config.gamma * pose_loss(of_real, batch.real_targets, config.huber_delta)
    if method in MAPPING:
        goal = twins.detach() if config.detach_twin else twins
        terms["mapping"] = config.beta * mapping_loss(mapped[: sizes[1]].float(), goal.float())
    if discriminator is not None:
        features, strength = (unlabelled[0].float(), drawn.float()), config.adversary * ramp(done)
        terms["adversary"] = adversary_loss(discriminator, *features, strength)
    return terms


class Objective(nn.Module):
    """A network and what is to be minimised: `losses` of batches, as a module.

    discriminator: of methods with an adversary; no part of the network.
    """

    def __init__(
        self,
        net: PoseNet,
        config: TrainConfig,
        method: str,
        discriminator: Discriminator | None = None,
    ) -> None:
        super().__init__()
        self.net, self.config, self.method = net, config, method
        self.discriminator = discriminator

    def forward(self, batch: Batch, done: float) -> dict[str, torch.Tensor]:
        return losses(self.net, batch, self.config, self.method, self.discriminator, done)


@dataclass(frozen=True)
class Training:
    """One network to train: what for, how, and from where.

    method: one of batches.METHODS. steps: how many. crop: the config of the target's crops, a
    dataclass with a `size`. start: a checkpoint whose weights to start from; random ones where
    None. frames: words for the real frames there are; None where nobody keeps them. around: whether
    synthetic images show of them, too.
    """

    method: str
    steps: int
    target: Target
    config: TrainConfig
    crop: Any
    seed: int
    start: Path | None = None
    frames: tuple[str, ...] | None = None
    around: bool = False

    def seen(self) -> tuple[str, ...] | None:
        """Words for the real frames that the network has seen at the end; None if nobody knows."""
        own = self.frames if self.around or COMPOSITION[self.method][0] else ()
        before = () if self.start is None else Checkpoint.load(self.start).seen
        if self.frames is None or own is None or before is None:
            return None
        return tuple(sorted({*own, *before}))

    @property
    def settings(self) -> dict:
        """Everything that decides the result, as plain data."""
        return {
            "train": to_dict(self.config),
            "crop": to_dict(self.crop),
            "method": self.method,
            "steps": self.steps,
            **self.target.settings,
            "seed": self.seed,
            "start": str(self.start.resolve()) if self.start else None,
        }


def train(
    training: Training,
    batches: Batches,
    out: Path,
    device: torch.device,
    validation: Validation | None = None,
) -> Path:
    """Train a network, or go on where an earlier call with the same settings stopped.

    Args:
        validation: what says which of the saved steps was best; its weights are kept at the end.

    Returns:
        The checkpoint's path in `out`.

    Raises:
        InputError: `out` was begun with other settings or cannot be written to, or the loss is no
            longer finite.
    """
    method, steps, config = training.method, training.steps, training.config
    file = out / "checkpoint.pt"
    settings = {**training.settings, "inputs": batches.fingerprint()}
    begun, optimizer, first, best = _begin(training, settings, file, device)
    net, discriminator = begun.net, begun.discriminator
    if first == steps:
        return file
    seen = training.seen()

    def save(step: int, writer: Log) -> None:
        nonlocal best
        if validation is not None:
            error = validation.error(net, config.huber_delta)
            writer.add({"validation": error}, step)
            if best is None or error < best["error"]:
                weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
                best = {"error": error, "step": step, "net": weights}
            if step == steps:
                net.load_state_dict(best["net"])
        Checkpoint(
            net=net,
            network=config.network,
            crop=training.crop,
            target=training.target,
            method=method,
            step=step,
            settings=settings,
            optimizer=optimizer.state_dict(),
            best=best,
            seen=seen,
            discriminator=None if discriminator is None else discriminator.state_dict(),
        ).save(file)

    out.mkdir(parents=True, exist_ok=True)
    objective = average_gradients(begun)
    since, before, gallery = time.monotonic(), None, Gallery()
    with open_log(out / "log", first) if rank() == 0 else nullcontext() as writer:
        for step, batch in _drawn(batches, first, steps, method):
            lr = config.lr * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = lr * group.get("share", 1.0)
            batch = batch.to(device)
            terms = objective(batch, step / steps)
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(terms.values())).sum().backward()
            optimizer.step()
            terms = average(terms)

            logs = (step + 1) % config.log_every == 0
            saves = (step + 1) % config.save_every == 0 or step + 1 == steps
            # A step late: a GPU then has the next one to work on while it is waited for.
            if before is not None:
                _check_finite(before, method, step)
            if saves:
                _check_finite(terms, method, step + 1)
            before = terms
            if writer is not None and logs:
                curves = {f"loss/{name}": term.item() for name, term in terms.items()}
                writer.add({**curves, "lr": lr}, step + 1)
            if writer is not None and method in MAPPING:
                gallery.add(batch)
            if writer is not None and saves:
                save(step + 1, writer)
                if method in MAPPING:
                    writer.show("neighbours", gallery.sheet(net, batch), step + 1)
    wait()  # until the checkpoint is there
    log.info("%s: %d steps in %.0f s", method, steps - first, time.monotonic() - since)
    return file


def _drawn(batches: Batches, first: int, steps: int, method: str) -> Iterator[tuple[int, Batch]]:
    """The steps to be made, each with its batch; the first process shows how far it is.

    The next batch is made while one is trained on; what renders batches has processes for that.
    """
    left: Iterable[int] = range(first, steps)
    if rank() == 0:
        left = progress(left, steps, f"train {method}", done=first)
    if batches.live:
        yield from ((step, batches.batch(step)) for step in left)
        return
    yield from made_ahead(batches.batch, left, first, steps)


def _begin(
    training: Training, settings: dict, file: Path, device: torch.device
) -> tuple[Objective, torch.optim.Adam, int, dict[str, Any] | None]:
    """The network and what it minimises, its optimiser, the step to go on from and the best of
    validation so far."""
    config, first, optimizer_state, best = training.config, 0, None, None
    has_adversary, weights = training.method in WITH_ADVERSARY, None
    if file.is_file():
        checkpoint = Checkpoint.load(file, device)
        difference = first_difference(checkpoint.settings, settings)
        if difference:
            name, before, now = difference
            raise InputError(
                f"{file.parent} was trained with {name} = {before}, not {now};"
                " give the old value, or another --out"
            )
        net, first, optimizer_state = checkpoint.net, checkpoint.step, checkpoint.optimizer
        best, weights = checkpoint.best, checkpoint.discriminator
        if has_adversary and weights is None:
            raise InputError(f"{file}: checkpoint.discriminator is missing")
    else:
        net = begin(training)
    net.train()
    freeze(net, config, has_start=training.start is not None)

    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(parameters(net, config), config.lr)
    discriminator = build_discriminator(config.network).to(device) if has_adversary else None
    if discriminator is not None:
        if weights is not None:
            discriminator.load_state_dict(weights)
        optimizer.add_param_group({"params": discriminator.parameters()})
    if optimizer_state:
        check_optimizer(optimizer_state, optimizer, f"{file}: optimizer")
        optimizer.load_state_dict(optimizer_state)
    return Objective(net, config, training.method, discriminator), optimizer, first, best


def _check_finite(terms: Mapping[str, torch.Tensor], method: str, step: int) -> None:
    """Stop at terms of the loss after which the weights are lost."""
    values = torch.stack(list(terms.values())).tolist()
    for name, value in zip(terms, values, strict=True):
        if not math.isfinite(value):
            raise InputError(
                f"the {name} term of {method}'s loss is {value} at step {step};"
                " lower train.lr or train.beta"
            )
