"""What a network starts from, and what of it training leaves as it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from render.errors import InputError
from train.learn.checkpoint import Checkpoint
from train.learn.lite import LiteTrunk
from train.learn.networks import PoseNet, build, load_vgg16
from train.options import WITH_MAPPING, WITH_TRUNK, TrainConfig

if TYPE_CHECKING:
    from train.learn.trainer import Training

RANDOM = "random"  # train.init of lite


def begin(training: "Training") -> PoseNet:
    """A network with the weights of training.start, of ImageNet, or random ones by its seed.

    Raises:
        InputError: training.start is of another kind, or train.init does not fit the network.
    """
    torch.manual_seed(training.seed)
    config, target = training.config, training.target
    with_mapping = training.method in WITH_MAPPING
    net = build(config.network, training.crop.size, with_mapping, target.outputs, target.channels)
    if training.start is not None:
        before = Checkpoint.load_finished(training.start)
        _check_start(before, training)
        # g is new where pre-training had none: it starts as the identity.
        net.load_state_dict({**net.state_dict(), **before.net.state_dict()})
    elif config.network in WITH_TRUNK:
        if config.init not in ("", RANDOM):
            raise InputError(f"train.init of lite must be empty or {RANDOM}, got {config.init!r}")
        if not config.init:
            trunk_of(net).load_imagenet()
    elif config.init:
        if config.network != "paper" or target.channels != 3:
            raise InputError("train.init needs train.network=paper or lite, and colour images")
        load_vgg16(net, Path(config.init))
    return net


def freeze(net: PoseNet, config: TrainConfig, has_start: bool) -> None:
    """Hold what training does not change, in a network in training mode.

    Batch norm keeps the statistics of the weights that it starts from: those of ImageNet, or those
    of the synthetic images of pre-training. Real and synthetic images then pass through one and the
    same f, whatever else is in their batch.

    Args:
        has_start: whether it goes on from a network of ours, which pre-training made.
    """
    taught = knows_imagenet(config)
    if taught:
        trunk_of(net).freeze(config.frozen_blocks)
    if taught or has_start:
        freeze_statistics(net)


def freeze_statistics(net: nn.Module) -> None:
    """Let batch norm keep the statistics that it has."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def parameters(net: PoseNet, config: TrainConfig) -> Iterable[Any]:
    """What the optimiser changes; in groups, each with its share of the learning rate, where it is
    not the same for all."""
    if not knows_imagenet(config):
        return net.parameters()
    return with_share(net, trunk_of(net), config.trunk_lr)


def with_share(net: nn.Module, trunk: nn.Module, share: float) -> list[dict[str, Any]]:
    """A network's parameters in groups: what is not of its trunk, and what of that is not frozen,
    with its share of the learning rate. One that is empty is left out."""
    of_trunk = [p for p in trunk.parameters() if p.requires_grad]
    own = {id(p) for p in trunk.parameters()}
    others = [p for p in net.parameters() if id(p) not in own]
    groups = [{"params": others, "share": 1.0}, {"params": of_trunk, "share": share}]
    return [group for group in groups if group["params"]]


def knows_imagenet(config: TrainConfig) -> bool:
    """Whether a network's first layers are those that were trained on ImageNet."""
    return config.network in WITH_TRUNK and config.init != RANDOM


def trunk_of(net: PoseNet) -> LiteTrunk:
    """The convolutions of a network that is `lite`."""
    return next(module for module in net.extract.modules() if isinstance(module, LiteTrunk))


def _check_start(before: Checkpoint, training: "Training") -> None:
    found = (before.network, before.crop.size, before.target.name)
    wanted = (training.config.network, training.crop.size, training.target.name)
    if found != wanted:
        raise InputError(
            "{} is a {} network for {} px crops of {}".format(training.start, *found)
            + ", not {} for {} px crops of {}".format(*wanted)
        )
    if before.net.mapping is not None and training.method not in WITH_MAPPING:
        raise InputError(
            f"{training.start} was trained with {before.method} and has a mapping, which"
            f" {training.method} has not; start from a network of another method"
        )
