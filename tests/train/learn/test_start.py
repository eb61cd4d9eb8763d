"""What a network starts from."""

from dataclasses import replace

import pytest
import torch

from render.errors import InputError
from tests.train.learn.test_trainer import (
    CONFIG,
    CROP,
    MODEL,
    assert_same_weights,
    run,
    training,
    weights,
)
from train.learn.targets import ObjectInfo


def test_methods_of_one_seed_start_from_the_same_weights(tmp_path):
    """Those without a start, whatever else is trained before them in the same process."""
    config = replace(CONFIG, lr=0.0)
    first = weights(run(training("real", 1, config), tmp_path / "a"))
    torch.rand(100)
    assert_same_weights(first, weights(run(training("real", 1, config), tmp_path / "b")))
    other = weights(run(training("real", 1, config, seed=6), tmp_path / "c"))
    assert not torch.equal(first["predict.weight"], other["predict.weight"])


def test_a_start_hands_over_all_its_weights_and_g_begins_as_the_identity(tmp_path):
    start = run(training("synthetic", 3), tmp_path / "start")
    config = replace(CONFIG, lr=0.0)
    begun = weights(run(training("mapping", 1, config, start=start), tmp_path / "mapping"))
    before = weights(start)
    assert_same_weights({name: begun[name] for name in before}, before)
    new = {name: tensor for name, tensor in begun.items() if name not in before}
    assert all(name.startswith("mapping.") for name in new)
    assert all(
        new[f"mapping.{i}.second.{p}"].eq(0).all() for i in (0, 1) for p in ("weight", "bias")
    )


def test_real_and_synthetic_images_keep_the_statistics_of_pretraining(tmp_path):
    """In joint training both pass through one f, whatever else is in their batch."""
    start = run(training("synthetic", 3), tmp_path / "start")
    before = weights(start)
    after = weights(run(training("mapping", 3, start=start), tmp_path / "mapping"))
    statistics = [name for name in before if "running" in name]
    assert_same_weights({n: after[n] for n in statistics}, {n: before[n] for n in statistics})
    assert not torch.equal(after["predict.weight"], before["predict.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": replace(CROP, size=32)}, "small network for 16 px crops of object 2, not small"),
        ({"target": ObjectInfo(3, MODEL.box)}, "crops of object 2, not small .* of object 3"),
        ({"method": "finetune"}, "trained with mapping and has a mapping, which finetune has not"),
    ],
    ids=["crop", "object", "mapping"],
)
def test_a_start_that_does_not_fit_is_refused(finished, tmp_path, change, message):
    job = replace(training(start=finished), **change)
    with pytest.raises(InputError, match=message):
        run(job, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_vgg_weights_belong_to_the_paper_network(tmp_path):
    with pytest.raises(InputError, match=r"train\.init needs train\.network=paper"):
        run(training(config=replace(CONFIG, init="vgg16.pth")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
