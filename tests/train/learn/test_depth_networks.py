import pytest
import torch
from torch import nn

from render.errors import InputError
from train.learn.depth_networks import Bottleneck
from train.learn.networks import build


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def expected_bottleneck(channels_in: int, channels_out: int, shortcut: bool) -> int:
    """Weights of three convolutions and the shortcut, scale and shift of three normalisations."""
    narrow = channels_out // 4
    convolutions = channels_in * narrow + 9 * narrow * narrow + narrow * channels_out
    norms = 2 * (channels_in + narrow + narrow)
    return convolutions + norms + shortcut * channels_in * channels_out


def test_the_papers_network_for_depth_has_the_layers_of_deep_prior():
    """5x5x32 convolution, pooling, four halving stages of five blocks, two FC-1024."""
    net = build("paper", 128, with_mapping=True, outputs=42, channels=1).eval()
    shapes = []

    def note(module, inputs, output):
        shapes.append(tuple(output.shape[1:]))

    for module in net.extract.children():
        module.register_forward_hook(note)
    with torch.no_grad():
        assert net(torch.rand(2, 1, 128, 128) * 2 - 1).shape == (2, 42)
    stages = [
        *[(64, 32, 32)] * 5,
        *[(128, 16, 16)] * 5,
        *[(256, 8, 8)] * 5,
        *[(256, 4, 4)] * 5,
    ]
    norm_relu, head = [(256, 4, 4)] * 2, [(4096,), (1024,), (1024,), (1024,), (1024,)]
    assert shapes == [(32, 128, 128), (32, 64, 64), *stages, *norm_relu, *head]

    blocks = [m for m in net.extract if isinstance(m, Bottleneck)]
    assert [b.shortcut is not None for b in blocks] == [True, False, False, False, False] * 4
    first, *_ = [m for m in net.extract if isinstance(m, nn.Conv2d)]
    assert first.kernel_size == (5, 5)
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 1 + 20 * 3 + 4


def test_its_parameters_are_those_counted_by_hand():
    net = build("paper", 128, with_mapping=True, outputs=42, channels=1)
    expected, before = 25 * 32, 32
    for channels in (64, 128, 256, 256):
        expected += expected_bottleneck(before, channels, shortcut=True)
        expected += 4 * expected_bottleneck(channels, channels, shortcut=False)
        before = channels
    expected += 2 * 256 + (4096 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert count(net.extract) == expected == 6_159_264
    assert count(net.predict) == 1024 * 42 + 42
    assert count(net.mapping) == 4 * (1024 * 1024 + 1024)


def test_a_block_adds_to_what_it_was_given():
    """Without its last convolution it is the identity, or the shortcut of the normalised input."""
    x = torch.randn(3, 64, 8, 8)
    same, halving = Bottleneck(64, 64).eval(), Bottleneck(64, 128, stride=2).eval()
    for block in (same, halving):
        nn.init.zeros_(block.conv3.weight)
    with torch.no_grad():
        torch.testing.assert_close(same(x), x, rtol=0, atol=0)
        expected = halving.shortcut(torch.relu(halving.norm1(x)))
        torch.testing.assert_close(halving(x), expected, rtol=0, atol=0)
        assert expected.shape == (3, 128, 4, 4)


def test_a_block_normalises_before_it_convolves():
    """Pre-activation: the scale of its input is lost on the way through the convolutions."""
    block = Bottleneck(64, 64).train()
    x = torch.randn(16, 64, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(block(9 * x) - 9 * x, block(x) - x, rtol=1e-3, atol=1e-3)


def test_images_are_read_alike_alone_and_in_a_batch():
    net = build("paper", 64, with_mapping=False, outputs=42, channels=1).eval()
    images = torch.rand(4, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(net(images)[2:3], net(images[2:3]), rtol=1e-3, atol=1e-4)


def test_the_small_network_reads_depth_with_the_layers_that_read_colour():
    depth = build("small", 64, with_mapping=True, outputs=42, channels=1)
    color = build("small", 64, with_mapping=True)
    one, other = ([tuple(p.shape) for p in net.extract.parameters()] for net in (depth, color))
    assert one[0] == (32, 1, 3, 3) and other[0] == (32, 3, 3, 3) and one[1:] == other[1:]
    assert depth.eval()(torch.zeros(2, 1, 64, 64)).shape == (2, 42)


def test_a_size_that_does_not_halve_five_times_is_refused():
    with pytest.raises(InputError, match="multiple of 32, got 80"):
        build("paper", 80, with_mapping=False, outputs=42, channels=1)
