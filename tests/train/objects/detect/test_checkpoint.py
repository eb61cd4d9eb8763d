import numpy as np
import pytest
import torch

from render.errors import InputError
from tests.train.objects.test_predict import checkpoint_of, net_that_answers
from train.learn.checkpoint import Checkpoint
from train.learn.targets import ObjectInfo
from train.objects.detect.checkpoint import DetectorCheckpoint
from train.objects.detect.network import DetectorNet

TARGET = ObjectInfo(3, np.array([[-0.1, -0.2, 0], [0.1, 0.2, 0.3]]))


def detector_file(folder, steps=1):
    torch.manual_seed(0)
    file = folder / "checkpoint.pt"
    DetectorCheckpoint(DetectorNet(), TARGET, 96, 1, {"steps": steps}, {}).save(file)
    return file


def test_a_detector_is_read_as_it_was_written(tmp_path):
    file = detector_file(tmp_path)
    found = DetectorCheckpoint.load_finished(file)
    assert (found.target.obj_id, found.size, found.step) == (3, 96, 1)
    np.testing.assert_array_equal(found.target.box, TARGET.box)
    torch.manual_seed(0)
    for name, weights in DetectorNet().state_dict().items():
        torch.testing.assert_close(found.net.state_dict()[name], weights, rtol=0, atol=0)


def test_a_detector_and_a_pose_network_are_told_apart(tmp_path):
    detector = detector_file(tmp_path)
    with pytest.raises(InputError, match=r"checkpoint\.pt: checkpoint"):
        Checkpoint.load(detector)
    network = tmp_path / "pose.pt"
    checkpoint_of(net_that_answers(np.zeros((8, 2)))).save(network)
    with pytest.raises(InputError, match=r"pose\.pt: checkpoint"):
        DetectorCheckpoint.load(network)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 3}, r"checkpoint\.size"),
        ({"step": -1}, r"checkpoint\.step"),
        ({"target": {"obj_id": 3}}, "target"),
        ({"net": {}}, r"net: \S+ is missing"),
    ],
)
def test_a_damaged_detector_is_refused_by_name(tmp_path, change, message):
    file = detector_file(tmp_path)
    record = torch.load(file, weights_only=True)
    torch.save(record | change, file)
    with pytest.raises(InputError, match=rf"^{file}.*{message}"):
        DetectorCheckpoint.load(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"no file of torch\.save, or damaged"):
        DetectorCheckpoint.load(file)
