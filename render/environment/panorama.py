"""Panoramas: an image of all that is around, its rows from straight up to straight down.

The azimuth grows with the column: the middle of column i of w is at 2 pi (i + 1/2) / w; the polar
angle, from the z axis, grows with the row: pi (j + 1/2) / h.
"""

import hashlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from render.environment.exr import MAGIC, read_exr
from render.errors import InputError
from render.input_file import files_within, read_bytes

log = logging.getLogger(__name__)

SUFFIXES, OTHER_SUFFIXES = (".hdr", ".exr"), (".hdri", ".rgbe", ".pfm", ".tif", ".tiff")
CONVERT = "save it as Radiance .hdr or OpenEXR .exr (Blender: Image, Save As)"
MOST_COLUMNS = 2048  # that are kept: 0.18 degrees
RADIANCE = (b"#?RADIANCE", b"#?RGBE")
OBLONG = 0.02  # by which the sides may differ from 2 to 1
# Of the brightest pixel, in whatever unit; the sun's disk is 2e7 W/(m2 sr) or 1.6e9 cd/m2. With
# these, no sum over pixels and no factor that makes the light's mean 1 leaves float32.
FAINTEST, BRIGHTEST = 1e-12, 1e12
LEAST_ABOVE = 0.01  # share of all light that comes from above the horizon


def panorama_files(folder: Path) -> list[Path]:
    """The panoramas of a folder, sorted.

    Raises:
        InputError: there are none; says what to convert to where there are others.
    """
    files, others = files_within(folder, SUFFIXES, OTHER_SUFFIXES)
    if not files:
        fix = f"{others[0].name}: {CONVERT}" if others else "give such a folder"
        raise InputError(
            f"scene.environment: {folder} is neither a kind of environment (any, studio, room, sky)"
            f" nor a folder with panoramas in .hdr or .exr; {fix}"
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
    """A panorama in Radiance's format or OpenEXR: (h, 2 h, 3) float32 linear RGB, at most 2048
    columns wide.

    Raises:
        InputError: it is missing, damaged, no panorama, black, brighter than any light is, or lit
            from below alone; or as `read_exr` says.
    """
    image = _decoded(path, read_bytes(path))
    height, width = image.shape[:2]
    if abs(width - 2 * height) > OBLONG * width:
        raise InputError(
            f"{path}: {width}x{height}; a panorama of all around (equirectangular) is twice as wide"
            " as high"
        )
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() > 0):
        raise InputError(f"{path}: is black, or holds negative or infinite light")
    if not FAINTEST <= image.max() <= BRIGHTEST:
        raise InputError(
            f"{path}: its brightest pixel is {image.max():.1e}; one of {FAINTEST:g} to"
            f" {BRIGHTEST:g} was expected; set wrong pixels to their neighbours' light, or"
            " scale all of it"
        )
    columns = min(width, MOST_COLUMNS)
    image = cv2.resize(image, (columns, columns // 2), interpolation=cv2.INTER_AREA)
    if _share_above(image) < LEAST_ABOVE:
        raise InputError(
            f"{path}: less than {LEAST_ABOVE:.0%} of its light comes from above the horizon, its"
            " upper half; turn it if it is upside down"
        )
    image.setflags(write=False)
    return image


def _decoded(path: Path, content: bytes) -> np.ndarray:
    """(h, w, 3) float32 RGB of what a file holds, unchecked."""
    if content.startswith(MAGIC):
        return read_exr(path, content)
    if not content.startswith(RADIANCE):
        raise InputError(f"{path}: is neither a Radiance HDR nor an OpenEXR image; {CONVERT}")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.ndim != 3 or image.dtype != np.float32:
        raise InputError(f"{path}: damaged, or not a colour image in Radiance's format")
    return np.ascontiguousarray(image[..., 2::-1])


def digest_of(files: Sequence[Path]) -> str:
    """How many panoramas there are, and 16 hex digits of what they show.

    They are read once a process, as long as size and time of the files stay what they are.

    Raises:
        InputError: one is unusable, as `read_panorama` says.
    """
    return _digest_of(tuple((file, *_state(file)) for file in files))


@lru_cache(maxsize=16)
def _digest_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    made = hashlib.blake2b(digest_size=8)
    for file, _, _ in files:
        made.update(read_panorama(file).tobytes())
    return f"{len(files)} files, {made.hexdigest()}"


def _state(file: Path) -> tuple[int, int]:
    """Bytes of a file, and when it was written, ns; zeros where it cannot be told."""
    try:
        found = file.stat()
    except OSError:  # reading it says what is wrong
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _share_above(image: np.ndarray) -> float:
    """How much of a panorama's light, in solid angle, comes from its upper half."""
    height = len(image)
    of_rows = np.sin(np.pi * (np.arange(height) + 0.5) / height)
    light = image.sum(axis=(1, 2), dtype=np.float64) * of_rows
    return float(light[: height // 2].sum() / light.sum())


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
