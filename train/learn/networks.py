"""f, g, h, and the PoseNet that composes them. One builder holds every number."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from render.errors import InputError
from train.learn.depth_networks import SHRINK, deep_prior
from train.learn.lite import CHANNELS, EIGHTH_CHANNELS, LiteTrunk
from train.learn.torch_file import read_torch
from train.learn.voting import WIDTH, FeatureMap, Trunk, Votes
from train.options import NETWORKS, WITH_TRUNK, WITH_VOTES


class PoseNet(nn.Module):
    """h(f(x)) for synthetic images, h(g(f(x))) for real ones.

    extract: f, images (B, c, size, size) -> features (B, d), or a map of them (B, d, n, n).
    mapping: g, from these to as many, or None where real features are read as they are. predict: h,
    from these to (B, outputs).
    """

    def __init__(self, extract: nn.Module, mapping: nn.Module | None, predict: nn.Module) -> None:
        super().__init__()
        self.extract, self.mapping, self.predict = extract, mapping, predict

    def map(self, features: Tensor) -> Tensor:
        """Move features of real images to where those of synthetic images lie."""
        return features if self.mapping is None else self.mapping(features)

    def forward(self, images: Tensor) -> Tensor:
        """Predict from real images: (B, c, size, size) in [-1, 1] -> (B, outputs)."""
        return self.predict(self.map(self.extract(images)))


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Read with a network that is being trained, and leave it as it was."""
    training = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, was in training.items():
            module.training = was


def feature_width(name: str) -> int:
    """Numbers in a network's feature, or in a cell of its map of them."""
    if name in WITH_VOTES:
        return WIDTH
    return 512 if name.startswith("small") else 1024


class ResidualBlock(nn.Module):
    """FC, ReLU, FC plus the identity; no ReLU after the sum (paper, section 3).

    Of a map, the same for every cell: FC are then convolutions of one cell.
    """

    def __init__(self, width: int, of_map: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 1) if of_map else nn.Linear(width, width)
        self.second = nn.Conv2d(width, width, 1) if of_map else nn.Linear(width, width)
        # Starts as the identity, so that joint training starts where pre-training ended.
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(torch.relu(self.first(features)))


def build(
    name: str, size: int, with_mapping: bool, outputs: int = 16, channels: int = 3
) -> PoseNet:
    """Build a network with random weights.

    Args:
        name: one of options.NETWORKS. "small" trains on two CPU cores; "small-group" is the same
            with group in place of batch norm; "small-votes" has its convolutions, and cells that
            vote in place of two FC-512; "lite" is EfficientNet-Lite0 to a sixteenth of the size,
            for colour, whose cells vote; "lite-fc" the same with two FC-1024 in place of votes;
            "paper" is the paper's, with two FC-1024: VGG-10 for colour, the residual network of
            DeepPrior++ for depth.
        size: side of the square input in pixels, a multiple of 16; of 32 for depth's "paper".
        with_mapping: whether real features pass through g.
        outputs: 2 for each point of an object, its position in the crop, or 3 for each joint.
        channels: 3 for colour images, 1 for depth.

    Raises:
        InputError: the size is no such multiple, or the network does not read such images.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {name!r}")
    shrink = SHRINK if name == "paper" and channels == 1 else 16
    if size % shrink:
        raise InputError(f"the size of crops must be a multiple of {shrink}, got {size}")
    if name in WITH_TRUNK and channels != 3:
        raise InputError(f"train.network={name} reads colour images only; take small for depth")
    width = feature_width(name)
    if name in WITH_VOTES:
        mapping = _mapping(width, of_map=True) if with_mapping else None
        axes = 2 if channels == 3 else 3  # of a corner in the picture, of a joint in the cube
        return PoseNet(_map_of(name, channels), mapping, Votes(width, outputs // axes, axes))
    if name.startswith("small"):
        norm = nn.BatchNorm2d if name == "small" else _group_norm
        convolutions, filters = _small(channels, norm), 256
    elif name == "lite-fc":
        convolutions, filters = [LiteTrunk()], CHANNELS
    elif channels == 1:
        convolutions, filters = deep_prior(), 256
    else:
        convolutions, filters = _vgg10(), 512

    extract = nn.Sequential(
        *convolutions,  # (B, filters, size / shrink, size / shrink)
        nn.Flatten(),
        nn.Linear(filters * (size // shrink) ** 2, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
    )
    mapping = _mapping(width) if with_mapping else None
    return PoseNet(extract, mapping, nn.Linear(width, outputs))


def load_vgg16(net: PoseNet, file: Path) -> None:
    """Start the convolutions of a "paper" network from a torchvision-format vgg16 state dict.

    Raises:
        InputError: the file is missing, is no state dict, or lacks a layer.
    """
    try:
        weights = read_torch(file, old=True)
    except InputError as error:
        raise InputError(f"train.init: {error}") from None
    convolutions = [m for m in net.extract.modules() if isinstance(m, nn.Conv2d)]
    names = [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)]
    for name, convolution in zip(names, convolutions, strict=True):
        for part in ("weight", "bias"):
            tensor, key = getattr(convolution, part), f"{name}.{part}"
            found = weights.get(key) if isinstance(weights, Mapping) else None
            if not isinstance(found, torch.Tensor):
                raise InputError(f"train.init: {file} has no {key}; give torchvision's vgg16")
            if found.shape != tensor.shape:
                shapes = f"{tuple(found.shape)}, not {tuple(tensor.shape)}"
                raise InputError(f"train.init: {key} in {file} is {shapes}")
            with torch.no_grad():
                tensor.copy_(found)


def _mapping(width: int, of_map: bool = False) -> nn.Module:
    """g: two residual blocks (paper, section 3)."""
    return nn.Sequential(ResidualBlock(width, of_map), ResidualBlock(width, of_map))


def _small(channels: int, norm: Callable[[int], nn.Module]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels_in = channels
    for channels_out, stride in ((32, 2), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2)):
        layers += _convolution(channels_in, channels_out, stride, norm)
        channels_in = channels_out
    return layers


def _convolution(
    channels_in: int, channels_out: int, stride: int, norm: Callable[[int], nn.Module]
) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        norm(channels_out),
        nn.ReLU(inplace=True),
    ]


def _map_of(name: str, channels: int) -> FeatureMap:
    """f of networks whose cells vote."""
    if name == "lite":
        return FeatureMap(LiteTrunk(), EIGHTH_CHANNELS, CHANNELS, _plain_mix)
    norm = nn.BatchNorm2d
    layers = _small(channels, norm)
    last = 3  # a convolution, its norm and ReLU: the one that reaches a sixteenth
    # One more there: a cell then sees 103 pixels across, and which finger is which.
    sixteenth = [*layers[-last:], *_convolution(256, 256, 1, norm)]
    trunk = Trunk(nn.Sequential(*layers[:-last]), nn.Sequential(*sixteenth))
    return FeatureMap(trunk, 128, 256, mix=lambda: _convolution(WIDTH, WIDTH, 1, norm))


def _plain_mix() -> list[nn.Module]:
    """Without norm: that of the trunk is fixed at what ImageNet taught it."""
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(inplace=True)]
    return layers


def _group_norm(channels: int) -> nn.GroupNorm:
    """Of 16 channels each (Wu and He, ECCV 2018, find 16 best): no statistics to share or keep."""
    return nn.GroupNorm(channels // 16, channels)


def _vgg10() -> list[nn.Module]:
    """The first ten convolutions of VGG-16, four poolings (paper, section 4; BB8)."""
    layers: list[nn.Module] = []
    channels_in = 3
    for channels in (64, 64, "P", 128, 128, "P", 256, 256, 256, "P", 512, 512, 512, "P"):
        if isinstance(channels, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU(inplace=True)]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")  # type: ignore[arg-type]
        channels_in = channels
    return layers
