"""Panoramas: an image of all that is around, its rows from straight up to straight down.

The azimuth grows with the column: the middle of column i of w is at 2 pi (i + 1/2) / w; the polar
angle, from the z axis, grows with the row: pi (j + 1/2) / h.
"""

import logging
from pathlib import Path

import cv2
import numpy as np

from render.errors import InputError
from render.input_file import read_bytes

log = logging.getLogger(__name__)

SUFFIX, OTHER_SUFFIXES = ".hdr", (".exr", ".hdri", ".rgbe", ".pfm", ".tif", ".tiff")
CONVERT = "save it as Radiance .hdr (Blender: Image, Save As, Radiance HDR)"
MOST_COLUMNS = 2048  # that are kept: 0.18 degrees
RADIANCE = (b"#?RADIANCE", b"#?RGBE")
OBLONG = 0.02  # by which the sides may differ from 2 to 1


def panorama_files(folder: Path) -> list[Path]:
    """The panoramas of a folder, sorted.

    Raises:
        InputError: there are none; says what to convert to where there are others.
    """
    there = sorted(p for p in folder.rglob("*") if not p.name.startswith("._"))
    files = [path for path in there if path.suffix.lower() == SUFFIX]
    others = [path for path in there if path.suffix.lower() in OTHER_SUFFIXES]
    if not files:
        fix = f"{others[0].name}: {CONVERT}" if others else "give such a folder"
        raise InputError(
            f"scene.environment: {folder} is neither a kind of environment (any, studio, room, sky)"
            f" nor a folder with panoramas in .hdr; {fix}"
        )
    if others:
        log.info(
            "scene.environment: %s holds %d files such as %s, which are not used; to use one, %s",
            folder,
            len(others),
            others[0].name,
            CONVERT,
        )
    return files


def directions(height: int, width: int) -> np.ndarray:
    """Unit directions of the pixels of a panorama: (height, width, 3) float32, z up."""
    polar = np.pi * (np.arange(height) + 0.5) / height
    azimuth = 2 * np.pi * (np.arange(width) + 0.5) / width
    around = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)[None]
    level = np.sin(polar)[:, None, None] * around
    up = np.broadcast_to(np.cos(polar)[:, None, None], (height, width, 1))
    return np.concatenate([level, up], axis=2).astype(np.float32)


def read_panorama(path: Path) -> np.ndarray:
    """A panorama in Radiance's format: (h, 2 h, 3) float32 linear RGB, at most 2048 columns wide.

    Raises:
        InputError: it is missing, damaged, no panorama, or black.
    """
    content = read_bytes(path)
    if not content.startswith(RADIANCE):
        raise InputError(f"{path}: is no Radiance HDR image; {CONVERT}")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.ndim != 3 or image.dtype != np.float32:
        raise InputError(f"{path}: damaged, or not a colour image in Radiance's format")
    height, width = image.shape[:2]
    if abs(width - 2 * height) > OBLONG * width:
        raise InputError(
            f"{path}: {width}x{height}; a panorama of all around (equirectangular) is twice as wide"
            " as high"
        )
    image = np.ascontiguousarray(image[..., 2::-1])
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() > 0):
        raise InputError(f"{path}: is black, or holds negative or infinite light")
    columns = min(width, MOST_COLUMNS)
    image = cv2.resize(image, (columns, columns // 2), interpolation=cv2.INTER_AREA)
    image.setflags(write=False)
    return image


class Panorama:
    """Radiance of a panorama."""

    def __init__(self, path: Path) -> None:
        """Raises InputError as `read_panorama`."""
        # A column more on each side, since the first and the last are neighbours.
        self._image = np.pad(read_panorama(path), ((0, 0), (1, 1), (0, 0)), mode="wrap")

    def __call__(self, directions: np.ndarray) -> np.ndarray:
        """(h, w, 3) radiance of (h, w, 3) unit directions, z up."""
        height, width = self._image.shape[0], self._image.shape[1] - 2
        azimuth = np.arctan2(directions[..., 1], directions[..., 0]) % (2 * np.pi)
        column = azimuth * (width / (2 * np.pi)) + 0.5  # + 1 of the pad - 1/2 of a pixel
        row = np.arccos(np.clip(directions[..., 2], -1, 1)) * (height / np.pi) - 0.5
        return cv2.remap(
            self._image,
            column.astype(np.float32),
            row.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
