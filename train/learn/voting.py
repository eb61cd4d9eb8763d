"""Maps of features in place of one vector: every cell votes where the points are.

As in segmentation-driven pose estimation (Hu et al., CVPR 2019), where a cell says where the
corners are as seen from itself, and how sure it is of each. Of hands in depth images, as in A2J
(Xiong et al., ICCV 2019): from its own place in the picture, and depth as it is.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.learn.lite import LiteTrunk

WIDTH = 128  # channels of the map that f gives
STRIDE = 8  # pixels of the crop in a cell of it


class Trunk(nn.Module):
    """Convolutions that are read at two scales: (B, c, size, size) -> those of `scales`."""

    def __init__(self, to_eighth: nn.Module, to_sixteenth: nn.Module) -> None:
        super().__init__()
        self.to_eighth, self.to_sixteenth = to_eighth, to_sixteenth

    def scales(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, c, size / 8, size / 8) and (B, c, size / 16, size / 16)."""
        eighth = self.to_eighth(images)
        return eighth, self.to_sixteenth(eighth)


class FeatureMap(nn.Module):
    """f: (B, c, size, size) -> (B, WIDTH, size / 8, size / 8), of a trunk's last two scales.

    trunk: gives them by `scales`. eighth, sixteenth: their channels. mix: the layers, from WIDTH
    channels to as many, that follow their sum.
    """

    def __init__(
        self,
        trunk: Trunk | LiteTrunk,
        eighth: int,
        sixteenth: int,
        mix: Callable[[], list[nn.Module]],
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.coarse, self.fine = nn.Conv2d(sixteenth, WIDTH, 1), nn.Conv2d(eighth, WIDTH, 1)
        self.mix = nn.Sequential(*mix())

    def forward(self, images: Tensor) -> Tensor:
        eighth, sixteenth = self.trunk.scales(images)  # (B, c, n, n), (B, c, n / 2, n / 2)
        coarse = F.interpolate(self.coarse(sixteenth), scale_factor=2.0)  # as large as `eighth`
        return self.mix(F.relu(coarse + self.fine(eighth)))


class Votes(nn.Module):
    """h: (B, c, n, n) -> (B, axes points), the mean of cells' votes, each by how sure its cell is.

    x and y are relative to the crop's centre, in half sides of the crop, as `crops.to_crop` gives
    them; so are the places of cells that votes are seen from. A third coordinate, depth, is said
    as it is: relative to the centre of the cube.

    axes: coordinates of a point, 2 or 3.
    """

    def __init__(self, channels: int, points: int, axes: int = 2) -> None:
        super().__init__()
        self.points, self.axes = points, axes
        self.vote = nn.Conv2d(channels, (axes + 1) * points, 1)  # where, and how sure, of each
        nn.init.normal_(self.vote.weight, std=0.01)  # a cell starts with what it is, and half sure
        nn.init.zeros_(self.vote.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        # Places are summed in float32, whatever the network computes in.
        said = self.vote(features).float().flatten(2)  # (B, (axes + 1) points, n n)
        offsets, sure = said.split([self.axes * self.points, self.points], dim=1)
        seen_from = _places(said, features.shape[-1], self.axes)
        places = offsets.unflatten(1, (-1, self.axes)) + seen_from  # (B, points, axes, n n)
        weights = sure.softmax(dim=2)  # (B, points, n n)
        return (places * weights[:, :, None]).sum(dim=3).flatten(1)  # (B, axes points)


def _places(like: Tensor, n: int, axes: int) -> Tensor:
    """(axes, n n): x and y of the cells' centres, and 0 of depth."""
    line = (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)][:axes]).flatten(1)
