"""Several processes that train one network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline import main
from render.errors import InputError
from tests.train.learn.test_trainer import (
    CONFIG,
    RandomBatches,
    net_and_batch,
    run,
    training,
    weights,
)
from train.learn.batches import Batch, Batches
from train.learn.checkpoint import Checkpoint
from train.learn.trainer import losses, train
from train.options import METHODS


def gradient(net: torch.nn.Module, batch: Batch, method: str) -> torch.Tensor:
    net.zero_grad()
    sum(losses(net, batch, CONFIG, method).values()).backward()
    return torch.cat([parameter.grad.flatten() for parameter in net.parameters()])


def joint_batch(method: str, step: int) -> Batch:
    """Twice as large as one of RandomBatches."""
    twice = [vars(RandomBatches(method).batch(2 * step + k)) for k in (0, 1)]
    return Batch(**{name: torch.cat([b[name] for b in twice]) for name in twice[0]})


def part_of(batch: Batch, i: int, parts: int) -> Batch:
    return Batch(**{name: tensor[i::parts] for name, tensor in vars(batch).items()})


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_of_a_batch_is_the_mean_of_its_parts_gradients(method):
    """The premise of it all: each term is a mean, and parts hold equal shares of every kind."""
    net, _ = net_and_batch(method)
    joint = joint_batch(method, 0)
    parts = [gradient(net, part_of(joint, i, 2), method) for i in (0, 1)]
    whole = gradient(net, joint, method)
    torch.testing.assert_close((parts[0] + parts[1]) / 2, whole, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(parts[0], parts[1], rtol=0.1)


def test_a_batch_that_cannot_be_shared_equally_is_refused():
    given = ([0], [[0]], [0], "mapping", 16, None, 1)
    for parts in (1, 2):
        Batches(*given, part=(0, parts))
    shares = "6 real, 6 twin and 4 synthetic images for mapping"
    with pytest.raises(InputError, match=f"train.batch = 16 is {shares}, which 3 processes cannot"):
        Batches(*given, part=(0, 3))


class Parts(RandomBatches):
    """What of each batch is process i's of n."""

    def __init__(self, i: int, n: int, **given) -> None:
        super().__init__("mapping", **given)
        self.i, self.n = i, n

    def batch(self, step: int) -> Batch:
        joint = joint_batch("mapping", step)
        return part_of(joint, self.i, self.n) if step != self.stop else super().batch(step)


CODE = """
import sys
from pathlib import Path
import torch
from tests.train.learn.test_distributed import Parts, job
from train.learn.distributed import count, joined, rank
from train.learn.trainer import train
with joined("cpu"):
    assert count() == 2
    out = Path(sys.argv[1])
    train(job(out.parent), Parts(rank(), count()), out, torch.device("cpu"))
"""


def job(folder: Path):
    """Joint training from a start, where batch norm keeps its statistics."""
    return training("mapping", 8, CONFIG, start=folder / "start")


@pytest.mark.slow
def test_two_processes_go_on_where_one_stopped_and_end_with_its_weights(tmp_path):
    """To rounding: much nearer to each other than to the last checkpoint of both."""
    run(training("synthetic", 3), tmp_path / "start")
    cpu = torch.device("cpu")
    train(job(tmp_path), Parts(0, 1), tmp_path / "one", cpu)
    with pytest.raises(KeyboardInterrupt):
        train(job(tmp_path), Parts(0, 1, stop=6), tmp_path / "two", cpu)
    before = weights(tmp_path / "two")

    (tmp_path / "work.py").write_text(CODE)
    how = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *how, tmp_path / "work.py", tmp_path / "two"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert Checkpoint.load_finished(tmp_path / "two").step == 8
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    apart = sum((one[name] - two[name]).square().sum() for name in one if name in before).sqrt()
    moved = sum((one[name] - before[name]).square().sum() for name in one).sqrt()
    assert moved > 0 and apart < 1e-3 * moved
    logged = EventAccumulator(str(tmp_path / "two" / "log")).Reload().Scalars("loss/mapping")
    expected = EventAccumulator(str(tmp_path / "one" / "log")).Reload().Scalars("loss/mapping")
    for ours, theirs in zip(logged, expected, strict=True):
        assert ours.step == theirs.step and ours.value == pytest.approx(theirs.value, rel=1e-3)


def test_torchrun_is_refused_where_it_would_do_the_same_work_twice(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "1")
    result = CliRunner().invoke(main, ["render", "--out", str(tmp_path / "out")])
    assert (
        result.exit_code == 2 and "torchrun is for train and run, not for render" in result.output
    )
    assert not (tmp_path / "out").exists()
