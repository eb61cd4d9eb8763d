from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.scene.props import SOLIDS, TABLES, props, surface_kind
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.resting import stable_poses
from render.scene.spec import Placed, SceneSpec
from render.transforms import apply, invert

SCENE = SceneConfig(objects_per_frame=(3, 6), clutter_per_frame=(2, 5))


@pytest.fixture(scope="module")
def models() -> dict[int, ObjectModel]:
    return load_models(["assets"])


def scenes(models, config=SCENE, count=12, **kwargs) -> list[SceneSpec]:
    draw = Randomizer(config, models, (640, 480), 1, **kwargs)
    return [draw.scene(i) for i in range(count)]


def annotated(spec: SceneSpec) -> list[Placed]:
    return [placed for placed in spec.objects if placed.annotated]


def on_table(spec: SceneSpec, placed: Placed, models) -> np.ndarray:
    """The vertices of a mesh in the frame of the table, whose top is z = 0: (n, 3) metres."""
    mesh = (models | props())[placed.obj_id].mesh
    table_from_obj = invert(spec.objects[-1].matrix) @ placed.matrix
    return apply(table_from_obj, mesh.vertices * np.array(placed.stretch))


def test_everything_rests_on_the_table(models):
    for config in (SCENE, replace(SCENE, stretch=(1.3, 0.8, 1.1))):
        for spec in scenes(models, config):
            for placed in spec.objects[:-1]:
                assert abs(on_table(spec, placed, models)[:, 2].min()) < 1e-9


def test_the_table_is_one_prop_that_everything_stands_on(models):
    for spec in scenes(models):
        *things, table = spec.objects
        assert table.obj_id in TABLES and not table.annotated
        assert not any(placed.obj_id in TABLES for placed in things)
        width, length, _ = table.stretch
        for placed in things:
            vertices = on_table(spec, placed, models)[:, :2]
            assert (np.abs(vertices) < [width / 2, length / 2]).all()
            # Half of the tables are round, as wide as a square one.
            assert (np.linalg.norm(vertices / [width / 2, length / 2], axis=1) < 1).all()


def test_the_table_has_the_surface_asked_for(models):
    for kind in ("wood", "stone"):
        specs = scenes(models, replace(SCENE, table=kind))
        assert {surface_kind(spec.objects[-1].obj_id) for spec in specs} == {kind}


@pytest.mark.slow
def test_objects_are_upright_or_as_dropped_as_often_as_they_should(models):
    config = replace(SCENE, objects_per_frame=(1, 1), clutter_per_frame=(0, 0))
    poses = stable_poses(models[1].mesh.vertices)
    for chance in (0.0, 0.4, 1.0):
        specs = scenes(models, replace(config, upright_chance=chance), 300, obj_ids=[1])
        ups = [(invert(s.objects[-1].matrix) @ s.objects[0].matrix)[2, :3] for s in specs]
        expected = {tuple(R[2]): (1 - chance) * p for R, p in zip(*poses, strict=True)}
        expected[0.0, 0.0, 1.0] = expected.get((0.0, 0.0, 1.0), 0.0) + chance
        for up, share in expected.items():
            found = np.mean([np.dot(other, up) > 1 - 1e-9 for other in ups])
            assert abs(found - share) <= 4 * np.sqrt(share * (1 - share) / 300)


def test_clutter_and_table_leave_objects_and_camera_as_they_are(models):
    bare = replace(SCENE, clutter_per_frame=(0, 0), occluder_chance=0.0)
    full = replace(SCENE, clutter_per_frame=(8, 8), occluder_chance=1.0, table="wood")
    for one, other in zip(scenes(models, bare), scenes(models, full), strict=True):
        assert len(other.objects) > len(one.objects) == len(annotated(one)) + 1
        assert annotated(one) == annotated(other) and one.K == other.K


def test_clutter_is_never_an_annotated_object_without_its_annotation(models):
    for spec in scenes(models):
        assert all(p.obj_id in SOLIDS for p in spec.objects[:-1] if not p.annotated)
    clutter = set()
    for spec in scenes(models, obj_ids=[2]):
        assert {p.obj_id for p in annotated(spec)} == {2}
        clutter |= {p.obj_id for p in spec.objects[:-1] if not p.annotated}
    assert 2 not in clutter and {1, 3} < clutter and clutter & set(SOLIDS)


@pytest.mark.slow
def test_without_a_distance_the_boxes_fill_the_frame_as_zoom_says(models):
    for zoom in (0.8, 1.0, 1.5):
        for spec in scenes(models, replace(SCENE, zoom=(zoom, zoom))):
            half = np.minimum(spec.camera.K[:2, 2] + 0.5, np.array([640, 480]) - 0.5)
            half = np.minimum(half, np.array([640, 480]) - spec.camera.K[:2, 2] - 0.5)
            corners = [apply(p.matrix, box_corners(models[p.obj_id].box)) for p in annotated(spec)]
            pixels = spec.camera.project(np.concatenate(corners)) - spec.camera.K[:2, 2]
            # Which the shift off the middle makes wider on one side by what it frees on the other,
            # up to the objects' own depth.
            widths = np.ptp(pixels, axis=0) / (2 * half)
            assert widths.max() < 1.15 / zoom
            assert widths.max() > 0.6 / zoom


def test_a_distance_is_to_the_middle_of_the_objects_and_is_kept(models):
    config = replace(SCENE, distance=(1.0, 1.1), objects_per_frame=(3, 3))
    for spec in scenes(models, config):
        corners = [apply(p.matrix, box_corners(models[p.obj_id].box)) for p in annotated(spec)]
        depths = np.concatenate(corners)[:, 2]
        assert 0.9 < depths.mean() < 1.2


def test_the_camera_sees_the_table_from_the_band_of_elevations(models):
    config = replace(SCENE, elevation_deg=(30.0, 40.0))
    for spec in scenes(models, config):
        towards_table = spec.objects[-1].matrix[2, 2]  # the table's normal along the optical axis
        assert np.sin(np.radians(30)) <= -towards_table <= np.sin(np.radians(40))


@pytest.mark.slow
def test_lights_of_every_kind_shine_from_above_the_table(models):
    mixed = replace(SCENE, light_kinds=("directional", "point", "spot"))
    lit = {kind: 0 for kind in mixed.light_kinds}
    for spec in scenes(models, SCENE, 30) + scenes(models, mixed, 30):
        table = spec.objects[-1].matrix
        for light in spec.lights:
            lit[light.kind] += 1
            if light.kind == "directional":
                assert np.array(light.vector) @ table[:3, 2] >= 0
                assert np.linalg.norm(light.vector) == pytest.approx(1)
                continue
            assert (np.array(light.vector) - table[:3, 3]) @ table[:3, 2] >= 0
            if light.kind == "spot":
                assert np.array(light.direction) @ table[:3, 2] < 0.1
    assert min(lit.values()) > 10


def test_a_camera_that_would_look_from_below_the_table_is_refused(models):
    with pytest.raises(InputError, match=r"^scene\.elevation_deg: from -10 .* begin at 5"):
        scenes(models, replace(SCENE, elevation_deg=(-10.0, 50.0)))
    scenes(models, replace(SCENE, layout="upright", elevation_deg=(-10.0, 50.0)), 1)


@pytest.mark.parametrize("scale", [0.01, 5.0])
def test_a_scene_is_the_same_at_any_scale(models, scale):
    scaled = {
        i: replace(
            model,
            mesh=replace(model.mesh, vertices=model.mesh.vertices * np.float32(scale)),
            diameter=model.diameter * scale,
            box=model.box * scale,
        )
        for i, model in models.items()
    }
    tugboats = [scenes(m, count=4, obj_ids=[1]) for m in ({1: models[1]}, {1: scaled[1]})]
    for one, other in zip(*tugboats, strict=True):
        for a, b in zip(one.objects, other.objects, strict=True):
            assert a.obj_id == b.obj_id
            np.testing.assert_allclose(b.matrix[:3, :3], a.matrix[:3, :3], atol=1e-4)
            np.testing.assert_allclose(b.matrix[:3, 3] / scale, a.matrix[:3, 3], atol=1e-4)
