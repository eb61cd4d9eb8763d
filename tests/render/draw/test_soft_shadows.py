"""Shadows of lamps with a size: penumbras as wide as geometry says, none where nothing stands."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.environment.spec import Environment
from render.scene.spec import Light, SceneSpec
from render.transforms import rodrigues
from tests.scenes import SMALL, assert_same_frame, at, draw, scene, square

# From the origin, what lies right of the middle is seen past an edge at x = 0.
CAMERA = Camera(np.array([[400.0, 0, 127.5], [0, 400, 127.5], [0, 0, 1]]), 256, 256)
BLACK = (0.0, 0.0, 0.0)
GRAY = np.full((4, 3), 200, np.uint8)
LAMPS = {
    "directional": Light("directional", (0.0, 0.0, -1.0), shadow=True, radius=0.2),
    "point": Light("point", (0.0, 0.0, 0.0), shadow=True, radius=0.1),
    "spot": Light("spot", (0.0, 0.0, 0.0), shadow=True, radius=0.1, cone=(0.6, 1.0)),
}


def edge(light: Light, **changes) -> SceneSpec:
    """A screen 0.7 m away that ends at x = 0, before a wall at 1 m."""
    screen, wall = at([-0.5, 0, 0.7], annotated=False), at([0, 0, 1.0], obj_id=2)
    return scene(CAMERA, screen, wall, lights=(light,), **{"ambient": BLACK, **changes})


MESHES = {1: square(0.5, colors=GRAY), 2: square(1.0, colors=GRAY)}


@pytest.mark.parametrize("light", LAMPS.values(), ids=LAMPS)
def test_a_penumbra_is_the_share_of_the_lamp_that_is_seen(light):
    """A disc past a straight edge: 1/2 + (asin t + t sqrt(1 - t^2)) / pi, where t is the distance
    from the middle of the penumbra over its half width, r (1 - 0.7) / 0.7, or r (1 - 0.7) for a
    directional light. To 3 % of the light, on average over rows."""
    lit, dark = edge(replace(light, shadow=False)), edge(light)
    with Rasterizer(MESHES) as rasterizer:
        (open_, shaded) = rasterizer.render([lit, dark])
    u = np.arange(130, 200)
    share = (shaded.rgb[40:216, u, 0] / open_.rgb[40:216, u, 0]).mean(axis=0)
    half = light.radius * 0.3 / (1 if light.kind == "directional" else 0.7)
    t = np.clip((u - 127.5) / 400 / half, -1, 1)
    expected = 0.5 + (np.arcsin(t) + t * np.sqrt(1 - t**2)) / np.pi
    np.testing.assert_allclose(share, expected, atol=0.03)


@pytest.mark.parametrize("light", LAMPS.values(), ids=LAMPS)
def test_a_plane_does_not_shadow_itself(light, rng):
    """However it is tilted, and wherever the lamp stands."""
    with Rasterizer({2: square(0.3, colors=GRAY)}) as rasterizer:
        for _ in range(6):
            R = rodrigues(rng.uniform(-0.9, 0.9, 3))
            vector = rng.uniform(-0.4, 0.4, 3)
            if light.kind == "directional":
                vector = np.array([*vector[:2], -1]) / np.linalg.norm([*vector[:2], -1])
            aim = np.array([0, 0, 0.9]) - vector
            moved = replace(
                light,
                vector=tuple(vector.tolist()),
                direction=tuple((aim / np.linalg.norm(aim)).tolist()),
            )
            spec = scene(CAMERA, at([0, 0, 0.9], R, obj_id=2), lights=(moved,), ambient=BLACK)
            bare = replace(spec, lights=(replace(moved, shadow=False),))
            soft, open_ = rasterizer.render([spec, bare])
            assert np.abs(soft.rgb.astype(int) - open_.rgb).max() <= 1


@pytest.mark.parametrize("kind", ["point", "spot"])
def test_a_lamp_close_above_a_floor_is_like_points_all_over_it(kind):
    """Where rays graze the floor, a disc on it that is drawn out along one of them ends behind the
    lamp: shadows were then as far from the mean of those of points as one point's is."""
    floor = at([0, 0, 0.9], obj_id=2)
    screen = at([0, 0, 0.83], rodrigues(np.array([0, np.pi / 2, 0])), annotated=False)
    lamp = Light(kind, (0.3, 0.0, 0.8), shadow=True, direction=(-1.0, 0.0, 0.0), cone=(0.6, 1.0))
    angle, r = 2.4 * np.arange(60), 0.08 * np.sqrt((np.arange(60) + 0.5) / 60)
    places = np.array(lamp.vector) + np.stack([0 * r, r * np.cos(angle), r * np.sin(angle)], axis=1)
    points = [replace(lamp, vector=tuple(place.tolist())) for place in places]
    lights = [replace(lamp, radius=0.08), lamp, *points]
    specs = [scene(SMALL, screen, floor, lights=(light,), ambient=BLACK) for light in lights]
    with Rasterizer({1: square(0.07), 2: square(0.5, colors=GRAY)}) as rasterizer:
        soft, sharp, *parts = (frame.rgb.astype(float) for frame in rasterizer.render(specs))
    truth = np.mean(parts, axis=0)
    assert np.abs(soft - truth).mean() < 0.8 * np.abs(sharp - truth).mean()


def test_in_an_environment_shadows_are_as_soft():
    spec = edge(LAMPS["directional"], environment=Environment("room", seed=(1,)))
    (frame,) = draw(MESHES, spec)
    row = frame.rgb[100:156, 128:160, 0].mean(axis=0)
    assert (np.diff(row) > -1).all() and row[-1] > 1.2 * row[0]


def test_a_lamp_without_a_size_casts_the_shadows_that_it_did():
    """Byte by byte; and beside one with a size, which takes another program, to rounding."""
    sharp = replace(LAMPS["point"], radius=None, vector=(0.05, 0.0, 0.0))
    none = replace(sharp, radius=0.0)
    assert_same_frame(*draw(MESHES, edge(sharp), edge(none)))
    far = Light("directional", (0.0, 0.0, -1.0), BLACK, shadow=True, radius=0.1)
    (alone,), (beside,) = (
        draw(MESHES, replace(edge(sharp), lights=lights)) for lights in ((sharp,), (sharp, far))
    )
    assert np.abs(alone.rgb.astype(int) - beside.rgb).max() <= 1


def test_a_radius_is_written_down_where_there_is_one():
    spec = edge(LAMPS["spot"])
    assert SceneSpec.from_json(spec.to_json()) == spec
    old = edge(replace(LAMPS["spot"], radius=None))
    assert "radius" not in old.to_json() and SceneSpec.from_json(old.to_json()) == old
