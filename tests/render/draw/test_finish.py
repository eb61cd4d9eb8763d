"""Surfaces that meshes bring of their own, in an environment: checked against such without maps."""

from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.draw.level import Level
from render.draw.rasterizer import Rasterizer
from render.environment.display import displayed
from render.environment.spec import Environment
from render.mesh.finish import PLAIN, UNSAID, Finish, SurfaceMap, join_finishes
from render.mesh.mesh import Mesh
from render.scene.spec import Light, Material, SceneSpec
from render.transforms import rodrigues
from tests.render.draw.test_physical import sphere
from tests.scenes import assert_same_frame, at, draw, scene, square

CAMERA = Camera(np.array([[300.0, 0, 39.5], [0, 300, 39.5], [0, 0, 1]]), 80, 80)
ROOM = Environment("room", seed=(4,))
BLACK = (0.0, 0.0, 0.0)
LAMP = Light("directional", (0.48, -0.36, -0.8), (0.4, 0.4, 0.35))
# Of `square`, whose corners are (-, -), (-, +), (+, +), (+, -) in x and y.
UV = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)
INNER = np.s_[12:68, 12:68]  # of the image, within the square


def texture(*color: int) -> np.ndarray:
    """One texel."""
    return np.array(color, np.uint8).reshape(1, 1, 3)


def finished(factors=PLAIN, uv: np.ndarray = UV, **maps: np.ndarray) -> Mesh:
    """A square of 0.2 m with factors, the same all over, and maps."""
    rows = np.tile(np.array(factors, np.float32), (4, 1))
    laid = {name: SurfaceMap(uv.astype(np.float32), image) for name, image in maps.items()}
    return square(0.1, finish=Finish(rows, laid))


def lit(**changes) -> SceneSpec:
    """The square in a room and in lamplight."""
    material = Material(roughness=0.35, metallic=0.0)
    default = {"ambient": (0.5, 0.5, 0.5), "lights": (LAMP,), "environment": ROOM}
    placed = changes.pop("placed", at([0, 0, 0.8], material=material))
    return scene(CAMERA, placed, **{**default, **changes})


def turned(angle: float, across: float = 1.0, up: float = 1.0) -> np.ndarray:
    """(2, 2) from x and y on the square to u and v."""
    c, s = np.cos(angle), np.sin(angle)
    return np.diag([across, up]) @ np.array([[c, s], [-s, c]])


@pytest.mark.parametrize("behind", [False, True], ids=["front", "back"])
@pytest.mark.parametrize(
    "uv_from_xy",
    [
        turned(0),
        turned(1.0),
        turned(0, -1),
        turned(0.6, 1, -1),
        turned(2, 5, 0.5),
        turned(3, -2, -1),
    ],
    ids=["straight", "turned", "u mirrored", "v mirrored and turned", "stretched", "both"],
)
def test_a_map_that_tilts_a_plane_shades_it_as_the_tilted_normal(uv_from_xy, behind):
    """x along growing u on the surface, y across it where v grows, whichever way they lie."""
    texel = np.array([190, 90, 230])
    x, y, z = 2 * texel / 255 - 1
    # Both are alike occluded by a map; else the one that only claims to be tilted hides itself.
    occluded = {"occlusion": texture(128, 0, 0)}
    mesh = finished((UNSAID, UNSAID, 1, 1, 0, 0, 0), normal=texture(*texel), **occluded)
    uv = (mesh.vertices[:, :2] / 0.2) @ uv_from_xy.T
    mesh.finish.maps["normal"].uv[:] = uv
    normal = np.array([0.0, 0.0, -1.0])
    xy_from_uv = np.linalg.inv(uv_from_xy)
    u, v = (np.array([*(xy_from_uv @ way), 0]) for way in ([1, 0], [0, 1]))
    u /= np.linalg.norm(u)
    across = np.cross(normal, u)
    across *= np.sign(across @ v)
    tilted = x * u + y * across + z * normal
    tilted /= np.linalg.norm(tilted)

    R = np.diag([-1.0, 1.0, -1.0]) if behind else np.eye(3)
    spec = lit(placed=at([0, 0, 0.8], R, material=Material(roughness=0.35)))
    flat = finished((UNSAID, UNSAID, 1, 1, 0, 0, 0), **occluded)
    reference = replace(flat, normals=np.tile(tilted.astype(np.float32), (4, 1)))
    with Rasterizer({1: mesh}, normals=True) as rasterizer:
        (ours,) = rasterizer.render([spec])
    (theirs,), (level,) = (draw({1: each}, spec) for each in (reference, flat))
    difference = np.abs(ours.rgb.astype(int) - theirs.rgb)[INNER]
    assert difference.max() <= 1
    assert np.abs(level.rgb.astype(int) - theirs.rgb)[INNER].mean() > 3
    # Images of normals show the surface itself.
    np.testing.assert_allclose(ours.normals[INNER], np.broadcast_to([0, 0, -1], (56, 56, 3)))


def test_a_mirrored_half_tilts_the_other_way():
    """Of a square folded along its middle, whose vertices both halves share."""
    grid = np.array([[x, y, 0] for x in (-0.1, 0, 0.1) for y in (-0.1, 0.1)], np.float32)
    faces = np.array([[0, 1, 3], [0, 3, 2], [2, 3, 5], [2, 5, 4]], np.int32)
    uv = np.column_stack([1 - np.abs(grid[:, 0]) / 0.1, grid[:, 1]]).astype(np.float32)
    texel = np.array([190, 90, 230])
    x, y, z = 2 * texel / 255 - 1
    maps = {
        "normal": SurfaceMap(uv, texture(*texel)),
        "occlusion": SurfaceMap(uv, texture(128, 0, 0)),
    }
    rows = np.tile(np.float32([UNSAID, UNSAID, 1, 1, 0, 0, 0]), (6, 1))
    facing, gray = np.tile(np.float32([0, 0, -1]), (6, 1)), np.full((6, 3), 200, np.uint8)
    mesh = Mesh(grid, faces, facing, gray, finish=Finish(rows, maps))
    (ours,) = draw({1: mesh}, lit())
    bare = Finish(rows, {"occlusion": maps["occlusion"]})
    for side, half in ((1, np.s_[12:68, 6:39]), (-1, np.s_[12:68, 41:74])):
        normals = np.tile(np.float32([side * x, y, -z]), (6, 1))
        (theirs,) = draw({1: replace(mesh, normals=normals, finish=bare)}, lit())
        assert np.abs(ours.rgb.astype(int) - theirs.rgb)[half].max() <= 1


def test_a_round_surface_is_tilted_without_facets():
    """As by normals of vertices that are tilted each along the ball's own axes."""
    ball = sphere(steps=64)
    normals = ball.normals.astype(np.float64)
    azimuth = np.tile(np.linspace(0, 2 * np.pi, 128), 64)
    polar = np.repeat(np.linspace(0, np.pi, 64), 128)
    uv = np.column_stack([4 * azimuth / (2 * np.pi), 1 - polar / np.pi]).astype(np.float32)
    texel = np.array([170, 100, 235])
    x, y, z = 2 * texel / 255 - 1
    east = np.column_stack([-np.sin(azimuth), np.cos(azimuth), 0 * azimuth])
    tilted = x * east + y * np.cross(normals, east) + z * normals
    tilted /= np.linalg.norm(tilted, axis=1, keepdims=True)
    rows = np.tile(np.float32([UNSAID, UNSAID, 1, 1, 0, 0, 0]), (len(normals), 1))
    dim = {"occlusion": SurfaceMap(uv, texture(60, 0, 0))}
    maps = {**dim, "normal": SurfaceMap(uv, texture(*texel))}
    mapped = replace(ball, finish=Finish(rows, maps))
    reference = replace(ball, normals=tilted.astype(np.float32), finish=Finish(rows, dim))
    R = rodrigues(np.array([0.5, 0.3, 0.2]))
    spec = lit(placed=at([0, 0, 0.8], R, material=Material(roughness=0.3)))
    (ours,), (theirs,) = draw({1: mapped}, spec), draw({1: reference}, spec)
    off = np.abs(ours.rgb.astype(int) - theirs.rgb).max(axis=2)[ours.depth > 0]
    assert np.percentile(off, 99) <= 1  # the poles have no axes


def test_the_scale_of_a_map_of_normals_counts_along_the_surface():
    """A third of 0.6 and 3/255 is 0.2 and 1/255."""
    whole = finished((UNSAID, UNSAID, 1 / 3, 0, 0, 0, 0), normal=texture(204, 129, 230))
    third = finished((UNSAID, UNSAID, 1, 0, 0, 0, 0), normal=texture(153, 128, 230))
    none = finished((UNSAID, UNSAID, 0, 0, 0, 0, 0), normal=texture(204, 129, 230))
    a, b, c, flat = (draw({1: mesh}, lit())[0] for mesh in (whole, third, none, square(0.1)))
    assert np.abs(a.rgb.astype(int) - b.rgb).max() <= 1
    assert_same_frame(c, flat)


def test_a_roughness_and_metal_of_its_own_is_drawn_as_the_scenes():
    """Whatever the scene says."""
    mesh = finished((0.2, 0.75, 0, 0, 0, 0, 0))
    for drawn in (0.9, 0.1):
        placed = at([0, 0, 0.8], material=Material(roughness=drawn, metallic=0.0))
        (ours,) = draw({1: mesh}, lit(placed=placed))
        placed = at([0, 0, 0.8], material=Material(roughness=0.2, metallic=0.75))
        assert_same_frame(ours, draw({1: square(0.1)}, lit(placed=placed))[0])


def test_a_mesh_that_says_nothing_is_drawn_as_the_scene_says():
    mesh = finished((UNSAID, UNSAID, 0, 0, 0, 0, 0))
    assert_same_frame(draw({1: mesh}, lit())[0], draw({1: square(0.1)}, lit())[0])


def test_a_map_of_two_halves_is_two_meshes_with_factors():
    """Green is roughness, blue metal, each times its factor; red is not looked at."""
    image = np.zeros((4, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (7, 51, 255), (200, 255, 0)
    mesh = finished((0.5, 0.8, 0, 0, 0, 0, 0), metallic_roughness=image)
    (ours,) = draw({1: mesh}, lit())
    for roughness, metallic, half in (
        (0.5 * 51 / 255, 0.8, np.s_[12:68, 6:37]),
        (0.5, 0.0, np.s_[12:68, 43:74]),
    ):
        placed = at([0, 0, 0.8], material=Material(roughness=roughness, metallic=metallic))
        (theirs,) = draw({1: square(0.1)}, lit(placed=placed))
        assert np.abs(ours.rgb.astype(int) - theirs.rgb)[half].max() <= 1


@pytest.mark.parametrize("light", [(0.1, 0.5, 0.75), (0.0, 0.01, 3.0)])
def test_light_of_its_own_is_seen_in_the_dark_as_its_color(light):
    """And is added to what the surface reflects."""
    mesh = finished((UNSAID, UNSAID, 0, 0, *light))
    (dark,) = draw({1: mesh}, lit(ambient=BLACK, lights=()))
    np.testing.assert_allclose(dark.rgb[40, 40], displayed(np.array(light)), atol=1)
    half = finished((UNSAID, UNSAID, 0, 0, *light), emissive=texture(188, 255, 0))
    (dark,) = draw({1: half}, lit(ambient=BLACK, lights=()))
    expected = displayed(np.array(light) * [0.5028865, 1, 0])
    np.testing.assert_allclose(dark.rgb[40, 40], expected, atol=1)


def test_a_map_of_occlusion_keeps_the_surroundings_off_and_no_lamp():
    black = finished((UNSAID, UNSAID, 0, 1, 0, 0, 0), occlusion=texture(0, 255, 255))
    (ambient,) = draw({1: black}, lit(lights=()))
    assert not ambient.rgb.any()
    dark = {"ambient": BLACK}
    assert_same_frame(draw({1: black}, lit(**dark))[0], draw({1: square(0.1)}, lit(**dark))[0])
    none = finished((UNSAID, UNSAID, 0, 0, 0, 0, 0), occlusion=texture(0, 255, 255))
    assert_same_frame(draw({1: none}, lit())[0], draw({1: square(0.1)}, lit())[0])
    # Of strength 0.5, black is 0.5, as 128 of strength 1.
    half = finished((UNSAID, UNSAID, 0, 0.5, 0, 0, 0), occlusion=texture(1, 0, 0))
    gray = finished((UNSAID, UNSAID, 0, 1, 0, 0, 0), occlusion=texture(128, 0, 0))
    a, b, c = (draw({1: m}, lit(lights=()))[0].rgb.astype(int) for m in (half, gray, none))
    assert np.abs(a - b).max() <= 1
    assert (a[40, 40] > 0).all() and (a[40, 40] + 10 < c[40, 40]).all()


def test_without_an_environment_nothing_of_it_is_drawn():
    """To the byte, so that datasets of before stay what they are."""
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    names = ("normal", "metallic_roughness", "occlusion", "emissive")
    mesh = finished((0.5, 0.5, 1, 1, 1, 1, 1), **dict.fromkeys(names, image))
    spec = lit(environment=None)
    assert_same_frame(draw({1: mesh}, spec)[0], draw({1: square(0.1)}, spec)[0])


def test_joined_parts_keep_their_own():
    """Of two squares and one that says nothing; maps of one are not seen on another."""
    rough = finished((0.2, 0.75, 0, 0, 0, 0, 0)).finish
    mapped = finished(
        (1, 1, 1, 1, 0.2, 0, 0),
        normal=texture(190, 90, 230),
        metallic_roughness=texture(0, 128, 255),
        occlusion=texture(99, 0, 0),
        emissive=np.full((8, 8, 3), 200, np.uint8),
    ).finish
    joint = join_finishes([rough, None, mapped], [4, 4, 4])
    for i, one in enumerate((rough, None, mapped)):
        part = joint.taken(np.arange(4 * i, 4 * i + 4))
        ours, theirs = (draw({1: square(0.1, finish=f)}, lit())[0] for f in (part, one))
        assert np.abs(ours.rgb.astype(int) - theirs.rgb).max() <= 1


def test_coarser_levels_are_drawn_where_they_show_the_same_finish():
    """A level of a smaller square tells which was drawn."""
    small = Level(square(0.05), 0.0)
    uniform, mapped = finished((0.2, 0.75, 0, 0, 0, 0, 0)), finished(normal=texture(190, 90, 230))
    placed = at([0, 0, 0.8], material=Material(roughness=0.2, metallic=0.75))
    for mesh, environment, is_coarse in (
        (uniform, ROOM, True),
        (mapped, ROOM, False),
        (mapped, None, True),
    ):
        spec = lit(environment=environment)
        with Rasterizer({1: mesh}, levels={1: [small]}) as rasterizer:
            (frame,) = rasterizer.render([spec])
        assert ((frame.depth > 0).sum() < 2000) == is_coarse
        if mesh is uniform:
            (expected,) = draw({1: square(0.05)}, lit(placed=placed))
            assert np.abs(frame.rgb.astype(int) - expected.rgb).max() <= 1


def test_a_mask_and_a_finish_go_together():
    """In the anti-aliased image too, which is shaded sample by sample."""
    mesh = replace(
        finished((0.2, 0.75, 1, 0, 0, 0, 0), normal=texture(190, 90, 230)),
        opacity=np.array([0, 2, 2, 0], np.float32),
    )
    whole = replace(mesh, opacity=None)
    ours, theirs = (draw({1: m}, lit(), antialias=True)[0] for m in (mesh, whole))
    there = ours.depth > 0
    assert there.sum() == pytest.approx((theirs.depth > 0).sum() / 2, abs=75)  # a row of pixels
    inner = np.s_[50:68, 12:68]
    assert np.abs(ours.rgb.astype(int) - theirs.rgb)[inner].max() <= 1
