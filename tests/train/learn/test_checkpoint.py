import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from render.errors import InputError
from tests.small_dataset import CAMERA, cuboids
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.options import CropConfig

BOX = cuboids()[2].box


def checkpoint_of(with_mapping: bool, camera=CAMERA) -> Checkpoint:
    """As after one step of training."""
    net = build("small", 16, with_mapping)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    net(torch.rand(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    settings = {"train": {"lr": 0.01, "init": ""}, "start": None, "sizes": [1, 2]}
    crop, target = CropConfig(size=16, margin=1.7), ObjectInfo(2, BOX, camera)
    return Checkpoint(net, "small", crop, target, "mapping", 7, settings, optimizer.state_dict())


def assert_same(one, other):
    """Two states of a network or an optimiser, bit for bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    else:
        assert one == other


@pytest.mark.parametrize("with_mapping", [False, True])
def test_a_checkpoint_gives_back_what_was_saved(tmp_path, with_mapping):
    saved = checkpoint_of(with_mapping)
    saved.save(tmp_path / "checkpoint.pt")
    found = Checkpoint.load(tmp_path)
    assert_same(found.net.state_dict(), saved.net.state_dict())
    assert_same(found.optimizer, saved.optimizer)
    for name in ("network", "crop", "method", "step", "settings"):
        assert getattr(found, name) == getattr(saved, name)
    assert found.target.obj_id == 2 and found.target.camera.size == CAMERA.size
    np.testing.assert_array_equal(found.target.box, BOX)
    np.testing.assert_array_equal(found.target.camera.K, CAMERA.K)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_network_that_saw_no_real_frame_has_no_camera(tmp_path):
    checkpoint_of(False, camera=None).save(tmp_path / "checkpoint.pt")
    assert Checkpoint.load(tmp_path).target.camera is None


def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.pt"
    checkpoint_of(False).save(file)
    before = file.read_bytes()

    def fail(record: dict, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(InputError, match=r"checkpoint.pt: cannot be written \(No space left"):
        checkpoint_of(False).save(file)
    assert file.read_bytes() == before


def test_a_missing_or_damaged_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no checkpoint\.pt; give the folder"):
        Checkpoint.load(tmp_path)
    checkpoint_of(False).save(tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for name, damaged in (("cut", content[: len(content) // 2]), ("text", b"no checkpoint")):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(InputError, match=f"{name}: no file of torch.save, or damaged"):
            Checkpoint.load(tmp_path / name)
    torch.save({"net": {}}, tmp_path / "other")
    with pytest.raises(InputError, match=r"other: checkpoint\.target is missing"):
        Checkpoint.load(tmp_path / "other")


def test_a_half_trained_network_is_not_used(tmp_path):
    half = replace(checkpoint_of(False), step=3, settings={"steps": 10})
    half.save(tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="stopped after 3 of 10 steps"):
        Checkpoint.load_finished(tmp_path)
    assert Checkpoint.load(tmp_path).step == 3
