"""What surfaces hide of an environment for one another."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.environment.display import decoded
from render.environment.spec import Environment
from render.scene.spec import Material
from render.transforms import random_rotation, rodrigues
from tests.render.draw.test_physical import sphere
from tests.scenes import at, draw, quads, scene

CAMERA = Camera(np.array([[300.0, 0, 119.5], [0, 300, 89.5], [0, 0, 1]]), 240, 180)
HALF = (0.5, 0.5, 0.5)


def seen(meshes, *placed, antialias=False) -> np.ndarray:
    """(H, W) radiance over that of the white surroundings; black surfaces give nothing back."""
    spec = scene(CAMERA, *placed, environment=Environment(), ambient=HALF)
    (frame,) = draw(meshes, spec, antialias=antialias)
    return np.where(frame.depth > 0, decoded(frame.rgb[..., 1] / 255) / 0.5, np.nan)


def corner(wall: float = 0.3):
    """A floor of 1 m that faces the camera, and a wall on it, towards the camera, at x = 0."""
    floor = [[-0.5, -0.5, 0], [-0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, -0.5, 0]]
    upright = [[0, -0.5, -wall], [0, -0.5, 0], [0, 0.5, 0], [0, 0.5, -wall]]
    return quads([floor, upright], colors=(60, 60, 60))


@pytest.mark.parametrize("distance", [0.3, 0.5, 2.0])
def test_a_convex_body_hides_nothing_of_its_surroundings(distance):
    """To the last bit it is drawn as with full sight: a white ball in white surroundings."""
    radiance = seen({1: sphere()}, at([0.02, 0.03, distance], material=Material(roughness=0.2)))
    assert np.nanmax(np.abs(radiance - 1)) < 0.01


def test_a_wall_darkens_the_floor_beside_it_and_nothing_beyond_its_reach():
    """Right beside it up to half is hidden; the reach is 0.4 of the diagonal."""
    R, t = rodrigues(np.array([0, 0.6, 0])), np.array([-0.2, 0, 1.5])
    away = np.linspace(0.01, 0.45, 40)
    points = np.stack([away, 0 * away, 0 * away], axis=1) @ R.T + t
    columns, rows = np.round(CAMERA.project(points)).astype(int).T
    material = Material(roughness=1.0)
    beside, apart = (
        seen({1: corner(wall)}, at(t, R, material=material))[rows, columns] for wall in (0.3, 1e-3)
    )
    share = beside / apart
    assert 0.5 < share[0] < 0.8
    np.testing.assert_allclose(share[-3:], 1, atol=0.02)
    assert (np.diff(np.convolve(share, np.ones(5) / 5, "valid")) > -0.02).all()


def test_a_flat_floor_hides_nothing_however_it_is_tilted():
    rng = np.random.default_rng(4)
    mesh = {1: quads([[[-1, -1, 0], [-1, 1, 0], [1, 1, 0], [1, -1, 0]]], colors=(255,) * 3)}
    for _ in range(6):
        radiance = seen(mesh, at([0, 0, 3], random_rotation(rng), material=Material(roughness=0.3)))
        assert np.nanmax(np.abs(radiance - 1)) < 0.01


def test_two_sizes_of_a_scene_are_hidden_alike():
    """Ten times as large and as far away, all looks the same."""
    small, large = corner(), corner()
    large = replace(large, vertices=10 * large.vertices)
    one = seen({1: small}, at([0, 0, 1.5]))
    ten = seen({1: large}, at([0, 0, 15.0]))
    assert np.nanmean(np.abs(one - ten)) < 2e-3


def test_smooth_edges_are_hidden_as_the_others_are():
    """Away from edges, an anti-aliased picture has the same shade to a step of 8 bits."""
    plain, smooth = (
        seen({1: corner()}, at([0, 0, 1.5]), antialias=antialias) for antialias in (False, True)
    )
    inner = np.s_[60:120, 130:200]
    assert np.nanmax(np.abs(plain[inner] - smooth[inner])) < 0.02


def test_occlusion_is_the_same_on_every_draw():
    spec = scene(CAMERA, at([0, 0, 1.5]), environment=Environment("room", seed=(1,)))
    other = scene(CAMERA, at([0, 0, 0.7]), environment=Environment("sky", seed=(1,)))
    with Rasterizer({1: corner()}) as rasterizer:
        one, _, again = rasterizer.render([spec, other, spec])
    np.testing.assert_array_equal(one.rgb, again.rgb)
