"""95 % intervals of a mean over objects and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

LEVEL = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A mean in which every object counts alike, and how sure it is.

    over_objects: for objects like these, None for a single object. over_seeds: for these very
    objects under other seeds, None where no object has two seeds.
    """

    mean: float
    over_objects: Interval | None
    over_seeds: Interval | None


def estimate(values: Mapping[str, Sequence[float]]) -> Estimate:
    """Mean and intervals of values measured on some objects, each under one seed or more.

    Seeds of one object share its images, so that their values are not independent, and a t interval
    over all values would be too narrow for a statement on objects. In the one-way random model
    (objects at random, seeds within them; Searle, Casella and McCulloch, Variance Components, 1992,
    chapter 3) the mean's standard error is that of the objects' means, s / sqrt(O), with O - 1
    degrees of freedom: `over_objects`. Where the objects are taken as fixed, only the spread within
    them counts, pooled, with the number of values less O degrees of freedom: `over_seeds`.

    A t interval rather than a bootstrap: with two or three values to draw from, the bootstrap's
    interval is far too narrow.

    Args:
        values: object -> its values, one a seed.
    """
    groups = [np.asarray(of_object, np.float64) for of_object in values.values()]
    means = np.array([group.mean() for group in groups])
    over_objects = over_seeds = None
    if len(groups) > 1:
        error = means.std(ddof=1) / np.sqrt(len(groups))
        over_objects = _interval(means.mean(), error, len(groups) - 1)
    free = sum(len(group) - 1 for group in groups)
    if free:
        pooled = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / free
        error = np.sqrt(pooled * sum(1 / len(group) for group in groups)) / len(groups)
        over_seeds = _interval(means.mean(), error, free)
    return Estimate(float(means.mean()), over_objects, over_seeds)


def ratio(
    numerators: Mapping[str, Sequence[float]], denominators: Mapping[str, Sequence[float]]
) -> Estimate:
    """The geometric mean of paired ratios, and its intervals, from the ratios' logarithms."""
    logs = {
        name: np.log(np.asarray(values) / np.asarray(denominators[name])).tolist()
        for name, values in numerators.items()
    }
    found = estimate(logs)
    return replace(
        found,
        mean=float(np.exp(found.mean)),
        over_objects=_exponential(found.over_objects),
        over_seeds=_exponential(found.over_seeds),
    )


def _interval(mean: float, error: float, free: int) -> Interval:
    reach = float(stats.t.ppf((1 + LEVEL) / 2, free) * error)
    return float(mean) - reach, float(mean) + reach


def _exponential(interval: Interval | None) -> Interval | None:
    return None if interval is None else (float(np.exp(interval[0])), float(np.exp(interval[1])))
