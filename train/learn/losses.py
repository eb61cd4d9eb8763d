"""The pose loss and the mapping loss (Rad et al., CVPR 2018, equations 2 to 4)."""

import torch.nn.functional as F
from torch import Tensor


def pose_loss(predicted: Tensor, targets: Tensor, delta: float) -> Tensor:
    """Huber loss summed over the predicted coordinates, averaged over the batch.

    Divided by delta, so that beyond delta it grows with slope 1 (BB8 trains with delta 0.01).

    Args:
        predicted: (B, n) coordinates of points or joints, relative to the crop.
        targets: (B, s, n), one row for each of the object's s symmetries; the smallest counts.
        delta: where the loss turns from quadratic to linear, in half sides of the crop or cube.

    Returns:
        A scalar.
    """
    difference = predicted[:, None].expand_as(targets)
    loss = (
        F.huber_loss(difference, targets, delta=delta, reduction="none").sum(-1) / delta
    )  # (B, s)
    return loss.min(dim=1).values.mean()


def mapping_loss(mapped: Tensor, synthetic: Tensor) -> Tensor:
    """|| g(f(x_R)) - f(x_S') ||^2: squared norm summed over features, averaged over the pairs; of
    maps of features over their cells, too.

    Args:
        mapped: (B, d) features of real images after g, or maps (B, d, n, n).
        synthetic: features of their synthetic twins, as many.

    Returns:
        A scalar.
    """
    return (mapped - synthetic).square().sum(dim=1).mean()
