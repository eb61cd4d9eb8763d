"""Procedural surfaces that repeat without a seam: wood, cloth, checker, stone, plain."""

from functools import cache

import numpy as np

SIDE = 256  # texels


def _wood(rng: np.random.Generator) -> np.ndarray:
    """Planks with grain along them."""
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE
    planks = int(rng.integers(2, 6))
    plank = np.floor(v * planks).astype(int)
    shift = rng.random(planks)[plank]
    # Grain: bands across the plank, bent by noise that is long along it.
    bend = _noise(rng, 2.2, stretch=(10.0, 1.0))
    bands = np.sin(2 * np.pi * (rng.integers(8, 20) * v + shift + 0.6 * bend))
    fibres = _noise(rng, 0.6, stretch=(24.0, 1.0))
    tone = 0.7 + 0.07 * bands + 0.06 * fibres + 0.12 * (shift - 0.5)
    seam = np.abs(v * planks - np.round(v * planks)) < planks * 0.75 / SIDE
    end = np.abs((u - shift + 0.5) % 1 - 0.5) < 0.75 / SIDE
    tone = np.where(seam | end, 0.6 * tone, tone)
    dark, light = np.array([[0.45, 0.27, 0.16], [1.3, 1.05, 0.75]])
    return tone[..., None] * (dark + rng.random() * (light - dark)) * rng.uniform(0.9, 1.1, 3)


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """A weave with stripes in one direction or two."""
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE
    weave = np.sin(2 * np.pi * 64 * u) * np.sin(2 * np.pi * 64 * v)
    stripes = int(rng.integers(1, 9))
    share = rng.uniform(0.2, 0.6)
    across, along = ((stripes * axis) % 1 < share for axis in (u, v))
    pattern = across * 0.5 + along * 0.5 if rng.random() < 0.5 else across * 1.0
    base, stripe = _colors(rng, 2, 0.35)
    color = base + pattern[..., None] * (stripe - base)
    return color * (1 + 0.06 * weave + 0.03 * _noise(rng, 0.5))[..., None]


def _checker(rng: np.random.Generator) -> np.ndarray:
    """Tiles in two colours, with joints."""
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE
    count = 2 * int(rng.integers(1, 5))
    odd = (np.floor(count * u) + np.floor(count * v)) % 2
    one, other = _colors(rng, 2, 0.3)
    color = one + odd[..., None] * (other - one)
    joint = np.minimum(*(np.abs(count * a - np.round(count * a)) for a in (u, v)))
    shade = np.where(joint < count / SIDE, 0.7, 1.0) + 0.04 * _noise(rng, 1.5)
    return color * shade[..., None]


def _stone(rng: np.random.Generator) -> np.ndarray:
    """Clouds and veins, or grains."""
    clouds = _noise(rng, 1.6)
    if rng.random() < 0.5:
        veins = 1 - np.abs(_noise(rng, 1.8)) ** 0.4
        mix = 0.25 * clouds - 0.5 * np.clip(veins - 0.4, 0, 1)
    else:
        mix = 0.1 * clouds + 0.25 * np.sign(_noise(rng, 0.9)) * (np.abs(_noise(rng, 0.9)) > 0.8)
    (color,) = _colors(rng, 1, 0.2)
    return color * (1 + 0.6 * mix)[..., None]


def _plain(rng: np.random.Generator) -> np.ndarray:
    """One colour, a little uneven."""
    (color,) = _colors(rng, 1, 0.4)
    return color * (1 + 0.04 * _noise(rng, 1.5) + 0.02 * _noise(rng, 0.3))[..., None]


KINDS = {"wood": _wood, "cloth": _cloth, "checker": _checker, "stone": _stone, "plain": _plain}


@cache
def draw_texture(kind: str, number: int) -> np.ndarray:
    """The surface of that kind and number, (256, 256, 3) uint8; the same on every call."""
    rng = np.random.default_rng([list(KINDS).index(kind), number])
    texture = (np.clip(KINDS[kind](rng), 0, 1) * 255).astype(np.uint8)
    texture.setflags(write=False)
    return texture


def _noise(
    rng: np.random.Generator, slope: float, stretch: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """Noise (SIDE, SIDE) of mean 0 and deviation 1 that repeats at its borders.

    slope: the amplitude falls with the frequency to this power; 0 is white. stretch: times that it
    is longer along u and v.
    """
    u, v = np.meshgrid(np.fft.rfftfreq(SIDE, 1 / SIDE), np.fft.fftfreq(SIDE, 1 / SIDE))
    frequency = np.hypot(u * stretch[0], v * stretch[1])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) * frequency**-slope
    noise = np.fft.irfft2(spectrum, (SIDE, SIDE))
    return noise / noise.std()


def _colors(rng: np.random.Generator, count: int, vivid: float) -> np.ndarray:
    """(count, 3) colours; vivid: 0 is grey, 1 any."""
    gray = rng.uniform(0.25, 0.95, (count, 1))
    return np.clip(gray + vivid * rng.uniform(-0.5, 0.5, (count, 3)), 0.05, 1)
