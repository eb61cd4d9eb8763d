import pytest
import torch

from render.errors import InputError
from train.learn.networks import build, load_vgg16
from train.learn.start import freeze_statistics


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_an_untrained_mapping_is_the_identity():
    net = build("small", 64, with_mapping=True)
    features = torch.randn(5, 512)
    torch.testing.assert_close(net.map(features), features, rtol=0, atol=0)


def test_mapping_is_two_residual_blocks_of_the_features_width():
    net = build("paper", 128, with_mapping=True)
    widths = [tuple(p.shape) for n, p in net.mapping.named_parameters() if n.endswith("weight")]
    assert widths == [(1024, 1024)] * 4


def test_paper_network_has_the_papers_layers():
    net = build("paper", 128, with_mapping=False)
    convolutions = [m for m in net.extract if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256, 256, 256] + [512] * 3
    linear = [m for m in net.extract if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(32768, 1024), (1024, 1024)]
    assert net(torch.zeros(2, 3, 128, 128)).shape == (2, 16)


def test_with_frozen_statistics_an_image_is_read_alike_alone_and_in_a_batch():
    """Joint training: no statistics are shared between images, real or synthetic."""
    net = build("small", 64, with_mapping=True)
    net(torch.randn(8, 3, 64, 64))  # gives batch norm statistics that are not its initial ones
    freeze_statistics(net)
    images = torch.randn(6, 3, 64, 64)
    torch.testing.assert_close(net(images)[2:3], net(images[2:3]), rtol=1e-4, atol=1e-5)


def test_with_group_norm_an_image_is_read_alike_alone_and_in_a_batch_while_training():
    net = build("small-group", 64, with_mapping=True).train()
    batch_norm = build("small", 64, with_mapping=True).train()
    images = torch.randn(6, 3, 64, 64)
    torch.testing.assert_close(net(images)[2:3], net(images[2:3]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(batch_norm(images)[2:3], batch_norm(images[2:3]), atol=1e-3)


def test_vgg16_weights_reach_the_ten_convolutions(tmp_path):
    net = build("paper", 128, with_mapping=False)
    convolutions = [m for m in net.extract if isinstance(m, torch.nn.Conv2d)]
    names = [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)]
    weights = {}
    for name, convolution in zip(names, convolutions, strict=True):
        weights[f"{name}.weight"] = torch.randn_like(convolution.weight)
        weights[f"{name}.bias"] = torch.randn_like(convolution.bias)
    torch.save({**weights, "classifier.0.bias": torch.zeros(1)}, tmp_path / "vgg16.pth")

    load_vgg16(net, tmp_path / "vgg16.pth")
    for name, convolution in zip(names, convolutions, strict=True):
        assert torch.equal(convolution.weight, weights[f"{name}.weight"])
        assert torch.equal(convolution.bias, weights[f"{name}.bias"])


def test_other_weights_are_refused_by_the_name_of_what_is_missing(tmp_path):
    net = build("paper", 128, with_mapping=False)
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(InputError, match=r"resnet.pth has no features.0.weight"):
        load_vgg16(net, tmp_path / "resnet.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match=r"text.pth: no file of torch.save, or damaged"):
        load_vgg16(net, tmp_path / "text.pth")


def test_a_size_that_does_not_halve_four_times_is_refused():
    with pytest.raises(InputError, match="multiple of 16, got 60"):
        build("small", 60, with_mapping=False)
