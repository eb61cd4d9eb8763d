"""Symmetries of an object, from BOP's models_info.json."""

import numpy as np

from render.transforms import rigid, rodrigues


def symmetry_transforms(info: dict, steps: int = 64) -> np.ndarray:
    """All transforms under which an object looks the same, as BOP defines them.

    The identity and the discrete symmetries, each followed by each step of the continuous ones
    (bop_toolkit, misc.get_symmetry_transformations, which drops the step of no rotation).

    Args:
        info: a record of models_info.json; lengths in mm.
        steps: how many steps a full turn about a continuous axis is sampled in.

    Returns:
        (s, 4, 4) obj_from_obj in metres, the identity first.

    Raises:
        ValueError: a symmetry is not a rigid transform, or an axis has no direction.
    """
    discrete = [np.eye(4)]
    for numbers in info.get("symmetries_discrete", ()):
        obj_from_obj = np.array(numbers, np.float64).reshape(4, 4)
        R = obj_from_obj[:3, :3]
        if not np.allclose(R @ R.T, np.eye(3), atol=1e-2) or np.linalg.det(R) < 0:
            raise ValueError(f"the discrete symmetry {numbers} is not a rigid transform")
        discrete.append(rigid(R, obj_from_obj[:3, 3] / 1000))

    continuous = [np.eye(4)]
    for symmetry in info.get("symmetries_continuous", ()):
        axis, offset = np.float64(symmetry["axis"]), np.float64(symmetry["offset"]) / 1000
        if not np.linalg.norm(axis) > 0:
            raise ValueError(f"the symmetry axis {symmetry['axis']} has no direction")
        for angle in 2 * np.pi * np.arange(1, steps) / steps:
            R = rodrigues(angle * axis / np.linalg.norm(axis))
            continuous.append(rigid(R, offset - R @ offset))
    return np.stack([turn @ step for step in discrete for turn in continuous])
