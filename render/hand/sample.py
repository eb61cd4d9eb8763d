"""Random gestures: within the limits of joints, no finger through another."""

import numpy as np

from render.hand.contact import HandCapsules
from render.hand.model import FINGERS
from render.hand.pose import DIP_OF_PIP, HandAngles, clamp

DIP_SPREAD = np.radians(5)  # around two thirds of the PIP's angle
TRIES = 50
CALMER = 0.9  # of a disturbance, from try to try


def draw_angles(
    rng: np.random.Generator, hand: HandAngles, capsules: HandCapsules, count: int
) -> np.ndarray:
    """Draw gestures, uniform within the limits but for what joints do together.

    The last joint of a finger bends by two thirds of the one before (Lin, Wu and Huang 2000), and a
    finger spreads the less, the more its knuckle is bent, and not at all at a right angle. Gestures
    in which bones cross are drawn again.

    Returns:
        (count, D) radians.

    Raises:
        RuntimeError: 50 times in a row the bones cross; so no hand.
    """
    angles = np.empty((count, len(hand.names)))
    crossed = np.arange(count)
    for _ in range(TRIES):
        drawn = rng.uniform(hand.lower, hand.upper, (len(crossed), angles.shape[1]))
        angles[crossed] = _coupled(rng, hand, drawn)
        crossed = crossed[capsules.overlap(angles[crossed]) > 0]
        if not len(crossed):
            return angles
    raise RuntimeError(f"bones cross in {len(crossed)} of {count} gestures after {TRIES} tries")


def perturb_angles(
    rng: np.random.Generator,
    hand: HandAngles,
    capsules: HandCapsules,
    angles: np.ndarray,
    spread: float,
) -> np.ndarray:
    """Disturb real gestures, as the paper does with its training poses.

    Where bones would cross, a smaller disturbance is tried, at last none. Real gestures may touch
    deeper than the capsules allow: those are let touch as deep as they do.

    Args:
        angles: (N, D) radians. spread: standard deviation of every angle, radians.

    Returns:
        (N, D), within the limits.
    """
    start = clamp(hand, angles)
    allowed = np.maximum(capsules.overlap(start), 0)
    disturbed, crossed = start.copy(), np.arange(len(start))
    for attempt in range(TRIES):
        noise = rng.normal(0, spread * CALMER**attempt, (len(crossed), start.shape[1]))
        disturbed[crossed] = clamp(hand, start[crossed] + noise)
        crossed = crossed[capsules.overlap(disturbed[crossed]) > allowed[crossed]]
        if not len(crossed):
            break
    disturbed[crossed] = start[crossed]
    return disturbed


def _coupled(rng: np.random.Generator, hand: HandAngles, angles: np.ndarray) -> np.ndarray:
    coupled = angles.copy()
    for finger in FINGERS:
        if finger == "thumb":
            continue
        pip, dip = hand.index(f"{finger}2 flexion"), hand.index(f"{finger}3 flexion")
        coupled[:, dip] = rng.normal(DIP_OF_PIP * angles[:, pip], DIP_SPREAD)
        bent = angles[:, hand.index(f"{finger}1 flexion")] / np.radians(90)
        coupled[:, hand.index(f"{finger}1 abduction")] *= np.clip(1 - bent, 0, 1)
    return clamp(hand, coupled)
