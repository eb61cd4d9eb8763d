"""Checkpoints that were damaged are read or refused in a line; test_checkpoint.py has good ones."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from render.errors import InputError
from tests.plain_damage import ANYTHING, changed, damaged, places
from tests.train.learn.test_checkpoint import checkpoint_of
from train.learn.checkpoint import Checkpoint
from train.learn.checkpoint_record import check_optimizer
from train.learn.torch_file import read_torch
from train.options import NETWORKS


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    file = tmp_path_factory.mktemp("checkpoint") / "checkpoint.pt"
    made = checkpoint_of(True)
    made.settings["steps"] = 7
    made.save(file)
    return torch.load(file, weights_only=True)


def refusal(path: Path) -> str | None:
    """The line that a checkpoint was refused with; None if it was read."""
    try:
        Checkpoint.load_finished(path)
    except InputError as error:
        line = str(error)
        assert line.startswith(str(path)) and "\n" not in line and len(line) < 600
        return line
    return None


@pytest.mark.slow
def test_whatever_stands_at_a_place_a_checkpoint_is_read_or_refused(record, tmp_path, rng):
    # Of many alike the first weights alone.
    kept = {"extract.0.weight", "extract.1.num_batches_tracked", "mapping.0.first.bias"}
    some = [p for p in places(record) if not (p[0] == "net" and len(p) > 1 and p[1] not in kept)]
    some = [p for p in some if not (p[0] == "optimizer" and len(p) > 3 and p[2] not in (0, 1))]
    anything = [
        *ANYTHING,
        torch.zeros(2),
        torch.zeros(1).expand(10**12),
        torch.zeros(2).to_sparse(),
    ]
    file, refused, read = tmp_path / "x.pt", 0, 0
    for number in rng.choice(len(some), 60):
        new = anything[rng.integers(len(anything))]
        torch.save(changed(record, some[number], new, remove=rng.random() < 0.2), file)
        line = refusal(file)
        refused, read = refused + (line is not None), read + (line is None)
    assert refused > 2 * read > 0


@pytest.mark.parametrize("name", ["step", "settings", "network", "kind", "crop", "target", "net"])
def test_what_is_missing_is_named(name, record, tmp_path):
    file = tmp_path / "x.pt"
    torch.save(changed(record, (name,), None, remove=True), file)
    assert refusal(file) == f"{file}: checkpoint.{name} is missing"


def test_settings_without_steps_are_named(record, tmp_path):
    file = tmp_path / "x.pt"
    torch.save(changed(record, ("settings", "steps"), None, remove=True), file)
    assert refusal(file) == f"{file}: settings.steps is missing"


@pytest.mark.parametrize(
    "place, new, words",
    [
        (
            ("net", "predict.bias"),
            torch.zeros(3),
            "predict.bias is (3,) of torch.float32; (16,) of",
        ),
        (("net", "predict.more"), torch.zeros(3), "net: predict.more is not in the network"),
        (("crop", "size"), 32, "extract.19.weight is (512, 256) of"),
        (("crop", "size"), 1 << 40, "crop.size must be a whole number from 1 to 8192"),
        (("crop", "size"), 17, "the size of crops must be a multiple of 16"),
        (("crop", "margin"), -1.0, "crop.margin must be a number, at least 1"),
        (("network",), "paper", "net: extract."),
        (
            ("network",),
            "large",
            f"checkpoint.network must be one of {', '.join(NETWORKS)}",
        ),
        (("target", "camera", 1), 0, "target.camera must be a whole number from 1"),
        (
            ("optimizer", "param_groups"),
            [],
            "optimizer.param_groups must be a list of 1 to 3 items",
        ),
    ],
)
def test_a_fault_is_named_by_its_place(place, new, words, record, tmp_path):
    file = tmp_path / "x.pt"
    torch.save(changed(record, place, new), file)
    line = refusal(file)
    assert line is not None and words in line, line


@pytest.mark.parametrize(
    "place, new, words",
    [
        (("state", 0, "exp_avg"), torch.zeros(2), "exp_avg of 0 is (2,)"),
        (("state", 500), {}, "there is no weight 500"),
        (("param_groups", 0, "params"), [0, 1], "is of 2 weights, not"),
        (("param_groups", 1), {"params": []}, "weights, not"),
    ],
)
def test_an_optimiser_of_other_weights_is_named(place, new, words, record):
    net = checkpoint_of(True).net
    optimizer = torch.optim.Adam(net.parameters())
    state = record["optimizer"]
    check_optimizer(state, optimizer, "x.pt: optimizer")
    if place == ("param_groups", 1):
        state = {**state, "param_groups": [*state["param_groups"], new]}
    else:
        state = changed(state, place, new)
    with pytest.raises(InputError, match=r"^x\.pt: optimizer: ") as caught:
        check_optimizer(state, optimizer, "x.pt: optimizer")
    assert words in str(caught.value)


class Reduced:
    def __init__(self, *made):
        self.made = made

    def __reduce__(self):
        return self.made


PICKLES = {
    "a bytearray of 100 GB": pickle.dumps(Reduced(bytearray, (10**11,)), 2),
    "a program": pickle.dumps(Reduced(print, ("x",)), 2),
    "a memo of 4 GB": b"\x80\x02}r" + struct.pack("<I", 0x3FFFFFFF) + b".",
    "tuples in tuples as a name": b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.",
    "cut": b"\x80\x02}",
}


def archive(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("archive/data.pkl", content)
        made.writestr("archive/version", b"3\n")
        made.writestr("archive/byteorder", b"little")
    return file.getvalue()


@pytest.mark.parametrize("content", PICKLES.values(), ids=PICKLES)
def test_hostile_pickles_are_refused_before_they_are_done(content, tmp_path, capsys):
    file = tmp_path / "x.pt"
    file.write_bytes(archive(content))
    assert "no file of torch.save, or damaged" in str(refusal(file))
    assert capsys.readouterr().out == ""


def test_what_is_compressed_is_refused(tmp_path):
    file = tmp_path / "x.pt"
    file.write_bytes(archive(pickle.dumps({"a": "x" * 10**6}, 2), zipfile.ZIP_DEFLATED))
    assert "(it is compressed)" in str(refusal(file))


@pytest.mark.parametrize("old", [False, True])
def test_a_damaged_file_of_either_age_is_read_or_refused(old, tmp_path, rng):
    file = tmp_path / "x.pt"
    state = OrderedDict(a=torch.arange(3.0), b=[1, 2.5, "x"], c=torch.zeros(2, 2).half())
    torch.save(state, file, _use_new_zipfile_serialization=not old)
    assert list(read_torch(file, old=old)) == ["a", "b", "c"]
    content, refused = file.read_bytes(), 0
    for _ in range(400):
        file.write_bytes(damaged(content, rng))
        try:
            read_torch(file, old=old)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{file}: ") and "\n" not in str(error)
    assert refused > 50


def test_old_files_are_read_where_they_are_expected_alone(tmp_path):
    file = tmp_path / "x.pth"
    torch.save({"a": torch.arange(3)}, file, _use_new_zipfile_serialization=False)
    assert torch.equal(read_torch(file, old=True)["a"], torch.arange(3))
    with pytest.raises(InputError, match="or damaged"):
        read_torch(file)
