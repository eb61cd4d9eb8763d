import numpy as np
import pytest
from scipy import stats

from train.study.intervals import estimate, ratio


def test_of_one_value_an_object_the_interval_is_scipys(rng):
    values = rng.normal(10, 2, 6)
    found = estimate({str(i): [value] for i, value in enumerate(values)})
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.over_objects == pytest.approx(tuple(expected))
    assert found.over_seeds is None


def test_of_one_object_the_interval_over_seeds_is_scipys(rng):
    values = rng.normal(10, 2, 4)
    found = estimate({"5": values.tolist()})
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.over_seeds == pytest.approx(tuple(expected))
    assert found.over_objects is None


def test_a_single_value_has_no_interval():
    found = estimate({"5": [3.0]})
    assert (found.mean, found.over_objects, found.over_seeds) == (3.0, None, None)


def test_a_worked_example():
    """Means 2 and 6, s^2 = 2 within both: 4 +- t(1) sqrt(8 / 2), and 4 +- t(2) sqrt(2 / 4)."""
    found = estimate({"a": [1.0, 3.0], "b": [5.0, 7.0]})
    assert found.mean == 4
    assert found.over_objects == pytest.approx((4 - 12.7062 * 2, 4 + 12.7062 * 2), abs=1e-3)
    assert found.over_seeds == pytest.approx((4 - 3.04244, 4 + 3.04244), abs=1e-4)


def test_intervals_hold_the_true_mean_as_often_as_they_say(rng):
    """Objects at random for the one, fixed for the other; 400 studies, 3 sigma of a binomial."""
    offsets, hits = np.array([-1.0, 0.5, 2.0, 3.0]), np.zeros(2)
    for _ in range(400):
        drawn = rng.normal(0, 2, 4)[:, None] + rng.normal(0, 1, (4, 3))
        fixed = offsets[:, None] + rng.normal(0, 1, (4, 3))
        low, high = estimate({str(i): row.tolist() for i, row in enumerate(drawn)}).over_objects
        hits[0] += low < 0 < high
        low, high = estimate({str(i): row.tolist() for i, row in enumerate(fixed)}).over_seeds
        hits[1] += low < offsets.mean() < high
    np.testing.assert_allclose(hits / 400, 0.95, atol=3 * (0.95 * 0.05 / 400) ** 0.5)


def test_equal_methods_have_the_ratio_1_and_no_doubt_about_it(rng):
    values = {name: rng.uniform(1, 9, 3).tolist() for name in "abc"}
    found = ratio(values, values)
    assert (found.mean, found.over_objects, found.over_seeds) == (1, (1, 1), (1, 1))


def test_a_ratio_is_paired_and_free_of_scale(rng):
    """Each object and seed a fifth smaller: 0.8 exactly, however much they differ."""
    values = {name: rng.uniform(1, 90, 3).tolist() for name in "abc"}
    found = ratio({k: [0.8 * v for v in of_one] for k, of_one in values.items()}, values)
    assert (found.mean, *found.over_objects, *found.over_seeds) == pytest.approx((0.8,) * 5)
