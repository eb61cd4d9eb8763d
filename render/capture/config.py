"""Options of `capture`."""

from dataclasses import dataclass

from render.capture.object_config import ObjectConfig
from render.config import option


@dataclass(frozen=True)
class CaptureConfig(ObjectConfig):
    """Real frames with poses, from a film of an object on a printed board."""

    views: int = option(
        60, "Frames to keep, at most: sharp ones, from as many sides as there are.", minimum=3
    )
    longest_side: int = option(
        1920, "Pixels; larger frames are scaled down to it.", minimum=320, maximum=8192
    )
    least_corners: int = option(
        12, "Of the board; a frame that shows fewer is left out.", minimum=6
    )
    least_sharpness: float = option(
        0.3,
        "Of the board's edges, 0 to 1: 0.95 at a blur of half a pixel, 0.4 at two; a frame below is"
        " left out.",
        minimum=0.0,
        maximum=1.0,
    )
    most_rms: float = option(
        1.0, "Pixels; a frame whose corners miss the board by more is left out.", minimum=0.01
    )
    most_focal_std: float = option(
        0.003,
        "Share of the focal length, one standard deviation. A calibration that is less sure is"
        " refused: 0.003 is 2 mm at 0.7 m.",
        minimum=0.0001,
        maximum=0.1,
    )
