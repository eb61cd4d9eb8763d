"""An environment made ready to light a scene: what matt and what shiny surfaces see of it.

Split sum: B. Karis, "Real shading in Unreal Engine 4", SIGGRAPH course 2013. Irradiance:
R. Ramamoorthi and P. Hanrahan, "An efficient representation for irradiance environment maps", 2001.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from render.environment.panorama import Panorama, directions
from render.environment.room import Room
from render.environment.sky import Sky
from render.environment.spec import KEPT, Environment
from render.environment.studio import Studio

# Unit directions (..., 3) -> radiance (..., 3), float32, before it is scaled.
Radiance = Callable[[np.ndarray], np.ndarray]

ROWS, COLUMNS = 64, 128  # of the map that lights: 2.8 degrees
LEVELS = 8  # of roughness, from 0 to 1
MIRROR_SHAPE = LEVELS, ROWS, COLUMNS
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB (ITU-R BT.709)
_KINDS: dict[str, Callable[[np.random.Generator], Radiance]]
_KINDS = {"studio": Studio, "room": Room, "sky": Sky}


@dataclass(frozen=True, eq=False)
class EnvironmentLight:
    """What surfaces receive.

    radiance: of directions, in the environment's axes. scale: factor on it, so that on average over
    surfaces that face up or sideways the irradiance is pi: there a white matt surface has radiance
    1. irradiance: (3, 4, 4) float64 symmetric; that of a surface with unit normal n over pi is
    (n, 1) M (n, 1), one matrix a channel. mirrored: (LEVELS, ROWS, COLUMNS, 3) float32, what is
    seen in a panorama of mirror directions by surfaces of roughness 0 to 1. Both are scaled.
    """

    radiance: Radiance
    scale: float
    irradiance: np.ndarray
    mirrored: np.ndarray


def prepare(environment: Environment) -> EnvironmentLight:
    """An environment made ready; the last ones are kept.

    Raises:
        InputError: its panorama is unusable.
    """
    return _prepare(environment.kind, environment.seed, environment.path)


@lru_cache(maxsize=KEPT)
def _prepare(kind: str, seed: tuple[int, ...], path: str | None) -> EnvironmentLight:
    radiance = _radiance(kind, seed, path)
    panorama = radiance(directions(ROWS, COLUMNS))
    if kind == "image":  # pixels of a finer panorama, each of which counts
        fine = radiance(directions(8 * ROWS, 8 * COLUMNS))
        panorama = fine.reshape(ROWS, 8, COLUMNS, 8, 3).mean(axis=(1, 3))
    matrices = irradiance_matrices(panorama)
    scale = 1 / float(LUMINANCE @ _upper_mean(matrices))
    mirrored = prefilter(panorama) * np.float32(scale)
    return EnvironmentLight(radiance, scale, matrices * scale, mirrored)


def _radiance(kind: str, seed: tuple[int, ...], path: str | None) -> Radiance:
    if kind == "plain":
        return np.ones_like
    if kind == "image":
        return Panorama(Path(str(path)))
    return _KINDS[kind](np.random.default_rng(seed))


def _upper_mean(matrices: np.ndarray) -> np.ndarray:
    """(3,) irradiance over pi, the mean over normals in the upper half of the sphere."""
    # Means of n n^T and n there: 1/3 on the diagonal, and 1/2 along z.
    return (
        np.trace(matrices[:, :3, :3], axis1=1, axis2=2) / 3 + matrices[:, 2, 3] + matrices[:, 3, 3]
    )


@cache
def solid_angles() -> np.ndarray:
    """(ROWS,) steradians of a pixel in each row."""
    edges = np.cos(np.pi * np.arange(ROWS + 1) / ROWS)
    return (edges[:-1] - edges[1:]) * 2 * np.pi / COLUMNS


def irradiance_matrices(panorama: np.ndarray) -> np.ndarray:
    """(3, 4, 4): irradiance over pi as a quadratic form of the normal, per channel.

    Spherical harmonics up to order 2, of a (ROWS, COLUMNS, 3) panorama. The cosine lobe, over pi,
    is 1/pi (1/4 + 1/2 c + 5/32 (3 c^2 - 1)) of the cosine c between normal and light; for the
    harmonics of one light, the sum over all is linear in the moments of radiance.
    """
    way = directions(ROWS, COLUMNS).astype(np.float64)
    light = panorama * (solid_angles() / np.pi)[:, None, None]
    light = light.reshape(-1, 3)
    way = way.reshape(-1, 3)
    total, first = light.sum(axis=0), light.T @ way  # (3,), (3, 3) channel by axis
    second = np.einsum("nc,ni,nj->cij", light, way, way, optimize=True)
    matrices = np.zeros((3, 4, 4))
    matrices[:, :3, :3] = 15 / 32 * second
    matrices[:, :3, 3] = matrices[:, 3, :3] = first / 4
    matrices[:, 3, 3] = (1 / 4 - 5 / 32) * total
    return matrices


def prefilter(panorama: np.ndarray) -> np.ndarray:
    """(LEVELS, ROWS, COLUMNS, 3) float32: a panorama as surfaces of each roughness mirror it.

    The lobe is that of Karis, for a surface seen head-on: D(h) (n l), over its integral. It is
    round, so that along rows it is a convolution, a product in the frequencies of the azimuth.
    """
    spectrum = np.fft.rfft(panorama, axis=1).astype(np.complex64).transpose(1, 0, 2)
    parts = np.ascontiguousarray(spectrum).view(np.float32)  # (frequencies, ROWS, 3 and imaginary)
    filtered = (_lobes() @ parts).view(np.complex64)  # (LEVELS - 1, frequencies, ROWS, 3)
    smooth = np.fft.irfft(filtered, COLUMNS, axis=1)  # (LEVELS - 1, COLUMNS, ROWS, 3)
    smooth = np.maximum(smooth, 0).transpose(0, 2, 1, 3)
    return np.concatenate([panorama[None], smooth]).astype(np.float32)


@cache
def _lobes() -> np.ndarray:
    """(LEVELS - 1, COLUMNS // 2 + 1, ROWS, ROWS) float32: each lobe from row to row, by the
    frequency of the azimuth, of which it is an even function. The first roughness, 0, has none."""
    polar = np.pi * (np.arange(ROWS) + 0.5) / ROWS
    azimuth = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    level = np.outer(np.sin(polar), np.sin(polar))[..., None] * np.cos(azimuth)
    cosine = np.clip(level + np.outer(np.cos(polar), np.cos(polar))[..., None], -1, 1)
    lobes = np.empty((LEVELS - 1, COLUMNS // 2 + 1, ROWS, ROWS), np.float32)
    for k in range(1, LEVELS):
        alpha = (k / (LEVELS - 1)) ** 2
        half_2 = (1 + cosine) / 2  # cos^2 of the angle to the half vector
        lobe = np.maximum(cosine, 0) / (half_2 * (alpha**2 - 1) + 1) ** 2
        lobe *= solid_angles()[None, :, None]
        lobe /= lobe.sum(axis=(1, 2), keepdims=True)
        lobes[k - 1] = np.fft.rfft(lobe, axis=2).real.transpose(2, 0, 1)
    return lobes
