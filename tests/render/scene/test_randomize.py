import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.stats import kstest

from render.config import fill, load_preset
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Placed, SceneSpec
from render.sensor.config import SensorConfig
from render.transforms import apply
from tests.small_dataset import cuboid

CROP = SceneConfig(layout="crop")
TABLE = SceneConfig(layout="tabletop")
UPRIGHT = SceneConfig(layout="upright")
MODELS = {
    1: cuboid(1, (-0.02, -0.03, 0.0), (0.06, 0.03, 0.05)),  # origins off the centres
    4: cuboid(4, (-0.01, -0.01, -0.07), (0.02, 0.02, 0.0)),
    9: cuboid(9, (0.01, -0.05, -0.02), (0.03, 0.07, 0.02)),
}


def randomizer(config: SceneConfig, size=(96, 96), seed=3, **kwargs) -> Randomizer:
    return Randomizer(config, MODELS, size, seed, **kwargs)


def scenes(config: SceneConfig, count: int, size=(96, 96), **kwargs) -> list[SceneSpec]:
    draw = randomizer(config, size, **kwargs)
    return [draw.scene(i) for i in range(count)]


def annotated(spec: SceneSpec) -> list[Placed]:
    return [placed for placed in spec.objects if placed.annotated]


def center_in_cam(placed: Placed) -> np.ndarray:
    return apply(placed.matrix, MODELS[placed.obj_id].box.mean(axis=0)[None])[0]


@pytest.mark.parametrize("config", [CROP, TABLE, UPRIGHT], ids=["crop", "tabletop", "upright"])
def test_a_scene_depends_on_seed_and_frame_only(config):
    one, other = randomizer(config), randomizer(config)
    forwards = [one.scene(i) for i in range(6)]
    backwards = [other.scene(i) for i in reversed(range(6))]
    assert forwards == backwards[::-1]
    assert len({spec.to_json() for spec in forwards}) == 6
    assert randomizer(config, seed=4).scene(0) != forwards[0]


@pytest.mark.parametrize("config", [CROP, TABLE, UPRIGHT], ids=["crop", "tabletop", "upright"])
def test_a_scene_survives_json_bit_for_bit(config):
    for spec in scenes(config, 5):
        assert SceneSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("config", [CROP, TABLE, UPRIGHT], ids=["crop", "tabletop", "upright"])
@pytest.mark.parametrize(
    ("changes", "shifted"),
    [
        ({"light": (0.0, 0.1), "lights": (4, 5), "ambient": (0.9, 1.0)}, {"lights", "ambient"}),
        ({"light_kinds": ("spot",), "shadow_chance": 1.0}, {"lights"}),
        ({"gloss": (0.8, 0.9), "tint_spread": 0.5}, {"materials"}),
        ({"sensor": SensorConfig(noise=(0.5, 0.6), blur_px=(3.0, 4.0))}, {"sensor"}),
        ({"background": "plain"}, {"background"}),
    ],
    ids=["light", "kind of light", "material", "sensor", "background"],
)
def test_one_more_draw_for_one_purpose_shifts_nothing_of_another(config, changes, shifted):
    sensor = changes.get("sensor", SensorConfig())
    others = replace(config, **{k: v for k, v in changes.items() if k != "sensor"})
    pairs = zip(scenes(config, 4), scenes(others, 4, sensor=sensor), strict=True)
    for before, after in pairs:
        parts = {
            "poses": [[p.cam_from_obj for p in spec.objects] for spec in (before, after)],
            "materials": [[p.material for p in spec.objects] for spec in (before, after)],
            **{
                name: [getattr(before, name), getattr(after, name)]
                for name in ("K", "ambient", "lights", "background", "sensor")
            },
        }
        assert {name for name, (old, new) in parts.items() if old != new} == shifted


def test_what_is_drawn_for_one_purpose_tells_nothing_of_another():
    first = []
    for spec in scenes(replace(CROP, lights=(0, 0), background="plain"), 300):
        x = center_in_cam(spec.objects[0])
        first.append([x[0] / x[2], spec.ambient[0], spec.objects[0].material.tint[0]])
        first[-1] += [spec.background.color[0], spec.sensor.gain]
    correlations = np.corrcoef(np.transpose(first)) - np.eye(5)
    assert np.abs(correlations).max() < 4 / np.sqrt(300)


def test_clutter_leaves_the_object_as_it_is():
    bare = replace(CROP, occluder_chance=0.0, distractor_chance=0.0)
    full = replace(CROP, occluder_chance=1.0, distractor_chance=1.0)
    for one, other in zip(scenes(bare, 6), scenes(full, 6), strict=True):
        assert len(one.objects) == 1 and len(other.objects) == 3
        assert one.objects[0] == other.objects[0] and one.K == other.K


def test_the_camera_is_uniform_in_area_over_the_band_of_elevations():
    config = replace(CROP, elevation_deg=(20.0, 70.0), occluder_chance=0, distractor_chance=0)
    towards_camera = []
    for spec in scenes(config, 1200):
        (placed,) = spec.objects
        towards_camera.append(-placed.matrix[:3, :3].T @ center_in_cam(placed))
    x, y, z = np.transpose(towards_camera) / np.linalg.norm(towards_camera, axis=1)
    low, high = np.sin(np.radians([20, 70]))
    assert low <= z.min() and z.max() <= high
    assert kstest(z, "uniform", (low, high - low)).pvalue > 0.01
    assert kstest(np.arctan2(y, x), "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01


def test_distance_is_to_the_centre_of_the_objects_box():
    config = replace(CROP, distance=(0.7, 1.1))
    distances = [np.linalg.norm(center_in_cam(s.objects[0])) for s in scenes(config, 300)]
    assert kstest(distances, "uniform", (0.7, 0.4)).pvalue > 0.01


@pytest.mark.parametrize("size", [(96, 96), (128, 64)])
def test_a_crop_shows_the_box_in_its_centre_zoom_times_smaller_than_itself(size):
    config = replace(CROP, zoom=(1.6, 1.6), occluder_chance=0)
    for spec in scenes(config, 20, size):
        placed = spec.objects[0]
        corners = apply(placed.matrix, box_corners(MODELS[placed.obj_id].box))
        assert corners[:, 2].min() > 0
        pixels = spec.camera.project(corners)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        np.testing.assert_allclose((low + high) / 2, (np.array(size) - 1) / 2, atol=1e-9)
        np.testing.assert_allclose((high - low).max(), min(size) / 1.6)


def test_every_object_is_the_annotated_one_equally_often():
    ids = [annotated(spec)[0].obj_id for spec in scenes(CROP, 9)]
    assert ids == [1, 4, 9] * 3
    assert {s.objects[0].obj_id for s in map(randomizer(CROP, obj_ids=[4]).scene, range(5))} == {4}


def test_an_occluder_stands_before_the_edge_of_the_object_and_a_distractor_behind():
    config = replace(CROP, occluder_chance=1.0, distractor_chance=1.0, zoom=(2.0, 2.0))
    for spec in scenes(config, 30):
        centers = np.array([center_in_cam(placed) for placed in spec.objects])
        assert centers[1, 2] < centers[0, 2] < centers[2, 2]
        object_, *clutter = spec.camera.project(centers)
        # The box is half as large as the frame of 96 px: its half side is 24 px.
        reach = np.linalg.norm(np.array(clutter) - object_, axis=1) / 24
        assert (reach > 0.35 - 1e-9).all() and (reach < 0.9 + 1e-9).all()
        assert [placed.annotated for placed in spec.objects] == [True, False, False]
        assert all(placed.obj_id != spec.objects[0].obj_id for placed in spec.objects[1:])


def test_clutter_comes_as_often_as_asked():
    config = replace(CROP, occluder_chance=0.3, distractor_chance=0.0)
    share = np.mean([len(spec.objects) == 2 for spec in scenes(config, 800)])
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 800)


def test_upright_objects_stand_apart_on_one_plane_in_the_middle():
    config = replace(UPRIGHT, objects_per_frame=(2, 6), distance=(0.8, 0.9))
    counts = set()
    for spec in scenes(config, 40, (320, 240)):
        counts.add(len(spec.objects))
        up = spec.objects[0].matrix[:3, 2]
        feet, radii = [], []
        for placed in spec.objects:
            box = MODELS[placed.obj_id].box
            np.testing.assert_allclose(placed.matrix[:3, 2], up, atol=1e-12)
            foot = np.append(box[:, :2].mean(axis=0), box[0, 2])
            feet.append(apply(placed.matrix, foot[None])[0])
            radii.append(np.linalg.norm(box[1, :2] - box[0, :2]) / 2)
        heights = np.array(feet) @ up
        np.testing.assert_allclose(heights, heights[0], atol=1e-12)
        for i in range(len(feet)):
            for j in range(i):
                assert np.linalg.norm(feet[i] - feet[j]) > radii[i] + radii[j]
        middle = np.mean(feet, axis=0)
        np.testing.assert_allclose(middle[:2], 0, atol=1e-12)
        assert 0.8 <= middle[2] <= 0.9 and all(placed.annotated for placed in spec.objects)
    assert counts == {2, 3, 4, 5, 6}


def test_no_object_stands_twice_on_a_table_while_others_are_left():
    config = replace(TABLE, objects_per_frame=(3, 3))
    for spec in scenes(config, 10):
        assert sorted(placed.obj_id for placed in annotated(spec)) == sorted(MODELS)


def test_the_cameras_roll_is_uniform_over_its_range():
    config = replace(UPRIGHT, inplane_deg=(-30.0, 10.0), elevation_deg=(10.0, 60.0))
    up = np.array([spec.objects[0].matrix[:3, 2] for spec in scenes(config, 400)])
    roll = np.degrees(np.arctan2(up[:, 0], -up[:, 1]))
    assert kstest(roll, "uniform", (-30, 40)).pvalue > 0.01
    assert roll.min() >= -30 and roll.max() <= 10
    assert (up[:, 2] < 0).all()  # the table is seen from above


def test_frames_of_another_size_show_the_same_field_of_view():
    wide, small = (randomizer(TABLE, size).scene(5).camera for size in ((640, 480), (160, 120)))
    for u, v in ((0, 0), (0.5, 0.25), (1, 1)):  # parts of the image, from its outer edge on
        rays = [
            np.linalg.inv(c.K) @ [u * c.width - 0.5, v * c.height - 0.5, 1] for c in (wide, small)
        ]
        np.testing.assert_allclose(rays[0], rays[1], atol=1e-12)


def test_lights_shine_from_the_cameras_side_with_the_strength_asked_for():
    config = replace(CROP, lights=(1, 4), light=(0.3, 0.6), ambient=(0.2, 0.4), light_color=0.0)
    counts = set()
    for spec in scenes(config, 60):
        counts.add(len(spec.lights))
        directions = np.array([light.vector for light in spec.lights])
        np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
        assert (directions[:, 2] <= 0).all()
        strength = np.sum([light.color for light in spec.lights], axis=0)
        assert 0.3 <= strength[0] <= 0.6 and np.ptp(strength) < 1e-12
        assert 0.2 <= spec.ambient[0] <= 0.4 and len(set(spec.ambient)) == 1
    assert counts == {1, 2, 3, 4}


def test_an_image_behind_the_objects_reaches_over_the_whole_frame(tmp_path, rng):
    for name, size in (("a.png", (300, 200)), ("deeper/b.jpg", (130, 400))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((*size[::-1], 3), np.uint8))
    sizes = {str(tmp_path / "a.png"): (300, 200), str(tmp_path / "deeper" / "b.jpg"): (130, 400)}
    used = set()
    for spec in scenes(replace(CROP, background=str(tmp_path)), 30, (96, 64)):
        path, affine = spec.background.path, np.array(spec.background.crop_from_image)
        used.add(path)
        edges = np.array([[-0.5, -0.5], [95.5, 63.5]])
        seen = (edges - affine[:, 2]) / np.diag(affine[:, :2])
        # A shrunk image may end half a pixel of its own early, as it is scaled about a centre.
        assert (seen >= -1).all() and (seen <= np.array(sizes[path])).all()
    assert used == set(sizes)


@pytest.mark.parametrize("config", [CROP, UPRIGHT], ids=["crop", "upright"])
def test_lights_of_every_kind_come_from_where_the_directional_ones_do(config):
    kinds = ("directional", "point", "spot", "spot")
    mixed = replace(config, light_kinds=kinds, shadow_chance=0.5, light_distance=(0.7, 0.9))
    counts = dict.fromkeys(kinds, 0)
    shadows = 0
    for plain, spec in zip(scenes(config, 150), scenes(mixed, 150), strict=True):
        middle = np.mean([placed.matrix[:3, 3] for placed in spec.objects], axis=0)
        assert plain.ambient == spec.ambient
        assert SceneSpec.from_json(spec.to_json()) == spec
        for before, light in zip(plain.lights, spec.lights, strict=True):
            counts[light.kind] += 1
            shadows += light.shadow
            assert light.color == before.color and not before.shadow
            if light.kind == "directional":
                assert light.vector == before.vector
                continue
            way = np.array(light.vector) - middle
            assert 0.7 < np.linalg.norm(way) < 0.9
            np.testing.assert_allclose(way / np.linalg.norm(way), before.vector, atol=1e-12)
            if light.kind == "spot":
                np.testing.assert_allclose(light.direction, -np.array(before.vector), atol=1e-12)
                inner, outer = np.degrees(light.cone)
                assert 15 <= outer <= 40 and outer / 2 <= inner < outer
    total = sum(counts.values())
    assert np.abs(np.array(list(counts.values())) / total - [0.25, 0.25, 0.5]).max() < 0.1
    assert abs(shadows / total - 0.5) < 0.1


def test_kinds_of_light_shift_nothing_that_is_drawn_after_them():
    after = []
    for kinds, chance in ((("directional",), 0.0), (("spot", "point"), 0.7)):
        rng = np.random.default_rng(8)
        draw = randomizer(replace(CROP, light_kinds=kinds, shadow_chance=chance))
        draw.lighting.lamps(rng, np.array([0.0, 0.0, 1.0]))
        after.append(rng.random())
    assert after[0] == after[1]


@pytest.mark.parametrize("kinds", [("sun",), ("spot", "Point"), ()])
def test_a_kind_of_light_that_there_is_not_is_refused(kinds):
    with pytest.raises(InputError, match=r"^scene\.light_kinds: .*directional, point, spot$"):
        randomizer(replace(CROP, light_kinds=kinds))


@pytest.mark.parametrize("background", ["{tmp}", "{tmp}/none", "nosie"])
def test_a_background_without_images_is_refused(background, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match=r"^scene\.background: .* or 'environment'$"):
        randomizer(replace(CROP, background=background.format(tmp=tmp_path)))


def test_an_object_too_large_for_the_distance_is_refused():
    large: dict[int, ObjectModel] = {7: cuboid(7, (-1, -1, 0), (1, 1, 1))}
    with pytest.raises(InputError, match=r"^scene\.distance: 0\.6 m .* object 7 of 3 m"):
        Randomizer(replace(CROP, distance=(0.6, 1.2)), large, (96, 96), 0)
    Randomizer(replace(CROP, distance=(1.6, 2.0)), large, (96, 96), 0).scene(0)


def test_a_spec_holds_no_numpy_scalar():
    for config in (CROP, TABLE, UPRIGHT, replace(CROP, background="plain")):
        spec = randomizer(config).scene(0)
        numbers = [*spec.sensor.white_balance, *spec.ambient, *spec.background.color]
        numbers += [
            spec.sensor.gain,
            spec.objects[0].material.gloss,
            *spec.objects[0].material.tint,
        ]
        assert {type(number) for number in numbers} == {float}
        assert {type(number) for number in (spec.objects[0].obj_id, *spec.size)} == {int}


def fingerprint(specs: list[SceneSpec]) -> str:
    """Of all that makes their pictures but the sensor, to 9 digits after the point."""
    picked = [
        [
            [spec.K, spec.size, spec.ambient],
            [[p.obj_id, p.cam_from_obj, p.stretch, p.annotated] for p in spec.objects],
            [[p.material.tint, p.material.gloss, p.material.shininess] for p in spec.objects],
            [[light.kind, light.vector, light.color] for light in spec.lights],
            [spec.background.kind, spec.background.seed],
        ]
        for spec in specs
    ]
    text = json.dumps(picked)
    rounded = json.loads(text, parse_float=lambda number: round(float(number), 9) + 0.0)
    return hashlib.sha256(json.dumps(rounded).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("demo", "40ec080699640461"),
        ("linemod", "33b1f88d4517a72d"),
        ("lmo", "28e0cd8c971945c6"),
        ("simulated-real", "095767f0f833e89f"),
    ],
)
def test_the_scenes_of_the_presets_that_were_published_with_numbers_never_change(preset, expected):
    sections = load_preset(preset)
    config = fill(SceneConfig, sections["scene"], "scene")
    size = fill(RenderConfig, sections["render"], "render").size
    draw = Randomizer(config, MODELS, size, 11)
    assert fingerprint([draw.scene(i) for i in range(8)]) == expected
