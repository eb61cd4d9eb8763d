"""Bounded robust least squares on many hands at once: where each is, and how bent."""

from dataclasses import dataclass

import numpy as np

from render.hand.points import Placement, PointKinematics
from render.hand.pose import DIP_OF_PIP, HandAngles, clamp
from render.transforms import rodrigues

SIGMA = 0.003  # metres: what a point is expected to be off by, for want of a better hand model
HUBER = 3.0  # of those: from here on an error counts linearly
CONVERGED = 1e-3  # of a frame's cost, which is in squared sigmas


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed of a hand's angles before any point is seen.

    mean: (D,) radians. precision: (D, D), inverse covariance, 1 / radian^2.
    """

    mean: np.ndarray
    precision: np.ndarray


def relaxed(hand: HandAngles, curl: float = 0.25) -> np.ndarray:
    """(D,) a gesture: fingers bent by this share of their flexion, all else in mid-range."""
    share = np.array([curl if "flexion" in name else 0.5 for name in hand.names])
    angles = np.maximum(hand.lower, 0) + share * (hand.upper - np.maximum(hand.lower, 0))
    middle = (hand.lower + hand.upper) / 2
    return np.where(["flexion" in name for name in hand.names], angles, middle)


def weak_prior(hand: HandAngles) -> Prior:
    """Towards a relaxed hand by half the range of each angle, and DIP towards 2/3 of PIP."""
    spread = (hand.upper - hand.lower) / 2
    precision = np.diag(1 / spread**2)
    for dip, name in enumerate(hand.names):
        if name.endswith("3 flexion") and not name.startswith("thumb"):
            pip = hand.index(name.replace("3", "2"))
            row = np.zeros(len(hand.names))
            row[dip], row[pip] = 1, -DIP_OF_PIP
            precision += np.outer(row, row) / np.radians(15) ** 2
    return Prior(relaxed(hand), precision)


def solve(
    kinematics: PointKinematics,
    targets: np.ndarray,
    prior: Prior,
    start: Placement,
    iterations: int = 40,
) -> tuple[Placement, np.ndarray]:
    """Levenberg-Marquardt from `start`, every hand with its own damping.

    An angle at a limit is held there while the cost falls towards the outside, and steps are cut
    off at limits.

    Args:
        targets: (N, K, 3) metres, camera frame.

    Returns:
        The placements, and the cost of each (N,).
    """
    hand = kinematics.hand
    R, wrist, angles = start.R.copy(), start.wrist.copy(), clamp(hand, start.angles)
    costs = cost(kinematics, targets, prior, Placement(R, wrist, angles))
    damping = np.full(len(targets), 1e-2)
    active = np.arange(len(targets))
    for _ in range(iterations):
        at = Placement(R[active], wrist[active], angles[active])
        points, J = kinematics.locate_and_differentiate(at)
        A, g = normal_equations(points - targets[active], J, prior, at)
        still = held(hand, at.angles, g)
        step = damped_step(A, g[..., None], still, damping[active])[..., 0]
        moved = move(hand, at, step)
        candidate = cost(kinematics, targets[active], prior, moved)

        better = candidate < costs[active]
        gain = costs[active] - candidate
        damping[active] = np.clip(damping[active] * np.where(better, 0.2, 5.0), 1e-7, 1e7)
        kept = active[better]
        R[kept], wrist[kept] = moved.R[better], moved.wrist[better]
        angles[kept], costs[kept] = moved.angles[better], candidate[better]

        small = np.abs(gain) < CONVERGED * (1 + costs[active])
        active = active[~((better & small) | (damping[active] >= 1e5))]
        if not len(active):
            break
    return Placement(R, wrist, angles), costs


def cost(
    kinematics: PointKinematics, targets: np.ndarray, prior: Prior, at: Placement
) -> np.ndarray:
    """(N,) Huber's cost of the points' distances, in squared sigmas, plus the prior's."""
    away = np.linalg.norm(kinematics.locate(at) - targets, axis=2) / SIGMA
    robust = np.where(away < HUBER, away**2, 2 * HUBER * away - HUBER**2).sum(axis=1)
    off = at.angles - prior.mean
    return robust + np.einsum("nd,de,ne->n", off, prior.precision, off, optimize=True)


def normal_equations(
    residuals: np.ndarray, J: np.ndarray, prior: Prior, at: Placement
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton's matrix (N, P, P) and half the gradient (N, P) of the cost.

    Args:
        residuals: (N, K, 3) metres. J: (N, K, 3, P), their derivatives; P = 6 + D.
    """
    J, scaled = weighted_rows(residuals, J)
    J_t = np.swapaxes(J, 1, 2)
    A, g = J_t @ J, (J_t @ scaled[..., None])[..., 0]
    A[:, 6:, 6:] += prior.precision
    g[:, 6:] += (at.angles - prior.mean) @ prior.precision
    return A, g


def weighted_rows(residuals: np.ndarray, *jacobians: np.ndarray) -> tuple[np.ndarray, ...]:
    """Jacobians (N, 3K, P), and last residuals (N, 3K), in sigmas, times roots of Huber's weights.

    Args:
        residuals: (N, K, 3) metres. jacobians: (N, K, 3, P), each with its own P.
    """
    away = np.linalg.norm(residuals, axis=2) / SIGMA
    roots = np.sqrt(np.minimum(1, HUBER / np.maximum(away, 1e-12)))[..., None] / SIGMA
    N, rows = len(residuals), 3 * residuals.shape[1]
    scaled = [(J * roots[..., None]).reshape(N, rows, J.shape[3]) for J in jacobians]
    return *scaled, (residuals * roots).reshape(N, rows)


def held(hand: HandAngles, angles: np.ndarray, g: np.ndarray) -> np.ndarray:
    """(N, P) which parameters stand at a limit that the cost would have them cross."""
    at_limit = np.zeros(g.shape, bool)
    at_limit[:, 6:] = ((angles <= hand.lower) & (g[:, 6:] > 0)) | (
        (angles >= hand.upper) & (g[:, 6:] < 0)
    )
    return at_limit


def damped_step(
    A: np.ndarray, right: np.ndarray, still: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Solve (A + damping diag A) step = -right, (N, P, n), without the parameters to be still."""
    A = np.where(still[:, :, None] | still[:, None, :], 0, A)
    diagonal = np.arange(A.shape[1])
    A[:, diagonal, diagonal] *= 1 + damping[:, None]
    A[:, diagonal, diagonal] += still
    return -np.linalg.solve(A, np.where(still[..., None], 0, right))


def move(hand: HandAngles, at: Placement, step: np.ndarray) -> Placement:
    """Turn, shift and bend hands by (N, P) steps, within their limits."""
    return Placement(
        rodrigues(step[:, :3]) @ at.R,
        at.wrist + step[:, 3:6],
        clamp(hand, at.angles + step[:, 6:]),
    )
