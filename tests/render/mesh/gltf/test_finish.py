"""What glTF says of how a surface takes light: factors, maps, and what of them is not said."""

import logging

import numpy as np
import pytest

from render.dataset.generate import generate
from render.dataset.inputs import SceneInputs, mesh_digest
from render.dataset.replay import replay_frame
from render.draw.renderer import RenderConfig
from render.image_file import read_rgb
from render.mesh.finish import PLAIN, UNSAID
from render.mesh.gltf.gltf import read_gltf
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from tests.gltf_samples import GltfSample
from tests.mesh_samples import refusal

UV = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]], "f4")  # v down
FOUR = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [60, 128, 200]], np.uint8)
TEXELS = FOUR.reshape(2, 2, 3).repeat(8, axis=0).repeat(8, axis=1)


def sample_of(material: dict, **attributes) -> GltfSample:
    """CORNER of this material, which may name texture 0, TEXELS."""
    sample = GltfSample()
    sample.texture(TEXELS)
    every = {"TEXCOORD_0": UV, **attributes}
    given = {name: sample.array(values) for name, values in every.items()}
    number = sample.put("materials", **material)
    sample.put("nodes", mesh=sample.corner({"material": number}, **given))
    return sample


def finish_of(material: dict, tmp_path, **attributes):
    return sample_of(material, **attributes).read(tmp_path).finish


PBR = "pbrMetallicRoughness"
GLOW = {"emissiveFactor": [0.25, 0.5, 1]}
STRONG, ABSURD = (
    {"extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": strength}}}
    for strength in (4, 1e39)
)
GLOSSY = {"extensions": {"KHR_materials_pbrSpecularGlossiness": {"glossinessFactor": 0.5}}}


@pytest.mark.parametrize(
    ("material", "factors"),
    [
        ({}, None),
        ({PBR: {}}, None),
        ({PBR: {"baseColorFactor": [1, 0, 0, 1]}}, None),
        ({"emissiveFactor": [0, 0, 0]}, None),
        (GLOSSY, None),
        # What is not said beside the other is 1.
        ({PBR: {"roughnessFactor": 0.25}}, [0.25, 1, 0, 0, 0, 0, 0]),
        ({PBR: {"metallicFactor": 0}}, [1, 0, 0, 0, 0, 0, 0]),
        ({PBR: {"metallicRoughnessTexture": {"index": 0}}}, [1, 1, 0, 0, 0, 0, 0]),
        ({PBR: {"roughnessFactor": 2, "metallicFactor": -1}}, [1, 0, 0, 0, 0, 0, 0]),
        (GLOW, [UNSAID, UNSAID, 0, 0, 0.25, 0.5, 1]),
        ({**GLOW, **STRONG}, [UNSAID, UNSAID, 0, 0, 1, 2, 4]),
        ({**GLOW, **ABSURD}, [UNSAID, UNSAID, 0, 0, 1e4, 1e4, 1e4]),
        ({"normalTexture": {"index": 0}}, [UNSAID, UNSAID, 1, 0, 0, 0, 0]),
        ({"normalTexture": {"index": 0, "scale": 0.5}}, [UNSAID, UNSAID, 0.5, 0, 0, 0, 0]),
        ({"occlusionTexture": {"index": 0}}, [UNSAID, UNSAID, 0, 1, 0, 0, 0]),
        ({"occlusionTexture": {"index": 0, "strength": 0.5}}, [UNSAID, UNSAID, 0, 0.5, 0, 0, 0]),
    ],
)
def test_factors_are_the_files_or_gltfs_defaults(material, factors, tmp_path):
    finish = finish_of(material, tmp_path)
    if factors is None:
        assert finish is None
    else:
        np.testing.assert_array_equal(finish.factors, np.float32([factors] * 4))


MAPS = {
    "normal": {"normalTexture": {"index": 0}},
    "occlusion": {"occlusionTexture": {"index": 0}},
    "metallic_roughness": {PBR: {"metallicRoughnessTexture": {"index": 0}}},
    "emissive": {"emissiveTexture": {"index": 0}, **GLOW},
}


@pytest.mark.parametrize("name", MAPS)
def test_each_map_lies_where_its_texture_says(name, tmp_path):
    """Of the second coordinates, moved half the image to the right, as base colours are."""
    material = {**MAPS[name]}
    of = material[PBR] if name == "metallic_roughness" else material
    (key,) = (key for key in of if key.endswith("Texture"))
    moved = {"KHR_texture_transform": {"offset": [0.5, 0]}}
    for info, order in (
        ({}, [0, 1, 2, 3]),
        ({"texCoord": 1}, [3, 2, 1, 0]),
        ({"texCoord": 1, "extensions": moved}, [2, 3, 0, 1]),
    ):
        of[key] = {"index": 0, **info}
        finish = finish_of(material, tmp_path, TEXCOORD_1=UV[::-1])
        ((found, one),) = finish.maps.items()
        assert found == name
        at = np.floor(one.uv % 1 * 16).astype(int)
        np.testing.assert_array_equal(one.texture[15 - at[:, 1], at[:, 0]], FOUR[order])


def test_light_that_is_off_needs_no_map(tmp_path):
    """The product of both is dark."""
    assert finish_of({"emissiveTexture": {"index": 0}}, tmp_path) is None


def test_materials_of_one_mesh_keep_their_own(tmp_path):
    """And stay with their vertices where some are left out."""
    sample = sample_of({PBR: {"roughnessFactor": 0.25}})
    number = sample.put("materials", **MAPS["normal"])
    attributes = {"TEXCOORD_0": sample.array(UV)}
    sample.put("nodes", mesh=sample.corner({"material": number}, **attributes))
    plain = sample.corner({"indices": sample.array(np.array([0, 2, 1], "u2"))})
    sample.put("nodes", mesh=plain)
    finish = sample.read(tmp_path).finish
    expected = [[0.25, 1, *PLAIN[2:]]] * 4 + [[UNSAID, UNSAID, 1, *PLAIN[3:]]] * 4 + [PLAIN] * 3
    np.testing.assert_array_equal(finish.factors, np.float32(expected))
    one = finish.maps["normal"]
    height, width = one.texture.shape[:2]
    at = np.floor(one.uv * [width, height]).astype(int)
    found = one.texture[height - 1 - at[:, 1], at[:, 0]]
    np.testing.assert_array_equal(found, [*[[255] * 3] * 4, *FOUR, *[[255] * 3] * 3])


def test_a_map_without_coordinates_is_refused(tmp_path):
    path = sample_of({"normalTexture": {"index": 0, "texCoord": 3}}).write(tmp_path / "a.glb")
    assert "a texture for vertices without TEXCOORD_3" in refusal(read_gltf, path)


def inputs_of(path, environment: str) -> SceneInputs:
    config = RenderConfig(objects=(str(path),), frames=1, size=(64, 48))
    return SceneInputs(config, SceneConfig(environment=environment), SensorConfig(), 1)


def test_roughness_is_told_of_once(tmp_path):
    """Factors are its map's where it has one."""
    one = {PBR: {"roughnessFactor": 0.5, "metallicRoughnessTexture": {"index": 0}}}
    assert finish_of(one, tmp_path).words == "a map of roughness and metal"
    assert finish_of({PBR: {"roughnessFactor": 0.5}}, tmp_path).words == "roughness and metal"


def test_what_a_scene_does_not_draw_of_a_mesh_is_said_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    material = {**MAPS["normal"], **MAPS["occlusion"], PBR: {"roughnessFactor": 0.3}}
    path = sample_of(material).write(tmp_path / "a.glb")
    whole = "roughness and metal, a map of normals and a map of occlusion"
    for environment, rest in (
        ("none", "is drawn with scene.environment only"),
        ("room", "is drawn from this file; models/ holds its colours alone"),
    ):
        caplog.clear()
        inputs_of(path, environment)
        said = [r.message for r in caplog.records if "surface" in r.message]
        assert said == [f"{path}: its surface ({whole}) {rest}"]
    plain = sample_of({}).write(tmp_path / "b.glb")
    caplog.clear()
    inputs_of(plain, "none")
    assert not [r for r in caplog.records if "surface" in r.message]


def test_a_dataset_depends_on_it_in_an_environment_only(tmp_path):
    """One of lamps goes on though the file says more of its surface than it did."""
    made = {}
    for roughness in (0.3, 0.4):
        path = sample_of({PBR: {"roughnessFactor": roughness}}).write(tmp_path / "a.glb")
        for environment in ("none", "room"):
            made[roughness, environment] = inputs_of(path, environment).settings["meshes"]
    assert made[0.3, "none"] == made[0.4, "none"]
    assert made[0.3, "room"] != made[0.4, "room"]
    plain = sample_of({}).write(tmp_path / "a.glb")
    (model,) = load_models([plain]).values()
    assert mesh_digest(model) == mesh_digest(model, physical=True) == made[0.3, "none"]["1"]


def test_a_frame_is_drawn_again_with_the_meshs_own_surface(tmp_path):
    path = sample_of({**MAPS["normal"], **GLOW}).write(tmp_path / "a.glb")
    config = RenderConfig(objects=(str(path),), frames=1, size=(64, 48))
    scene = SceneConfig(environment="room", layout="upright")
    generate(config, scene, tmp_path / "made", seed=3, workers=1)
    frame = tmp_path / "made" / "train" / "000000" / "rgb" / "000000.png"
    replay_frame(frame, tmp_path / "again.png")
    np.testing.assert_array_equal(read_rgb(frame), read_rgb(tmp_path / "again.png"))
