from dataclasses import replace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from render.errors import InputError
from tests.train.learn.test_trainer import (
    CONFIG,
    RandomBatches,
    assert_same_weights,
    training,
    weights,
)
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.methods import _hold_out
from train.learn.trainer import train
from train.learn.validation import held_out

CPU = torch.device("cpu")
ERRORS = {3: 0.5, 6: 0.25, 8: 0.75}


class Told:
    """Finds what it is told at each step that is saved, whatever the network."""

    def __init__(self, errors) -> None:
        self.errors = list(errors)

    def error(self, net, delta: float) -> float:
        return self.errors.pop(0)


def trained(out, errors, **batches):
    return train(training(), RandomBatches("mapping", **batches), out, CPU, Told(errors))


@pytest.mark.slow
def test_the_best_saved_step_is_kept_also_after_an_interruption(tmp_path):
    trained(tmp_path / "whole", ERRORS.values())
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", [0.5, 0.25], stop=7)
    assert_same_weights(
        weights(tmp_path / "stopped"), Checkpoint.load(tmp_path / "stopped").best["net"]
    )
    at_best = weights(tmp_path / "stopped")
    trained(tmp_path / "stopped", [0.75])
    for name in ("whole", "stopped"):
        assert_same_weights(weights(tmp_path / name), at_best)
        kept = Checkpoint.load_finished(tmp_path / name)
        assert kept.step == 8 and kept.best["step"] == 6 and kept.best["error"] == 0.25
    log = EventAccumulator(str(tmp_path / "whole" / "log")).Reload()
    assert {e.step: e.value for e in log.Scalars("validation")} == ERRORS


class Flat:
    """Crops whose images and targets are their samples' number."""

    def draw(self, rng, sample):
        return None

    def image(self, sample, crop):
        return np.full((8, 8, 3), sample, np.float32)

    def targets(self, sample, crop):
        return np.full((1, 4), sample + 1, np.float32)


def test_held_out_frames_are_not_trained_on_and_judge_by_the_pose_loss():
    inputs = Inputs(Flat(), list(range(10)), [[10 * i] for i in range(10)], [0])
    job = training(config=replace(CONFIG, validation=0.3))
    kept, validation = _hold_out(inputs, job)
    held = held_out(10, 0.3)
    assert len(held) == 3 and sorted([*held, *kept.real]) == list(range(10))
    assert kept.twins == [[10 * i] for i in kept.real]

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(()))

        def forward(self, images):
            return images.mean(dim=(1, 2, 3))[:, None].expand(-1, 4) + self.bias

    # Each of 4 coordinates is off by 1: Huber's 1 - delta / 2.
    assert validation.error(Net(), 0.01) == pytest.approx(4 * (1 - 0.005))
    for other in (training("synthetic", config=job.config), training()):
        assert _hold_out(inputs, other) == (inputs, None)
    with pytest.raises(InputError, match="needs 2 real frames or more, got 1"):
        _hold_out(replace(inputs, real=[0]), job)
