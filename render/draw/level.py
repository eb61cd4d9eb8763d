"""A coarser mesh, and where it is good enough to be drawn."""

import math
from dataclasses import dataclass

from render.camera import Camera
from render.mesh.mesh import Mesh

PIXELS = 0.25  # the error that a level may have where it is drawn


@dataclass(frozen=True, eq=False)
class Level:
    """A mesh that looks like the exact one from afar.

    error: metres at the object, over all views; see level_error.py. closed: nobody outside of it
    sees the back of a face, so that only fronts need to be drawn.
    """

    mesh: Mesh
    error: float
    closed: bool = False


def allowed_error(camera: Camera, depth: float) -> float:
    """The error, in metres, that is PIXELS wide in an image of something so far away."""
    (a, b), (c, d) = camera.K[:2, :2].tolist()
    # The largest singular value: by so much a skewed or rotated K stretches at most.
    pixels_per_unit = (math.hypot(a + d, b - c) + math.hypot(a - d, b + c)) / 2
    return PIXELS * depth / pixels_per_unit
