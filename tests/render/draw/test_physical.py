"""Shading in an environment: glTF 2.0's metallic-roughness, checked against the integral itself."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.draw.gl_environment import environment_block
from render.draw.rasterizer import Rasterizer
from render.environment.albedo import SIDE, directional_albedo
from render.environment.display import decoded, displayed
from render.environment.light import prepare
from render.environment.panorama import directions
from render.environment.spec import Environment
from render.mesh.mesh import Mesh
from render.scene.background import draw_behind
from render.scene.spec import Background, Light, Material, SceneSpec, rows
from render.transforms import random_rotation
from tests.scenes import FULL_AMBIENT, assert_same_frame, at, draw, quads, random_scene, scene
from tests.scenes import two_meshes as meshes_of_random_scene

PAINT = (230, 120, 60)
HALF = (0.5, 0.5, 0.5)
CENTER, RADIUS = np.array([0.0, 0.0, 0.5]), 0.1
FACING = Camera(np.array([[100.0, 0, 31.5], [0, 100, 23.5], [0, 0, 1]]), 64, 48)


def sphere(color=(255, 255, 255), steps: int = 128) -> Mesh:
    """A sphere of 0.1 m whose normals are exact."""
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps), indexing="ij"
    )
    level = np.sin(polar)[..., None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    normals = np.concatenate([level, np.cos(polar)[..., None]], axis=-1).reshape(-1, 3)
    at_corner = np.arange(2 * steps**2).reshape(steps, 2 * steps)
    a, b, c, d = (
        x.ravel()
        for x in (at_corner[:-1, :-1], at_corner[1:, :-1], at_corner[1:, 1:], at_corner[:-1, 1:])
    )
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return Mesh(
        vertices=(RADIUS * normals).astype(np.float32),
        faces=faces.astype(np.int32),
        normals=normals.astype(np.float32),
        colors=np.tile(np.array(color, np.uint8), (len(normals), 1)),
    )


def ball(material: Material, environment: Environment | None = None, **changes) -> SceneSpec:
    changes = {"ambient": HALF, **changes}
    placed = at(CENTER, material=material)
    return scene(FACING, placed, environment=environment or Environment(), **changes)


def seen_points(frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of pixels on the sphere, normals there, and ways to the viewer."""
    v, u = np.nonzero(frame.depth)
    rays = np.column_stack([u, v, np.ones(len(u))]) @ np.linalg.inv(FACING.K).T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    along = rays @ CENTER
    root = np.sqrt(np.maximum(along**2 - CENTER @ CENTER + RADIUS**2, 0))
    normals = ((along - root)[:, None] * rays - CENTER) / RADIUS
    return np.stack([v, u]), normals, -rays


def brdf(normal, view, light, color, roughness, metallic) -> np.ndarray:
    """(n, 3) of glTF 2.0, appendix B, for (n, 3) ways to the light above the surface.

    What microfacets reflect again is added as a factor, with the albedo by quadrature.
    """
    alpha_2 = roughness**4
    halfway = light + view
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    nl, nv = light @ normal, normal @ view
    nh, vh = halfway @ normal, halfway @ view
    D = alpha_2 / (np.pi * (nh**2 * (alpha_2 - 1) + 1) ** 2)
    V = 0.5 / (
        nl * np.sqrt(nv**2 * (1 - alpha_2) + alpha_2)
        + nv * np.sqrt(nl**2 * (1 - alpha_2) + alpha_2)
    )
    f0 = 0.04 * (1 - metallic) + metallic * color
    fresnel = f0 + (1 - f0) * (1 - vh[:, None]) ** 5
    matt = (1 - fresnel) * color * (1 - metallic) / np.pi
    return matt + fresnel * (D * V)[:, None] * (1 + f0 * (1 / albedo(nv, roughness) - 1))


def albedo(nv: float, roughness: float, steps: int = 400) -> float:
    """What a surface of reflectance 1 mirrors of white light from all around, without what its
    microfacets reflect again: by quadrature over directions of light."""
    u, phi = np.meshgrid((np.arange(steps) + 0.5) / steps, np.pi * (np.arange(steps) + 0.5) / steps)
    nl = u.ravel()
    level = np.sqrt(1 - nl**2)
    light = np.column_stack([level * np.cos(phi.ravel()), level * np.sin(phi.ravel()), nl])
    view = np.array([np.sqrt(1 - nv**2), 0, nv])
    halfway = light + view
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    a2 = roughness**4
    D = a2 / (np.pi * (halfway[:, 2] ** 2 * (a2 - 1) + 1) ** 2)
    V = 0.5 / (nl * np.sqrt(nv**2 * (1 - a2) + a2) + nv * np.sqrt(nl**2 * (1 - a2) + a2))
    return float((D * V * nl).mean() * 2 * np.pi)


@pytest.mark.parametrize("metallic", [0.0, 1.0])
@pytest.mark.parametrize("roughness", [0.1, 0.3, 0.5, 0.7, 1.0])
def test_a_white_ball_vanishes_in_a_white_furnace(roughness, metallic):
    """It reflects all that it receives, to 2 %: half of 255's radiance is 188."""
    (frame,) = draw({1: sphere()}, ball(Material(roughness=roughness, metallic=metallic)))
    radiance = decoded(frame.rgb[frame.depth > 0] / 255)
    np.testing.assert_allclose(radiance, 0.5, rtol=0.02)


@pytest.mark.parametrize("row", [6, 12, 19, 25, 31])
def test_the_tabulated_albedo_is_the_integral(row):
    """What a white metal loses without multiple scattering is what the factor gives back."""
    table = directional_albedo().sum(axis=2)
    for column in (4, 12, 20, 30):
        exact = albedo((column + 0.5) / SIDE, (row + 0.5) / SIDE)
        assert table[row, column] == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("metallic", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("roughness", [0.2, 0.5, 1.0])
def test_lamps_light_as_the_formulas_say(roughness, metallic):
    """To the rounding of a picture, all over a coloured ball."""
    towards = np.array([0.5, -0.6, -0.6])
    towards /= np.linalg.norm(towards)
    lamp = Light("directional", tuple(towards.tolist()), (0.2, 0.25, 0.3))
    material = Material(roughness=roughness, metallic=metallic)
    (frame,) = draw({1: sphere(PAINT)}, ball(material, ambient=(0.0, 0.0, 0.0), lights=(lamp,)))
    (v, u), normals, views = seen_points(frame)
    chosen = np.arange(0, len(v), 23)
    color, light = decoded(np.array(PAINT) / 255), np.pi * np.array(lamp.color)
    for i in chosen[(normals[chosen] @ towards > 0.05) & inner(normals, views)[chosen]]:
        reflected = brdf(normals[i], views[i], towards[None], color, roughness, metallic)[0]
        expected = displayed(reflected * light * (normals[i] @ towards))
        np.testing.assert_allclose(frame.rgb[v[i], u[i]], expected, atol=4)


@pytest.mark.parametrize("metallic", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["studio", "room", "sky"])
@pytest.mark.slow
def test_environments_light_as_the_rendering_equation_says(kind, metallic):
    """The integral of light times BRDF, without occlusion, by quadrature: over balls of four
    roughnesses in three environments, pixels are off by 8 % of the mean for a dielectric, by
    12 % for a metal, whose rough lobes are no more than round."""
    rng, errors = np.random.default_rng(0), []
    way, solid_angle = directions(256, 512).astype(np.float64).reshape(-1, 3), sphere_cells()
    color = decoded(np.array(PAINT) / 255)
    with Rasterizer({1: sphere(PAINT)}) as rasterizer:
        for seed, roughness in ((s, r) for s in (1, 2, 3) for r in (0.25, 0.5, 0.8, 1.0)):
            environment = Environment(kind, rows(random_rotation(rng)), (seed,))
            light = prepare(environment)
            arriving = light.scale * light.radiance(way.astype(np.float32)) * solid_angle * 0.3
            in_cam = way @ np.array(environment.env_from_cam)
            material = Material(roughness=roughness, metallic=metallic)
            spec = ball(material, environment, ambient=(0.3, 0.3, 0.3))
            (frame,) = rasterizer.render([spec])
            (v, u), normals, views = seen_points(frame)
            drawn, expected = [], []
            for i in rng.choice(np.flatnonzero(inner(normals, views)), 12, replace=False):
                up = in_cam @ normals[i] > 1e-3
                facing = (in_cam[up] @ normals[i])[:, None]
                reflected = brdf(normals[i], views[i], in_cam[up], color, roughness, metallic)
                expected.append((reflected * facing * arriving[up]).sum(axis=0))
                drawn.append(decoded(frame.rgb[v[i], u[i]] / 255))
            expected = np.minimum(expected, 0.8)
            errors.append(np.abs(np.minimum(drawn, 0.8) - expected).mean() / expected.mean())
    assert np.mean(errors) < (0.12 if metallic else 0.08)


def sphere_cells() -> np.ndarray:
    """(256 * 512, 1) steradians of a panorama's pixels."""
    edges = np.cos(np.pi * np.arange(257) / 256)
    return np.repeat((edges[:-1] - edges[1:]) * 2 * np.pi / 512, 512)[:, None]


def inner(normals: np.ndarray, views: np.ndarray) -> np.ndarray:
    """(n,) bool: not on the rim, where the facets of the drawn ball show."""
    return np.einsum("ij,ij->i", normals, views) > 0.2


def test_an_old_material_has_the_roughness_of_its_shininess():
    """2 / roughness^4 - 2."""
    assert Material(shininess=2 / 0.5**4 - 2).microfacets == pytest.approx((0.5, 0.0))
    old = ball(Material(gloss=0.4, shininess=30.0), Environment("room", seed=(1,)))
    (placed,) = old.objects
    new = replace(placed, material=Material(roughness=placed.material.microfacets[0]))
    with Rasterizer({1: sphere(PAINT)}) as rasterizer:
        assert_same_frame(*rasterizer.render([old, replace(old, objects=(new,))]))


@pytest.mark.parametrize("kind", ["studio", "room", "sky"])
def test_turning_camera_and_environment_together_changes_nothing(kind):
    """What is drawn depends on how they are turned to one another."""
    rng = np.random.default_rng(5)
    turn = random_rotation(rng)
    env_from_cam = random_rotation(rng)
    specs = []
    for R in (np.eye(3), turn):
        # The ball in the middle of the image stays where it is when all else turns about it.
        environment = Environment(kind, rows(env_from_cam @ R.T), (3,))
        specs.append((environment, R))
    light = prepare(specs[0][0])
    blocks = [environment_block(environment, light) for environment, _ in specs]
    normals = rng.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    one, two = (
        irradiance(block, normals @ R.T) for block, (_, R) in zip(blocks, specs, strict=True)
    )
    np.testing.assert_allclose(one, two, atol=1e-5)


def irradiance(block: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(n, 3) as the shader has it."""
    x, y, z = n.T
    terms = np.stack([np.ones(len(n)), x, y, z, x * y, y * z, z * x, x * x, y * y], axis=1)
    return terms @ block["irradiance"][:, :3]


def test_only_colours_differ_from_the_same_scene_without_an_environment():
    """Depth, ids, and masks are bit for bit the same; so are old specs drawn after new ones."""
    rng = np.random.default_rng(2)
    old = random_scene(rng)
    new = replace(old, environment=Environment("sky", seed=(1,)))
    with Rasterizer(meshes_of_random_scene()) as rasterizer:
        before, lit, after = rasterizer.render([old, new, old])
        np.testing.assert_array_equal(rasterizer.full_masks(old, 3), rasterizer.full_masks(new, 3))
    assert_same_frame(before, after)
    np.testing.assert_array_equal(before.depth, lit.depth)
    np.testing.assert_array_equal(before.instance, lit.instance)
    assert (before.rgb != lit.rgb).any()


@pytest.mark.parametrize("antialias", [False, True])
def test_a_frame_does_not_depend_on_what_is_drawn_with_it(antialias):
    rng = np.random.default_rng(3)
    kinds = ("studio", "room", "sky", "plain")
    specs = [
        replace(random_scene(rng), environment=Environment(kinds[i % 4], seed=(i,)))
        for i in range(20)  # more than the textures that are kept
    ]
    together = draw(meshes_of_random_scene(), *specs, antialias=antialias)
    for spec, frame in zip(specs[::7], together[::7], strict=True):
        assert_same_frame(frame, draw(meshes_of_random_scene(), spec, antialias=antialias)[0])


def test_a_black_ball_is_black_where_there_is_no_light_and_shines_where_there_is():
    """A dielectric mirrors 4 % head-on, whatever its colour."""
    spec = ball(Material(roughness=0.1), ambient=FULL_AMBIENT)
    (frame,) = draw({1: sphere((0, 0, 0))}, spec)
    assert decoded(frame.rgb[24, 31] / 255) == pytest.approx(0.04, abs=0.004)
    (dark,) = draw({1: sphere()}, replace(spec, ambient=(0.0, 0.0, 0.0)))
    assert not dark.rgb.any()


@pytest.mark.parametrize("strength", np.linspace(0, 2, 21).tolist())
def test_a_background_is_as_bright_as_what_shines_so(strength):
    """A white ball in a white environment cannot be seen before it: to a step of 8 bits."""
    ambient = (strength, 0.9 * strength, 0.8 * strength)
    spec = ball(Material(roughness=0.5), ambient=ambient)
    behind = draw_behind(replace(spec, background=Background("environment")))
    assert behind.shape == (FACING.height, FACING.width, 3)
    (frame,) = draw({1: sphere()}, spec, backgrounds=[behind])
    assert np.ptp(frame.rgb.astype(int), axis=(0, 1)).max() <= 1
    np.testing.assert_allclose(frame.rgb[0, 0], displayed(np.array(ambient)), atol=1)


def test_colours_are_decoded_from_srgb_to_the_last_step():
    """All 256 greys, in the light of a lamp at the camera, are what the formulas make of them."""
    grays = np.arange(256).reshape(16, 16)
    row, column = np.mgrid[:16, :16] / 160 - 0.05
    corners = np.array([[0, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0], [0.1, 0, 0]]) / 16
    places = np.stack([column, row, np.zeros((16, 16))], axis=-1).reshape(-1, 1, 3)
    mesh = quads(places + corners)
    mesh = replace(mesh, colors=np.repeat(np.tile(grays.reshape(-1, 1), 3), 4, axis=0).astype("u1"))
    camera = Camera(np.array([[500.0, 0, 63.5], [0, 500, 63.5], [0, 0, 1]]), 128, 128)
    lamp = Light("directional", (0.0, 0.0, -1.0), (0.5, 0.5, 0.5))
    spec = scene(
        camera,
        at([0, 0, 0.5], material=Material(roughness=1.0)),
        environment=Environment(),
        ambient=(0.0, 0.0, 0.0),
        lights=(lamp,),
    )
    (frame,) = draw({1: mesh}, spec)
    for i, gray in enumerate(grays.ravel()):
        v, u = (round(500 * place / 0.5 + 63.5) for place in places[i, 0, 1::-1] + 0.1 / 32)
        view = -np.linalg.inv(camera.K) @ [u, v, 1]
        view, normal = view / np.linalg.norm(view), np.array([0, 0, -1.0])
        color = decoded(np.full(3, gray) / 255)
        reflected = brdf(normal, view, np.array([[0, 0, -1.0]]), color, 1.0, 0.0)[0]
        expected = displayed(reflected * np.pi * 0.5)
        np.testing.assert_allclose(frame.rgb[v, u].astype(int), expected.astype(int), atol=1)
