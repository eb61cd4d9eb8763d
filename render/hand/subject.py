"""The hand of one person from many frames: its shape, and where on its bones the points sit."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from render.hand.model import HandModel
from render.hand.points import BonePoints, Placement, PointKinematics
from render.hand.pose import hand_angles
from render.hand.solve import Prior, cost, damped_step, held, move, normal_equations, weighted_rows

FRAMES_WORTH = 5.0  # what all frames together count for against what is expected of a person
SHAPE_SIGMA = 2.0  # a shape coefficient
ITERATIONS, CONVERGED = 30, 1e-4  # of a fit: at most, and the gain, as a share, that is no gain
WIDENED = 2.0  # how much farther than in the frames seen a person's gestures may go
BELIEF = 20.0  # frames that what is believed of any hand's gestures counts for


@dataclass(frozen=True, eq=False)
class Subject:
    """A person's hand.

    shape: (S,) coefficients. points: with places fitted to the person. prior: how the person was
    seen to hold the hand.
    """

    shape: np.ndarray
    points: BonePoints
    prior: Prior


def learned_prior(angles: np.ndarray, before: Prior) -> Prior:
    """What is believed of a person's gestures after some frames, (N, D) radians.

    A normal distribution around the gestures seen, wider than they are, and drawn the more towards
    what was believed before, the fewer they are.
    """
    N = len(angles)
    off = angles - angles.mean(axis=0)
    covariance = WIDENED**2 * off.T @ off + BELIEF * np.linalg.inv(before.precision)
    mean = (N * angles.mean(axis=0) + BELIEF * before.mean) / (N + BELIEF)
    return Prior(mean, (N + BELIEF) * np.linalg.inv(covariance))


def refine_subject(
    model: HandModel,
    targets: np.ndarray,
    expected: BonePoints,
    start: tuple[np.ndarray, np.ndarray, Placement],
    prior: Prior,
) -> tuple[np.ndarray, np.ndarray, Placement]:
    """Fit shape, places of the points and all poses together, by Levenberg-Marquardt.

    Args:
        targets: (N, K, 3) metres, camera frame.
        expected: where the points should be on a hand of zero shape.
        start: shape (S,), places (K, 3) and placements to start from.
        prior: of the angles.

    Returns:
        The same three as start, fitted.
    """
    problem = _Problem(model, targets, expected, prior)
    now, damping = _Guess(*start), 1e-2
    best = problem.cost(now)
    for _ in range(ITERATIONS):
        candidate = problem.step(now, damping)
        reached = problem.cost(candidate)
        damping *= 0.3 if reached < best else 5.0
        if reached < best:
            now, gain, best = candidate, best - reached, reached
            if gain < CONVERGED * best:
                break
    return now.shape, now.places, now.at


@dataclass(frozen=True, eq=False)
class _Guess:
    shape: np.ndarray
    places: np.ndarray
    at: Placement


class _Problem:
    """What all frames of a person say, and what was believed of the person before."""

    def __init__(
        self, model: HandModel, targets: np.ndarray, expected: BonePoints, prior: Prior
    ) -> None:
        self.model, self.hand = model, hand_angles(model)
        self.targets, self.expected, self.prior = targets, expected, prior
        spread = [np.full(model.shape_size, SHAPE_SIGMA), np.repeat(expected.loose, 3)]
        self.precision = len(targets) / FRAMES_WORTH / np.concatenate(spread) ** 2

    def kinematics(self, guess: _Guess) -> PointKinematics:
        moved = dataclasses.replace(self.expected, places=guess.places)
        return PointKinematics(self.model, self.hand, moved, guess.shape)

    def deviation(self, guess: _Guess) -> np.ndarray:
        """(S + 3K,) of what is shared, from what was expected."""
        return np.concatenate([guess.shape, (guess.places - self.expected.places).ravel()])

    def cost(self, guess: _Guess) -> float:
        of_frames = cost(self.kinematics(guess), self.targets, self.prior, guess.at).sum()
        return float(of_frames + self.precision @ self.deviation(guess) ** 2)

    def step(self, guess: _Guess, damping: float) -> _Guess:
        """One damped Gauss-Newton step of everything.

        A pose touches its own frame only, and so is eliminated first: Schur complement, as in
        bundle adjustment (Triggs et al., "Bundle Adjustment - A Modern Synthesis", 2000, 6.1).
        """
        kinematics, at = self.kinematics(guess), guess.at
        points, J = kinematics.locate_and_differentiate(at)
        away = points - self.targets
        A, g = normal_equations(away, J, self.prior, at)
        still = held(self.hand, at.angles, g)

        J, G, scaled = weighted_rows(away, J, kinematics.by_shape(at))
        B = np.where(still[:, :, None], 0, np.swapaxes(J, 1, 2) @ G)
        C = np.einsum("nra,nrb->ab", G, G, optimize=True) + np.diag(self.precision)
        c = np.einsum("nra,nr->a", G, scaled, optimize=True)
        c += self.precision * self.deviation(guess)
        C[np.diag_indices_from(C)] *= 1 + damping

        right = np.concatenate([g[..., None], B], axis=2)
        solved = damped_step(A, right, still, np.full(len(A), damping))
        own, coupling = solved[..., 0], solved[..., 1:]
        C += np.einsum("npa,npb->ab", B, coupling, optimize=True)
        c += np.einsum("npa,np->a", B, own, optimize=True)
        shared = -np.linalg.solve(C, c)
        of_shape, of_places = np.split(shared, [len(guess.shape)])
        return _Guess(
            guess.shape + of_shape,
            guess.places + of_places.reshape(-1, 3),
            move(self.hand, at, own + coupling @ shared),
        )
