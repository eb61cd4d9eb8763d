"""Colours of glTF files: base colours, vertex colours, textures and where they lie."""

import base64
import io
import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from render.errors import InputError
from render.mesh.file import read_mesh_file
from tests.gltf_samples import GltfSample, corner_in_scene
from tests.mesh_samples import refusal

# Light and how it is displayed, by hand from sRGB's formula: 255 (1.055 x^(1/2.4) - 0.055).
DISPLAYED = {0.2158605: 128, 1.0: 255, 0.0: 0, 0.001: 3, 0.5: 188, 0.05: 63}
FOUR = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [60, 128, 200]], np.uint8)
TEXELS = FOUR.reshape(2, 2, 3).repeat(8, axis=0).repeat(8, axis=1)
UV = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]], "f4")  # v down


def painted(sample: GltfSample, base: dict, attributes: dict, **material) -> GltfSample:
    """CORNER with this base colour."""
    number = sample.put("materials", pbrMetallicRoughness=base, **material)
    sample.put("nodes", mesh=sample.corner({"material": number}, **attributes))
    return sample


def textured(info: dict | None = None, base: dict | None = None, **sampler) -> GltfSample:
    """CORNER, its vertices in the middles of the four fields of TEXELS."""
    sample = GltfSample()
    index = sample.texture(TEXELS, **({"sampler": sample.put("samplers", **sampler)}))
    texture = {"index": index, **(info or {})}
    attributes = {"TEXCOORD_0": sample.array(UV), "TEXCOORD_1": sample.array(UV[::-1])}
    return painted(sample, {"baseColorTexture": texture, **(base or {})}, attributes)


def looked_up(part) -> np.ndarray:
    """(n, 3) texels at the vertices, nearest and repeated as OpenGL does, times their colours."""
    height, width = part.texture.shape[:2]
    columns = np.floor(part.uv[:, 0] % 1 * width).astype(int)
    rows = np.floor((1 - part.uv[:, 1]) % 1 * height).astype(int)
    return part.texture[rows, columns] * (part.colors / 255)


@pytest.mark.parametrize(("light", "displayed"), DISPLAYED.items())
def test_base_colors_are_linear(light, displayed, tmp_path):
    sample = painted(GltfSample(), {"baseColorFactor": [light, 1, 0, 1]}, {})
    np.testing.assert_array_equal(sample.read(tmp_path).colors, [[displayed, 255, 0]] * 4)


def test_without_material_it_is_gray_and_an_empty_one_is_white(tmp_path):
    assert (corner_in_scene().read(tmp_path).colors == 178).all()
    assert (painted(GltfSample(), {}, {}).read(tmp_path).colors == 255).all()


COLORS = np.array([[200, 30, 40], [0, 128, 255], [1, 2, 3], [77, 78, 79]])


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("material", [False, True])
def test_vertex_colors_of_every_type_are_shown_as_they_stand(kind, width, material, tmp_path):
    full = {"u1": 255, "u2": 65535, "f4": 1}[kind]
    values = np.zeros((4, width), kind)  # an alpha of 0 is not looked at
    values[:, :3] = (
        COLORS / 255 * full if kind == "f4" else np.round(COLORS / 255 * full).astype(int)
    )
    sample = GltfSample()
    attributes = {"COLOR_0": sample.array(values, normalized=kind != "f4")}
    if material:
        painted(sample, {}, attributes)
    else:
        sample.put("nodes", mesh=sample.corner(**attributes))
    np.testing.assert_array_equal(sample.read(tmp_path).colors, COLORS)


def test_base_color_and_vertex_colors_multiply_as_light(tmp_path):
    """128 is 0.2158605 of the light of 255, and that of it again 0.0465957, displayed 61."""
    sample = GltfSample()
    colors = {"COLOR_0": sample.array(np.full((4, 3), [255, 128, 0], "u1"), normalized=True)}
    painted(sample, {"baseColorFactor": [0.2158605, 0.2158605, 1, 0.5]}, colors)
    np.testing.assert_array_equal(sample.read(tmp_path).colors, [[128, 61, 0]] * 4)


def test_a_texture_lies_with_v_down_and_is_drawn_in_its_own_colors(tmp_path):
    part = textured().read(tmp_path)
    np.testing.assert_array_equal(looked_up(part), FOUR)
    np.testing.assert_array_equal(part.texture, TEXELS)


def test_base_color_and_texture_multiply_as_light(tmp_path):
    """Of the light of 250, 200, 128 and 60 half is shown as 184, 146, 92 and 41."""
    part = textured(base={"baseColorFactor": [0.5, 0.5, 0.5, 1]}).read(tmp_path)
    expected = [[184, 0, 0], [0, 184, 0], [0, 0, 184], [41, 92, 146]]
    np.testing.assert_array_equal(looked_up(part), expected)


def test_vertex_colors_tint_a_texture(tmp_path):
    sample = textured()
    attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
    half = np.full((4, 3), 51, "u1")
    attributes["COLOR_0"] = sample.array(half, normalized=True)
    part = sample.read(tmp_path)
    np.testing.assert_array_equal(part.texture, TEXELS)
    np.testing.assert_allclose(looked_up(part), FOUR / 5)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_normalized_texture_coordinates_are_fractions(kind, tmp_path):
    sample = textured()
    whole = np.round(UV * np.iinfo(kind).max).astype(kind)
    attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
    attributes["TEXCOORD_0"] = sample.array(whole, normalized=True)
    part = sample.read(tmp_path)
    np.testing.assert_allclose(part.uv, UV * [1, -1] + [0, 1], atol=1 / 255)
    np.testing.assert_array_equal(looked_up(part), FOUR)


@pytest.mark.parametrize(
    ("info", "order"),
    [
        ({}, [0, 1, 2, 3]),
        ({"texCoord": 1}, [3, 2, 1, 0]),
        # The transform's own set of coordinates counts before the texture's.
        ({"texCoord": 1, "extensions": {"KHR_texture_transform": {"texCoord": 0}}}, [0, 1, 2, 3]),
        ({"texCoord": 1, "extensions": {"KHR_texture_transform": {}}}, [3, 2, 1, 0]),
        # Half the image to the right; then one down.
        ({"extensions": {"KHR_texture_transform": {"offset": [0.5, 0]}}}, [1, 0, 3, 2]),
        ({"extensions": {"KHR_texture_transform": {"offset": [0, 0.5]}}}, [2, 3, 0, 1]),
        # A quarter turn maps u, v to v, -u: coordinates turn against the clock.
        ({"extensions": {"KHR_texture_transform": {"rotation": np.pi / 2}}}, [2, 0, 3, 1]),
        # A scale of 3 takes 0.25 and 0.75 to 0.75 and 2.25.
        ({"extensions": {"KHR_texture_transform": {"scale": [3, 3]}}}, [3, 2, 1, 0]),
        ({"extensions": {"KHR_texture_transform": {"scale": [1, -1]}}}, [2, 3, 0, 1]),
    ],
)
def test_the_texture_coordinates_that_a_material_names_are_moved_as_it_says(info, order, tmp_path):
    np.testing.assert_array_equal(looked_up(textured(info).read(tmp_path)), FOUR[order])


def test_a_transform_scales_before_it_turns_before_it_moves(tmp_path):
    """(0.75, 0.25), scaled to (1.5, 0.75), turned to (0.75, -1.5), moved to (0.85, -1.3)."""
    moved = {"scale": [2, 3], "rotation": np.pi / 2, "offset": [0.1, 0.2]}
    part = textured({"extensions": {"KHR_texture_transform": moved}}).read(tmp_path)
    np.testing.assert_allclose(part.uv[1], [0.85, 1 + 1.3], atol=1e-6)


@pytest.mark.parametrize(
    ("wraps", "order"),
    [
        ({}, [1, 0, 3, 2]),
        ({"wrapS": 10497, "wrapT": 10497}, [1, 0, 3, 2]),
        ({"wrapS": 33071}, [1, 1, 3, 3]),
        ({"wrapS": 33648}, [1, 1, 3, 3]),
        ({"wrapT": 33648}, [1, 0, 3, 2]),
    ],
)
def test_samplers_repeat_mirror_or_clamp(wraps, order, tmp_path):
    """Coordinates 0.5 to the right: u is 0.75, and beyond the edge 1.25."""
    moved = {"extensions": {"KHR_texture_transform": {"offset": [0.5, 0]}}}
    part = textured(moved, **wraps).read(tmp_path)
    np.testing.assert_array_equal(looked_up(part), FOUR[order])


def test_textures_of_files_and_data_are_read(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(TEXELS).save(stream, "PNG")
    (tmp_path / "my texture.png").write_bytes(stream.getvalue())
    data = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    for uri in ("my%20texture.png", data):
        sample = textured()
        sample.json["images"] = [{"uri": uri}]
        np.testing.assert_array_equal(sample.read(tmp_path).texture, TEXELS)
    (tmp_path / "my texture.png").write_bytes(stream.getvalue()[:50])
    sample.json["images"] = [{"uri": "my%20texture.png"}]
    assert "image 0, my%20texture.png: " in refusal(sample.read, tmp_path)


def test_webp_is_read_and_other_formats_only_by_their_fallback(tmp_path):
    sample = textured()
    red = np.full((2, 2, 3), [255, 0, 0], np.uint8)
    webp = sample.json["textures"][sample.texture(red, "WEBP")]["source"]
    sample.json["extensionsRequired"] = ["EXT_texture_webp"]
    sample.json["textures"][0]["extensions"] = {"EXT_texture_webp": {"source": webp}}
    np.testing.assert_array_equal(sample.read(tmp_path).texture, red)
    sample = textured()
    sample.json["textures"][0]["extensions"] = {"KHR_texture_basisu": {"source": 5}}
    np.testing.assert_array_equal(sample.read(tmp_path).texture, TEXELS)
    del sample.json["textures"][0]["source"]
    assert "needs KHR_texture_basisu" in refusal(sample.read, tmp_path)


def test_the_diffuse_color_of_a_glossy_material_counts(tmp_path):
    sample = textured(base={"baseColorFactor": [0, 0, 0, 1]})
    (material,) = sample.json["materials"]
    texture = material["pbrMetallicRoughness"].pop("baseColorTexture")
    glossy = {"diffuseTexture": texture, "diffuseFactor": [0.5, 0.5, 0.5, 1]}
    material["extensions"] = {"KHR_materials_pbrSpecularGlossiness": glossy}
    sample.json["extensionsRequired"] = ["KHR_materials_pbrSpecularGlossiness"]
    expected = [[184, 0, 0], [0, 184, 0], [0, 0, 184], [41, 92, 146]]
    np.testing.assert_array_equal(looked_up(sample.read(tmp_path)), expected)


@pytest.mark.parametrize(
    ("material", "word"),
    [
        ({"alphaMode": "BLEND"}, "transparency"),
        ({"emissiveFactor": [1, 0, 0]}, ""),
        ({"extensions": {"KHR_materials_transmission": {}}}, "KHR_materials_transmission, which"),
        ({"extensions": {"KHR_materials_pbrSpecularGlossiness": {}}}, "highlights of KHR_materi"),
        ({"pbrMetallicRoughness": {"baseColorFactor": [2, 1, 1, 1]}}, "outside 0..1"),
        ({"alphaMode": "OPAQUE", "doubleSided": True}, ""),
    ],
)
def test_what_is_not_drawn_is_said_once(material, word, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    sample = GltfSample(materials=[material, material])
    for number in (0, 1):
        sample.put("nodes", mesh=sample.corner({"material": number}))
    sample.read(tmp_path)
    said = [record.message for record in caplog.records]
    assert len(said) == (1 if word else 0) and all(word in line for line in said)


def masked(image: np.ndarray, **material) -> GltfSample:
    """CORNER, its vertices in the middles of the four fields of a texture with alpha."""
    sample = GltfSample()
    texture = {"index": sample.texture(image)}
    attributes = {"TEXCOORD_0": sample.array(UV)}
    return painted(sample, {"baseColorTexture": texture}, attributes, **material)


ALPHAS = np.array([[0, 100], [200, 255]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)
WITH_ALPHA = np.dstack([TEXELS, ALPHAS])
GRAY_WITH_ALPHA = np.dstack([ALPHAS, ALPHAS])


@pytest.mark.parametrize("image", [WITH_ALPHA, GRAY_WITH_ALPHA], ids=["colours", "gray"])
def test_a_mask_cuts_where_alpha_is_below_its_cutoff(image, tmp_path):
    part = masked(image, alphaMode="MASK", alphaCutoff=0.4).read(tmp_path)
    np.testing.assert_array_equal(part.texture[..., 3], ALPHAS)
    colors = ALPHAS[..., None].repeat(3, axis=2) if image is GRAY_WITH_ALPHA else TEXELS
    np.testing.assert_array_equal(part.texture[..., :3], colors)
    np.testing.assert_allclose(part.opacity, 1 / 0.4, rtol=2e-6)


def test_alpha_counts_in_a_mask_alone_and_a_mask_that_cuts_nothing_is_none(tmp_path):
    """So that such files are drawn as they were, in coarser levels too."""
    opaque = np.dstack([TEXELS, np.maximum(ALPHAS, 128)])
    for image, material in [
        (WITH_ALPHA, {}),
        (WITH_ALPHA, {"alphaMode": "BLEND"}),
        (WITH_ALPHA, {"alphaMode": "MASK", "alphaCutoff": 0}),
        (opaque, {"alphaMode": "MASK"}),
        (TEXELS, {"alphaMode": "MASK"}),
    ]:
        part = masked(image, **material).read(tmp_path)
        assert part.opacity is None
        np.testing.assert_array_equal(part.texture, TEXELS)


def test_alphas_of_vertices_count_in_a_mask_alone(tmp_path):
    """What they are otherwise is not looked at: files with NaN there are drawn."""
    sample, colors = GltfSample(), np.array([[1, 0, 0, np.nan]] * 4, "f4")
    painted(sample, {}, {"COLOR_0": sample.array(colors)})
    np.testing.assert_array_equal(sample.read(tmp_path).colors, [[255, 0, 0]] * 4)
    sample.json["materials"][0]["alphaMode"] = "MASK"
    with pytest.raises(InputError, match="NaN"):
        sample.read(tmp_path)


def test_what_is_joined_to_a_mask_stays_whole(tmp_path):
    """Another texture, and a part without a material."""
    sample = masked(WITH_ALPHA, alphaMode="MASK")
    texture = {"index": sample.texture(TEXELS[::-1].copy())}
    number = sample.put("materials", pbrMetallicRoughness={"baseColorTexture": texture})
    for primitive in ({"material": number}, {}):
        attributes = {"TEXCOORD_0": sample.array(UV)} if primitive else {}
        sample.put("nodes", mesh=sample.corner(primitive, **attributes))
    part = sample.read(tmp_path)
    colors = np.pad(part.colors, ((0, 0), (0, 1)), constant_values=255)
    found = looked_up(replace(part, colors=colors))
    there = part.opacity * found[:, 3] / 255 >= 1
    np.testing.assert_array_equal(there, [0, 0, 1, 1] + [1] * 8)
    np.testing.assert_array_equal(found[:, :3], [*FOUR, *FOUR[[2, 3, 0, 1]], *[[178] * 3] * 4])


def test_a_material_that_is_replaced_on_demand_is_shown_as_it_is_first(tmp_path):
    sample = GltfSample(extensionsRequired=["KHR_materials_variants"])
    sample.json["materials"] = [
        {"pbrMetallicRoughness": {"baseColorFactor": [x, x, x, 1]}} for x in (0.2158605, 1)
    ]
    variants = {"KHR_materials_variants": {"mappings": [{"material": 1, "variants": [0]}]}}
    sample.put("nodes", mesh=sample.corner({"material": 0, "extensions": variants}))
    assert (sample.read(tmp_path).colors == 128).all()


def fewer() -> GltfSample:
    sample = textured()
    attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
    attributes["TEXCOORD_0"] = sample.array(UV[:3])
    return sample


def no_numbers() -> GltfSample:
    sample = textured()
    attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
    attributes["COLOR_0"] = sample.array(np.full((4, 3), np.nan, "f4"))
    return sample


def of_material(**material) -> GltfSample:
    sample = GltfSample(materials=[material])
    sample.put("nodes", mesh=sample.corner({"material": 0}))
    return sample


FAR = {"extensions": {"KHR_texture_transform": {"scale": [4e9, 1]}}}
REFUSED = {
    "fewer coordinates": (fewer(), "3 elements of TEXCOORD_0 for 4 vertices"),
    "no coordinates": (textured({"texCoord": 5}), "a texture for vertices without TEXCOORD_5"),
    "coordinates far off": (textured(FAR), "texture coordinates reach 3e+09"),
    "colours that are NaN": (no_numbers(), "colours that are NaN"),
    "no such texture": (textured({"index": 3}), "its textures is 3"),
    "no such wrapping": (textured(wrapS=7), "wrapS is 7"),
    "factor of 3": (textured(base={"baseColorFactor": [1, 1, 1]}), "4 finite numbers"),
    "list for an object": (of_material(pbrMetallicRoughness=[]), "pbrMetallicRoughness is not an"),
}


@pytest.mark.parametrize(("sample", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_material_that_cannot_be_drawn_is_refused(sample, reason, tmp_path):
    path = sample.write(tmp_path / "a.glb")
    line = refusal(read_mesh_file, path)
    assert line.startswith(f"{path}: ") and reason in line


def test_a_texture_that_is_nowhere_is_refused_by_its_name(tmp_path):
    sample = textured()
    sample.json["images"] = [{"uri": "gone.png"}]
    with pytest.raises(InputError, match=r"names the file gone\.png"):
        sample.read(tmp_path)
