"""The focal length that a photograph's EXIF says, as a camera."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from render.camera import Camera
from render.image_file import FORMATS
from render.input_file import read_bytes

IFD = 0x8769  # where EXIF keeps what the camera did
FOCAL_MM, FOCAL_35MM = 0x920A, 0xA405
PLANE_X, PLANE_UNIT = 0xA20E, 0xA210  # pixels a unit on the sensor, and the unit
WIDTH, HEIGHT = 0xA002, 0xA003  # of the image as it was taken
UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
DIAGONAL_35MM = math.hypot(36, 24)
WIDEST, LONGEST = 0.3, 30.0  # of focal lengths, over the longer side; another is taken for an error


def exif_camera(path: Path, size: tuple[int, int]) -> tuple[Camera, str] | None:
    """The camera of a photograph of (width, height), and where its focal length stands, for a line.

    The principal point is the image's centre. The focal length in 35 mm film is the one that sees
    as much along the diagonal (CIPA DC-008, EXIF 2.3); else FocalLength counts where the file says
    how large a pixel is. Lens distortion is not known. None where the file says no such thing.
    """
    found = _focal_px(_tags(path), size)
    if found is None or not WIDEST < found[0] / max(size) < LONGEST:
        return None
    focal, why = found
    width, height = size
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, width, height), why


def _focal_px(tags: Mapping[int, Any], size: tuple[int, int]) -> tuple[float, str] | None:
    film, focal_mm = _number(tags.get(FOCAL_35MM)), _number(tags.get(FOCAL_MM))
    if film:
        return film / DIAGONAL_35MM * math.hypot(*size), f"FocalLengthIn35mmFilm {film:g} mm"
    plane, taken = _number(tags.get(PLANE_X)), _number(tags.get(WIDTH))
    unit = UNIT_MM.get(int(_number(tags.get(PLANE_UNIT))) or 2)
    sides = taken, _number(tags.get(HEIGHT))
    if not (focal_mm and plane and unit and all(sides)):
        return None
    # The picture may have been made smaller since, or turned.
    focal = focal_mm * plane / unit * max(size) / max(sides)
    return focal, f"FocalLength {focal_mm:g} mm on pixels of {unit / plane:.2g} mm"


def _tags(path: Path) -> Mapping[int, Any]:
    try:
        with Image.open(io.BytesIO(read_bytes(path)), formats=FORMATS) as image:
            return dict(image.getexif().get_ifd(IFD))
    except Exception:  # Pillow raises whatever it stumbles on; what cannot be read says nothing
        return {}


def _number(value: Any) -> float:
    """A positive finite number, or 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
