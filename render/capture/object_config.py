"""Options of `capture` that concern the object: where it stands, how surely, what is written."""

from dataclasses import dataclass
from typing import Literal

from render.config import option


@dataclass(frozen=True)
class ObjectConfig:
    """The object on the board, and the dataset of its frames."""

    place: Literal["rest", "points"] = option(
        "rest",
        "How its pose begins: rest, on the printed outline; points, where you found points of it",
    )
    rest: int = option(
        0, "With rest: which of the poses it stays in, as `capture board` lists them", minimum=0
    )
    points: str | None = option(
        None,
        "With points: TOML file of mesh points and where frames show them; none: a page on"
        " 127.0.0.1 asks for them",
    )
    unit: Literal["m", "cm", "mm"] | None = option(
        None, "Unit of the mesh; default mm beside a models_info.json, else m"
    )
    up: Literal["y", "z"] | None = option(
        None, "Axis of the mesh that is up; default y of GLB and GLTF, else z"
    )
    background: str = option(
        "noise",
        "Behind the object in training images, in place of the board: noise, plain, a folder of"
        " images, or board to leave it",
    )
    held_out: float = option(
        0.3, "Share of the frames to test on, in blocks of time", minimum=0, maximum=0.9
    )
    hidden: bool = option(
        True, "Cut out of mask_visib what hides the object, where the film shows it clearly"
    )
    least_iou: float = option(
        0.85,
        "Of the drawn silhouette and what colours show where they tell, median over frames; below"
        " it: refused",
        minimum=0,
        maximum=1,
    )
    most_contour_px: float = option(
        2.0,
        "Pixels of a frame 640 wide, root mean square from the drawn contour to the seen one; above"
        " it: refused",
        minimum=0,
    )
    most_size_off: float = option(
        0.03,
        "Share by which the object may look larger or smaller than its mesh; above it: refused",
        minimum=0,
        maximum=1,
    )
    most_moved: float = option(
        0.015,
        "Share of its diameter by which the object may stand elsewhere in the second half of the"
        " film; above it: refused",
        minimum=0,
    )
