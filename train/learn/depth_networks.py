"""f of the paper for depth images: the residual network of DeepPrior++.

Oberweger and Lepetit, ICCV workshops 2017; its blocks are those of He et al., ECCV 2016.
"""

import torch
from torch import Tensor, nn

STAGES = (64, 128, 256, 256)  # filters
BLOCKS = 5  # in each stage
SHRINK = 2 ** (1 + len(STAGES))  # of a picture's side: the pooling, then each stage


class Bottleneck(nn.Module):
    """Pre-activation block: normalise, ReLU, convolve; 1x1 to a quarter of the filters, 3x3, 1x1.

    Where size or filters change, a strided 1x1 convolution of the first ReLU's output takes the
    place of the identity.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        narrow = channels_out // 4
        self.norm1, self.conv1 = nn.BatchNorm2d(channels_in), _conv(channels_in, narrow, 1, stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(narrow), _conv(narrow, narrow, 3)
        self.norm3, self.conv3 = nn.BatchNorm2d(narrow), _conv(narrow, channels_out, 1)
        same = channels_in == channels_out and stride == 1
        self.shortcut = None if same else _conv(channels_in, channels_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        first = torch.relu(self.norm1(x))  # (B, channels_in, h, w)
        y = torch.relu(self.norm2(self.conv1(first)))  # (B, narrow, h / stride, w / stride)
        y = torch.relu(self.norm3(self.conv2(y)))
        y = self.conv3(y)  # (B, channels_out, h / stride, w / stride)
        return y + (x if self.shortcut is None else self.shortcut(first))


def deep_prior() -> list[nn.Module]:
    """(B, 1, size, size) -> (B, 256, size / SHRINK, size / SHRINK).

    The first block of every stage halves the size. In the authors' own code that of the fourth
    does not, as it leaves the number of filters; the text, and those who built on it, have it so.
    """
    layers: list[nn.Module] = [_conv(1, 32, 5), nn.MaxPool2d(2)]
    channels_in = 32
    for channels in STAGES:
        layers.append(Bottleneck(channels_in, channels, stride=2))
        layers += [Bottleneck(channels, channels) for _ in range(BLOCKS - 1)]
        channels_in = channels
    return [*layers, nn.BatchNorm2d(channels_in), nn.ReLU(inplace=True)]


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Without bias: a normalisation follows every sum that it would enter."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv
