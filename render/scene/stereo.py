"""What a second camera to the right of the first one sees of the same moment."""

from dataclasses import replace

import numpy as np

from render.scene.lighting import moved_light
from render.scene.spec import SceneSpec, rows
from render.transforms import rigid

RIGHT = 2  # ends the seeds of its noise; 1 ends that of shot noise


def right_split(split: str) -> str:
    """Name of the split of the right cameras' images."""
    return f"{split}_right"


def right_from_left(baseline: float) -> np.ndarray:
    """(4, 4) from the left camera to one turned alike, `baseline` metres to its right."""
    return rigid(np.eye(3), [-baseline, 0.0, 0.0])


def right_of(spec: SceneSpec, baseline: float) -> SceneSpec:
    """The same scene before the right camera: of the same make, exposed alike, in noise of its own.

    What stands behind all is infinitely far away, and stays where it is in the image.
    """
    T = right_from_left(baseline)
    color, depth = spec.sensor, spec.depth_sensor
    if color.seed:
        color = replace(color, seed=(*color.seed, RIGHT))
    if depth is not None:
        depth = replace(depth, seed=(*depth.seed, RIGHT))
    world = spec.cam_from_world
    return replace(
        spec,
        objects=tuple(replace(p, cam_from_obj=rows(T @ p.matrix)) for p in spec.objects),
        lights=tuple(moved_light(light, T) for light in spec.lights),
        sensor=color,
        depth_sensor=depth,
        cam_from_world=None if world is None else rows(T @ np.array(world)),
    )
