"""Points of an object's surface that a network reads beside the corners of its box.

Corners of the box lie beside the object, where no pixel tells of them; points of the surface that
are far from one another are read more exactly, and PnP from them too (Peng et al., PVNet, CVPR
2019, whose choice of points this is).
"""

import numpy as np

from render.mesh.mesh import Mesh
from render.mesh.proposed import sample_surface
from train.learn.targets import NO_POINTS

SAMPLES = 4096  # of the surface, among which they are chosen


def surface_points(mesh: Mesh, count: int) -> np.ndarray:
    """(count, 3) metres: each is farthest from those before it, the first from the middle."""
    if not count:
        return NO_POINTS
    candidates, _ = sample_surface(mesh, SAMPLES, np.random.default_rng(0))
    distance = np.linalg.norm(candidates - candidates.mean(axis=0), axis=1)
    chosen = np.empty((count, 3))
    for i in range(count):
        chosen[i] = candidates[np.argmax(distance)]
        to_it = np.linalg.norm(candidates - chosen[i], axis=1)
        distance = to_it if i == 0 else np.minimum(distance, to_it)
    return chosen
