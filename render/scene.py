"""SceneSpec: everything that is drawn, down to the light. Plain data with a JSON round trip."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from render.camera import Camera

Vector = tuple[float, ...]

LIGHT_KINDS = ("directional", "point", "spot")


@dataclass(frozen=True)
class Material:
    """Surface appearance, Blinn-Phong.

    tint: linear factors on the mesh's own colour, RGB. gloss: strength of the highlight, 0..1.
    shininess: its exponent. A roughness in 0..1, as glTF and pyrender have it, is a shininess of
    2 / roughness^4 - 2: the exponent is 2 / alpha^2 - 2 (B. Walter et al., "Microfacet models for
    refraction through rough surfaces", 2007, section 5.2) and alpha = roughness^2 (B. Burley,
    "Physically-based shading at Disney", 2012). So 8 to 64 is a roughness of 0.67 to 0.42.
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

    kind: "directional" (vector points from the surface towards the light, unit length), "point" or
    "spot" (vector is the position in metres; no fall-off with distance). color: linear RGB
    intensity. shadow: what stands in its way keeps it off.

    direction: the way a spot shines, unit length. cone: a spot's inner and outer half angle,
    radians: its whole intensity inside the inner, none outside the outer; between them that of
    glTF 2.0's extension KHR_lights_punctual.
    """

    kind: str
    vector: Vector
    color: Vector = (1.0, 1.0, 1.0)
    shadow: bool = False
    direction: Vector = (0.0, 0.0, 1.0)
    cone: Vector = (0.0, math.pi / 4)


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
    """The colour camera; the defaults are a perfect one, and each switches its own effect off.

    gain: exposure factor. white_balance: per-channel factors. gamma: exponent on intensities in
    0..1. blur_px: Gaussian sigma of defocus. noise: standard deviation of additive noise on the
    finished picture's 0..1 scale, alike for dark and bright. seed: of all noise. motion_px: how far
    (u, v) the picture moves while it is exposed. full_well_e: electrons that make white, which give
    the light's shot noise; 0 for none. read_noise_e: standard deviation of the read-out, electrons;
    nothing without a full well. bayer: one colour a photosite, the others interpolated.
    jpeg_quality: 1..100, 0 for no compression.
    """

    gain: float = 1.0
    white_balance: Vector = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0
    seed: tuple[int, ...] = ()
    motion_px: Vector = (0.0, 0.0)
    full_well_e: float = 0.0
    read_noise_e: float = 0.0
    bayer: bool = False
    jpeg_quality: int = 0


@dataclass(frozen=True)
class StructuredLight:
    """A depth camera that matches a projected pattern, such as Kinect v1 or PrimeSense.

    Lengths in px are those of the sensor's own image, whose focal length is focal_px; a rendered
    frame, such as a crop, may have another. The defaults are Kinect v1's, 0 switches an effect off.

    baseline: from camera to projector, metres, positive to the camera's right (x). focal_px,
    disparity_step_px, disparity_noise_px (standard deviation): Khoshelham and Elberink, "Accuracy
    and resolution of Kinect depth data", Sensors 12(2), 2012: 5.453 mm of 9.3 um, an eighth, and
    half of that. lateral_px: standard deviation of where an edge is seen, Nguyen, Izadi and Lovell,
    "Modeling Kinect sensor noise", 3DIMPVT 2012. grain_px: over which noise is alike, half of the
    9 px window that is matched (Gschwandtner et al., "BlenSor", ISVC 2011). shadows: nothing is
    seen where the projector's light does not reach. grazing_deg: nothing is seen of surfaces whose
    normal is turned away by more, 90 for no limit; a choice, no source gives it.
    """

    kind: str = "structured-light"
    baseline: float = 0.075
    focal_px: float = 586.0
    disparity_step_px: float = 0.125
    disparity_noise_px: float = 0.0625
    lateral_px: float = 0.8
    grain_px: float = 4.5
    shadows: bool = True
    grazing_deg: float = 80.0
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class TimeOfFlight:
    """A depth camera that measures the phase of modulated light, such as Kinect v2 or Azure Kinect.

    Amplitudes are relative to that of a surface at 1 m that faces the camera. 0 switches an effect
    off. Light that comes by way of other surfaces and errors of calibration are left out.

    focal_px: of the sensor's own image, Kinect v2. noise: standard deviation of the distance at
    amplitude 1, metres; Fankhauser et al., "Kinect v2 for mobile robot navigation", ICAR 2015, fit
    1.3 mm at 1 m. ambient: strength of other light, which adds noise and no signal.
    least_amplitude: below it nothing is seen; a choice, within it lies what faces the camera up to
    7 m. mixing_px: Gaussian sigma of the footprint over which a pixel mixes what it sees, which
    makes pixels fly between surfaces; a choice, about the pixel's own area.
    """

    kind: str = "time-of-flight"
    focal_px: float = 365.5
    noise: float = 0.0013
    ambient: float = 0.0
    least_amplitude: float = 0.02
    mixing_px: float = 0.5
    seed: tuple[int, ...] = ()


DepthSensor = StructuredLight | TimeOfFlight
DEPTH_SENSORS = {sensor.kind: sensor for sensor in (StructuredLight, TimeOfFlight)}


@dataclass(frozen=True)
class SceneSpec:
    """One image to draw. K is 3x3 row-major; size is (width, height); ambient is linear RGB.

    sensor: the colour camera. depth_sensor: the depth camera, None for a perfect one.
    """

    K: tuple[Vector, ...]
    size: tuple[int, int]
    objects: tuple[Placed, ...] = ()
    ambient: Vector = (0.4, 0.4, 0.4)
    lights: tuple[Light, ...] = ()
    background: Background = Background()
    sensor: ColorSensor = ColorSensor()
    depth_sensor: DepthSensor | None = None

    @property
    def camera(self) -> Camera:
        """The spec's camera."""
        return Camera(np.array(self.K), *self.size)

    def to_json(self) -> str:
        """The spec as one line of JSON; `from_json` gives back an equal spec, bit for bit."""
        return json.dumps(self, default=vars)

    @staticmethod
    def from_json(text: str) -> "SceneSpec":
        """Read what `to_json` wrote."""
        fields = _tuples(json.loads(text))
        objects = [{**o, "material": Material(**o["material"])} for o in fields["objects"]]
        for item in objects:
            if item.get("posture"):
                item["posture"] = Posture(**item["posture"])
        depth_sensor = fields.get("depth_sensor")
        if depth_sensor is not None:
            depth_sensor = DEPTH_SENSORS[depth_sensor["kind"]](**depth_sensor)
        return SceneSpec(
            **{
                **fields,
                "objects": tuple(Placed(**o) for o in objects),
                "lights": tuple(Light(**light) for light in fields["lights"]),
                "background": Background(**fields["background"]),
                "sensor": ColorSensor(**fields["sensor"]),
                "depth_sensor": depth_sensor,
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
