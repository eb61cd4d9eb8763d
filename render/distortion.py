"""The lens distortion of Brown and Conrady, as OpenCV has it: where a lens shows a ray, and back.

k1, k2, p1, p2, k3 of https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html. The distortion is the
gradient of a function, so its derivative is symmetric; and as long as that is positive definite
within a circle, no two rays in it are seen at one place.
"""

import numpy as np

Lens = tuple[float, ...]  # k1, k2, p1, p2, k3

FARTHEST = 4.0  # tangent of the angle to the optical axis, 76 degrees; no ray farther out is seen
MOST_DISTORTION = 1e3  # of a coefficient: powers overflow no number, and images can be drawn
RINGS, SPOKES = 401, 72  # of the grid on which folds are looked for
STEPS, BACK, EXACT = 30, 12, 1e-10  # of Newton's method; what is left in its end
TOGETHER = 3  # steps that all points take, sooner than some of them


def distort(xy: np.ndarray, lens: Lens) -> np.ndarray:
    """Where a lens shows rays: (..., 2) x/z and y/z -> those of the pinhole's rays seen there."""
    return np.moveaxis(_seen(xy[..., 0], xy[..., 1], lens), 0, -1)


def derivative(xy: np.ndarray, lens: Lens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The derivative of `distort` at (..., 2): a, b, c of the matrix ((a, b), (b, c))."""
    return _slope(xy[..., 0], xy[..., 1], lens)


def reach(lens: Lens) -> float:
    """The radius around the optical axis within which a lens folds nowhere, FARTHEST at most."""
    angles = np.linspace(0, 2 * np.pi, SPOKES, endpoint=False)
    radii = np.linspace(0, FARTHEST, RINGS)
    grid = radii[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    whole = _is_definite(*derivative(grid, lens)).all(axis=1)
    return float(radii[-1] if whole.all() else radii[max(int(np.argmin(whole)) - 1, 0)])


def undistort(xy: np.ndarray, lens: Lens) -> np.ndarray:
    """The rays that a lens shows at places: the inverse of `distort`, by Newton's method.

    Args:
        xy: (..., 2) as `distort` returns.

    Returns:
        (..., 2) float64; NaN where no ray within `reach` is seen.
    """
    wanted = np.array(np.asarray(xy, np.float64).reshape(-1, 2).T, order="C")
    farthest = reach(lens)
    found = wanted * np.minimum(1, 0.99 * farthest / np.maximum(np.hypot(*wanted), 1e-300))
    left = np.arange(found.shape[1])
    for step in range(STEPS):
        here, aim = (found, wanted) if step < TOGETHER else (found[:, left], wanted[:, left])
        off = aim - _seen(here[0], here[1], lens)
        a, b, c = _slope(here[0], here[1], lens)
        change = np.stack([c * off[0] - b * off[1], a * off[1] - b * off[0]]) / (a * c - b * b)
        moved = _within(here, change, farthest)
        if step < TOGETHER:
            found = moved
        else:
            found[:, left] = moved
            left = left[np.abs(off).max(axis=0) > EXACT]
        if not len(left):
            break
    seen = np.abs(_seen(found[0], found[1], lens) - wanted).max(axis=0) <= EXACT
    return np.where(seen, found, np.nan).T.reshape(np.shape(xy))


def bend(points: np.ndarray, K: np.ndarray, lens: Lens) -> np.ndarray:
    """Pixels of points in the camera frame, (..., 3) -> (..., 2), through a lens."""
    xy = points[..., :2] / points[..., 2:]
    return distort(xy, lens) @ K[:2, :2].T + K[:2, 2]


def straight_rays(pixels: np.ndarray, K: np.ndarray, lens: Lens) -> np.ndarray:
    """x/z and y/z of the rays seen at (..., 2) pixels; NaN where the lens shows none."""
    return undistort((pixels - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T, lens)


def _seen(x: np.ndarray, y: np.ndarray, lens: Lens) -> np.ndarray:
    """(2, ...): `distort`, of x and y apart."""
    k1, k2, p1, p2, k3 = lens
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    twist = 2 * (p1 * y + p2 * x)
    return np.stack([x * (radial + twist) + p2 * r2, y * (radial + twist) + p1 * r2])


def _slope(x: np.ndarray, y: np.ndarray, lens: Lens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`derivative`, of x and y apart."""
    k1, k2, p1, p2, k3 = lens
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
    twist = slope * x * y + 2 * (p1 * x + p2 * y)
    return (
        radial + slope * x * x + 2 * p1 * y + 6 * p2 * x,
        twist,
        radial + slope * y * y + 6 * p1 * y + 2 * p2 * x,
    )


def farthest_ray(K: np.ndarray, size: tuple[int, int], lens: Lens) -> float:
    """How far from the optical axis the rays end that an image of (width, height) shows, as the
    tangent of the angle; infinite where the lens shows none at a place of its border."""
    ends = [np.linspace(-0.5, side - 0.5, SPOKES) for side in size]
    sides = [np.stack(np.meshgrid(ends[0], ends[1][[0, -1]]), axis=-1)]
    sides += [np.stack(np.meshgrid(ends[0][[0, -1]], ends[1]), axis=-1)]
    border = np.concatenate([side.reshape(-1, 2) for side in sides])
    away = np.linalg.norm(straight_rays(border, K, lens), axis=1)
    return float(np.inf if np.isnan(away).any() else away.max())


def _within(here: np.ndarray, step: np.ndarray, farthest: float) -> np.ndarray:
    """(2, n) one step on, halved until it ends within the circle."""
    for _ in range(BACK):
        beyond = np.square(here + step).sum(axis=0) > farthest**2
        if not beyond.any():
            return here + step
        step = np.where(beyond, step / 2, step)
    return here + np.where(np.square(here + step).sum(axis=0) > farthest**2, 0, step)


def _is_definite(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return (a > 0) & (a * c > b * b)
