"""What a frame shows of a scene, before backgrounds and sensors."""

from dataclasses import dataclass

import numpy as np

from render.camera import Camera
from render.environment.spec import Environment
from render.scene.spec import Light, Placed


@dataclass(frozen=True)
class Shown:
    """Meshes and light in the camera's frame.

    ambient: linear RGB. cam_from_world: (4, 4) of a camera that goes from frame to frame, else
    None.
    """

    camera: Camera
    objects: tuple[Placed, ...]
    ambient: tuple[float, ...]
    lights: tuple[Light, ...]
    environment: Environment | None
    cam_from_world: np.ndarray | None = None
