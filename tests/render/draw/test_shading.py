import dataclasses

import numpy as np
import pytest

from render.camera import Camera
from render.mesh.mesh import Mesh
from render.scene.spec import Light, Material, Placed, rows
from render.transforms import random_rotation, rigid, rodrigues
from tests.scenes import (
    EYE,
    FULL_AMBIENT,
    SMALL,
    assert_same_frame,
    at,
    draw,
    lumpy,
    plane_depth,
    quads,
    random_scene,
    scene,
    square,
    two_meshes,
)


def test_full_ambient_light_gives_back_the_vertex_colours(rng):
    colors = rng.integers(0, 256, (48, 3))
    left, top = np.arange(48) % 8 * 8 - 0.5, np.arange(48) // 8 * 8 - 0.5
    pixels = [[left, top], [left + 8, top], [left + 8, top + 8], [left, top + 8]]
    corners = np.stack([np.stack([*p, np.ones(48)], axis=1) for p in pixels], axis=1)
    mesh = quads(corners @ np.linalg.inv(SMALL.K).T, colors)
    frame = draw({1: mesh}, scene(SMALL, Placed(1, EYE), ambient=FULL_AMBIENT))[0]
    expected = colors.reshape(6, 8, 3).repeat(8, axis=0).repeat(8, axis=1)
    np.testing.assert_array_equal(frame.rgb, expected)


def test_shading_is_blinn_phong():
    cam_from_obj = rigid(rodrigues(np.array([0.3, -0.4, 0.1])), [0, 0, 0.8])
    material = Material((0.9, 0.5, 0.7), gloss=0.6, shininess=25.0)
    lights = (
        Light("directional", (0.48, -0.64, -0.6), (0.5, 0.4, 0.3)),
        Light("point", (-0.1, 0.1, 0.3), (0.3, 0.3, 0.6)),
        Light("directional", (0.0, 0.0, 1.0)),  # from behind: gives nothing
        Light(
            "spot", (0.1, -0.1, 0.2), (0.4, 0.1, 0.2), direction=(-0.28, 0.0, 0.96), cone=(0.1, 0.5)
        ),
    )
    placed = Placed(1, rows(cam_from_obj), material)
    spec = scene(SMALL, placed, ambient=(0.1, 0.2, 0.3), lights=lights)
    frame = draw({1: square(1.0)}, spec)[0]

    points = SMALL.unproject(plane_depth(SMALL, cam_from_obj))
    normal = -cam_from_obj[:3, 2]
    viewer = -points / np.linalg.norm(points, axis=-1, keepdims=True)
    diffuse, gloss = np.zeros((48, 64, 3)) + spec.ambient, np.zeros((48, 64, 3))
    for light in lights:
        to_light = np.array(light.vector) - (0 if light.kind == "directional" else 1) * points
        to_light /= np.linalg.norm(to_light, axis=-1, keepdims=True)
        strength = np.array(light.color)
        if light.kind == "spot":
            inner, outer = np.cos(light.cone)
            beam = np.clip((-to_light @ light.direction - outer) / (inner - outer), 0, 1) ** 2
            assert beam.min() == 0 and beam.max() == 1 and 0.05 < beam.mean() < 0.95
            strength = beam[..., None] * strength
        halfway = to_light + viewer
        halfway /= np.linalg.norm(halfway, axis=-1, keepdims=True)
        facing = (to_light @ normal)[..., None]
        diffuse += np.maximum(facing, 0) * strength
        gloss += (facing > 0) * np.maximum(halfway @ normal, 0)[..., None] ** 25 * strength
    color = np.array([200, 100, 50]) / 255 * material.tint * diffuse + 0.6 * gloss
    expected = 255 * np.clip(color, 0, 1)
    assert frame.instance.all() and np.ptp(expected) > 100
    assert np.abs(frame.rgb - expected).max() < 0.51


def test_a_surface_is_lit_alike_from_both_sides():
    lights = (Light("directional", (0.6, 0.0, -0.8)),)
    mesh = square(0.1)
    turned = dataclasses.replace(mesh, normals=-mesh.normals, faces=mesh.faces[:, ::-1])
    front, back = draw(
        {1: mesh, 2: turned},
        *(scene(SMALL, at([0, 0, 0.5], obj_id=i), lights=lights) for i in (1, 2)),
    )
    assert_same_frame(front, back)


def test_stretch_scales_the_mesh_before_the_pose(rng):
    stretch = np.array([0.5, 1.5, 2.0])
    mesh, R = lumpy(rng), random_rotation(rng)
    normals = mesh.normals / stretch
    stretched = dataclasses.replace(
        mesh,
        vertices=(mesh.vertices * stretch).astype(np.float32),
        normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
    )
    lights = (Light("directional", (0.6, 0.0, -0.8)),)
    by_spec, by_mesh = draw(
        {1: mesh, 2: stretched},
        scene(SMALL, at([0, 0, 0.6], R, stretch=tuple(stretch.tolist())), lights=lights),
        scene(SMALL, at([0, 0, 0.6], R, obj_id=2), lights=lights),
    )
    assert (by_spec.instance != by_mesh.instance).sum() <= 1  # rounding at an edge
    both = (by_spec.instance > 0) & (by_mesh.instance > 0)
    same = np.abs(by_spec.depth - by_mesh.depth) < 1e-5  # elsewhere two surfaces cross
    assert both.sum() > 300 and same[both].mean() > 0.995
    difference = np.abs(by_spec.rgb.astype(int) - by_mesh.rgb)[both & same]
    assert difference.max() <= 1


def textured(pixels_a_texel: int, texture: np.ndarray) -> tuple[Mesh, Camera]:
    """A frontal square that fills its image, v up: the texture's first row on top."""
    side = pixels_a_texel * len(texture)
    camera = Camera(
        np.array([[side, 0, side / 2 - 0.5], [0, side, side / 2 - 0.5], [0, 0, 1]]), side, side
    )
    uv = np.array([[0, 1], [0, 0], [1, 0], [1, 1]], np.float32)
    white = np.full((4, 3), 255, np.uint8)
    return square(0.5, colors=white, uv=uv, texture=texture), camera


def test_a_texture_shows_its_texels_with_the_first_row_on_top(rng):
    texture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    mesh, camera = textured(5, texture)
    frame = draw({1: mesh}, scene(camera, at([0, 0, 1.0]), ambient=FULL_AMBIENT))[0]
    np.testing.assert_array_equal(frame.rgb[2::5, 2::5], texture)


def test_vertex_colour_and_tint_multiply_the_texture():
    texture = np.full((2, 2, 3), 200, np.uint8)
    mesh, camera = textured(4, texture)
    mesh = dataclasses.replace(mesh, colors=np.full((4, 3), 102, np.uint8))
    placed = at([0, 0, 1.0], material=Material(tint=(1.0, 0.5, 0.0)))
    frame = draw({1: mesh}, scene(camera, placed, ambient=FULL_AMBIENT))[0]
    np.testing.assert_array_equal(frame.rgb, np.broadcast_to([80, 40, 0], (8, 8, 3)))


def test_a_minified_texture_becomes_its_mean(rng):
    texture = np.indices((256, 256)).sum(axis=0)[..., None] % 2 * np.full(3, 255, np.uint8)
    mesh, _ = textured(1, texture.astype(np.uint8))
    spec = scene(SMALL, at([0, 0, 1.3], random_rotation(rng)), ambient=FULL_AMBIENT)
    frame = draw({1: mesh}, spec)[0]
    # Away from the rim, where mipmaps would wrap around.
    assert np.abs(frame.rgb[frame.instance == 1].astype(int) - 127).max() <= 2


def test_the_background_stands_exactly_where_nothing_is_drawn(rng):
    specs = [random_scene(rng) for _ in range(3)]
    backgrounds = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), None, None]
    for spec, background, frame, plain in zip(
        specs,
        backgrounds,
        draw(two_meshes(), *specs, backgrounds=backgrounds),
        draw(two_meshes(), *specs),
        strict=True,
    ):
        empty = frame.depth == 0
        assert empty.any() and not empty.all()
        np.testing.assert_array_equal(
            frame.rgb[empty], 0 if background is None else background[empty]
        )
        np.testing.assert_array_equal(frame.rgb[~empty], plain.rgb[~empty])
        assert len(frame.annotations) == sum(p.annotated for p in spec.objects)


def test_antialiasing_changes_nothing_but_colours_at_edges(rng):
    meshes = two_meshes()
    lights = (Light("point", (0.3, 0.2, 0.1)),)
    flat = [
        scene(SMALL, at([0, 0, 0.5], rodrigues(rng.uniform(-0.7, 0.7, 3)), 2), lights=lights)
        for _ in range(3)
    ]
    specs = [*flat, *(random_scene(rng) for _ in range(3))]
    backgrounds = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in specs]
    smooth = draw(meshes, *specs, backgrounds=backgrounds, antialias=True)
    sharp = draw(meshes, *specs, backgrounds=backgrounds)
    for a, b in zip(smooth, sharp, strict=True):
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.instance, b.instance)
    for a, b in zip(smooth[:3], sharp[:3], strict=True):
        around = np.stack([np.roll(b.depth, s, axis=(0, 1)) for s in np.ndindex(3, 3)])
        around = np.roll(around, (-1, -1), axis=(1, 2))
        empty, inside = ~around.any(axis=0), around.all(axis=0)
        assert empty.sum() > 500 and inside.sum() > 300
        np.testing.assert_array_equal(a.rgb[empty], b.rgb[empty])
        assert np.abs(a.rgb.astype(int) - b.rgb)[inside].max() <= 1


def test_antialiasing_blends_by_the_covered_area():
    R = rodrigues(np.array([0, 0, 0.3]))
    spec = scene(SMALL, at([0.003, 0.002, 0.5], R), ambient=FULL_AMBIENT)
    black = square(0.05, colors=np.zeros((4, 3), np.uint8))
    white = np.full((48, 64, 3), 255, np.uint8)
    frame = draw({1: black}, spec, backgrounds=[white], antialias=True)[0]
    covered = 1 - frame.rgb[..., 0] / 255
    levels = np.unique(frame.rgb)
    assert 0 in levels and 255 in levels and len(levels) > 2
    np.testing.assert_allclose(covered.sum(), 20 * 20, rtol=0.01)


def test_a_background_must_fit():
    with pytest.raises(ValueError, match=r"a background must be \(48, 64, 3\) uint8, got"):
        draw({}, scene(SMALL), backgrounds=[np.zeros((64, 48, 3), np.uint8)])
