"""What a frame shows of a scene, before backgrounds and sensors."""

from dataclasses import dataclass

from render.camera import Camera
from render.environment.spec import Environment
from render.scene.spec import Light, Placed


@dataclass(frozen=True)
class Shown:
    """Meshes and light in the camera's frame. ambient: linear RGB."""

    camera: Camera
    objects: tuple[Placed, ...]
    ambient: tuple[float, ...]
    lights: tuple[Light, ...]
    environment: Environment | None
