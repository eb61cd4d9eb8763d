"""The benchmark that tells how far real images are from being read as if they were synthetic."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from benchmarks.gap import Gap, Pairs, gap, table
from render.config import to_dict
from render.formats.bop import read_split
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects import evaluate
from train.objects.data import DataConfig, load_instances
from train.objects.twins.pair import PairConfig, pair
from train.options import CropConfig

MODEL = cuboids()[1]


@dataclass
class Given:
    """Stands in for Pairs."""

    train: tuple[evaluate.TestSet, evaluate.TestSet]
    test: tuple[evaluate.TestSet, evaluate.TestSet]
    seed: int = 0


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> evaluate.TestSet:
    frames = random_frames(np.random.default_rng(4), {1: MODEL}, 6)
    root = write_dataset(tmp_path_factory.mktemp("gap") / "real", {1: MODEL}, frames)
    return evaluate.TestSet("bbox_visib", load_instances(read_split(root, "test"), MODEL), [])


def network(method: str, real: evaluate.TestSet) -> Checkpoint:
    torch.manual_seed(0)
    net = build("small", 32, method == "mapping")
    if net.mapping is not None:
        torch.nn.init.normal_(net.mapping[0].second.weight, std=0.1)
    target = ObjectInfo(1, MODEL.box, real.instances[0].camera)
    return Checkpoint(
        net=net,
        network="small",
        crop=CropConfig(size=32),
        target=target,
        method=method,
        step=1,
        settings={},
        optimizer={},
        best=None,
    )


def darker(test: evaluate.TestSet) -> evaluate.TestSet:
    return replace(test, instances=[replace(i, window=i.window // 2) for i in test.instances])


def test_nothing_lies_between_images_and_themselves(real):
    found = gap(network("finetune", real), Given((real, real), (real, real)), MODEL)
    assert found.real_px == found.twin_px > 0
    assert found.train == found.test == (0, 0)


def test_other_images_are_read_otherwise_and_lie_elsewhere(real):
    found = gap(network("finetune", real), Given((real, real), (real, darker(real))), MODEL)
    assert found.train == (0, 0) and found.real_px != found.twin_px
    assert found.test[0] == found.test[1] > 0.01


def test_only_real_images_pass_through_g(real):
    found = gap(network("mapping", real), Given((real, real), (real, real)), MODEL)
    assert found.real_px != found.twin_px
    assert found.test[0] == 0 and found.test[1] > 0.01


def test_frames_of_a_study_meet_their_own_twins(tmp_path):
    frames = random_frames(np.random.default_rng(5), {1: MODEL}, 6)
    root, study = write_dataset(tmp_path / "real", {1: MODEL}, frames), tmp_path / "study"
    keys = [[2, i] for i in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:4], "test": keys[4:]}))
    data = DataConfig(dataset=str(root), split="test", split_file="split.json", objects=(1,))
    options = PairConfig(), SceneConfig(), data
    pair(*options, study / "obj_000001" / "twins", 0)
    sections = {"pair": options[0], "scene": options[1], "data": data, "sensor": SensorConfig()}
    settings = {name: to_dict(section) for name, section in sections.items()}
    settings |= {"run": {"simulated": ""}, "seed": 0}
    (study / "study_settings.json").write_text(json.dumps(settings))

    pairs = Pairs(study, 1, 0.0, tmp_path)
    for part, wanted in ((pairs.train, keys[:4]), (pairs.test, keys[4:])):
        real, twins = (test.instances for test in part)
        assert [list(instance.key[:2]) for instance in real] == wanted
        for one, other in zip(real, twins, strict=True):
            assert one.key == other.key and one.corner == other.corner
            image = read_split(root, "test", [one.key[:2]])[0].read_rgb()
            x, y = one.corner
            height, width = one.window.shape[:2]
            np.testing.assert_array_equal(one.window, image[y : y + height, x : x + width])
            assert (one.window != other.window).any()
    assert not Pairs(study, 1, 1.1, tmp_path).test[0].instances


def test_the_table_holds_means_over_networks():
    gaps = [Gap(10.0, 6.0, (0.2, 0.1), (0.4, 0.3)), Gap(12.0, 7.0, (0.4, 0.3), (0.6, 0.5))]
    (heading, line) = table({"mapping": gaps}).splitlines()
    assert line.split() == ["mapping", "11.0", "6.5", "0.300", "0.200", "0.500", "0.400"]
    assert len(heading) == len(line)
