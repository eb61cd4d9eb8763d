"""What surfaces receive of an environment, against quadrature and known answers."""

import numpy as np
import pytest

from render.environment.light import (
    COLUMNS,
    LEVELS,
    LUMINANCE,
    ROWS,
    irradiance_matrices,
    prefilter,
    prepare,
    solid_angles,
)
from render.environment.panorama import directions
from render.environment.spec import DRAWN_KINDS, Environment


def unit(rng, count: int) -> np.ndarray:
    way = rng.normal(size=(count, 3))
    return way / np.linalg.norm(way, axis=1, keepdims=True)


def quadratic(matrices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    n = np.column_stack([normals, np.ones(len(normals))])
    return np.einsum("ni,cij,nj->nc", n, matrices, n)


def exact_irradiance(panorama: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) over pi, by the cosine itself."""
    way = directions(ROWS, COLUMNS).reshape(-1, 3)
    light = (panorama * solid_angles()[:, None, None] / np.pi).reshape(-1, 3)
    return np.maximum(normals @ way.T, 0) @ light


def test_irradiance_of_light_without_detail_is_exact():
    """Constant and linear light, which three bands hold: 1 and 2/3 of the slope."""
    rng = np.random.default_rng(1)
    slope, normals = rng.normal(size=(3, 3)), unit(rng, 40)
    panorama = 2 + directions(ROWS, COLUMNS) @ slope.T
    got = quadratic(irradiance_matrices(panorama), normals)
    np.testing.assert_allclose(got, 2 + 2 / 3 * normals @ slope.T, atol=2e-3)


@pytest.mark.parametrize("kind", DRAWN_KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_irradiance_is_near_that_of_the_cosine(kind, seed):
    """Of a single light, such as the sun, order 2 is off by up to 9 % of its own."""
    light = prepare(Environment(kind, seed=(seed,)))
    panorama = light.mirrored[0]
    normals = unit(np.random.default_rng(seed), 200)
    exact = exact_irradiance(panorama, normals)
    error = np.abs(quadratic(light.irradiance, normals) - exact)
    assert error.mean() < 0.08 * exact.mean()
    assert error.max() < 0.15 * exact.max()


@pytest.mark.parametrize("kind", DRAWN_KINDS)
def test_upper_surfaces_get_irradiance_pi_on_average(kind):
    """So that a white one shows as white at an ambient strength of 1."""
    light = prepare(Environment(kind, seed=(7,)))
    normals = unit(np.random.default_rng(0), 20000)
    normals[:, 2] = np.abs(normals[:, 2])
    mean = quadratic(light.irradiance, normals).mean(axis=0) @ LUMINANCE
    assert mean == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("level", [2, 4, LEVELS - 1])
def test_mirrored_light_is_the_lobes_mean(level):
    """By quadrature around random directions; near the poles, pixels are long and thin."""
    rng = np.random.default_rng(level)
    panorama = prepare(Environment("room", seed=(3,))).mirrored[0]
    way = directions(ROWS, COLUMNS)
    filtered, alpha = prefilter(panorama)[level], (level / (LEVELS - 1)) ** 2
    for row, column in rng.integers((2, 0), (ROWS - 2, COLUMNS), (20, 2)):
        cosine = (way @ way[row, column]).clip(-1, 1)
        lobe = np.maximum(cosine, 0) / ((1 + cosine) / 2 * (alpha**2 - 1) + 1) ** 2
        weights = (lobe * solid_angles()[:, None])[..., None]
        expected = (panorama * weights).sum(axis=(0, 1)) / weights.sum()
        np.testing.assert_allclose(filtered[row, column], expected, rtol=0.01)


@pytest.mark.parametrize("kind", DRAWN_KINDS)
def test_the_same_seed_is_the_same_environment_and_another_is_another(kind):
    way = directions(16, 32)
    one, again, other = (
        prepare(Environment(kind, seed=(seed, 5))).radiance(way) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32 and (one != other).any()


@pytest.mark.parametrize("kind", DRAWN_KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_environments_are_neither_dark_nor_all_glare(kind, seed):
    """Light is finite and not negative, and most directions are darker than white."""
    light = prepare(Environment(kind, seed=(seed, 9)))
    shown = light.scale * light.radiance(directions(64, 128))
    assert np.isfinite(shown).all() and shown.min() >= 0
    assert 0.02 < np.median(shown) < 1.2
    assert (shown > 4).mean() < 0.1
