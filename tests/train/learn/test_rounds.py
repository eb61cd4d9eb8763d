"""Rounds of self-training on noise, with a labeller that says what it was asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from tests.train.learn.test_trainer import CONFIG, assert_same_weights, weights
from train.hand_options import HandCropConfig
from train.learn.batches import Inputs, Unlabelled
from train.learn.checkpoint import Checkpoint
from train.learn.methods import _hold_out, train_methods, train_network
from train.learn.rounds import Pairs, self_trained, with_pseudo_labels
from train.learn.targets import HandInfo
from train.learn.trainer import Training
from train.learn.validation import held_out
from train.options import METHODS, WITH_ADVERSARY, WITH_PSEUDO_LABELS, WITH_UNLABELLED

CPU = torch.device("cpu")
CROP = HandCropConfig(size=16)
WORDS = ("a", "b", "c")


class Noise:
    """Crops whose samples are numbers that noise is drawn from."""

    size, channels, outputs = 16, 1, 6

    def draw(self, rng, sample):
        return None

    def image(self, sample, crop):
        return np.random.default_rng(sample).uniform(-1, 1, (16, 16, 1)).astype(np.float32)

    def targets(self, sample, crop):
        return np.random.default_rng([sample, 1]).uniform(-1, 1, (1, 6))

    def augment(self, images, rng):
        return images

    def checksum(self, sample, before):
        return (31 * before + sample) % 2**32


INPUTS = Inputs(Noise(), [1, 2, 3], [[101], [102], [103]], [50, 51, 52, 53])


class Labels:
    """`rounds.Label`: frames 11, ... in round 1, 21, ... in round 2; notes who read, and where."""

    def __init__(self, count: int = 4, words: tuple[str, ...] = ()) -> None:
        self.count, self.words = count, words
        self.asked: list[tuple[Checkpoint, Path]] = []

    def __call__(self, checkpoint: Checkpoint, folder: Path) -> Pairs:
        self.asked.append((checkpoint, folder))
        first = 10 * int(folder.name.removeprefix("round_")) + 1
        real = list(range(first, first + self.count))
        return Pairs(real, [[100 + one] for one in real], self.words)


def training(method: str = "mapping_unlabelled", steps: int = 2, **more) -> Training:
    return Training(method, steps, HandInfo((0, 1)), CONFIG, CROP, 5, **more)


def rounds(out: Path, label: Labels, count: int = 2, **more):
    first = training(**more)
    return self_trained(first, INPUTS, label, out / "mixed", out / "rounds", count, CPU)


def real_of(run: Path) -> str:
    """What real samples a network was trained on."""
    return Checkpoint.load(run).settings["inputs"]["real"]


def fingerprint(samples: list[int]) -> str:
    checksum = 0
    for sample in samples:
        checksum = Noise().checksum(sample, checksum)
    return f"{len(samples)} samples ({checksum:08x})"


# What is trained on


@pytest.mark.parametrize(
    ("guessed", "often"), [(0, 1), (1, 1), (3, 1), (4, 1), (5, 2), (7, 2), (8, 3), (30, 10)]
)
def test_labelled_frames_stand_there_about_as_often_as_guessed_ones(guessed, often):
    real = list(range(1000, 1000 + guessed))
    found = with_pseudo_labels(INPUTS, Pairs(real, [[100 + one] for one in real]))
    assert sorted(found.real) == sorted([*often * INPUTS.real, *real])
    assert found.twins == [[100 + one] for one in found.real]
    assert (found.crops, found.synthetic) == (INPUTS.crops, INPUTS.synthetic)
    assert (INPUTS.real, INPUTS.twins) == ([1, 2, 3], [[101], [102], [103]])


def test_frames_are_held_out_among_those_whose_labels_are_known_and_all_copies_with_them():
    """Else what says which step was best is trained on, or is a guess."""
    inputs = Inputs(Noise(), list(range(1, 11)), [[100 + i] for i in range(1, 11)], [50])
    real = list(range(200, 225))
    enlarged = with_pseudo_labels(inputs, Pairs(real, [[100 + one] for one in real]))
    assert len(enlarged.real) == 45
    job = replace(training(), config=replace(CONFIG, validation=0.3))
    kept, validation = _hold_out(enlarged, job)
    expected = [inputs.real[i] for i in held_out(10, 0.3)]
    left = [one for one in inputs.real if one not in expected]
    assert kept.real == [*left, *left, *real]
    assert kept.twins == [[100 + one] for one in kept.real]
    alone = _hold_out(inputs, job)[1]
    assert torch.equal(validation._images, alone._images)
    assert torch.equal(validation._targets, alone._targets)


# Who reads


def test_each_round_is_read_by_what_learnt_from_the_round_before(tmp_path):
    label = Labels()
    enlarged, frames = rounds(tmp_path, label)
    folders = [tmp_path / "rounds" / "round_1", tmp_path / "rounds" / "round_2"]
    assert [folder for _, folder in label.asked] == folders
    readers = tmp_path / "mixed", folders[0] / "network"
    for (reader, _), run in zip(label.asked, readers, strict=True):
        assert_same_weights(reader.net.state_dict(), weights(run))
        assert reader.net.mapping is None
    assert [reader.method for reader, _ in label.asked] == ["mixed", "mixed_unlabelled"]
    assert real_of(readers[0]) == fingerprint([1, 2, 3])
    assert real_of(readers[1]) == fingerprint([1, 2, 3, 11, 12, 13, 14])
    assert enlarged.real == [1, 2, 3, 21, 22, 23, 24] and frames is None  # of the last round alone
    assert sorted(tmp_path.rglob("checkpoint.pt")) == sorted(r / "checkpoint.pt" for r in readers)


def test_one_round_trains_nothing_but_the_teacher_which_is_the_method_mixed(tmp_path):
    label = Labels()
    enlarged, _ = rounds(tmp_path, label, count=1)
    assert enlarged.real == [1, 2, 3, 11, 12, 13, 14] and len(label.asked) == 1
    (made,) = tmp_path.rglob("checkpoint.pt")
    alone = train_network(training("mixed"), INPUTS, tmp_path / "alone", CPU)
    assert_same_weights(weights(made.parent), weights(alone.parent))
    assert Checkpoint.load(made).settings == Checkpoint.load(alone).settings


def test_what_reads_does_not_depend_on_the_method_that_is_asked_for(tmp_path):
    """So that none of them is favoured."""
    for method in WITH_PSEUDO_LABELS:
        rounds(tmp_path / method, Labels(), method=method)
    of_all = [weights(tmp_path / m / "rounds" / "round_1" / "network") for m in WITH_PSEUDO_LABELS]
    for other in of_all[1:]:
        assert_same_weights(of_all[0], other)


def test_what_is_finished_is_not_trained_again_and_other_labels_are_refused(tmp_path):
    first, _ = rounds(tmp_path, Labels())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("checkpoint.pt")}
    again, _ = rounds(tmp_path, Labels())
    assert (again.real, again.twins) == (first.real, first.twins) and len(before) == 2
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("checkpoint.pt")} == before
    with pytest.raises(InputError, match=r"round_1/network was trained with inputs\.real = 7 s"):
        rounds(tmp_path, Labels(count=5))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("checkpoint.pt")} == before


def test_a_network_has_seen_the_unlabelled_frames_that_it_learnt_from(tmp_path):
    """So that `evaluate` can leave them out; the teacher has not."""
    label = Labels(words=("u", "v"))
    _, frames = rounds(tmp_path, label, frames=WORDS)
    assert frames == (*WORDS, "u", "v")
    assert [reader.seen for reader, _ in label.asked] == [WORDS, (*WORDS, "u", "v")]


# All methods of a run


def test_methods_share_the_labels_and_the_others_see_none_of_them(tmp_path):
    label, asked, found = Labels(words=("u",)), [], []

    def with_pseudo_labels(first: Training):
        asked.append(first)
        folders = tmp_path / "mixed", tmp_path / "unlabelled"
        return self_trained(first, INPUTS, label, *folders, 2, CPU)

    def unlabelled() -> Unlabelled:
        found.append(1)
        return Unlabelled([61, 62, 63], ("x", "y"))

    methods = [*WITH_UNLABELLED, "mixed", "finetune"]
    config = replace(CONFIG, pretrain_steps=2, steps=2)
    first = replace(training("synthetic", 0, frames=WORDS), config=config)
    asks = with_pseudo_labels, unlabelled
    made = dict(train_methods(methods, first, INPUTS, tmp_path, CPU, *asks))
    assert list(made) == methods and len(asked) == len(found) == 1 and len(label.asked) == 2
    enlarged = [1, 2, 3, 21, 22, 23, 24]
    for method in methods:
        read, told = method in WITH_PSEUDO_LABELS, method in WITH_ADVERSARY
        assert real_of(tmp_path / method) == fingerprint(enlarged if read else [1, 2, 3])
        looked_at = made[method].settings["inputs"].get("unlabelled")
        assert looked_at == (fingerprint([61, 62, 63]) if told else None)
        assert made[method].seen == (*WORDS, *("u",) * read, *("x", "y") * told)
        assert made[method].settings["start"] == str(tmp_path / "pretrained" / "checkpoint.pt")
    assert made["mapping_unlabelled"].net.mapping is not None
    alone = train_methods(["mixed"], first, INPUTS, tmp_path / "alone", CPU, *asks)
    ((_, mixed),) = alone
    assert_same_weights(mixed.net.state_dict(), made["mixed"].net.state_dict())


def test_nobody_asks_for_unlabelled_frames_without_such_a_method(tmp_path):
    def refuse(*_):
        raise AssertionError("asked")

    methods = [method for method in METHODS if method not in WITH_UNLABELLED]
    first = replace(training("synthetic", 0), config=replace(CONFIG, pretrain_steps=0, steps=1))
    made = dict(train_methods(methods, first, INPUTS, tmp_path, CPU, refuse, refuse))
    assert list(made) == methods


@pytest.mark.parametrize("method", WITH_UNLABELLED)
def test_train_refuses_what_takes_several_networks(tmp_path, method):
    command = ["train", "--preset", "nyu", "--method", method, "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*command, "--device", "cpu"])
    assert result.exit_code == 1, result.output
    assert f"--set run.methods={method}" in result.output.splitlines()[-1]
    assert not (tmp_path / "out").exists()
