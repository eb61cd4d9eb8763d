"""A dataset of photographs of a cuboid, and what refines its poses."""

import numpy as np
import pytest

from render.draw.rasterizer import Rasterizer
from render.formats.bop import read_split
from render.transforms import random_rotation, rigid
from tests.small_dataset import write_dataset
from tests.train.objects.refine.photographs import FRAMES, MODEL, photograph
from train.objects.data import Instance, load_instances
from train.objects.refine.colors import learn_colors
from train.objects.refine.refiner import Refiner


@pytest.fixture(scope="module")
def renderer():
    with Rasterizer({1: MODEL.mesh}, coordinates=True) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def root(tmp_path_factory, renderer):
    rng = np.random.default_rng(5)
    poses = [
        rigid(random_rotation(rng), [*rng.uniform(-0.04, 0.04, 2), rng.uniform(0.3, 0.4)])
        for _ in range(FRAMES)
    ]
    frames = {i: photograph(renderer, pose, rng) for i, pose in enumerate(poses)}
    return write_dataset(tmp_path_factory.mktemp("refine") / "frames", {1: MODEL}, frames)


@pytest.fixture(scope="module")
def instances(root) -> list[Instance]:
    return load_instances(read_split(root, "test"), MODEL)


@pytest.fixture(scope="module")
def refiner(root, renderer) -> Refiner:
    return Refiner(MODEL, renderer, learn_colors(read_split(root, "test"), 1, renderer), rounds=4)
