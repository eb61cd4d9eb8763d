"""SceneSpec: everything that is drawn, down to the light. Plain data with a JSON round trip."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from render.camera import Camera
from render.environment.spec import Environment
from render.mesh.mesh import SMALL
from render.scene.spec_check import check_spec
from render.sensor.spec import DEPTH_SENSORS, ColorSensor, DepthSensor, Vector

NEAR = 0.01  # metres; what is nearer to the camera is cut off, unless objects are small
# Fields that older specs do not have; they are not written down where they are None.
OF_LOOKS = ("environment", "roughness", "metallic", "texture", "radius")
YOUNG = (*OF_LOOKS, "distortion", "cam_from_world")
NEAREST_SHARE = 0.2  # of an annotated object's distance: what is drawn of it is no nearer
LIGHT_KINDS = ("directional", "point", "spot")


@dataclass(frozen=True)
class Texture:
    """What a surface shows in place of its mesh's own colours.

    path: a picture; where None, the procedural surface `draw_texture(kind, number)`. tile: metres,
    after the stretch, that its width covers. It repeats, and lies on the mesh as seen along the
    mesh's own axes, by shares of how far each side is turned to them; so it needs no coordinates.
    """

    tile: float
    path: str | None = None
    kind: str = "plain"
    number: int = 0


@dataclass(frozen=True)
class Material:
    """Surface appearance: Blinn-Phong, and in an environment glTF's metallic-roughness.

    tint: linear factors on the mesh's own colour, RGB. gloss: strength of the highlight, 0..1.
    shininess: its exponent. A roughness in 0..1, as glTF and pyrender have it, is a shininess of
    2 / roughness^4 - 2: the exponent is 2 / alpha^2 - 2 (B. Walter et al., "Microfacet models for
    refraction through rough surfaces", 2007, section 5.2) and alpha = roughness^2 (B. Burley,
    "Physically-based shading at Disney", 2012). So 8 to 64 is a roughness of 0.67 to 0.42.

    roughness: 0 is a mirror, 1 matt; None is what that makes of the shininess. metallic: 0 is a
    dielectric, whose highlights are white, 1 a metal; None is 0. Both count in an environment only,
    where gloss does not.

    texture: in place of the mesh's own colours; tint is on it.
    """

    tint: Vector = (1.0, 1.0, 1.0)
    gloss: float = 0.0
    shininess: float = 32.0
    roughness: float | None = None
    metallic: float | None = None
    texture: Texture | None = None

    @property
    def microfacets(self) -> tuple[float, float]:
        """Roughness and metallic, as they count in an environment."""
        of_shininess = (2 / (self.shininess + 2)) ** 0.25
        rough = of_shininess if self.roughness is None else self.roughness
        return rough, self.metallic or 0.0


@dataclass(frozen=True)
class Posture:
    """How a hand is bent and shaped; see `render.hand.model.pose_hand`.

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

    kind: "directional" (vector points from the surface towards the light, unit length), "point" or
    "spot" (vector is the position in metres; no fall-off with distance). color: linear RGB
    intensity. shadow: what stands in its way keeps it off.

    direction: the way a spot shines, unit length. cone: a spot's inner and outer half angle,
    radians: its whole intensity inside the inner, none outside the outer; between them that of
    glTF 2.0's extension KHR_lights_punctual.

    radius: of the lamp, metres, which softens its shadows; of a directional light the tangent of
    the angle that its radius is seen under. None and 0 are a point, whose shadows are sharp.
    """

    kind: str
    vector: Vector
    color: Vector = (1.0, 1.0, 1.0)
    shadow: bool = False
    direction: Vector = (0.0, 0.0, 1.0)
    cone: Vector = (0.0, math.pi / 4)
    radius: float | None = None


@dataclass(frozen=True)
class Background:
    """What stands behind the objects.

    kind: "plain" (color), "image" (path; crop_from_image 2x3 row-major maps it into the frame),
    "noise" (procedural, from seed and color) or "environment" (what shines on the objects).
    """

    kind: str = "plain"
    color: Vector = (0.0, 0.0, 0.0)
    path: str | None = None
    crop_from_image: tuple[Vector, ...] | None = None
    seed: tuple[int, ...] = ()


PERFECT = ColorSensor()


@dataclass(frozen=True)
class SceneSpec:
    """One image to draw. K is 3x3 row-major; size is (width, height); ambient is linear RGB.

    sensor: the colour camera. depth_sensor: the depth camera, None for a perfect one. near: metres;
    what is nearer to the camera is cut off. environment: where the ambient light comes from; with
    one, all is shaded physically, see `render/draw/shaders/physical.frag`. None is from everywhere
    alike, and Blinn-Phong. distortion: of the lens, OpenCV's k1, k2, p1, p2, k3; None of a pinhole.
    cam_from_world: 4x4 row-major, metres, of a camera that goes from frame to frame of a scene.
    """

    K: tuple[Vector, ...]
    size: tuple[int, int]
    objects: tuple[Placed, ...] = ()
    ambient: Vector = (0.4, 0.4, 0.4)
    lights: tuple[Light, ...] = ()
    background: Background = Background()
    sensor: ColorSensor = PERFECT
    depth_sensor: DepthSensor | None = None
    near: float = NEAR
    environment: Environment | None = None
    distortion: Vector | None = None
    cam_from_world: tuple[Vector, ...] | None = None

    @property
    def camera(self) -> Camera:
        """The spec's camera."""
        return Camera(np.array(self.K), *self.size, self.distortion)

    def to_json(self) -> str:
        """The spec as one line of JSON; `from_json` gives back an equal spec, bit for bit."""
        fields = dict(vars(self))
        if self.near == NEAR:
            del fields["near"]  # which older specs do not say
        return json.dumps(_without_young(fields), default=lambda part: _without_young(vars(part)))

    @staticmethod
    def from_json(text: str) -> "SceneSpec":
        """Read what `to_json` wrote, unchecked."""
        return _spec(_tuples(json.loads(text)))

    @staticmethod
    def from_plain(value: Any, where: str) -> "SceneSpec":
        """The spec in what a JSON file holds.

        Raises:
            InputError: a value is missing, unknown, or cannot be drawn; says where.
        """
        return _spec(_tuples(check_spec(value, where)))


def near_plane(diameter: float) -> float:
    """From which depth on a scene is drawn whose smallest object has this diameter, metres."""
    return NEAR * min(1.0, diameter / SMALL)


def near_of(objects: Sequence[Placed]) -> float:
    """From which depth on objects are drawn that are where somebody annotated them, metres."""
    away = [float(np.linalg.norm(placed.matrix[:3, 3])) for placed in objects]
    return max(1e-6, min([NEAR, *(NEAREST_SHARE * distance for distance in away)]))


def rows(matrix: np.ndarray) -> tuple[Vector, ...]:
    """A matrix as the nested tuples of Python floats that a spec holds."""
    return tuple(tuple(float(x) for x in row) for row in matrix)


def _without_young(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in fields.items() if not (v is None and name in YOUNG)}


def _spec(fields: dict[str, Any]) -> SceneSpec:
    objects = [{**o, "material": _material(o["material"])} for o in fields["objects"]]
    for item in objects:
        if item.get("posture"):
            item["posture"] = Posture(**item["posture"])
    depth_sensor = fields.get("depth_sensor")
    if depth_sensor is not None:
        depth_sensor = DEPTH_SENSORS[depth_sensor["kind"]](**depth_sensor)
    environment = fields.get("environment")
    if environment is not None:
        environment = Environment(**environment)
    return SceneSpec(
        **{
            **fields,
            "environment": environment,
            "objects": tuple(Placed(**o) for o in objects),
            "lights": tuple(Light(**light) for light in fields["lights"]),
            "background": Background(**fields["background"]),
            "sensor": ColorSensor(**fields["sensor"]),
            "depth_sensor": depth_sensor,
        }
    )


def _material(fields: dict[str, Any]) -> Material:
    texture = fields.get("texture")
    return Material(**{**fields, "texture": None if texture is None else Texture(**texture)})


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return value
