"""Objects side by side on a plane, apart from one another."""

from collections.abc import Callable, Sequence

import numpy as np

_ANGLES = np.linspace(0, 2 * np.pi, 32, endpoint=False)
DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_OPPOSITE = np.roll(np.arange(32), 16)


def reach_of(points: np.ndarray) -> np.ndarray:
    """How far (n, 2) points reach from the origin in each of `DIRECTIONS`: (32,)."""
    return (points @ DIRECTIONS.T).max(axis=0)


def slide(
    start: np.ndarray,
    direction: np.ndarray,
    reach: np.ndarray,
    centers: np.ndarray,
    reaches: np.ndarray,
) -> float:
    """How far an object must go from a start, at least, to be apart from all others.

    Apart are two objects which a line across one of `DIRECTIONS` parts: they cannot touch, whatever
    their shape and however they differ in height.

    Args:
        start, direction: (2,), the latter of unit length. reach: (32,) of the object, see
            `reach_of`. centers, reaches: (n, 2) and (n, 32) of the others.
    """
    # At a way t, no line across DIRECTIONS[k] parts the two while gap[k] <= t speed[k].
    gaps = (centers - start) @ DIRECTIONS.T - reach - reaches[:, _OPPOSITE]
    speed = DIRECTIONS @ direction
    speed[np.abs(speed) < 1e-9] = 1e-9
    bounds = gaps / speed
    enters = np.where(speed > 0, bounds, -np.inf).max(axis=1)
    leaves = np.where(speed < 0, bounds, np.inf).min(axis=1)
    way = 0.0
    for i in np.argsort(enters):
        if enters[i] <= way < leaves[i]:
            way = float(leaves[i])
    return way


def scatter(
    rng: np.random.Generator,
    radii: np.ndarray,
    fits: Callable[[int, np.ndarray, Sequence[np.ndarray]], bool],
) -> np.ndarray:
    """Centres (n, 2) drawn at random around the origin, as densely as chance has it.

    Args:
        radii: (n,) sizes of the objects, metres.
        fits: whether object i may be at a centre, given the centres of those before it; it must be
            true far from the origin.
    """
    reach = 0.6 * np.sqrt(np.sum(radii**2))
    centers: list[np.ndarray] = []
    for i in range(len(radii)):
        while True:
            center = rng.uniform(-reach, reach, 2)
            if fits(i, center, centers):
                centers.append(center)
                break
            reach *= 1.02
    return np.array(centers).reshape(-1, 2)
