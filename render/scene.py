"""SceneSpec: everything that is drawn, down to the light. Plain data with a JSON round trip."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from render.camera import Camera

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Material:
    """Surface appearance, Blinn-Phong.

    tint: linear factors on the mesh's own colour, RGB. gloss: strength of the highlight, 0..1.
    shininess: its exponent.
    """

    tint: Vector = (1.0, 1.0, 1.0)
    gloss: float = 0.0
    shininess: float = 32.0


@dataclass(frozen=True)
class Posture:
    """How a hand is bent and shaped; see `render.hand.pose_hand`.

    pose: 16 rotation vectors, axis times angle, one a joint. shape: coefficients.
    """

    pose: tuple[Vector, ...]
    shape: Vector

    @staticmethod
    def of(pose: np.ndarray, shape: np.ndarray) -> "Posture":
        """From (16, 3) rotation vectors and (S,) coefficients."""
        return Posture(rows(pose), tuple(float(x) for x in shape))


@dataclass(frozen=True)
class Placed:
    """A mesh in the scene.

    obj_id: key of the mesh among those given to the renderer. cam_from_obj: 4x4 row-major, metres.
    stretch: scale of the vertices along the object's own axes, before the pose; 1 is exact.
    annotated: False for what only occludes or distracts. posture: of a hand; None is its
    template.
    """

    obj_id: int
    cam_from_obj: tuple[Vector, ...]
    material: Material = Material()
    stretch: Vector = (1.0, 1.0, 1.0)
    annotated: bool = True
    posture: Posture | None = None

    @property
    def matrix(self) -> np.ndarray:
        """cam_from_obj as a (4, 4) float64 array."""
        return np.array(self.cam_from_obj, np.float64)


@dataclass(frozen=True)
class Light:
    """A light, in the camera frame.

    kind: "directional" (vector points from the surface towards the light, unit length) or "point"
    (vector is the position in metres; no fall-off). color: linear RGB intensity.
    """

    kind: str
    vector: Vector
    color: Vector = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Background:
    """What stands behind the objects.

    kind: "plain" (color), "image" (path; crop_from_image 2x3 row-major maps it into the frame) or
    "noise" (procedural, from seed and color).
    """

    kind: str = "plain"
    color: Vector = (0.0, 0.0, 0.0)
    path: str | None = None
    crop_from_image: tuple[Vector, ...] | None = None
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class ColorSensor:
    """The colour camera; the defaults are a perfect one.

    gain: exposure factor. white_balance: per-channel factors. gamma: exponent on intensities in
    0..1. blur_px: Gaussian sigma. noise: standard deviation of additive noise on a 0..1 scale.
    seed: of the noise.
    """

    gain: float = 1.0
    white_balance: Vector = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class SceneSpec:
    """One image to draw. K is 3x3 row-major; size is (width, height); ambient is linear RGB."""

    K: tuple[Vector, ...]
    size: tuple[int, int]
    objects: tuple[Placed, ...] = ()
    ambient: Vector = (0.4, 0.4, 0.4)
    lights: tuple[Light, ...] = ()
    background: Background = Background()
    sensor: ColorSensor = ColorSensor()

    @property
    def camera(self) -> Camera:
        """The spec's camera."""
        return Camera(np.array(self.K), *self.size)

    def to_json(self) -> str:
        """The spec as one line of JSON; `from_json` gives back an equal spec, bit for bit."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "SceneSpec":
        """Read what `to_json` wrote."""
        fields = _tuples(json.loads(text))
        objects = [{**o, "material": Material(**o["material"])} for o in fields["objects"]]
        for item in objects:
            if item.get("posture"):
                item["posture"] = Posture(**item["posture"])
        return SceneSpec(
            **{
                **fields,
                "objects": tuple(Placed(**o) for o in objects),
                "lights": tuple(Light(**light) for light in fields["lights"]),
                "background": Background(**fields["background"]),
                "sensor": ColorSensor(**fields["sensor"]),
            }
        )


def rows(matrix: np.ndarray) -> tuple[Vector, ...]:
    """A matrix as the nested tuples of Python floats that a spec holds."""
    return tuple(tuple(float(x) for x in row) for row in matrix)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return value
