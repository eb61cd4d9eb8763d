import numpy as np
import pytest
import torch

from render.errors import InputError
from tests.train.objects.detect.test_images import cutout, frame
from train.learn.targets import ObjectInfo
from train.objects.detect import training as module
from train.objects.detect.checkpoint import DetectorCheckpoint
from train.objects.detect.detector import Detector, overlap
from train.objects.detect.images import Pictures, compose
from train.objects.detect.network import DetectorNet
from train.objects.detect.training import FROZEN, DetectorTraining, make_batch, train_detector
from train.options import DetectorConfig

TARGET = ObjectInfo(1, np.array([[-0.1] * 3, [0.1] * 3]))
CPU = torch.device("cpu")


def pictures(size=(64, 48)) -> Pictures:
    return Pictures([frame([(200, 150, 200, 180)])], [cutout()], size, (0.3, 0.6))


def training(**changes) -> DetectorTraining:
    config = DetectorConfig(**({"size": 64, "steps": 3, "batch": 2} | changes))
    return DetectorTraining(TARGET, config, seed=0, checksum=pictures().checksum())


def test_a_stopped_training_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVE_EVERY", 1)
    whole = DetectorCheckpoint.load_finished(
        train_detector(training(), pictures(), tmp_path / "whole", CPU)
    )
    calls, loss = [], module.detector_loss

    def stopped(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss(*args)

    monkeypatch.setattr(module, "detector_loss", stopped)
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train_detector(training(), pictures(), out, CPU)
    with pytest.raises(InputError, match=r"was stopped after 2 of 3 steps"):
        DetectorCheckpoint.load_finished(out / "checkpoint.pt")
    again = DetectorCheckpoint.load_finished(train_detector(training(), pictures(), out, CPU))
    assert len(calls) == 4
    for name, weights in whole.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], weights, rtol=0, atol=0)

    # The first blocks are those of ImageNet, and so are all statistics; what follows has moved.
    before = DetectorNet()
    before.trunk.load_imagenet()
    taught = before.trunk.state_dict()
    for name, weights in whole.net.trunk.state_dict().items():
        is_frozen = "running" in name or not name.startswith("blocks")
        is_frozen |= name.startswith("blocks") and int(name.split(".")[1]) < FROZEN
        if is_frozen:
            torch.testing.assert_close(weights, taught[name], rtol=0, atol=0)
        elif name.endswith("conv.weight"):
            assert (weights != taught[name]).any()

    for other in (training(size=80), DetectorTraining(TARGET, training().config, 0, checksum=1)):
        with pytest.raises(InputError, match=r"whole was trained with \S+ = "):
            train_detector(other, pictures(), tmp_path / "whole", CPU)


def test_a_batch_is_made_by_its_step_alone():
    one, again, next_one = (make_batch(training(), pictures(), step) for step in (4, 4, 5))
    for a, b, c in zip(one[:2], again[:2], next_one[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert (a != c).any()
    assert one[0].shape == (2, 3, 48, 64) and one[1].shape == (2, 6, 8)


@pytest.mark.slow
def test_a_detector_learns_where_a_thing_is_and_where_it_is_not(tmp_path):
    """In images that it has not seen: half red, half blue, which nothing else in them is."""
    thing = cutout()
    thing.rgb[:, thing.rgb.shape[1] // 2 :] = (0, 0, 255)
    made = Pictures([frame()], [thing], (64, 48), (0.3, 0.6))
    learnt = DetectorTraining(TARGET, DetectorConfig(size=64, steps=200), 0, made.checksum())
    detector = Detector.load(train_detector(learnt, made, tmp_path, CPU).parent, CPU)
    hits, there, absent = [], [], []
    for i in range(150):
        scene = compose(np.random.default_rng([7, i]), made)
        found = detector.find(scene.rgb)
        if len(scene.boxes):
            hits.append(max(overlap(found.box, tuple(box)) for box in scene.boxes) > 0.5)
            there.append(found.score)
        elif not len(scene.unsure):
            absent.append(found.score)
    assert len(hits) > 80 and np.mean(hits) > 0.85
    assert len(absent) > 10 and np.percentile(absent, 80) < np.percentile(there, 20)
