"""A network that says where one object is in a whole colour image: a heat map of its centre.

As in "Objects as points" (Zhou et al., 2019), on the trunk that the pose networks have; every cell
near a centre also says how far away the four sides of the object's box are, as in FCOS and TTFNet
(Tian et al., ICCV 2019; Liu et al., AAAI 2020). Libraries of detectors are under the AGPL, need a
torchvision that fits the torch that is here, or load their weights from a hub.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.learn.lite import CHANNELS, EIGHTH_CHANNELS, LiteTrunk
from train.learn.voting import STRIDE

WIDTH = 64  # channels of the map that boxes are read from
MULTIPLE = 16  # of pixels that the sides of an input must be
RARE = 0.01  # how sure of an object a cell is before it has learnt anything (Lin et al., ICCV 2017)
LONGEST = 6.0  # log of the longest distance that a cell may say, in its own sides


class DetectorNet(nn.Module):
    """(B, 3, h, w) in [-1, 1], sides multiples of 16 -> heat (B, n, m) and sides (B, 4, n, m).

    n, m are h / 8 and w / 8. Heat is a logit. Sides are the distances from the cell's centre to the
    left, upper, right and lower side of the object's box, pixels, positive.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = LiteTrunk()
        self.coarse, self.fine = nn.Conv2d(CHANNELS, WIDTH, 1), nn.Conv2d(EIGHTH_CHANNELS, WIDTH, 1)
        # Without norm: that of the trunk is fixed at what ImageNet taught it. A cell of the second
        # sees what is around an object.
        self.near = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.around = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.say = nn.Conv2d(WIDTH, 5, 1)
        nn.init.normal_(self.say.weight, std=0.01)
        rare = float(np.log(RARE / (1 - RARE)))
        with torch.no_grad():
            self.say.bias.copy_(torch.tensor([rare, 1.0, 1.0, 1.0, 1.0]))  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth = self.trunk.scales(images)  # (B, c, n, m), (B, c, n / 2, m / 2)
        coarse = F.interpolate(self.coarse(sixteenth), scale_factor=2.0)
        x = F.relu(coarse + self.fine(eighth))  # (B, WIDTH, n, m)
        x = F.relu(self.around(F.relu(self.near(x))))
        with torch.autocast(x.device.type, enabled=False):
            said = self.say(x.float())  # (B, 5, n, m)
        return said[:, 0], STRIDE * said[:, 1:].clamp(max=LONGEST).exp()


def cell_centers(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """x (m,) and y (n,) of the centres of cells; pixels, whose own centres are integers."""
    return (np.arange(m) + 0.5) * STRIDE - 0.5, (np.arange(n) + 0.5) * STRIDE - 0.5


def to_input(rgb: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """An image as the network reads it: its longer side `size` pixels, then filled up with grey.

    Returns:
        (h, w, 3) uint8, sides multiples of 16, and the scale.
    """
    height, width = rgb.shape[:2]
    scale = size / max(height, width)
    shape = tuple(max(1, round(scale * side)) for side in (width, height))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(rgb, shape, interpolation=kind)
    lacks = [-side % MULTIPLE for side in small.shape[:2]]
    return np.pad(small, [(0, lacks[0]), (0, lacks[1]), (0, 0)], constant_values=128), scale


def peaks(heat: np.ndarray, sides: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes around the highest peaks of a heat map.

    The 3x3 cells around a peak all say a box; theirs are averaged, each by its heat.

    Args:
        heat: (n, m) in (0, 1). sides: (4, n, m) pixels.

    Returns:
        (k, 4) x, y, width, height in pixels of the input, and (k,) scores, the surest first.
    """
    n, m = heat.shape
    top = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
    order = np.flatnonzero(top)
    order = order[np.argsort(-heat.ravel()[order], kind="stable")][:most]
    xs, ys = cell_centers(n, m)
    ends = np.stack([xs - sides[0], ys[:, None] - sides[1], xs + sides[2], ys[:, None] + sides[3]])
    boxes = []
    for row, column in zip(*np.unravel_index(order, (n, m)), strict=True):
        near = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        weights = heat[near] ** 2
        left, upper, right, lower = (ends[:, *near] * weights).sum(axis=(1, 2)) / weights.sum()
        boxes.append((left, upper, right - left, lower - upper))
    return np.array(boxes, np.float64).reshape(-1, 4), heat.ravel()[order].astype(np.float64)


def detector_loss(
    said: tuple[Tensor, Tensor], heat: Tensor, sides: Tensor, counted: Tensor
) -> dict[str, Tensor]:
    """The terms that are minimised, each a mean over the objects of the batch.

    heat: CornerNet's focal loss (Law and Deng, ECCV 2018), exponents 2 and 4. sides: the
    generalised IoU of boxes (Rezatofighi et al., CVPR 2019), each cell by its heat.

    Args:
        said: what the network gave. heat: (B, n, m), 1 at centres, 0 far from them. sides:
        (B, 4, n, m) pixels, where heat is positive. counted: (B, n, m) bool, whose heat counts.
    """
    logits, said_sides = said
    sure = torch.sigmoid(logits)
    hit = heat == 1
    at_center = hit * (1 - sure) ** 2 * F.logsigmoid(logits)
    elsewhere = ~hit * (1 - heat) ** 4 * sure**2 * F.logsigmoid(-logits)
    objects = (hit & counted).sum().clamp(min=1)
    weights = heat * (heat > 0.2)
    overlap = _generalized_iou(said_sides, sides.clamp(min=1e-3))
    return {
        "heat": -((at_center + elsewhere) * counted).sum() / objects,
        "sides": 2 * ((1 - overlap) * weights).sum() / weights.sum().clamp(min=1e-6),
    }


def _generalized_iou(one: Tensor, other: Tensor) -> Tensor:
    """Of boxes that hold their cell's centre, by its distance to their sides: (B, 4, n, m) each."""
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    shared, around = _area(low), _area(high)
    either = _area(one) + _area(other) - shared
    return shared / either - (around - either) / around


def _area(sides: Tensor) -> Tensor:
    return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])
