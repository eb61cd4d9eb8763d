import numpy as np
import pytest
from scipy.optimize import linprog

from render.scene.packing import DIRECTIONS, reach_of, scatter, slide


def polygon(rng: np.random.Generator, count: int = 7) -> np.ndarray:
    """(n, 2) points about the origin."""
    return rng.normal(size=(count, 2)) * rng.uniform(0.2, 1.0, 2)


def can_be_parted(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a line has (n, 2) and (m, 2) points on different sides, by linear programming."""
    sides = np.concatenate([np.column_stack([a, np.ones(len(a))]), -np.insert(b, 2, 1, axis=1)])
    return linprog(np.zeros(3), sides, -np.ones(len(sides)), bounds=(None, None)).status == 0


def test_reach_is_the_support_of_the_convex_hull(rng):
    points = polygon(rng, 50)
    for direction, reach in zip(DIRECTIONS, reach_of(points), strict=True):
        assert reach == pytest.approx(max(point @ direction for point in points))


def test_what_slid_can_be_parted_from_all_others_and_would_not_be_sooner(rng):
    moved = 0
    for _ in range(40):
        shape, others = polygon(rng), [polygon(rng) for _ in range(5)]
        centers = rng.normal(size=(5, 2))
        reaches = np.array([reach_of(other) for other in others])
        angle = rng.uniform(0, 2 * np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)])
        start = rng.normal(size=2) * 0.3
        way = slide(start, direction, reach_of(shape), centers, reaches)
        there = shape + start + (way + 1e-9) * direction
        for other, center in zip(others, centers, strict=True):
            assert can_be_parted(there, other + center)

        # Nowhere before that, by trying.
        for t in np.linspace(0, way, 30, endpoint=False) if way else ():
            at = start + t * direction
            towards = (centers - at) @ DIRECTIONS.T
            opposite = np.roll(reaches, 16, axis=1)
            assert not (towards > reach_of(shape) + opposite + 1e-9).any(axis=1).all()
        moved += way > 0
    assert moved > 20


def test_what_is_alone_stays_where_it_is():
    nothing = np.empty((0, 2)), np.empty((0, len(DIRECTIONS)))
    assert slide(np.zeros(2), np.array([1.0, 0]), np.ones(len(DIRECTIONS)), *nothing) == 0


def test_two_discs_end_up_side_by_side():
    reach = np.full(len(DIRECTIONS), 0.5)  # of a disc, in each direction
    way = slide(np.zeros(2), np.array([0, 1.0]), reach, np.zeros((1, 2)), reach[None])
    assert way == pytest.approx(1.0)


def test_scattered_centres_are_those_that_fit(rng):
    radii = rng.uniform(0.1, 0.5, 20)

    def fits(i, center, centers):
        return all(np.linalg.norm(center - c) > radii[i] + radii[j] for j, c in enumerate(centers))

    centers = scatter(rng, radii, fits)
    gaps = np.linalg.norm(centers[:, None] - centers, axis=2) - radii - radii[:, None]
    assert (gaps[~np.eye(20, dtype=bool)] > 0).all()
