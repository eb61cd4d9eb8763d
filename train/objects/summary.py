"""Errors of many poses -> recalls, means and medians, by the BOP benchmark's matching."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.objects.metrics import (
    MSPD_THRESHOLDS,
    MSSD_THRESHOLDS,
    VSD_TAUS,
    VSD_THRESHOLDS,
    PoseErrors,
)

# What is measured of a pose, and the limit that each part must be below for the pose to be right.
Criterion = tuple[Callable[[PoseErrors], tuple[float, ...]], tuple[float, ...]]
Metrics = dict[str, Any]

BOP_RECALLS = ("mssd_recall", "mspd_recall", "vsd_recall")


@dataclass(frozen=True, eq=False)
class Group:
    """What was found of one object in one image.

    errors: a row for each estimate, the surest first, and in it a column for each target, that is,
    each instance of the object that is to be found. missing_px: for each target, what corner_px
    counts where no pose was found.
    """

    errors: tuple[tuple[PoseErrors, ...], ...]
    missing_px: tuple[float, ...]


def match(group: Group, criterion: Criterion) -> dict[int, int]:
    """Target -> estimate, both by index, greedily by the rule of bop_toolkit's match_poses.

    The surest estimate chooses first: of the targets still free the one it is nearest to in every
    part of the criterion, if all parts are below their limits.
    """
    measure, limits = criterion
    estimate_of: dict[int, int] = {}
    for i, row in enumerate(group.errors):
        best, nearest = None, limits
        for j, errors in enumerate(row):
            parts = measure(errors)
            closer = all(part < least for part, least in zip(parts, nearest, strict=True))
            if j not in estimate_of and closer:
                best, nearest = j, parts
        if best is not None:
            estimate_of[best] = i
    return estimate_of


def summarize(groups: Sequence[Group], diameter: float, with_vsd: bool = False) -> Metrics:
    """One object's metrics, keyed as in results.json; shares are percentages of all targets.

    Every threshold matches estimates with targets anew, as in BOP; corner_px and the medians take
    the matching by corners. A median is None where half of the targets or more were not found.
    n_failed counts targets without an estimate, or with one that is not in front of the camera.

    Args:
        diameter: of the object, metres.
        with_vsd: whether the errors have `vsd`; without, vsd_recall and ar are None.
    """
    found: list[PoseErrors] = []
    missing_px: list[float] = []
    for group in groups:
        estimate_of = match(group, (lambda e: (e.corner_px,), (np.inf,)))
        found += [group.errors[i][j] for j, i in estimate_of.items()]
        missing_px += [px for j, px in enumerate(group.missing_px) if j not in estimate_of]

    criteria = _criteria(diameter, with_vsd)
    recalls = {name: _recall(groups, part) for name, part in criteria.items()}
    n_failed = len(missing_px)
    return {
        "corner_px": float(np.mean([e.corner_px for e in found] + missing_px)),
        **recalls,
        "ar": float(np.mean([recalls[name] for name in BOP_RECALLS])) if with_vsd else None,
        "rotation_deg_median": _median([float(np.degrees(e.rotation)) for e in found], n_failed),
        "translation_mm_median": _median([1000 * e.translation for e in found], n_failed),
        "n": len(found) + n_failed,
        "n_failed": n_failed,
    }


def mean_over_objects(objects: Sequence[Mapping[str, Any]]) -> Metrics:
    """Each metric's mean, every object alike, None where one object has none; n is the sum."""
    mean = {key: _mean(objects, key, [1] * len(objects)) for key in _averaged(objects)}
    return {**mean, **_totals(objects)}


def mean_over_targets(objects: Sequence[Mapping[str, Any]]) -> Metrics:
    """As `mean_over_objects`, but every target alike; a median has no such mean and is left out."""
    weights = [metrics["n"] for metrics in objects]
    keys = [key for key in _averaged(objects) if not key.endswith("_median")]
    return {**{key: _mean(objects, key, weights) for key in keys}, **_totals(objects)}


def _criteria(diameter: float, with_vsd: bool) -> dict[str, list[Criterion]]:
    """Name of a recall -> the criteria that it is the mean over; [] where it cannot be known."""
    return {
        "proj_5px": [(lambda e: (e.proj_px,), (5.0,))],
        "add_10": [(lambda e: (e.add / diameter,), (0.1,))],
        "cm5_deg5": [(lambda e: (e.translation, float(np.degrees(e.rotation))), (0.05, 5.0))],
        "mssd_recall": [(lambda e: (e.mssd / diameter,), (limit,)) for limit in MSSD_THRESHOLDS],
        "mspd_recall": [(lambda e: (e.mspd_640,), (limit,)) for limit in MSPD_THRESHOLDS],
        "vsd_recall": [
            (_vsd_at(tau), (limit,))
            for tau in range(len(VSD_TAUS) * with_vsd)
            for limit in VSD_THRESHOLDS
        ],
    }


def _vsd_at(tau: int) -> Callable[[PoseErrors], tuple[float, ...]]:
    return lambda e: (e.vsd[tau],) if e.vsd else (np.inf,)


def _recall(groups: Sequence[Group], criteria: Sequence[Criterion]) -> float | None:
    """Percentage of targets found, mean over the criteria."""
    if not criteria:
        return None
    targets = sum(len(group.missing_px) for group in groups)
    hits = sum(len(match(group, criterion)) for group in groups for criterion in criteria)
    return 100 * hits / (targets * len(criteria))


def _median(found: Sequence[float], n_failed: int) -> float | None:
    median = float(np.median([*found, *[np.inf] * n_failed]))
    return median if np.isfinite(median) else None


def _averaged(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    return [key for key in objects[0] if key not in ("n", "n_failed", "add_kind")]


def _mean(objects: Sequence[Mapping[str, Any]], key: str, weights: Sequence[int]) -> float | None:
    values = [metrics[key] for metrics in objects]
    return None if None in values else float(np.average(values, weights=weights))


def _totals(objects: Sequence[Mapping[str, Any]]) -> Metrics:
    return {key: sum(metrics[key] for metrics in objects) for key in ("n", "n_failed")}
