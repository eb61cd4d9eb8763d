"""The benchmark of refinement: starts repeat, and more of what they are refined to is right."""

import re

import numpy as np

from benchmarks.refine import refined_in_words, some_motion
from tests.train.objects.refine.conftest import instances, refiner, renderer, root  # noqa: F401
from tests.train.objects.refine.photographs import MODEL


def test_more_poses_are_right_than_were(refiner, instances):  # noqa: F811
    lines = refined_in_words(refiner, MODEL, instances[:3], 2)
    start, refined = (list(map(float, re.findall(r"[\d.]+", line))) for line in lines)
    assert start[0] == refined[0] == 6  # poses
    assert refined[2] > start[2] and refined[4] < start[4]  # ADD, %, and mm
    assert lines[0] == refined_in_words(refiner, MODEL, instances[:3], 2)[0]


def test_starts_are_off_as_is_said():
    rng = np.random.default_rng(0)
    motions = np.array([some_motion(rng) for _ in range(4000)])
    spread = np.array([*[np.radians(3.5)] * 3, 0.015, 0.015, 0.03])
    times = np.sqrt(np.mean(np.linspace(0.5, 2, 100) ** 2))
    np.testing.assert_allclose(motions.std(axis=0), times * spread, rtol=0.1)
