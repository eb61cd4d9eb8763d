"""Pictures and films in a run's folder -> data URIs of a page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from render.image_file import read_rgb
from train.report.curves import Plot

MOST_FILM = 32 << 20  # bytes; a longer film is named, and not put into the page
WEBP_SIDE = 16383  # pixels that a WebP may have
CHARTS = ("study_frames.png", "curve.png")
# File -> heading, what one sees.
SHOWN = {
    "study_frames.png": (
        "Error by number of real frames",
        "A line for each method: its mean error over the number of real frames it trained on, with"
        " intervals over seeds.",
    ),
    "curve.png": (
        "Success curves",
        "A line for each method: percent of test frames whose worst joint is nearer than a"
        " threshold in mm.",
    ),
    "symmetries.png": (
        "Symmetries",
        "The object as it is, and after each turn that was found to change neither its shape nor"
        " its colours; such poses count as one.",
    ),
    "pairs.png": (
        "What was trained on",
        "From above: real frames, their twins, both again under one random crop as training sees"
        " them, and synthetic images.",
    ),
    "test_frames.png": (
        "Test frames with and without mapping",
        "A row for each method, the same test frames in each: the truth in green, what the network"
        " read in red.",
    ),
    "extremes.png": (
        "Best, median and worst test frames",
        "A row for each method: three of its best test frames, three about the median, three of its"
        " worst, each with its error; refined poses in the same frames. The truth in green, what"
        " was read in red.",
    ),
    "neighbours.png": (
        "Nearest neighbours",
        "A row for each real image, first of training, then of test frames: the image, its twin,"
        " the synthetic images nearest to it by feature before the mapping (f) and after it (g(f)),"
        " each with the distance of its pose in pixels of the crop.",
    ),
}


@dataclass(frozen=True)
class Picture:
    """uri: a data URI. size: (width, height) on the page. others: media query -> its URI there.

    is_chart: it may shrink with the window, which a sheet of small pictures may not.
    """

    heading: str
    alt: str
    uri: str
    size: tuple[int, int] | None = None
    is_chart: bool = False
    others: Mapping[str, str] = field(default_factory=dict)


def find_pictures(root: Path) -> list[Picture]:
    """The pictures that a command leaves in its folder, and in those of its subjects."""
    folders = [root, *sorted(folder for folder in root.glob("obj_*") if folder.is_dir())]
    several = len(folders) > 2
    return [
        read_picture(folder / name, heading + (f": {folder.name}" if several else ""), alt)
        for folder in folders
        for name, (heading, alt) in SHOWN.items()
        if (folder / name).is_file()
    ]


def read_picture(file: Path, heading: str, alt: str) -> Picture:
    """A picture as WebP, a tenth of the PNG.

    Raises:
        InputError: it cannot be read.
    """
    pixels = cv2.cvtColor(read_rgb(file), cv2.COLOR_RGB2BGR)
    height, width = pixels.shape[:2]
    kind = "webp" if max(width, height) <= WEBP_SIDE else "png"
    quality = [cv2.IMWRITE_WEBP_QUALITY, 90] if kind == "webp" else []
    _, encoded = cv2.imencode(f".{kind}", pixels, quality)
    uri = data_uri(encoded.tobytes(), f"image/{kind}")
    is_chart = file.name in CHARTS
    shrunk = 2 if is_chart else 1  # charts are drawn for print
    return Picture(heading, alt, uri, (width // shrunk, height // shrunk), is_chart)


def of_plot(plot: Plot) -> Picture:
    """A plot as a picture for each ground and width of the window."""
    others = {media: data_uri(svg, "image/svg+xml") for media, svg in plot.drawn.items()}
    return Picture(plot.caption, plot.alt, others.pop(""), others=others)


def find_film(root: Path) -> tuple[str | None, str] | None:
    """A film's data URI, None where it is too long for a page, and its name; None without film."""
    file = root / "film.mp4"
    if not file.is_file():
        return None
    if file.stat().st_size > MOST_FILM:
        return None, file.name
    return data_uri(file.read_bytes(), "video/mp4"), file.name


def data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
