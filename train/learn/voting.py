"""Maps of features in place of one vector: every cell votes where the points are.

As in segmentation-driven pose estimation (Hu et al., CVPR 2019), where a cell says where the
corners are as seen from itself, and how sure it is of each.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.learn.lite import CHANNELS, EIGHTH_CHANNELS, LiteTrunk

WIDTH = 128  # channels of the map that f gives
STRIDE = 8  # pixels of the crop in a cell of it


class LiteMap(nn.Module):
    """f: (B, 3, size, size) -> (B, WIDTH, size / 8, size / 8), of a trunk's last two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = LiteTrunk()
        self.coarse, self.fine = nn.Conv2d(CHANNELS, WIDTH, 1), nn.Conv2d(EIGHTH_CHANNELS, WIDTH, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, images: Tensor) -> Tensor:
        eighth, sixteenth = self.trunk.scales(images)  # (B, c, n, n), (B, c, n / 2, n / 2)
        coarse = F.interpolate(self.coarse(sixteenth), scale_factor=2.0)  # as large as `eighth`
        return self.mix(F.relu(coarse + self.fine(eighth)))


class Votes(nn.Module):
    """h: (B, c, n, n) -> (B, 2 points), the mean of the cells' votes, each by how sure its cell is.

    Coordinates are relative to the crop's centre, in half sides of the crop, as `crops.to_crop`
    gives them; so are the places of cells that votes are seen from.
    """

    def __init__(self, channels: int, points: int) -> None:
        super().__init__()
        self.points = points
        self.vote = nn.Conv2d(channels, 3 * points, 1)  # x, y and how sure of each point
        nn.init.normal_(self.vote.weight, std=0.01)  # a cell starts with what it is, and half sure
        nn.init.zeros_(self.vote.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        said = self.vote(features).flatten(2)  # (B, 3 points, n n)
        offsets, sure = said.split([2 * self.points, self.points], dim=1)
        places = offsets.unflatten(1, (-1, 2)) + _places(features)  # (B, points, 2, n n)
        weights = sure.softmax(dim=2)  # (B, points, n n)
        return (places * weights[:, :, None]).sum(dim=3).flatten(1)  # (B, 2 points)


def _places(features: Tensor) -> Tensor:
    """(2, n n): x and y of the cells' centres."""
    n = features.shape[-1]
    line = (torch.arange(n, device=features.device, dtype=features.dtype) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y]).flatten(1)
