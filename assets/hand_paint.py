"""The skin of the bundled hand: vertex colours, drawn from life."""

import numpy as np

from assets.hand_skeleton import flexion_axes, joints
from assets.hand_surface import RADII
from render.hand.model import FINGERS

BACK, PALM, FLUSH, NAIL = np.array(
    [[206.0, 152, 124], [228, 178, 155], [214, 128, 108], [234, 186, 172]]
)


def skin(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(V, 3) uint8 colours: a paler palm, redder knuckles and fingertips, nails."""
    upward = normals[:, 2] / np.linalg.norm(normals, axis=1)
    palmar = np.clip(0.5 - 1.2 * upward, 0, 1)[:, None]
    colors = BACK + palmar * (PALM - BACK)

    places, tips = joints()
    for at, reach in [(p, 13.0) for p in places[1:]] + [(t, 16.0) for t in tips]:
        near = 0.35 * np.exp(-((np.linalg.norm(vertices - at, axis=1) / reach) ** 4))
        colors = colors + near[:, None] * (FLUSH - colors)
    for i, finger in enumerate(FINGERS):
        on_nail = _on_nail(vertices - places[3 + 3 * i], tips[i] - places[3 + 3 * i], i, finger)
        colors = colors + on_nail[:, None] * (NAIL - colors)
    return np.round(colors).astype(np.uint8)


def _on_nail(offsets: np.ndarray, bone: np.ndarray, number: int, finger: str) -> np.ndarray:
    """(V,) how much of a nail is at offsets from the last joint of a finger."""
    length, across = np.linalg.norm(bone), flexion_axes()[3 + 3 * number]
    dorsal = np.cross(bone / length, across)
    radius = RADII[finger][3]
    along = offsets @ bone / length
    u = (along - length + 0.9 * radius) / (0.85 * radius)
    v = (offsets @ across) / (0.75 * radius)
    above = offsets @ dorsal > 0.25 * radius
    return np.clip(2.5 * (1.15 - np.sqrt(u**2 + v**2)), 0, 1) * above
