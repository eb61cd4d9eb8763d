"""Light from all around, as plain data: a part of SceneSpec."""

from dataclasses import dataclass

from render.sensor.spec import Vector

DRAWN_KINDS = ("studio", "room", "sky")  # from a seed
ENVIRONMENT_KINDS = ("plain", *DRAWN_KINDS, "image")
KEPT = 64  # that a process holds ready at a time, 2 MB each
UPRIGHT: tuple[Vector, ...] = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


@dataclass(frozen=True)
class Environment:
    """What shines from all around, infinitely far away; its z axis is up.

    kind: "plain" (white in every direction), "studio", "room" or "sky" (procedural, from seed), or
    "image" (path: a panorama, as `read_panorama` takes it). env_from_cam: 3x3 row-major rotation
    from the camera's axes to the environment's; that of a level camera, if not given.
    """

    kind: str = "plain"
    env_from_cam: tuple[Vector, ...] = UPRIGHT
    seed: tuple[int, ...] = ()
    path: str | None = None
