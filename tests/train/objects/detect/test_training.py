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
from train.objects.detect.network import FROZEN, DetectorNet
from train.objects.detect.training import DetectorTraining, make_images, make_views, train_detector
from train.options import DetectorConfig

TARGET = ObjectInfo(1, np.array([[-0.1] * 3, [0.1] * 3]))
CPU = torch.device("cpu")


def pictures(size=(64, 48)) -> Pictures:
    return Pictures([frame([(200, 150, 200, 180)])], [cutout()], size, (0.3, 0.6))


def training(**changes) -> DetectorTraining:
    config = DetectorConfig(**({"size": 64, "images": 12, "steps": 3, "batch": 2} | changes))
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


def test_an_image_is_made_by_its_number_alone():
    """Whatever others are made with it."""
    both, second = (make_images(training(), pictures(), r) for r in (range(4, 6), range(5, 6)))
    for of_both, alone in zip(both, second, strict=True):
        torch.testing.assert_close(of_both[1:], alone, rtol=0, atol=0)
    assert (both[0][0] != both[0][1]).any()
    assert both[0].shape == (2, 3, 48, 64) and both[1].shape == (2, 6, 8)


def test_what_is_trained_on_is_what_is_read_with():
    """The features that are kept, in half precision, give what the images do."""
    torch.manual_seed(0)
    net = DetectorNet()
    net.trunk.load_imagenet()
    net.eval()
    views = make_views(training(), pictures(), net, CPU)
    images, *wanted = make_images(training(), pictures(), range(12))
    eighth, sixteenth, *found = views.batch(3, CPU)
    assert views.batch(3, CPU)[0].equal(eighth) and not views.batch(4, CPU)[0].equal(eighth)
    with torch.no_grad():
        heat, sides = net.read(eighth, sixteenth)
        all_heat, all_sides = net(images)
    for i in range(2):
        (number,) = (
            k
            for k in range(12)
            if all(w[k].equal(f[i]) for w, f in zip(wanted, found, strict=True))
        )
        torch.testing.assert_close(heat[i], all_heat[number], rtol=0.02, atol=0.02)
        torch.testing.assert_close(sides[i], all_sides[number], rtol=0.02, atol=0.02)


@pytest.mark.slow
def test_a_detector_learns_where_a_thing_is_and_where_it_is_not(tmp_path):
    """In images that it has not seen: half red, half blue, which nothing else in them is."""
    thing = cutout()
    thing.rgb[:, thing.rgb.shape[1] // 2 :] = (0, 0, 255)
    made = Pictures([frame()], [thing], (64, 48), (0.3, 0.6))
    learnt = DetectorTraining(TARGET, DetectorConfig(64, 400, 250, 8), 0, made.checksum())
    detector = Detector.load(train_detector(learnt, made, tmp_path, CPU).parent, CPU)
    hits, quiet = [], []
    for i in range(150):
        scene = compose(np.random.default_rng([7, i]), made)
        found = detector.find(scene.rgb)
        if len(scene.boxes):
            hits.append(max(overlap(found.box, tuple(box)) for box in scene.boxes) > 0.5)
        elif not len(scene.unsure):
            quiet.append(not found.is_sure)
    assert len(hits) > 80 and np.mean(hits) > 0.85
    assert len(quiet) > 10 and np.mean(quiet) > 0.85
