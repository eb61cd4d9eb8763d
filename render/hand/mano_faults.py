"""What is known to be wrong in MANO files that people have: their unit, a sign of the left hand."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.hand.model import MIRROR

log = logging.getLogger(__name__)

HAND_M = (0.1, 0.3)  # longest side of the box around an open hand, a toddler's to a giant's
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
LENGTHS = ("v_template", "shapedirs", "posedirs")  # what a file gives in its unit

# What one unit of a shape coefficient, a standard deviation, may move the vertex that moves most.
# MANO's move by millimetres; a file whose directions are in another unit is 100 times off.
SHAPE_M = (1e-4, 0.05)
POSE_M = 0.1  # the same for an entry of R - I, at most


def in_metres(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A file's LENGTHS in metres, its unit told by the size of its hand.

    Raises:
        InputError: no unit makes it as large as a hand, or its directions are in another one.
    """
    template = arrays["v_template"]
    extent = float(np.ptp(template, axis=0).max()) if len(template) else 0.0
    units = [unit for unit, scale in UNITS.items() if _within(extent * scale, HAND_M)]
    if not units:
        raise InputError(
            f"{path}: the hand of v_template is {extent:g} long; in metres it must be"
            f" {HAND_M[0]:g} to {HAND_M[1]:g}, and cm and mm are known by being larger;"
            " scale v_template, shapedirs and posedirs alike"
        )
    scaled = {name: arrays[name] for name in LENGTHS}
    if units[0] != "m":
        log.info(
            "%s: taken as %s, for its hand is %.4g long; scaled to metres", path, units[0], extent
        )
        scaled = {n: array.astype(np.float64) * UNITS[units[0]] for n, array in scaled.items()}
    shaped, posed = (float(np.abs(scaled[n]).max(initial=0.0)) for n in LENGTHS[1:])
    if (shaped and not _within(shaped, SHAPE_M)) or posed > POSE_M:
        name, moved = ("posedirs", posed) if posed > POSE_M else ("shapedirs", shaped)
        raise InputError(
            f"{path}: {name} moves vertices by up to {1000 * moved:.3g} mm a unit where the hand is"
            f" {1000 * extent * UNITS[units[0]]:.0f} mm long; it must be in v_template's unit"
        )
    return scaled


def with_left_signs(path: Path, template: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Shape directions (V, 3, S) of a left hand, (V, 3), with x as its template's.

    The left hand as it is distributed has a mirrored template, but its directions' x are the right
    hand's (https://github.com/vchoutas/smplx/issues/48), so a larger hand gets shorter. Hands
    differ in size above all: directions that are right can make the template larger, and those of
    which x has the wrong sign cannot.
    """
    reversed_x = directions * MIRROR[:, None]
    as_given, mended = (_enlarging_error(template, d) for d in (directions, reversed_x))
    if mended > 0.9 * as_given:
        return directions
    log.info(
        "%s: the x of its shapedirs has the wrong sign, as in the left hand that is distributed;"
        " reversed",
        path,
    )
    return reversed_x


def _enlarging_error(template: np.ndarray, directions: np.ndarray) -> float:
    """How far the directions are from making a hand larger about its middle: 0 exactly, 1 not."""
    larger = (template - template.mean(axis=0)).reshape(-1)
    basis = (directions - directions.mean(axis=0)).reshape(len(larger), -1)
    coefficients = np.linalg.lstsq(basis, larger, rcond=None)[0]
    return float(np.linalg.norm(basis @ coefficients - larger) / np.linalg.norm(larger))


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
