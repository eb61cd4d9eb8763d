"""What stands behind the objects: a plain colour, an image, or procedural clutter."""

import hashlib
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from render.environment.display import draw_environment
from render.errors import InputError
from render.image_file import image_size, read_rgb
from render.input_file import files_within
from render.scene.spec import Background, SceneSpec, rows

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".dng")


def background_files(background: str) -> list[Path]:
    """The images of a folder, sorted; none for a kind that needs none.

    Images of other formats are passed over, and that is said.

    Raises:
        InputError: there are no images.
    """
    if background in ("noise", "plain", "environment"):
        return []
    return image_files("scene.background", background, ", 'noise', 'plain' or 'environment'")


def told(sizes: Mapping[str, int]) -> str:
    """How many files there are, and 16 hex digits of their names and sizes in bytes."""
    lines = "\n".join(f"{name} {size}" for name, size in sizes.items())
    made = hashlib.blake2b(os.fsencode(lines), digest_size=8).hexdigest()
    return f"{len(sizes)} files, {made}"


def image_files(setting: str, folder: str, instead: str = "") -> list[Path]:
    """The images of a folder that a setting names, sorted; others are passed over, and said to be.

    Args:
        instead: what else might be given, for messages.

    Raises:
        InputError: there are no images.
    """
    files, others = files_within(Path(folder), IMAGE_SUFFIXES, OTHER_SUFFIXES)
    if not files:
        save = f"; save {others[0].name} as one of these" if others else ""
        raise InputError(
            f"{setting}: {folder} is no folder with PNG or JPEG images;"
            f" give such a folder{instead}{save}"
        )
    if others:
        log.info(
            "%s: %s holds %d images that are neither PNG nor JPEG, such as %s; they are not used",
            setting,
            folder,
            len(others),
            others[0].name,
        )
    return files


def random_crop(rng: np.random.Generator, path: Path, size: tuple[int, int]):
    """A random part of an image, between its shorter side and a third of it: 2x3 row-major."""
    whole = np.array(image_size(path), np.float64)
    scale = max(np.array(size) / whole) * rng.uniform(1, 3)
    slack = np.maximum(whole * scale - size, 0)
    return rows(np.column_stack([np.eye(2) * scale, -rng.random(2) * slack]))


def draw_behind(spec: SceneSpec) -> np.ndarray:
    """What stands behind a spec's objects: (H, W, 3) uint8, not to be written to.

    Raises:
        InputError: a background or a panorama cannot be read.
    """
    if spec.background.kind != "environment":
        return draw_background(spec.background, spec.size)
    if spec.environment is None:
        raise ValueError("a background of an environment, and there is none")
    return draw_environment(spec.environment, spec.ambient, spec.camera)


def draw_background(background: Background, size: tuple[int, int]) -> np.ndarray:
    """Draw a background: (H, W, 3) uint8 for size (width, height), not to be written to."""
    width, height = size
    if background.kind == "plain":
        color = np.round(np.clip(background.color, 0, 1) * np.float64(255)).astype(np.uint8)
        return np.broadcast_to(color, (height, width, 3))
    if background.kind == "image":
        crop_from_image = np.array(background.crop_from_image, np.float64)
        return cv2.warpAffine(
            _read_cached(Path(str(background.path))),
            crop_from_image,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    if background.kind == "noise":
        return _clutter(np.random.default_rng(background.seed), width, height)
    raise ValueError(f"background kind must be plain, image or noise, got {background.kind!r}")


@lru_cache(maxsize=64)
def _read_cached(path: Path) -> np.ndarray:
    return read_rgb(path)


def _clutter(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Smooth colour noise over several octaves, under random polygons."""
    image, octave = np.zeros((2, height, width, 3), np.float32)
    amplitude = 1.0
    for cells in (2, 4, 8, 16, 32, 64, 128):
        grid = rng.random((cells, cells, 3), np.float32) - 0.5
        cv2.resize(grid, (width, height), octave, interpolation=cv2.INTER_CUBIC)
        octave *= amplitude
        image += octave
        amplitude *= rng.uniform(0.4, 0.9)
    # A room has few saturated surfaces: pull the colours towards grey by a random amount.
    r, g, b = (image[..., channel] for channel in range(3))
    gray = (r + g + b)[..., None] / 3  # what image.mean(axis=2) gives, sooner
    image -= gray
    image *= rng.uniform(0.1, 0.7)
    image += gray
    image /= max(float(image.max()), -float(image.min()), 1e-6)
    image *= 0.5
    image += rng.uniform(0.3, 0.7)

    for _ in range(rng.integers(0, 25)):
        center = rng.uniform(-0.1, 1.1, 2) * (width, height)
        radius = 0.5 * rng.uniform(0.15, 1.0) ** 2 * min(width, height)
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        corners = center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        color = rng.random() + rng.uniform(-0.3, 0.3, 3)  # mostly dull, some bright
        polygon = np.round(corners).astype(np.int32)
        opacity = np.float32(rng.uniform(0.5, 1.0))
        (left, top), (right, bottom) = (
            np.clip(corner, 0, (width, height)) for corner in (polygon.min(0), polygon.max(0) + 1)
        )
        part = image[top:bottom, left:right]
        if part.size:
            layer = part.copy()
            cv2.fillPoly(layer, [polygon - (left, top)], color.tolist())
            layer -= part
            layer *= opacity
            part += layer
    np.clip(image, 0, 1, out=image)
    image *= 255
    return image.astype(np.uint8)
