"""Scenes at rest that several cameras look at: piles, bins, tables and rooms."""

import json
from dataclasses import replace

import numpy as np
import pytest

from render.errors import InputError
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.scene.contact import scene_contact
from render.scene.furnishings import GROUNDS, all_props, furnishings
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.settled import SettledScenes
from render.scene.spec import Placed, SceneSpec
from render.scene.spec_check import check_spec
from render.transforms import apply, invert
from tests.small_dataset import cuboid, cuboids

PILE = SceneConfig(
    layout="pile", cameras=3, objects_per_frame=(5, 6), clutter_per_frame=(2, 3), shadow_chance=1.0
)
BIN = replace(PILE, layout="bin")
ROOM = replace(PILE, surroundings="room")
SIZE = (160, 120)
SCENES = {
    "pile": PILE,
    "bin": BIN,
    "room": ROOM,
    "bin in a room": replace(BIN, surroundings="room"),
}


def of_size(scale: float) -> dict[int, ObjectModel]:
    return {
        1: cuboid(
            1, (-0.02 * scale, -0.03 * scale, 0.0), (0.06 * scale, 0.03 * scale, 0.05 * scale)
        ),
        2: cuboid(
            2, (-0.03 * scale, -0.02 * scale, 0.0), (0.03 * scale, 0.02 * scale, 0.09 * scale)
        ),
    }


def drawer(config: SceneConfig, seed: int = 0, models=None, **kwargs) -> Randomizer:
    return Randomizer(config, cuboids() if models is None else models, SIZE, seed, **kwargs)


def ground_of(spec: SceneSpec) -> np.ndarray:
    """cam_from_ground, whose z axis points up."""
    (ground,) = [p for p in spec.objects if p.obj_id in GROUNDS]
    return ground.matrix


def things_of(spec: SceneSpec) -> list[Placed]:
    """The objects that fell; what fell beside them comes after."""
    return [p for p in spec.objects if p.annotated]


def meshes(models) -> dict:
    return {i: model.mesh for i, model in {**models, **all_props()}.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_nothing_reaches_a_millimetre_into_anything_or_floats(name):
    draw = drawer(SCENES[name])
    found = scene_contact(draw.scene(0), meshes(cuboids()))
    assert found.depth < 0.001 and found.gap < 0.001


@pytest.mark.slow
def test_bundled_objects_lie_in_one_another_s_hollows_without_contact():
    models = load_models(["assets"])
    config = replace(PILE, objects_per_frame=(6, 6), clutter_per_frame=(1, 1))
    found = scene_contact(drawer(config, models=models).scene(0), meshes(models))
    assert found.depth < 0.001 and found.gap < 0.004  # a piece may fill a hollow


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pile", "bin"])
def test_another_second_moves_nothing_by_a_millimetre(name, monkeypatch):
    """The bundled objects, by the corners of their boxes."""
    from render.scene import heap

    settle, moved = heap.settle, []

    def settled_and_watched(bodies, starts, walls, inside):
        one = settle(bodies, starts, walls, inside)
        later = settle(bodies, starts, walls, inside, further=1.0)
        for body, before, after in zip(bodies, one or (), later or (), strict=True):
            points = np.concatenate(body)
            moved.append(np.abs(apply(before, points) - apply(after, points)).max())
        return one

    monkeypatch.setattr(heap, "settle", settled_and_watched)
    drawer(SCENES[name], models=load_models(["assets"])).scene(0)
    assert len(moved) >= 7 and max(moved) < 0.001


@pytest.mark.slow
def test_distractors_fall_too_and_are_never_annotated():
    other = {-1001: replace(cuboid(1, (0, 0, 0), (0.05, 0.02, 0.11)), obj_id=-1001)}
    draw = drawer(replace(PILE, clutter_per_frame=(6, 6)), distractors=other)
    spec = draw.scene(0)
    fallen = [p for p in spec.objects if p.obj_id == -1001]
    assert fallen and not any(p.annotated for p in fallen)
    assert {p.obj_id for p in things_of(spec)} <= set(cuboids())


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.05, 20.0])
def test_millimetres_and_metres_lie_as_well(scale):
    models = of_size(scale)
    found = scene_contact(drawer(PILE, models=models).scene(0), meshes(models))
    assert found.depth < 0.001 * min(scale, 1) and found.gap < 0.01 * scale


@pytest.mark.slow
def test_frames_share_a_scene_by_their_ids_whatever_was_drawn_before():
    one, other = drawer(PILE), drawer(PILE)
    specs = [one.scene(i) for i in range(7)]
    for i in (6, 2, 4):  # a frame alone is the same
        assert other.scene(i) == specs[i]

    def relative(spec: SceneSpec) -> list[np.ndarray]:
        return [invert(spec.objects[0].matrix) @ p.matrix for p in spec.objects]

    for i, spec in enumerate(specs):
        first = specs[i // 3 * 3]
        assert [p.obj_id for p in spec.objects] == [p.obj_id for p in first.objects]
        assert [p.material for p in spec.objects] == [p.material for p in first.objects]
        np.testing.assert_allclose(relative(spec), relative(first), atol=1e-9)
        # Lights stay where they are in the scene.
        for light, same in zip(spec.lights, first.lights, strict=True):
            ours = invert(spec.objects[0].matrix)[:3, :3] @ np.array(light.vector)
            theirs = invert(first.objects[0].matrix)[:3, :3] @ np.array(same.vector)
            np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert len({spec.objects[0].cam_from_obj for spec in specs}) == 7
    pairs = [relative(specs[0]), relative(specs[3])]
    assert len(pairs[0]) != len(pairs[1]) or not np.allclose(*pairs, atol=1e-3)


@pytest.mark.slow
def test_an_environment_stays_where_it_is_in_the_scene():
    specs = [drawer(replace(PILE, environment="any")).scene(i) for i in (0, 1, 2)]
    turns = [np.array(s.environment.env_from_cam) @ s.objects[0].matrix[:3, :3] for s in specs]
    np.testing.assert_allclose(turns[1:], turns[:1] * 2, atol=1e-9)
    assert len({(s.environment.kind, s.environment.seed) for s in specs}) == 1
    up = np.array(specs[0].environment.env_from_cam) @ ground_of(specs[0])[:3, 2]
    np.testing.assert_allclose(up, [0, 0, 1], atol=1e-9)


@pytest.mark.slow
def test_clutter_leaves_the_choice_of_objects_as_it_is():
    full = replace(PILE, clutter_per_frame=(4, 4))
    one, other = ([p.obj_id for p in things_of(drawer(c).scene(3))] for c in (PILE, full))
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_cameras_look_at_the_objects_from_above_the_ground(name):
    config = replace(SCENES[name], cameras=20)
    draw, low = drawer(config), np.sin(np.radians(config.elevation_deg[0]))
    for i in range(20):
        spec = draw.scene(i)
        cam_from_ground = ground_of(spec)
        eye = invert(cam_from_ground)[:3, 3]
        assert eye[2] > 0
        # The optical axis lies in the band of elevations.
        assert -cam_from_ground[2, 2] >= low - 1e-9
        middles = [
            apply(p.matrix, box_corners(cuboids()[p.obj_id].box)).mean(axis=0)
            for p in things_of(spec)
        ]
        pixels = spec.camera.project(np.array(middles))
        inside = ((pixels >= 0) & (pixels < SIZE)).all(axis=1)
        assert inside.mean() >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("distance", [None, (0.7, 1.3)])
def test_cameras_and_lamps_stay_within_the_room(distance):
    config = replace(ROOM, cameras=20, distance=distance, light_kinds=("directional", "point"))
    draw = drawer(config, seed=1)
    for i in range(20):
        spec = draw.scene(i)
        walls = [p for p in spec.objects if p.obj_id in furnishings() and p.obj_id not in GROUNDS]
        for wall in walls:
            box = furnishings()[wall.obj_id].box * np.array(wall.stretch)
            for point in [np.zeros(3), *(np.array(light.vector) for light in spec.lights)]:
                at = apply(invert(wall.matrix), point[None])[0]
                assert not ((at > box[0]) & (at < box[1])).all()
        ground = invert(ground_of(spec))
        floor = next(p for p in spec.objects if p.obj_id in GROUNDS).stretch
        for point in [np.zeros(3), *(np.array(light.vector) for light in spec.lights)]:
            at = apply(ground, point[None])[0]
            assert (np.abs(at[:2]) < np.array(floor[:2]) / 2).all() and at[2] > 0
        assert {light.kind for light in spec.lights} <= {"point", "spot"}


def test_no_camera_that_sees_only_the_walls_of_a_bin():
    with pytest.raises(
        InputError, match=r"^scene\.elevation_deg: up to 40 the walls .* 45 or more"
    ):
        drawer(replace(BIN, elevation_deg=(10.0, 40.0)))
    with pytest.raises(InputError, match=r"^scene\.elevation_deg: from -3 "):
        drawer(replace(PILE, elevation_deg=(-3.0, 40.0)))


def test_what_never_comes_to_rest_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr("render.scene.heap.settle", lambda *_: None)
    with pytest.raises(InputError, match=r"^scene\.layout=pile: \d+ things did not come to rest"):
        drawer(PILE).scene(0)


def test_another_drop_is_drawn_where_one_does_not_come_to_rest(monkeypatch):
    from render.scene import heap

    tried = []

    def fails_first(bodies, starts, *more):
        tried.append(starts)
        return None if len(tried) == 1 else list(starts)

    monkeypatch.setattr(heap, "settle", fails_first)
    drawer(PILE).scene(0)
    assert len(tried) == 2 and not np.allclose(tried[0][0], tried[1][0])


def test_a_scene_is_not_settled_again_after_others_that_were_drawn_meanwhile(monkeypatch):
    """As live samples are in which the object is hidden: anew, in scenes far away."""
    settled: list[int] = []
    monkeypatch.setattr(SettledScenes, "_settled", lambda _, scene_id: settled.append(scene_id))
    scenes = drawer(PILE)._settled
    drawn = (0, 1, 1 << 38, 1 << 39, 1, 0, 2, 1)
    for scene_id in drawn:
        scenes.scene(scene_id)
    assert settled == sorted(set(drawn), key=drawn.index)


@pytest.mark.slow
@pytest.mark.parametrize("distance", [(0.15, 0.3), None])
def test_a_room_holds_cameras_that_are_near_and_distances_are_kept(distance):
    draw = drawer(replace(ROOM, cameras=20, distance=distance, objects_per_frame=(9, 9)))
    settled = draw._settled.scene(0)
    for i in range(20):
        spec = draw.scene(i)
        eye = invert(ground_of(spec))[:3, 3]
        assert (np.abs(eye) < settled.around.half).all()
        if distance is not None:
            # The target is the middle of some of the objects, so it is ahead and among them.
            middles = np.array([p.matrix[2, 3] for p in things_of(spec)])
            assert middles.min() < distance[1] and middles.max() > distance[0] / 2


@pytest.mark.parametrize(
    ("distance", "line"),
    [
        (
            (0.1, 0.2),
            r"^scene\.distance: 200 cameras 0\.1 to 0\.2 m .* within .* end at 0\.",
        ),
        (None, r"^scene\.zoom: 200 cameras .* within .* end at 1 or more"),
    ],
)
def test_cameras_that_are_all_within_the_heap_are_refused_in_one_line(distance, line, monkeypatch):
    monkeypatch.setattr("render.scene.settled.asked_distance", lambda *_: None)
    monkeypatch.setattr("render.scene.settled.view_distance", lambda *_: 0.01)
    few = replace(PILE, objects_per_frame=(2, 2), clutter_per_frame=(0, 0), distance=distance)
    with pytest.raises(InputError, match=line):
        drawer(few).scene(0)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.005, 100.0])
def test_a_spec_that_is_drawn_passes_the_check(scale):
    """Objects of half a millimetre, and of ten metres."""
    for config in (BIN, ROOM):
        spec = drawer(config, models=of_size(scale)).scene(0)
        check_spec(json.loads(spec.to_json()), "spec")


def test_sizes_that_cannot_fall_together_are_refused_by_id():
    models = {1: of_size(1.0)[1], 2: cuboid(2, (0, 0, 0), (1e-4, 1e-4, 1e-4))}
    with pytest.raises(InputError, match=r"^scene\.layout=pile: object 2 of 0\.173 mm .* object 1"):
        drawer(PILE, models=models)


def test_what_physics_takes_for_no_body_is_refused_in_one_line(monkeypatch):
    def refuses(*_):
        raise ValueError("Error: mesh volume is too small\nElement 3")

    monkeypatch.setattr("render.scene.heap.settle", refuses)
    with pytest.raises(InputError, match=r"^scene\.layout=pile: physics .* 1, 2.*too small\)"):
        drawer(replace(PILE, objects_per_frame=(2, 2), clutter_per_frame=(0, 0))).scene(0)


def test_surroundings_leave_the_background_of_other_layouts_as_it_is():
    tabletop = replace(ROOM, layout="tabletop")
    assert drawer(tabletop).scene(0).background.kind == "noise"
    lit = replace(tabletop, environment="studio", background="environment")
    assert drawer(lit).scene(0).background.kind == "environment"
