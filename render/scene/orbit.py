"""From where a camera looks: a random view, or a smooth way around a scene through many."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from render.scene.layout import LayoutConfig

APART_DEG = 45.0  # between way-points, around the scene


def view_angles(config: "LayoutConfig", rng: np.random.Generator) -> tuple[float, float, float]:
    """Azimuth, elevation and roll, degrees: uniform in area on the band of elevations."""
    low, high = np.sin(np.radians(config.elevation_deg))
    elevation = float(np.degrees(np.arcsin(rng.uniform(low, high))))
    return rng.uniform(0, 360), elevation, rng.uniform(*config.inplane_deg)


def view_matrix(azimuth: float, elevation: float, roll: float) -> np.ndarray:
    """(3, 3) camera from object, of degrees."""
    return Rotation.from_euler("zxz", [azimuth, 90 + elevation, roll], degrees=True).as_matrix()


class View(NamedTuple):
    """Where a camera is that looks at a target, in the world's frame.

    azimuth, elevation, roll: degrees, as `view_matrix` takes them. depth: metres of
    the target. target: (3,).
    """

    azimuth: float
    elevation: float
    roll: float
    depth: float
    target: np.ndarray


def orbit(
    draw: Callable[[np.random.Generator], View],
    frames: int,
    step_deg: float,
    rng: np.random.Generator,
) -> list[View]:
    """Views of consecutive frames, so many degrees of azimuth apart, the one way or the other.

    Between way-points every value goes as a monotone cubic (F. N. Fritsch and J. Butland, "A method
    for constructing local monotone piecewise cubic interpolants", 1984): smoothly, and nowhere
    beyond the values of the way-points on both sides.

    Args:
        draw: a way-point, of which the azimuth counts for the first one only.
    """
    first = draw(rng)
    sense = 1 if rng.random() < 0.5 else -1
    azimuths = first.azimuth + sense * step_deg * np.arange(frames)
    count = 2 + int(step_deg * (frames - 1) / APART_DEG)
    points = [first, *(draw(rng) for _ in range(count - 1))]
    values = np.array([[p.elevation, p.roll, p.depth, *p.target] for p in points])
    along = PchipInterpolator(APART_DEG * np.arange(count), values)(step_deg * np.arange(frames))
    return [
        View(float(azimuth), float(row[0]), float(row[1]), float(row[2]), row[3:])
        for azimuth, row in zip(azimuths, along, strict=True)
    ]
