"""What a camera does to a perfect frame, as plain data: a part of SceneSpec."""

from dataclasses import dataclass

Vector = tuple[float, ...]


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
