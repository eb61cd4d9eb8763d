import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from render.errors import InputError
from tests.small_dataset import CAMERA, cuboids
from train.learn.batches import Batch
from train.learn.checkpoint import Checkpoint
from train.learn.losses import pose_loss
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.learn.trainer import Training, losses, train
from train.options import (
    COMPOSITION,
    MAPPING,
    METHODS,
    WITH_ADVERSARY,
    WITH_MAPPING,
    CropConfig,
    TrainConfig,
)

MODEL = cuboids()[2]
CROP = CropConfig(size=16, margin=1.3)
CONFIG = TrainConfig(batch=8, lr=1e-3, beta=0.02, log_every=2, save_every=3)


class RandomBatches:
    """Noise images with targets of two symmetric poses; stops before a step if told so."""

    live = False

    def __init__(
        self, method: str, stop: int | None = None, spoilt: int | None = None, of: str = "noise"
    ) -> None:
        self.method, self.stop, self.spoilt, self.of, self.asked = method, stop, spoilt, of, []

    def fingerprint(self) -> dict[str, str]:
        return {"real": self.of}

    def batch(self, step: int) -> Batch:
        if step == self.stop:
            raise KeyboardInterrupt
        self.asked.append(step)
        real, twins, synthetic = (round(8 * share) for share in COMPOSITION[self.method])
        generator = torch.Generator().manual_seed(step)

        def draw(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=generator) * 2 - 1

        batch = Batch(
            draw(real, 3, 16, 16),
            draw(real, 2, 16),
            draw(twins, 3, 16, 16),
            draw(synthetic, 3, 16, 16),
            draw(synthetic, 2, 16),
            draw(synthetic if self.method in WITH_ADVERSARY else 0, 3, 16, 16),
        )
        if step == self.spoilt:
            batch.real_targets.fill_(math.nan)
        return batch


def training(method="mapping", steps=8, config=CONFIG, seed=5, start=None) -> Training:
    return Training(method, steps, ObjectInfo(2, MODEL.box, CAMERA), config, CROP, seed, start)


def run(job: Training, out: Path, **batches) -> Path:
    return train(job, RandomBatches(job.method, **batches), out, torch.device("cpu"))


def weights(file: Path) -> dict[str, torch.Tensor]:
    return Checkpoint.load(file).net.state_dict()


def assert_same_weights(one: dict, other: dict):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def net_and_batch(method="mapping"):
    """A network that reads each image by itself, its mapping not the identity, and a batch."""
    torch.manual_seed(0)
    net = build("small", 16, method in WITH_MAPPING).eval()
    for block in net.mapping or ():
        torch.nn.init.normal_(block.second.weight, std=0.02)
    return net, RandomBatches(method).batch(0)


# The loss


def test_the_terms_are_those_of_the_paper():
    """L_pose(h(f(x_S)), y_S) + gamma L_pose(h(g(f(x_R))), y_R) + beta ||g(f(x_R)) - f(x_S')||^2"""
    net, batch = net_and_batch()
    config = replace(CONFIG, gamma=0.7, beta=0.3, twin_pose=False)
    f, g, h = net.extract, net.mapping, net.predict
    with torch.no_grad():
        terms = losses(net, batch, config, "mapping")
        synthetic = pose_loss(h(f(batch.synthetic)), batch.synthetic_targets, config.huber_delta)
        real = pose_loss(h(g(f(batch.real))), batch.real_targets, config.huber_delta)
        mapping = ((g(f(batch.real)) - f(batch.twins)) ** 2).sum() / len(batch.real)
    expected = {"synthetic": synthetic, "real": 0.7 * real, "mapping": 0.3 * mapping}
    assert terms.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-4, atol=1e-6)


def test_a_twin_counts_as_one_more_synthetic_image_of_its_real_images_pose():
    net, batch = net_and_batch()
    with torch.no_grad():
        terms = losses(net, batch, replace(CONFIG, twin_pose=True), "mapping")
        images = torch.cat([batch.synthetic, batch.twins])
        targets = torch.cat([batch.synthetic_targets, batch.real_targets])
        expected = pose_loss(net.predict(net.extract(images)), targets, CONFIG.huber_delta)
    torch.testing.assert_close(terms["synthetic"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_terms_of_the_images_it_sees(method):
    net, batch = net_and_batch(method)
    terms = losses(net, batch, CONFIG, method)
    real, twins, synthetic = COMPOSITION[method]
    expected = {"synthetic": synthetic + twins, "real": real, "mapping": method in MAPPING}
    assert list(terms) == [name for name, there in expected.items() if there]
    sum(terms.values()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_layers_without_the_paper_pass_every_image_through_g():
    """mixed_layers has g's blocks for synthetic images too: only that sets it apart."""
    net, batch = net_and_batch("mixed_layers")
    with torch.no_grad():
        terms = losses(net, batch, CONFIG, "mixed_layers")
        expected = pose_loss(net(batch.synthetic), batch.synthetic_targets, CONFIG.huber_delta)
    torch.testing.assert_close(terms["synthetic"], expected, rtol=1e-4, atol=1e-6)


def gradients(config: TrainConfig, name: str | None = None) -> dict[str, torch.Tensor]:
    """Of one term, or of their sum, by parameter; and of the twins' images."""
    net, batch = net_and_batch()
    batch.twins.requires_grad_()
    terms = losses(net, batch, config, "mapping")
    (sum(terms.values()) if name is None else terms[name]).backward()
    found = {key: p.grad for key, p in net.named_parameters() if p.grad is not None}
    return found | ({"twins": batch.twins.grad} if batch.twins.grad is not None else {})


def test_without_beta_the_mapping_loss_changes_no_gradient():
    config = replace(CONFIG, beta=0.0, twin_pose=False)
    whole = gradients(config)
    net, batch = net_and_batch()
    terms = losses(net, batch, config, "mapping")
    (terms["synthetic"] + terms["real"]).backward()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(whole[name], parameter.grad, rtol=1e-5, atol=1e-7)


def test_a_detached_twin_is_a_fixed_goal():
    """No gradient of the mapping loss reaches f through the twin; else one does."""
    detached = gradients(replace(CONFIG, detach_twin=True), "mapping")
    attached = gradients(replace(CONFIG, detach_twin=False), "mapping")
    assert "twins" not in detached or detached["twins"].abs().max() == 0
    assert attached["twins"].abs().max() > 0
    assert not any(name.startswith("predict.") for name in detached)


def test_gamma_weighs_the_real_images_alone():
    one, two = (gradients(replace(CONFIG, gamma=gamma), "real") for gamma in (1.0, 2.0))
    for name in one:
        torch.testing.assert_close(2 * one[name], two[name], rtol=1e-4, atol=1e-7)


# The loop


@pytest.mark.parametrize("stop", range(8))
def test_stopped_before_any_step_and_started_again_it_ends_with_the_same_bits(
    finished, tmp_path, stop
):
    with pytest.raises(KeyboardInterrupt):
        run(training(), tmp_path / "run", stop=stop)
    batches = RandomBatches("mapping")
    file = train(training(), batches, tmp_path / "run", torch.device("cpu"))
    assert batches.asked == list(range(stop // 3 * 3, 8))
    assert_same_weights(weights(file), weights(finished))
    ours, theirs = (Checkpoint.load(folder).optimizer for folder in (tmp_path / "run", finished))
    for name, state in theirs["state"].items():
        assert all(torch.equal(value, ours["state"][name][key]) for key, value in state.items())


@pytest.mark.parametrize("change", [{"precision": "bfloat16"}, {"save_every": 1}])
def test_after_pretraining_it_goes_on_with_the_same_bits_too(tmp_path, change):
    """Batch norm's statistics are frozen again, whatever the precision."""
    start = run(training("synthetic", 2), tmp_path / "start")
    job = training(steps=5, config=replace(CONFIG, **change), start=start)
    whole = run(job, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path / "stopped", stop=4)
    assert_same_weights(weights(run(job, tmp_path / "stopped")), weights(whole))


def test_a_finished_run_is_left_as_it_is(finished):
    before = (finished / "checkpoint.pt").stat().st_mtime_ns
    assert run(training(), finished, stop=0) == finished / "checkpoint.pt"
    assert (finished / "checkpoint.pt").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (training(config=replace(CONFIG, lr=0.5)), r"train\.lr = 0\.001, not 0\.5"),
        (replace(training(), crop=replace(CROP, margin=2.0)), r"crop\.margin = 1\.3, not 2\.0"),
        (training(method="mixed"), "method = mapping, not mixed"),
        (training(steps=9), "steps = 8, not 9"),
        (training(seed=6), "seed = 5, not 6"),
        (replace(training(), target=ObjectInfo(7, MODEL.box)), "object = 2, not 7"),
        (training(start=Path("elsewhere")), "start = None, not .*elsewhere"),
    ],
)
def test_other_settings_are_refused_by_the_name_of_the_first(finished, other, message):
    before = (finished / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match=f"was trained with {message}; give the old value"):
        run(other, finished)
    assert (finished / "checkpoint.pt").read_bytes() == before


def test_training_does_not_go_on_with_other_images(finished):
    with pytest.raises(InputError, match=r"with inputs\.real = noise, not holiday pictures"):
        run(training(), finished, of="holiday pictures")


def test_a_loss_that_is_no_number_stops_the_run_before_it_is_saved(tmp_path):
    """Steps 3 and 5 are saved, 4 is logged: whichever comes first, no spoilt weights are kept."""
    job = training(steps=5)
    for spoilt, kept in ((4, 3), (3, 3), (2, None)):
        out = tmp_path / str(spoilt)
        message = r"the synthetic term of mapping's loss is nan at step \d; lower train"
        with pytest.raises(InputError, match=message):
            run(job, out, spoilt=spoilt)
        assert (out / "checkpoint.pt").is_file() == (kept is not None)
        if kept:
            assert Checkpoint.load(out).step == kept
            assert all(tensor.isfinite().all() for tensor in weights(out).values())


def test_a_loss_that_is_no_number_is_noticed_at_the_next_step(tmp_path):
    config = replace(CONFIG, log_every=100, save_every=100)
    batches = RandomBatches("mapping", spoilt=2)
    with pytest.raises(InputError, match="nan at step 3"):
        train(training(steps=50, config=config), batches, tmp_path / "out", torch.device("cpu"))
    assert batches.asked == [0, 1, 2, 3, 4]  # one ahead


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path):
    """SIGKILL at random moments, also while a checkpoint is written."""
    config = replace(CONFIG, save_every=1)
    run(training(steps=30, config=config), tmp_path / "alone")
    code = "from tests.train.learn.test_trainer import *; import sys; "
    code += "run(training(steps=30, config=replace(CONFIG, save_every=1)), Path(sys.argv[1]))"
    rng, kills, out = np.random.default_rng(0), 0, tmp_path / "killed"
    file = out / "checkpoint.pt"
    while not file.is_file() or Checkpoint.load(out).step < 30:
        before = file.stat().st_mtime_ns if file.is_file() else None
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(out)], stderr=subprocess.DEVNULL
        )
        while process.poll() is None and (not file.is_file() or file.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills > 0
    assert_same_weights(weights(out), weights(tmp_path / "alone"))


def test_bfloat16_changes_the_losses_by_its_rounding_alone():
    net, batch = net_and_batch()
    exact = losses(net, batch, CONFIG, "mapping")
    rounded = losses(net, batch, replace(CONFIG, precision="bfloat16"), "mapping")
    for name, term in exact.items():
        assert rounded[name].dtype == torch.float32
        assert not torch.equal(rounded[name], term)
        torch.testing.assert_close(rounded[name], term, rtol=0.02, atol=0)


def test_it_logs_every_term_and_the_learning_rates_cosine(finished):
    log = EventAccumulator(str(finished / "log")).Reload()
    tags = ["loss/synthetic", "loss/real", "loss/mapping", "lr"]
    assert log.Tags()["scalars"] == tags
    for tag in tags:
        assert [event.step for event in log.Scalars(tag)] == [2, 4, 6, 8]
    assert [event.step for event in log.Images("neighbours")] == [3, 6, 8]
    cosine = [CONFIG.lr * 0.5 * (1 + math.cos(math.pi * step / 8)) for step in (1, 3, 5, 7)]
    np.testing.assert_allclose([event.value for event in log.Scalars("lr")], cosine, rtol=1e-6)


def test_training_learns_the_pose_of_a_fixed_batch(tmp_path):
    """The loop does minimise what it says: a batch that always is the same is learnt."""

    class Same(RandomBatches):
        def batch(self, step: int) -> Batch:
            return super().batch(0)

    config = replace(CONFIG, log_every=100, save_every=100)
    job = training("real", 40, config)
    file = train(job, Same("real"), tmp_path / "real", torch.device("cpu"))
    batch, trained = RandomBatches("real").batch(0), Checkpoint.load(file).net
    untrained = build("small", 16, with_mapping=False)
    with torch.no_grad():
        before, after = (losses(n, batch, config, "real")["real"] for n in (untrained, trained))
    assert after < before / 5


# Where training starts
