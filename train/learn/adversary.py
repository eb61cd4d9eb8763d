"""An adversary on features: real images without labels are mapped to where it does not tell them
from synthetic ones.

Domain-adversarial training (Ganin et al., JMLR 2016), of mapped features as in MURAUER (Poier et
al., WACV 2019).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.learn.networks import feature_width
from train.options import WITH_VOTES

HIDDEN = 256  # numbers between the discriminator's two layers
STEEPNESS = 10.0  # of the ramp, as Ganin et al. have it


class Discriminator(nn.Module):
    """Features (B, d) -> logits (B, 1) of how likely each is of a real image.

    Of maps (B, d, n, n) every cell is judged by itself, as g maps it: (B, 1, n, n).
    """

    def __init__(self, width: int, of_map: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, HIDDEN, 1) if of_map else nn.Linear(width, HIDDEN)
        self.second = nn.Conv2d(HIDDEN, 1, 1) if of_map else nn.Linear(HIDDEN, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(features)))


def build_discriminator(network: str) -> Discriminator:
    """One with random weights, for the features of a network: one of options.NETWORKS."""
    return Discriminator(feature_width(network), network in WITH_VOTES)


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """x itself, whose gradient is that of what follows, times -strength."""
    return _Reversed.apply(x, strength)


def adversary_loss(
    discriminator: nn.Module, mapped: Tensor, synthetic: Tensor, strength: float
) -> Tensor:
    """Mean cross-entropy of the discriminator, 0.69 (ln 2) where it can tell nothing.

    It learns to make it smaller; what made the mapped features, to make it larger. Those of
    synthetic images are a goal and are not moved by it, as a twin's are not by the mapping loss.

    Args:
        mapped: g(f(x_U)), features of unlabelled real images, or maps of them.
        synthetic: f(x_S), those of synthetic images.
        strength: how hard mapped features are pushed, beside how hard the discriminator learns.

    Returns:
        A scalar.
    """
    logits = discriminator(torch.cat([reverse_gradient(mapped, strength), synthetic.detach()]))
    is_real = torch.zeros_like(logits)
    is_real[: len(mapped)] = 1
    return F.binary_cross_entropy_with_logits(logits, is_real)


def ramp(done: float) -> float:
    """From 0 at the start of a training to 1 at its end, by a third of it 0.93 (Ganin et al.).

    The discriminator starts at random: at first there is nothing to learn from what it says.

    Args:
        done: share of the training.
    """
    return 2 / (1 + math.exp(-STEEPNESS * done)) - 1


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return -ctx.strength * gradient, None
