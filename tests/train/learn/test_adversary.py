"""The adversary on features: what it does to a network, alone and in training."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from render.errors import InputError
from tests.train.learn.test_checkpoint import assert_same
from tests.train.learn.test_trainer import CONFIG, net_and_batch, run, training
from train.learn.adversary import (
    Discriminator,
    adversary_loss,
    build_discriminator,
    ramp,
    reverse_gradient,
)
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build, feature_width
from train.learn.trainer import losses
from train.options import NETWORKS, WITH_ADVERSARY, WITH_VOTES

METHOD = "mapping_adversary"


@pytest.fixture(scope="module")
def adversarial(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("adversary") / METHOD
    run(training(METHOD), out)
    return out


def discriminator(network: str = "small") -> Discriminator:
    torch.manual_seed(3)
    return build_discriminator(network)


# Alone


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_a_reversed_gradient_is_that_of_what_follows_times_minus_its_strength(strength):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    plain, reversed_ = x.clone().requires_grad_(), x.clone().requires_grad_()
    assert torch.equal(reverse_gradient(reversed_, strength), x)
    plain.pow(3).sum().backward()
    reverse_gradient(reversed_, strength).pow(3).sum().backward()
    torch.testing.assert_close(reversed_.grad, -strength * plain.grad)


def test_the_loss_is_the_cross_entropy_of_what_is_real():
    """Of a discriminator that says the feature itself, by hand."""
    mapped, synthetic = torch.tensor([[2.0], [0.5]]), torch.tensor([[-1.0], [3.0]])
    right = [1 / (1 + math.exp(-x)) for x in (2, 0.5, 1, -3)]  # of what each is
    found = adversary_loss(torch.nn.Identity(), mapped, synthetic, 1.0)
    assert found.item() == pytest.approx(-sum(map(math.log, right)) / 4)


def test_synthetic_features_are_a_fixed_goal_and_mapped_ones_are_pushed_by_the_strength():
    told, pushed = discriminator(), []
    for strength in (1.0, 2.0, 0.0):
        mapped, synthetic = (torch.ones(4, 512, requires_grad=True) for _ in range(2))
        told.zero_grad()
        adversary_loss(told, mapped, synthetic * 0.5, strength).backward()
        assert synthetic.grad is None
        pushed.append((mapped.grad, told.first.weight.grad.clone()))
    torch.testing.assert_close(2 * pushed[0][0], pushed[1][0])
    assert pushed[0][0].abs().max() > 0 == pushed[2][0].abs().max()
    assert torch.equal(pushed[0][1], pushed[1][1]) and torch.equal(pushed[0][1], pushed[2][1])


def test_the_ramp_is_that_of_dann():
    found = [ramp(p) for p in (0.0, 0.1, 0.5, 1.0)]
    torch.testing.assert_close(
        torch.tensor(found), torch.tanh(5 * torch.tensor([0, 0.1, 0.5, 1])), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_it_judges_the_features_of_every_network_and_a_map_cell_by_cell(name):
    with torch.device("meta"):  # shapes alone
        net, told = build(name, 32, with_mapping=True), build_discriminator(name)
        features = net.extract(torch.zeros(2, 3, 32, 32))
        assert features.shape[1] == feature_width(name)
        assert told(net.map(features)).shape == (2, 1, *features.shape[2:])
    assert (features.ndim == 4) == (name in WITH_VOTES)


def test_features_that_lie_apart_are_brought_together_by_it():
    """What maps them learns to undo a shift that it is told of by the discriminator alone."""
    torch.manual_seed(0)
    told, shift = Discriminator(2, of_map=False), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([*told.parameters(), shift], 0.02)
    apart = []
    for step in range(600):
        real, synthetic = torch.randn(64, 2) + torch.tensor([2.0, -1.0]), torch.randn(64, 2)
        loss = adversary_loss(told, real + shift, synthetic, ramp(step / 600))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        apart.append((shift.detach() + torch.tensor([2.0, -1.0])).norm().item())
    assert apart[0] > 2 and max(apart[-100:]) < 0.7
    assert loss.item() == pytest.approx(math.log(2), abs=0.1)


# In a training


@pytest.mark.parametrize("method", WITH_ADVERSARY)
def test_the_other_terms_are_those_of_mapping(method):
    """And the term is that of g(f(x_U)) and f(x_S)."""
    net, batch = net_and_batch(method)
    told = discriminator()
    with torch.no_grad():
        found = losses(net, batch, CONFIG, method, told)
        of_mapping = losses(net, batch, CONFIG, "mapping")
        features = net.map(net.extract(batch.unlabelled)), net.extract(batch.synthetic)
        expected = of_mapping | {"adversary": adversary_loss(told, *features, 1.0)}
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(found[name], term, rtol=1e-4, atol=1e-6)


def pushes(adversary: float, done: float) -> dict[str, torch.Tensor]:
    """Gradients of the adversary's term alone, by parameter of the network."""
    net, batch = net_and_batch(METHOD)
    config = replace(CONFIG, adversary=adversary)
    losses(net, batch, config, METHOD, discriminator(), done)["adversary"].backward()
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def test_its_strength_is_that_of_the_option_along_the_ramp():
    one, two, later = pushes(0.5, 1.0), pushes(1.0, 1.0), pushes(0.5, 0.05)
    assert any(name.startswith("mapping.") for name in one)
    assert any(name.startswith("extract.") for name in one)
    assert not any(name.startswith("predict.") for name in one)
    for name in one:
        torch.testing.assert_close(2 * one[name], two[name], rtol=1e-4, atol=1e-8)
        torch.testing.assert_close(
            one[name] * ramp(0.05) / ramp(1.0), later[name], rtol=1e-3, atol=1e-8
        )
    assert all(grad.abs().max() == 0 for grad in pushes(0.0, 1.0).values())


def test_of_no_weight_it_leaves_the_network_of_mapping(tmp_path):
    """From a start, where an image's features do not depend on what else is in its batch."""
    start = run(training("synthetic", 2), tmp_path / "start")
    config = replace(CONFIG, adversary=0.0)
    made = [run(training(method, 5, config, start=start), tmp_path / method)
            for method in ("mapping", METHOD)]  # fmt: skip
    mapping, adversary = (Checkpoint.load(file).net.state_dict() for file in made)
    pushed = run(training(METHOD, 5, start=start), tmp_path / "pushed")
    other = Checkpoint.load(pushed).net.state_dict()
    before = Checkpoint.load(start).net.state_dict()
    moved, apart, away = (
        sum((mapping[n] - of[n]).square().sum() for n in before if before[n].is_floating_point())
        for of in (before, adversary, other)
    )
    assert apart < 1e-6 * moved and away > 1e-4 * moved


@pytest.mark.parametrize("stop", [1, 3, 5, 7])
def test_stopped_and_started_again_it_ends_with_the_same_bits(adversarial, tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        run(training(METHOD), tmp_path / "run", stop=stop)
    again, whole = (Checkpoint.load(file) for file in (
        run(training(METHOD), tmp_path / "run"), adversarial
    ))  # fmt: skip
    assert_same(again.net.state_dict(), whole.net.state_dict())
    assert_same(again.discriminator, whole.discriminator)
    assert_same(again.optimizer, whole.optimizer)
    fresh = build_discriminator("small").state_dict()
    assert all(not torch.equal(whole.discriminator[name], fresh[name]) for name in fresh)


def test_the_network_does_not_know_of_it(adversarial):
    names = set(Checkpoint.load_finished(adversarial).net.state_dict())
    assert names == set(build("small", 16, with_mapping=True).state_dict())
    record = torch.load(adversarial / "checkpoint.pt", weights_only=True)
    file = adversarial.parent / "without.pt"
    torch.save({k: v for k, v in record.items() if k != "discriminator"}, file)
    assert_same(Checkpoint.load_finished(file).net.state_dict(), record["net"])


def test_other_methods_leave_none(finished):
    assert "discriminator" not in torch.load(finished / "checkpoint.pt", weights_only=True)
    assert Checkpoint.load(finished).discriminator is None


# Damaged


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "checkpoint.discriminator is missing"),
        ({}, "discriminator: first.bias is missing"),
        ({"first.bias": torch.zeros(3)}, "first.bias is (3,) of torch.float32; (256,) of"),
        ({"more": torch.zeros(3)}, "discriminator: more is not in the network"),
        ({"first.bias": "x"}, "discriminator['first.bias'] must be a tensor"),
        (7, "checkpoint.discriminator must be"),
    ],
)
def test_a_training_does_not_go_on_with_a_damaged_one(adversarial, tmp_path, change, words):
    record = torch.load(adversarial / "checkpoint.pt", weights_only=True)
    before = record.pop("discriminator")
    if change is not None:
        changed = {**before, **change} if change and isinstance(change, dict) else change
        record["discriminator"] = changed
    file = tmp_path / "checkpoint.pt"
    torch.save(record, file)
    with pytest.raises(InputError) as caught:
        run(training(METHOD), tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{file}: ") and words in line and "\n" not in line


def test_an_optimiser_without_its_weights_is_refused(adversarial, tmp_path):
    record = torch.load(adversarial / "checkpoint.pt", weights_only=True)
    record["optimizer"]["param_groups"].pop()
    torch.save(record, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"checkpoint\.pt: optimizer: is of \d+ weights, not"):
        run(training(METHOD), tmp_path)
