"""The ranges of the `[sensor]` section, and the cameras drawn from them."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from render.camera import Camera
from render.config import option
from render.distortion import MOST_DISTORTION, Lens, farthest_ray, reach
from render.errors import InputError
from render.sensor.spec import ColorSensor, DepthSensor, StructuredLight, TimeOfFlight

Range = tuple[float, float]


@dataclass(frozen=True)
class SensorConfig:
    """Ranges of everything random in a camera; a range is drawn from uniformly.

    What a value means and where its default is from is said in render/sensor/spec.py. Lengths in px
    are the camera's own; for colour these are the frame's.
    """

    color: Literal["camera", "perfect"] = option(
        "camera", "camera: with all that follows; perfect: the drawn colours as they are"
    )
    gain: Range = option(
        (0.7, 1.3), "Exposure of the colour camera, a factor on intensities; 1 leaves them"
    )
    white_balance: float = option(
        0.05, "Spread of the colour camera's channel gains; 0: none, 0.1: a clear cast", minimum=0
    )
    gamma: Range = option(
        (0.9, 1.1), "Exponent on the colour camera's intensities; below 1 brighter, above 1 darker"
    )
    blur_px: Range = option((0.0, 0.8), "Blur of the colour camera, sigma in pixels; 0: none")
    noise: Range = option(
        (0.0, 0.03), "Noise of the colour camera, standard deviation where white is 1; 0: none"
    )
    motion_px: Range = option(
        (0.0, 0.0), "Motion while the colour is exposed, pixels; 0: none", minimum=0
    )
    full_well_e: Range = option(
        (0.0, 0.0), "Electrons that make white, for shot noise; 0,0: no shot noise", minimum=0
    )
    read_noise_e: Range = option(
        (0.0, 0.0), "Read noise, standard deviation in electrons of full_well_e", minimum=0
    )
    bayer: bool = option(False, "Record colour through a Bayer mosaic, one colour a pixel")
    jpeg_quality: tuple[int, int] = option(
        (0, 0),
        "Quality of JPEG that colour passes through, 1 to 100; 0,0: none",
        minimum=0,
        maximum=100,
    )
    k1: Range = option(
        (0.0, 0.0),
        "Lens distortion of colour, depth and masks alike, OpenCV's k1; 0,0: none, below 0 a"
        " barrel, such as -0.2, above 0 a cushion",
        later=True,
    )
    k2: Range = option((0.0, 0.0), "The same, OpenCV's k2, of the fourth power", later=True)
    p1: Range = option(
        (0.0, 0.0), "The same, OpenCV's p1, of a lens that is not centred, downwards", later=True
    )
    p2: Range = option((0.0, 0.0), "The same, OpenCV's p2, rightwards", later=True)
    k3: Range = option((0.0, 0.0), "The same, OpenCV's k3, of the sixth power", later=True)
    depth: Literal["perfect", "structured-light", "time-of-flight"] = option(
        "perfect", "What kind of depth camera measures; perfect: what is drawn"
    )
    depth_focal_px: float | None = option(
        None, "Focal length of the depth camera; default: Kinect v1's 586, v2's 365.5", minimum=1
    )
    baseline: float = option(0.075, "structured-light: projector right of the camera, m")
    disparity_step_px: float = option(
        0.125, "structured-light: rounding of disparity, pixels; 0: none", minimum=0
    )
    disparity_noise_px: Range = option(
        (0.02, 0.0625),
        "structured-light: noise of disparity, standard deviation, pixels",
        minimum=0,
    )
    lateral_px: Range = option(
        (0.5, 0.8),
        "structured-light: raggedness of edges, standard deviation, pixels; 0: straight",
        minimum=0,
    )
    grain_px: float = option(
        4.5,
        "structured-light: width over which noise is alike, pixels; 0: each pixel its own",
        minimum=0,
    )
    shadows: bool = option(True, "structured-light: no depth where the projector is hidden")
    grazing_deg: Range = option(
        (75.0, 85.0),
        "structured-light: no depth of surfaces turned away by more, degrees; 90: all seen",
        minimum=1,
    )
    distance_noise: Range = option((0.001, 0.002), "time-of-flight: noise at 1 m, m", minimum=0)
    ambient: Range = option(
        (0.0, 0.0), "time-of-flight: other light, as a share of its own; adds noise", minimum=0
    )
    least_amplitude: float = option(
        0.02,
        "time-of-flight: least amplitude seen, as a share of a facing surface's at 1 m",
        minimum=0,
    )
    mixing_px: Range = option(
        (0.3, 0.7), "time-of-flight: mixing of depths at edges, sigma in pixels; 0: none", minimum=0
    )

    def __post_init__(self) -> None:
        if self.baseline == 0:
            raise InputError("sensor.baseline: a projector at the camera sees no disparity; not 0")

    @property
    def lens(self) -> tuple[Range, ...]:
        """The ranges of k1, k2, p1, p2, k3."""
        return self.k1, self.k2, self.p1, self.p2, self.k3

    @property
    def has_lens(self) -> bool:
        """Whether there is any lens distortion."""
        return any(end for ends in self.lens for end in ends)


DEFAULT_SENSOR = SensorConfig()


def depth_spread(config: SensorConfig, depth: np.ndarray) -> np.ndarray:
    """How far off the values of a depth camera may be: three standard deviations and half a step.

    Args:
        depth: metres; the surfaces are taken to face the camera.

    Returns:
        Metres, in the shape of depth.
    """
    if config.depth == "structured-light":
        focal = config.depth_focal_px or StructuredLight.focal_px
        disparity_px = 3 * config.disparity_noise_px[1] + config.disparity_step_px / 2
        return disparity_px / (focal * abs(config.baseline)) * depth**2
    if config.depth == "time-of-flight":
        return 3 * config.distance_noise[1] * depth * np.sqrt(1 + config.ambient[1] * depth**2)
    return np.zeros_like(depth)


def edge_reach_px(config: SensorConfig, focal_px: float) -> int:
    """How far from an edge a depth camera may give another surface's depth, or a mixed one.

    Args:
        focal_px: of the frame.

    Returns:
        Pixels of the frame: three standard deviations.
    """
    sigma, focal = 0.0, 1.0
    if config.depth == "structured-light":
        sigma, focal = config.lateral_px[1], StructuredLight.focal_px
    elif config.depth == "time-of-flight":
        sigma, focal = config.mixing_px[1], TimeOfFlight.focal_px
    return int(np.ceil(3 * sigma * focal_px / (config.depth_focal_px or focal)))


def draw_sensors(
    config: SensorConfig, rng: np.random.Generator, noise_rng: np.random.Generator | None = None
) -> tuple[ColorSensor, DepthSensor | None]:
    """A random colour camera and a random depth camera; None is a perfect one.

    The draws for colour come first and are always the same number, so that neither camera's kind
    changes the other.

    Args:
        noise_rng: gives the cameras of `rng` the noise of those of its own; `rng` itself, or None,
            leaves them as they are.
    """
    if noise_rng is not None and noise_rng is not rng:
        (color, depth), (other, another) = (draw_sensors(config, r) for r in (rng, noise_rng))
        if depth is not None and another is not None:
            depth = replace(depth, seed=another.seed)
        return replace(color, seed=other.seed), depth
    color = draw_color_sensor(config, rng)
    if config.depth == "structured-light":
        return color, _structured_light(config, rng)
    return color, _time_of_flight(config, rng) if config.depth == "time-of-flight" else None


def draw_color_sensor(config: SensorConfig, rng: np.random.Generator) -> ColorSensor:
    """A random colour camera."""
    seen = ColorSensor(
        gain=rng.uniform(*config.gain),
        white_balance=tuple((1 + config.white_balance * rng.uniform(-1, 1, 3)).tolist()),
        gamma=rng.uniform(*config.gamma),
        blur_px=rng.uniform(*config.blur_px),
        noise=rng.uniform(*config.noise),
        seed=_seed(rng),
        motion_px=_direction(rng, rng.uniform(*config.motion_px)),
        full_well_e=rng.uniform(*config.full_well_e),
        read_noise_e=rng.uniform(*config.read_noise_e),
        bayer=config.bayer,
        jpeg_quality=int(rng.integers(*config.jpeg_quality, endpoint=True)),
    )
    return seen if config.color == "camera" else ColorSensor()


def draw_lens(config: SensorConfig, rng: np.random.Generator) -> Lens | None:
    """A random lens distortion; None is a pinhole."""
    return tuple(rng.uniform(*ends) for ends in config.lens) if config.has_lens else None


def check_lens(config: SensorConfig, camera: Camera) -> None:
    """Refuse ranges of lenses that do not show a whole image of a camera.

    Raises:
        InputError: a lens of the ranges' ends folds within the image, or is none.
    """
    for name, ends_of_it in zip(("k1", "k2", "p1", "p2", "k3"), config.lens, strict=True):
        if max(map(abs, ends_of_it)) > MOST_DISTORTION:
            raise InputError(
                f"sensor.{name} = {ends_of_it[0]:g},{ends_of_it[1]:g} is no lens'; give numbers"
                f" from {-MOST_DISTORTION:g} to {MOST_DISTORTION:g}, of most lenses from -1 to 1"
            )
    ends = list(dict.fromkeys(product(*config.lens))) if config.has_lens else []
    widest = [farthest_ray(camera.K, camera.size, lens) for lens in ends]
    for lens in ends:
        # As far out as any of them shows rays; so no lens between them folds there, either.
        if not reach(lens) >= max(widest):
            given = ", ".join(f"{value:g}" for value in lens)
            raise InputError(
                f"sensor.k1, k2, p1, p2, k3: a lens of {given} folds within the"
                f" {camera.width}x{camera.height} image; give such as are nearer to 0, k2 above 0,"
                " or a longer focal length"
            )


def _structured_light(config: SensorConfig, rng: np.random.Generator) -> StructuredLight:
    return StructuredLight(
        baseline=config.baseline,
        focal_px=config.depth_focal_px or StructuredLight.focal_px,
        disparity_step_px=config.disparity_step_px,
        disparity_noise_px=rng.uniform(*config.disparity_noise_px),
        lateral_px=rng.uniform(*config.lateral_px),
        grain_px=config.grain_px,
        shadows=config.shadows,
        grazing_deg=rng.uniform(*config.grazing_deg),
        seed=_seed(rng),
    )


def _time_of_flight(config: SensorConfig, rng: np.random.Generator) -> TimeOfFlight:
    return TimeOfFlight(
        focal_px=config.depth_focal_px or TimeOfFlight.focal_px,
        noise=rng.uniform(*config.distance_noise),
        ambient=rng.uniform(*config.ambient),
        least_amplitude=config.least_amplitude,
        mixing_px=rng.uniform(*config.mixing_px),
        seed=_seed(rng),
    )


def _seed(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(2**31, size=2).tolist())


def _direction(rng: np.random.Generator, length: float) -> tuple[float, float]:
    angle = rng.uniform(0, np.pi)
    return float(length * np.cos(angle)), float(length * np.sin(angle))
