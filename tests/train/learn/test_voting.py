"""Cells that vote, for corners in pictures and for joints in cubes."""

from dataclasses import replace

import pytest
import torch

from render.errors import InputError
from tests.train.learn.test_trainer import CONFIG, assert_same_weights, run, training, weights
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.voting import STRIDE, WIDTH, Votes

SURE = 100.0  # the exponential of it is beyond any other cell's weight


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def told(votes: Votes, n: int, said: dict[tuple[int, int], torch.Tensor]) -> torch.Tensor:
    """(1, points, axes): what h makes of a map in which cell (row, column) says just this."""
    channels = votes.vote.out_channels
    with torch.no_grad():
        votes.vote.weight.copy_(torch.eye(channels)[:, :, None, None])
        features = torch.zeros(1, channels, n, n)
        for (row, column), of_cell in said.items():
            features[0, :, row, column] = of_cell
        return votes(features).unflatten(1, (-1, votes.axes))


@pytest.mark.parametrize("axes", [2, 3])
def test_a_point_is_where_the_cell_that_is_sure_of_it_says(axes):
    """Two points, each told by a cell of its own, whose place has no part in a third coordinate."""
    offsets = torch.tensor([[0.1, -0.2, 0.3], [-0.4, 0.5, -0.6]])[:, :axes]
    sure_of_first, sure_of_second = torch.tensor([SURE, 0]), torch.tensor([0, SURE])
    said = {
        (1, 3): torch.cat([offsets.flatten(), sure_of_first]),
        (2, 0): torch.cat([offsets.flatten(), sure_of_second]),
    }
    found = told(Votes((axes + 1) * 2, points=2, axes=axes), 4, said)
    # Centres of four cells a side lie at -3/4, -1/4, 1/4 and 3/4.
    places = torch.tensor([[0.75, -0.25, 0], [-0.75, 0.25, 0]])[:, :axes]
    torch.testing.assert_close(found, (offsets + places)[None])


def test_cells_that_are_equally_sure_are_averaged():
    low, high = torch.tensor([0.2, 0, -1, SURE]), torch.tensor([0.4, 0, 0, SURE])
    found = told(Votes(4, points=1, axes=3), 2, {(0, 0): low, (0, 1): high})
    torch.testing.assert_close(found, torch.tensor([[[0.3, -0.5, -0.5]]]))


def test_points_move_with_the_map_and_keep_their_depth():
    votes = Votes(WIDTH, points=14, axes=3)
    torch.nn.init.normal_(votes.vote.weight, std=0.3)
    features = torch.zeros(2, WIDTH, 8, 8)
    features[:, :, 2:5, 3:6] = torch.randn(2, WIDTH, 3, 3)
    # Cells without features are not to be heard, wherever they are.
    with torch.no_grad():
        votes.vote.weight[3 * 14 :, 0] = SURE
        features[:, 0, 2:5, 3:6] = 1
        before = votes(features).unflatten(1, (-1, 3))
        after = votes(features.roll((1, -2), dims=(2, 3))).unflatten(1, (-1, 3))
    moved = torch.tensor([-2.0, 1, 0]) * 2 / 8
    torch.testing.assert_close(after, before + moved)


def test_places_are_as_exact_in_bfloat16():
    """Which has 8 bits: of 300 mm, more than a millimetre."""
    said = {(0, 6): torch.tensor([0.25, 0, 0.5, SURE])}
    votes = Votes(4, points=1, axes=3)
    with torch.autocast("cpu", torch.bfloat16):
        found = told(votes, 7, said)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([[[6 / 7 + 0.25, -6 / 7, 0.5]]]))


@pytest.mark.parametrize(("size", "channels", "outputs"), [(64, 1, 42), (96, 1, 3), (64, 3, 16)])
def test_a_loss_reaches_every_weight(size, channels, outputs):
    net = build("small-votes", size, with_mapping=True, outputs=outputs, channels=channels).train()
    torch.nn.init.normal_(net.mapping[1].second.weight)
    torch.nn.init.normal_(net.mapping[0].second.weight)
    found = net(torch.randn(4, channels, size, size))
    assert found.shape == (4, outputs)
    found.square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_a_cell_is_of_eight_pixels_and_the_mapping_reads_each_by_itself():
    net = build("small-votes", 64, with_mapping=True, outputs=42, channels=1).eval()
    for block in net.mapping:
        torch.nn.init.normal_(block.second.weight, std=0.1)
    with torch.no_grad():
        features = net.extract(torch.randn(2, 1, 64, 64))
        assert features.shape == (2, WIDTH, 64 // STRIDE, 64 // STRIDE)
        turned = features.flip(2).transpose(2, 3)
        torch.testing.assert_close(net.map(turned), net.map(features).flip(2).transpose(2, 3))


def test_its_first_convolutions_are_those_of_small():
    """The same shapes, drawn from the same random numbers."""
    torch.manual_seed(3)
    small = build("small", 64, with_mapping=False, outputs=42, channels=1)
    torch.manual_seed(3)
    votes = build("small-votes", 64, with_mapping=False, outputs=42, channels=1)
    count = 6 * 3  # weights of six convolutions, scales and shifts of their norms
    ours, theirs = (list(n.parameters())[:count] for n in (votes.extract.trunk, small.extract))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_cell_sees_as_far_as_its_convolutions_reach():
    """Seven see 1 + 2 (1 + 2 + 4 + 4 + 8 + 8 + 16) pixels, and the mix one more sixteenth."""
    net = build("small-votes", 208, with_mapping=False, outputs=42, channels=1).eval()
    images = torch.randn(1, 1, 208, 208, requires_grad=True)
    net.extract(images)[0, :, 12, 12].sum().backward()
    seen = images.grad[0, 0].abs().sum(0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 87 + 16


def test_an_untrained_mapping_is_the_identity():
    net = build("small-votes", 64, with_mapping=True, outputs=42, channels=1)
    features = torch.randn(2, WIDTH, 8, 8)
    assert torch.equal(net.map(features), features)


def test_a_stopped_training_ends_in_the_same_weights(tmp_path):
    job = training("mapping", 5, replace(CONFIG, network="small-votes"))
    whole = weights(run(job, tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path / "run", stop=4)
    assert Checkpoint.load(tmp_path / "run").step == 3
    assert_same_weights(weights(run(job, tmp_path / "run")), whole)


def test_pretraining_of_small_is_no_start_of_it(tmp_path):
    start = run(training("synthetic", 2), tmp_path / "start")
    job = training("mixed", 2, replace(CONFIG, network="small-votes"), start=start)
    with pytest.raises(InputError, match=r"is a small network .* not small-votes"):
        run(job, tmp_path / "run")
