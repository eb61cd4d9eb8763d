"""Random environments and the surfaces that they show."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.environment.spec import DRAWN_KINDS
from render.errors import InputError
from render.scene.props import TABLES
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Light, SceneSpec
from render.scene.surroundings import Room
from tests.small_dataset import cuboid

MODELS = {1: cuboid(1, (-0.02, -0.03, 0.0), (0.06, 0.03, 0.05))}
ANY = SceneConfig(environment="any", background="environment")
LAYOUTS = ("tabletop", "upright", "crop")


def scenes(config: SceneConfig, count=6, seed=3) -> list[SceneSpec]:
    draw = Randomizer(config, MODELS, (64, 48), seed)
    return [draw.scene(i) for i in range(count)]


def without(spec: SceneSpec) -> SceneSpec:
    """A spec as it would be without an environment."""
    objects = tuple(
        replace(o, material=replace(o.material, roughness=None, metallic=None))
        for o in spec.objects
    )
    return replace(spec, objects=objects, environment=None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_environment_shifts_nothing_else(layout):
    config = SceneConfig(layout=layout)
    lit = scenes(replace(config, environment="any"))
    assert [without(spec) for spec in lit] == scenes(config)
    assert all(spec.environment is not None for spec in lit)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_scene_with_an_environment_survives_json_and_its_seed_says_it(layout):
    config = replace(ANY, layout=layout)
    specs = scenes(config)
    assert specs == scenes(config) and specs != scenes(config, seed=4)
    for spec in specs:
        text = spec.to_json()
        assert SceneSpec.from_plain(json.loads(text), "x") == spec
        assert SceneSpec.from_json(text).to_json() == text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_environments_stand_upright_and_are_turned_about_the_vertical(layout):
    """What is up for a table, or for an object, is up for its environment; north is anywhere."""
    norths = []
    for spec in scenes(replace(ANY, layout=layout), 12):
        (up, *_) = [o for o in (spec.objects[-1], *spec.objects) if o.obj_id in (*TABLES, 1)]
        assert spec.environment is not None
        env_from_cam = np.array(spec.environment.env_from_cam)
        np.testing.assert_allclose(env_from_cam @ up.matrix[:3, 2], [0, 0, 1], atol=1e-9)
        np.testing.assert_allclose(env_from_cam @ env_from_cam.T, np.eye(3), atol=1e-9)
        norths.append(np.arctan2(*(env_from_cam @ [0, 0, 1])[:2]))
    assert np.ptp(norths) > np.pi


def test_all_kinds_are_drawn_or_the_one_that_is_asked_for():
    kinds = {spec.environment.kind for spec in scenes(ANY, 30) if spec.environment}
    assert kinds == set(DRAWN_KINDS)
    for kind in DRAWN_KINDS:
        specs = scenes(replace(ANY, environment=kind))
        assert {spec.environment.kind for spec in specs if spec.environment} == {kind}


def test_frames_share_as_many_environments_as_asked_for_each_turned_its_own_way():
    few = replace(ANY, environments=4)
    shown = [spec.environment for spec in scenes(few, 40) if spec.environment]
    assert {e.seed for e in shown} == {(3, number) for number in range(4)}
    assert len({(e.seed, e.kind) for e in shown}) == 4
    assert len({e.env_from_cam for e in shown}) == 40
    assert {spec.environment.seed for spec in scenes(few, 40, seed=4) if spec.environment} == {
        (4, number) for number in range(4)
    }


def test_surfaces_are_as_rough_and_as_often_of_metal_as_asked_for():
    config = replace(ANY, layout="crop", roughness=(0.3, 0.4), metallic_chance=0.5)
    materials = [o.material for spec in scenes(config, 60) for o in spec.objects if o.obj_id == 1]
    assert all(0.3 <= m.roughness <= 0.4 for m in materials if m.roughness is not None)
    assert {m.metallic for m in materials} == {0.0, 1.0}
    assert 0.25 < np.mean([m.metallic for m in materials if m.metallic is not None]) < 0.75


def test_panoramas_of_a_folder_are_drawn_from(tmp_path):
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.hdr"), np.ones((8, 16, 3), np.float32))
    specs = scenes(replace(ANY, environment=str(tmp_path)), 12)
    paths = {spec.environment.path for spec in specs if spec.environment}
    assert paths == {str(tmp_path / "a.hdr"), str(tmp_path / "b.hdr")}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"environment": "none"}, r"^scene\.background: there is no environment to show"),
        ({"environment": "stuido"}, r"^scene\.environment: stuido is neither a kind .* nor a fol"),
    ],
)
def test_what_is_no_environment_is_refused(changes, line):
    with pytest.raises(InputError, match=line):
        scenes(replace(ANY, **changes))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_size_of_lamps_shifts_nothing_else_and_goes_with_their_distance(layout):
    config = SceneConfig(layout=layout, light_kinds=("directional", "point", "spot"))
    old, new = scenes(config), scenes(replace(config, lamp_size=(0.05, 0.1)))
    lights = [light for spec in new for light in spec.lights]
    assert all(light.radius > 0 for light in lights)
    assert all(0.05 <= light.radius <= 0.1 for light in lights if light.kind == "directional")
    for before, after in zip(old, new, strict=True):
        sharp = tuple(replace(light, radius=None) for light in after.lights)
        assert replace(after, lights=sharp) == before


def test_a_light_from_far_off_that_hangs_in_a_room_looks_as_large():
    """Its radius over its distance is what the tangent of its angle was."""
    room = Room((), np.array([2.0, 2.0, 2.5]))
    middle, way = np.array([0.3, 0.0, 0.5]), (0.6, 0.0, 0.8)
    lamp = room.lit(Light("directional", way, radius=0.1), middle)
    assert lamp.radius == pytest.approx(0.1 * np.linalg.norm(np.array(lamp.vector) - middle))
    assert room.lit(Light("directional", way), middle).radius is None
