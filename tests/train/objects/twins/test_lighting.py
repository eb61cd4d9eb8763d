"""The light of a picture, found again by an object's shading."""

import numpy as np
import pytest

import assets
from render.draw.rasterizer import Rasterizer
from render.mesh.mesh import load_models
from render.scene.spec import Light, Material, Placed, SceneSpec, rows
from render.transforms import random_rotation, rigid
from train.objects.twins.lighting import FEWEST_PIXELS, fit_lighting

K = ((150.0, 0.0, 80.0), (0.0, 150.0, 60.0), (0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def renderer():
    meshes = {obj_id: model.mesh for obj_id, model in load_models([assets.FOLDER]).items()}
    with Rasterizer(meshes, normals=True) as renderer:
        yield renderer


def shading(renderer: Rasterizer, rng, light: Light, ambient, **material) -> tuple:
    """What `fit_lighting` takes: an object in a light, its colours and its normals."""
    cam_from_obj = rows(rigid(random_rotation(rng), np.array([0, 0, 0.25])))
    placed = [Placed(1, cam_from_obj, Material(**m)) for m in (material, {})]
    drawn, plain = renderer.render(
        [
            SceneSpec(K, (160, 120), (placed[0],), ambient, (light,)),
            SceneSpec(K, (160, 120), (placed[1],), (1.0, 1.0, 1.0)),
        ]
    )
    seen = plain.instance > 0
    return drawn.rgb[seen], plain.rgb[seen], plain.normals[seen]


def random_light(rng) -> tuple[tuple[float, ...], Light]:
    direction = rng.normal(size=3)
    direction[2] = -abs(direction[2]) - 0.3  # from the camera's side, where it is seen
    direction /= np.linalg.norm(direction)
    colors = rng.uniform(0.2, 0.4, 3), rng.uniform(0.2, 0.4, 3)
    ambient, color = (tuple(c.tolist()) for c in colors)
    return ambient, Light("directional", tuple(direction.tolist()), color)


def angle_deg(one, other) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(one, other), -1, 1))))


def test_the_light_that_an_object_was_drawn_in_is_found_again(renderer, rng):
    for _ in range(6):
        ambient, light = random_light(rng)
        found_ambient, found = fit_lighting(*shading(renderer, rng, light, ambient))
        np.testing.assert_allclose(found_ambient, ambient, atol=0.02)
        np.testing.assert_allclose(found.color, light.color, atol=0.02)
        assert angle_deg(found.vector, light.vector) < 3


def test_highlights_and_noise_turn_the_light_a_little_only(renderer, rng):
    for _ in range(6):
        ambient, light = random_light(rng)
        rgb, albedo, normals = shading(renderer, rng, light, ambient, gloss=0.2, shininess=32.0)
        noisy = np.clip(rgb + rng.normal(0, 5, rgb.shape), 0, 255)
        found_ambient, found = fit_lighting(noisy, albedo, normals)
        assert angle_deg(found.vector, light.vector) < 15
        np.testing.assert_allclose(found_ambient, ambient, atol=0.1)


def test_a_flat_surface_is_explained_by_ambient_light(rng):
    albedo = rng.uniform(50, 200, (500, 3))
    normals = np.tile([0.0, 0.6, -0.8], (500, 1))
    ambient, light = fit_lighting(0.7 * albedo, albedo, normals)
    np.testing.assert_allclose(ambient, 0.7, atol=0.01)
    np.testing.assert_allclose(light.color, 0, atol=0.01)


def test_a_channel_in_which_the_mesh_is_black_tells_nothing_and_harms_nothing(renderer, rng):
    ambient, light = random_light(rng)
    rgb, albedo, normals = shading(renderer, rng, light, ambient)
    yellow = albedo * [1, 1, 0]
    found_ambient, found = fit_lighting(rgb * [1, 1, 0], yellow, normals)
    np.testing.assert_allclose(found_ambient[:2], ambient[:2], atol=0.02)
    assert found_ambient[2] == found.color[2] == 0


def test_too_few_pixels_tell_of_no_light(rng):
    count = FEWEST_PIXELS
    rgb, normals = rng.uniform(20, 200, (count, 3)), np.tile([0.0, 0.0, -1.0], (count, 1))
    assert fit_lighting(rgb, rgb, normals) is not None
    assert fit_lighting(rgb[1:], rgb[1:], normals[1:]) is None
    overexposed = np.where(np.arange(count)[:, None] == 0, 255, rgb)
    assert fit_lighting(overexposed, rgb, normals) is None
