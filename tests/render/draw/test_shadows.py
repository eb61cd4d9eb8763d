"""Shadows: where geometry puts them, and nothing else in the image changed."""

import dataclasses

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.mesh.mesh import Mesh
from render.scene.spec import Light, Material, Placed, SceneSpec, rows
from render.transforms import apply, invert, random_rotation, rigid, rodrigues
from tests.scenes import (
    CAMERA,
    SMALL,
    assert_same_frame,
    at,
    draw,
    plane_depth,
    quads,
    random_scene,
    scene,
    square,
    two_meshes,
)

AMBIENT = (0.3, 0.3, 0.3)
SUN = Light("directional", (0.48, -0.36, -0.8), (0.5, 0.5, 0.5), shadow=True)
BULB = Light("point", (0.3, -0.2, 0.2), (0.5, 0.5, 0.5), True)
LAMP = Light("spot", (0.3, -0.2, 0.2), (0.5, 0.5, 0.5), True, (-0.36, 0.48, 0.8), (0.6, 1.1))


def unit(*vector) -> tuple[float, ...]:
    return tuple((np.array(vector) / np.linalg.norm(vector)).tolist())


def ball(radius: float, subdivisions: int) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(
        vertices=sphere.vertices.astype(np.float32),
        faces=sphere.faces.astype(np.int32),
        normals=(sphere.vertices / radius).astype(np.float32),
        colors=np.full((len(sphere.vertices), 3), 200, np.uint8),
    )


def lit_variants(spec: SceneSpec) -> tuple[SceneSpec, SceneSpec, SceneSpec]:
    """The spec; without shadows; and under ambient light alone."""
    bare = tuple(dataclasses.replace(light, shadow=False) for light in spec.lights)
    return spec, dataclasses.replace(spec, lights=bare), dataclasses.replace(spec, lights=())


def hits_square(points, light: Light, cam_from_square: np.ndarray, half: float) -> np.ndarray:
    """Whether a square in its xy plane stands between (..., 3) points and a light."""
    square_from_cam = invert(cam_from_square)
    start = apply(square_from_cam, points)
    if light.kind == "directional":
        way = np.broadcast_to(square_from_cam[:3, :3] @ light.vector, start.shape)
        reach = np.inf
    else:
        way, reach = apply(square_from_cam, np.array([light.vector])) - start, 1.0
    along = -start[..., 2] / way[..., 2]
    inside = (np.abs(start + along[..., None] * way)[..., :2] < half).all(axis=-1)
    return inside & (along > 1e-6) & (along < reach)


@pytest.mark.parametrize("light", [SUN, LAMP, BULB], ids=["directional", "spot", "point"])
@pytest.mark.parametrize("tilt", [(0, 0, 0), (0.7, -0.2, 0), (-0.4, 0.8, 0)])
@pytest.mark.parametrize(
    ("t", "half"),
    [((0.05, -0.03, 0.8), 0.05), ((0.5, -0.33, 0.35), 0.2), ((0.3, -0.2, -0.05), 0.1)],
    ids=["seen", "beside the image", "behind the camera"],
)
def test_a_plate_casts_its_shadow_where_geometry_says(light, tilt, t, half):
    if light.kind != "directional" and t[2] < 0.2:
        light = dataclasses.replace(light, vector=(0.35, -0.25, -0.3))
    floor, plate = at([0, 0, 1.0], rodrigues(tilt)), at(t, rodrigues([0.2, 0.1, 0.5]), obj_id=2)
    spec = scene(CAMERA, floor, plate, ambient=AMBIENT, lights=(light,))
    meshes = {1: square(0.5), 2: square(half)}
    shadowed, lit, dark = draw(meshes, *lit_variants(spec))

    on_floor = shadowed.instance == 1
    points = CAMERA.unproject(plane_depth(CAMERA, floor.matrix))
    # Edges may be off by a pixel, and by a millimetre, about a texel of the map, on the plate.
    grown, shrunk = (
        hits_square(points, light, plate.matrix, half + edge).astype(np.uint8)
        for edge in (0.001, -0.001)
    )
    in_shadow = on_floor & (cv2.erode(shrunk, np.ones((3, 3))) > 0)
    in_light = on_floor & (cv2.dilate(grown, np.ones((3, 3))) == 0)
    assert in_shadow.sum() > 1000 and in_light.sum() > 1000
    assert (in_shadow | in_light)[on_floor].mean() > 0.97
    np.testing.assert_array_equal(shadowed.rgb[in_shadow], dark.rgb[in_shadow])
    np.testing.assert_array_equal(shadowed.rgb[in_light], lit.rgb[in_light])
    assert ((lit.rgb > dark.rgb).any(axis=2) & in_light).sum() > 1000
    for name in ("depth", "instance"):
        np.testing.assert_array_equal(getattr(shadowed, name), getattr(lit, name))


@pytest.mark.slow
def test_a_bulb_in_a_room_casts_shadows_on_all_its_walls(rng):
    """Also across the borders of the maps that its light falls into."""
    size = np.array([1.2, 1.2, 2.4])
    room = quads(trimesh.creation.box(size).triangles[:, [0, 1, 2, 2]])
    wide = Camera(np.array([[100, 0, 160], [0, 100, 120], [0, 0, 1]]), 320, 240)
    shadowed_on, lit_on = np.zeros((2, 6), int)  # pixels by the side of a cube around the bulb
    for _ in range(16):
        camera, lamp = rng.uniform(-0.35, 0.35, (2, 3)) * size
        turn = random_rotation(rng)
        cam_from_room = rigid(turn, -turn @ camera)
        bulb = Light("point", tuple(apply(cam_from_room, lamp[None])[0]), shadow=True)
        plates = []
        for way in rng.normal(size=(16, 3)):
            R = Rotation.align_vectors([way], [[0, 0, 1]])[0].as_matrix()
            plates.append(at(np.array(bulb.vector) + 0.2 * R[:, 2], R, obj_id=2))
        spec = scene(wide, Placed(1, rows(cam_from_room)), *plates, ambient=AMBIENT, lights=(bulb,))
        shadowed, lit, dark = draw({1: room, 2: square(0.03)}, *lit_variants(spec))

        points = wide.unproject(lit.depth)
        grown, shrunk = (
            np.any([hits_square(points, bulb, p.matrix, 0.03 + edge) for p in plates], axis=0)
            for edge in (0.001, -0.001)
        )
        to_walls = size / 2 - np.abs(apply(invert(cam_from_room), points))
        # Not where two walls meet, whose depths share texels of a map.
        on_a_wall = (lit.instance == 1) & (np.sort(to_walls, axis=2)[..., 1] > 0.02)
        in_shadow, in_light = (
            cv2.erode((part & on_a_wall).astype(np.uint8), np.ones((3, 3))) > 0
            for part in (shrunk, ~grown)
        )
        np.testing.assert_array_equal(shadowed.rgb[in_shadow], dark.rgb[in_shadow])
        np.testing.assert_array_equal(shadowed.rgb[in_light], lit.rgb[in_light])
        way = points - bulb.vector
        axis = np.abs(way).argmax(axis=2)
        side = 2 * axis + (np.take_along_axis(way, axis[..., None], 2)[..., 0] < 0)
        changes = (lit.rgb != dark.rgb).any(axis=2)
        shadowed_on += np.bincount(side[in_shadow & changes], minlength=6)
        lit_on += np.bincount(side[in_light & changes], minlength=6)
    assert shadowed_on.min() > 300 and lit_on.min() > 3000


def test_the_shadows_of_many_bulbs_are_those_of_each(rng):
    """Their maps, more than eight, lie side by side."""
    spec = dataclasses.replace(random_scene(rng), ambient=AMBIENT)
    floor = at([0, 0, 0.9], obj_id=2, material=Material((0.8, 0.8, 0.8), 0.0))
    bulbs = tuple(
        Light("point", tuple(rng.uniform(-0.2, 0.2, 3) + [0, 0, 0.3]), (0.12,) * 3, True)
        for _ in range(5)
    )
    spec = dataclasses.replace(spec, objects=(*spec.objects, floor))
    chosen = [bulbs, *((bulb,) for bulb in bulbs), ()]
    specs = [dataclasses.replace(spec, lights=lights) for lights in chosen]
    together, *alone, dark = (
        frame.rgb.astype(int) for frame in draw({**two_meshes(), 2: square(1.0)}, *specs)
    )
    bare, *_ = draw({**two_meshes(), 2: square(1.0)}, lit_variants(specs[0])[1])
    expected = dark + sum(each - dark for each in alone)
    assert np.abs(together - expected.clip(0, 255)).max() <= 3
    assert (np.abs(bare.rgb - together).max(axis=2) > 10).sum() > 100


def test_a_box_on_a_floor_darkens_it_from_its_foot_on():
    """Shadows neither leave a gap of light at the foot of what casts them, nor reach too far."""
    cam_from_world = rigid(rodrigues([2.2, 0.3, 0.2]), [0.0, 0.0, 0.6])
    half = np.array([0.05, 0.03, 0.04])
    box = trimesh.creation.box(2 * half)
    box = quads(box.triangles[:, [0, 1, 2, 2]])
    middle = np.array([0.01, -0.02, half[2]])
    floor = Placed(1, rows(cam_from_world))
    placed = Placed(2, rows(cam_from_world @ rigid(np.eye(3), middle)))
    towards = unit(0.5, 0.4, 0.7)
    light = Light("directional", unit(*cam_from_world[:3, :3] @ towards), shadow=True)
    spec = scene(CAMERA, floor, placed, ambient=AMBIENT, lights=(light,))
    shadowed, lit, dark = draw({1: square(0.3), 2: box}, *lit_variants(spec))

    on_floor = shadowed.instance == 1
    points = apply(invert(cam_from_world), CAMERA.unproject(shadowed.depth)) - middle
    sides = (np.stack([-half - points, half - points]) / towards).astype(np.float64)
    enters, leaves = sides.min(axis=0).max(axis=-1), sides.max(axis=0).min(axis=-1)
    blocked = ((enters < leaves) & (leaves > 0)).astype(np.uint8)
    beside_box = cv2.dilate((shadowed.instance == 2).astype(np.uint8), np.ones((3, 3))) > 0
    rim = cv2.dilate(blocked, np.ones((5, 5))) != cv2.erode(blocked | beside_box, np.ones((5, 5)))
    in_shadow, in_light = (on_floor & ~rim & (blocked == b) for b in (1, 0))
    assert (in_shadow & cv2.dilate(beside_box.astype(np.uint8), np.ones((3, 3))) > 0).sum() > 20
    np.testing.assert_array_equal(shadowed.rgb[in_shadow], dark.rgb[in_shadow])
    np.testing.assert_array_equal(shadowed.rgb[in_light], lit.rgb[in_light])


@pytest.mark.parametrize(("subdivisions", "levels"), [(3, 1), (5, 0)], ids=["coarse", "fine"])
@pytest.mark.parametrize("light", [SUN, LAMP, BULB], ids=["directional", "spot", "point"])
def test_a_ball_throws_no_shadow_on_its_own_lit_side(light, subdivisions, levels):
    """Not by a map's texels anywhere; a coarse ball's facets by one level where light just ends."""
    middle = np.array([0.02, -0.01, 0.5])
    spec = scene(CAMERA, at(middle), ambient=AMBIENT, lights=(light,))
    shadowed, lit, dark = draw({1: ball(0.1, subdivisions)}, *lit_variants(spec))
    points = CAMERA.unproject(lit.depth)
    # On the very rim, where facets turn away from the viewer, normals do not fit the surface.
    facing = (
        ((points - middle) * -points).sum(axis=2) / 0.1 / np.linalg.norm(points, axis=2).clip(1e-9)
    )
    inside = (lit.instance == 1) & (facing > 0.05)
    assert inside.sum() > 40_000 and ((lit.rgb != dark.rgb).any(axis=2) & inside).sum() > 10_000
    assert np.abs(shadowed.rgb.astype(int) - lit.rgb)[inside].max() <= levels


@pytest.mark.parametrize("kind", ["directional", "spot", "point"])
@pytest.mark.parametrize("grazing_deg", [0.5, 3, 20, 90])
def test_a_plane_throws_no_shadow_on_itself_however_flat_the_light(kind, grazing_deg, rng):
    specs = []
    for around in rng.uniform(0, 2 * np.pi, 3):
        R = rodrigues([0.8, 0.3, 0.1])
        grazing = np.radians(grazing_deg)
        along = R @ [np.cos(around), np.sin(around), 0]
        towards = np.cos(grazing) * along - np.sin(grazing) * R[:, 2]
        vector = towards if kind == "directional" else 0.4 * towards + [0, 0, 0.6]
        strength = (0.5 / np.sin(grazing),) * 3
        light = Light(kind, tuple(vector.tolist()), strength, True)
        if kind == "spot":
            light = Light(kind, tuple(vector.tolist()), strength, True, unit(*-towards), (0.9, 1.2))
        specs.append(scene(CAMERA, at([0, 0, 0.6], R), ambient=AMBIENT, lights=(light,)))
    for spec in specs:
        shadowed, lit, dark = draw({1: square(0.25)}, *lit_variants(spec))
        assert (lit.rgb != dark.rgb).any(axis=2).sum() > 20_000
        assert_same_frame(shadowed, lit)


def test_shadowed_frames_are_the_same_alone_and_in_any_batch(rng):
    lamps = (
        SUN,
        LAMP,
        dataclasses.replace(SUN, vector=(0.0, 0.6, -0.8)),
        BULB,
    )
    specs = [
        dataclasses.replace(random_scene(rng), lights=tuple(rng.permutation(lamps)[: i + 1]))
        for i in (0, 3, 1, 2, 3)
    ] + [random_scene(rng)]
    with Rasterizer(two_meshes()) as rasterizer:
        alone = [rasterizer.render([spec])[0] for spec in specs]
        order = rng.permutation(len(specs))
        mixed = rasterizer.render([specs[i] for i in order])
    for position, i in enumerate(order):
        assert_same_frame(mixed[position], alone[i])
        assert_same_frame(draw(two_meshes(), specs[i])[0], alone[i])


def test_light_that_nothing_keeps_off_is_as_without_shadows(rng):
    """Also where the light sees nothing that the camera sees, or there is nothing to see at all."""
    flat = at([0, 0, 0.5], rodrigues([0.3, 0.2, 0.0]), obj_id=2)
    away = dataclasses.replace(LAMP, direction=(0.0, 0.0, -1.0))
    lights = (SUN, LAMP, BULB, away, dataclasses.replace(LAMP, vector=(0.0, 0.0, 0.45)))
    for placed in ((flat,), (), (at([0, 0, -1.0]),)):
        shadowed, lit, _ = draw(two_meshes(), *lit_variants(scene(SMALL, *placed, lights=lights)))
        assert_same_frame(shadowed, lit)


def test_antialiasing_keeps_the_shadows():
    floor, plate = at([0, 0, 1.0]), at([0.05, -0.03, 0.8], obj_id=2)
    spec = scene(CAMERA, floor, plate, ambient=AMBIENT, lights=(SUN,))
    meshes = {1: square(0.5), 2: square(0.05)}
    (sharp,), (smooth,) = draw(meshes, spec), draw(meshes, spec, antialias=True)
    inside = cv2.erode((sharp.instance == 1).astype(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(smooth.rgb.astype(int) - sharp.rgb)[inside].max() <= 1
    assert len(np.unique(sharp.rgb[inside], axis=0)) > 1
