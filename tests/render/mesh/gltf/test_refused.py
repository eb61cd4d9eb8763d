"""glTF files that are damaged, hostile, or need what is not read: one line each."""

import json
import struct

import numpy as np
import pytest

from render.mesh.file import read_mesh_file
from tests.gltf_samples import CORNER, GltfSample, corner_in_scene, glb
from tests.mesh_samples import refusal


def changed(**change) -> GltfSample:
    sample = corner_in_scene()
    sample.json |= change
    return sample


def changed_primitive(**change) -> GltfSample:
    sample = corner_in_scene()
    sample.json["meshes"][0]["primitives"][0] |= change
    return sample


BY_COLUMNS = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.5, 0, 0, 1]
BY_ROWS = np.reshape(BY_COLUMNS, (4, 4)).T.reshape(-1).tolist()


def of_weights(weight: float, joint: int, matrix=BY_COLUMNS) -> GltfSample:
    """A skin of one joint."""
    sample = GltfSample()
    attributes = {
        "JOINTS_0": sample.array(np.array([[joint, 0, 0, 0]] * 4, "u1")),
        "WEIGHTS_0": sample.array(np.array([[weight, 0, 0, 0]] * 4, "f4")),
    }
    sample.put("nodes", mesh=sample.corner(**attributes), skin=0)
    bound = sample.array(np.array(matrix, "f4").reshape(1, 4, 4))
    sample.put("skins", joints=[0], inverseBindMatrices=bound)
    return sample


DRACO = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
PACKED = {"byteLength": 4, "extensions": {"EXT_meshopt_compression": {"fallback": True}}}
REFUSED = {
    "glTF 1.0": (changed(asset={"version": "1.0"}), "version 1.0; glTF 2.0 was expected"),
    "no version": (changed(asset={}), "no asset.version; glTF 2.0"),
    "glTF to come": (changed(asset={"version": "2.0", "minVersion": "2.1"}), "minVersion 2.1"),
    "required": (changed(extensionsRequired=["VENDOR_blob"]), "needs VENDOR_blob"),
    "draco": (
        changed(extensionsRequired=["KHR_draco_mesh_compression"]), "export it without compression"
    ),
    "meshopt": (changed(buffers=[PACKED]), "EXT_meshopt_compression, which is not read here"),
    "circle": (changed(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}]), "below itself"),
    "own child": (changed(nodes=[{"mesh": 0, "children": [0]}]), "below itself"),
    "two parents": (
        changed(nodes=[{"children": [2]}, {"children": [2]}, {"mesh": 0}]),
        "node 2 is a child twice",
    ),
    "no such child": (changed(nodes=[{"mesh": 0, "children": [9]}]), "a node of children is 9"),
    "no such mesh": (changed(nodes=[{"mesh": 4}]), "its meshes is 4"),
    "mesh by name": (changed(nodes=[{"mesh": "a"}]), "its meshes is no whole number"),
    "no such scene": (changed(scene=3, scenes=[{"nodes": [0]}]), "its scenes is 3"),
    "flattened": (changed(nodes=[{"mesh": 0, "scale": [1, 0, 1]}]), "flattens its mesh"),
    "no rotation": (changed(nodes=[{"mesh": 0, "rotation": [0, 0, 0, 0]}]), "no quaternion"),
    "NaN": (changed(nodes=[{"mesh": 0, "translation": [0, float("nan"), 0]}]), "3 finite numbers"),
    "huge number": (changed(nodes=[{"mesh": 0, "scale": [10**400, 1, 1]}]), "3 finite numbers"),
    "overflow": (
        changed(nodes=[{"scale": [1e200] * 3, "children": [1]}, {"mesh": 0, "scale": [1e200] * 3}]),
        "NaN or infinite",
    ),
    "matrix of 15": (changed(nodes=[{"mesh": 0, "matrix": [1] * 15}]), "16 finite numbers"),
    "matrix row by row": (
        changed(nodes=[{"mesh": 0, "matrix": BY_ROWS}]), "last row is 0.5 0 0 1, not 0 0 0 1"
    ),
    "parent's matrix row by row": (
        changed(nodes=[{"matrix": BY_ROWS, "children": [1]}, {"mesh": 0}]), "column by column"
    ),
    "matrix that scales by its last number": (
        changed(nodes=[{"mesh": 0, "matrix": [*BY_COLUMNS[:15], 2]}]), "last row is 0 0 0 2"
    ),
    "matrix of a skin row by row": (of_weights(1, 0, BY_ROWS), "last row is 0.5 0 0 1"),
    "meshes by name": (changed(meshes={"a": {}}), "meshes is not a list"),
    "node in a list": (changed(nodes=[[0]]), "one of its nodes is not an object"),
    "primitive in a list": (
        changed(meshes=[{"primitives": [[0]]}]),
        "one of primitives is not an object",
    ),
    "list": (changed(scenes=[{"nodes": 0}]), "nodes is not a list"),
    "scalars": (changed_primitive(attributes={"POSITION": 1}), "VEC3 was expected"),
    "no positions": (changed_primitive(attributes={}), "without positions"),
    "mode 7": (changed_primitive(mode=7), "mode of a primitive is 7"),
    "no weights": (of_weights(0, 0), "sum to 0"),
    "no such joint": (of_weights(1, 2), "vertices of joint 2"),
}  # fmt: skip


@pytest.mark.parametrize(("sample", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_scene_that_cannot_be_read_is_refused(sample, reason, tmp_path):
    path = sample.write(tmp_path / "a.glb")
    line = refusal(read_mesh_file, path)
    assert line.startswith(f"{path}: ") and reason in line and len(line) < 300


PBR, GLOSSY = "pbrMetallicRoughness", "KHR_materials_pbrSpecularGlossiness"
FAR = {
    "bytes": ({PBR: {"baseColorFactor": [200, 30, 40, 255]}}, "baseColorFactor is 200"),
    "dark bytes": ({PBR: {"baseColorFactor": [1, 0, 2, 255]}}, "baseColorFactor is 255"),
    "per cent": ({PBR: {"baseColorFactor": [0, 0, 50, 1]}}, "baseColorFactor is 50"),
    "negative": ({PBR: {"baseColorFactor": [0, -3, 0, 1]}}, "baseColorFactor is -3"),
    "diffuse": ({"extensions": {GLOSSY: {"diffuseFactor": [9, 9, 9, 1]}}}, "diffuseFactor is 9"),
    "metal": ({PBR: {"metallicFactor": 100}}, "roughnessFactor or metallicFactor is 100"),
    "roughness": ({PBR: {"roughnessFactor": 128}}, "roughnessFactor or metallicFactor is 128"),
    "cutoff": ({"alphaMode": "MASK", "alphaCutoff": 128}, "alphaCutoff is 128"),
    "light": ({"emissiveFactor": [255, 0, 0]}, "emissiveFactor is 255"),
    "occlusion": (
        {"occlusionTexture": {"index": 0, "strength": 80}}, "occlusionTexture's strength is 80"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("material", "reason"), FAR.values(), ids=FAR)
def test_factors_far_outside_0_to_1_are_refused(material, reason, tmp_path):
    sample = GltfSample(materials=[{}, material])
    for number in (0, 1):
        sample.put("nodes", mesh=sample.corner({"material": number}))
    path = sample.write(tmp_path / "a.glb")
    line = refusal(read_mesh_file, path)
    assert line.startswith(f"{path}: a material whose {reason}; it goes from 0 to 1")


@pytest.mark.parametrize("material", [{}, {"alphaMode": "MASK", "alphaCutoff": 1.0}])
def test_factors_a_little_outside_are_clamped(material, tmp_path):
    base = {"baseColorFactor": [1.01, -0.01, 1, 1.01], "roughnessFactor": 1.01}
    sample = GltfSample(materials=[{PBR: base, **material}])
    sample.put("nodes", mesh=sample.corner({"material": 0}))
    part = sample.read(tmp_path)
    np.testing.assert_array_equal(part.colors, [[255, 0, 255]] * 4)
    np.testing.assert_array_equal(part.finish.factors[:, :2], [[1, 1]] * 4)


GOOD = corner_in_scene()
DAMAGED = {
    "nested": (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    "list": (b"[]", "not an object"),
    "number of 5000 digits": (b'{"scene": ' + b"9" * 5000 + b"}", "damaged"),
    "version": (struct.pack("<4sII", b"glTF", 1, 28) + bytes(16), "version 1 of GLB"),
    "length": (struct.pack("<4sII", b"glTF", 2, 9999) + bytes(16), "20 of 9999|28 of 9999"),
    "chunk": (struct.pack("<4sIIII", b"glTF", 2, 20, 99, 0x4E4F534A), "a chunk of 99 bytes"),
    "no JSON": (struct.pack("<4sIIII", b"glTF", 2, 20, 0, 0x004E4942), "first chunk is not JSON"),
    "no buffer": (glb(GOOD.text(), b""), "neither a uri nor a chunk"),
}


@pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_is_damaged_is_refused(content, reason, tmp_path):
    (tmp_path / "a.glb").write_bytes(content)
    line = refusal(read_mesh_file, tmp_path / "a.glb")
    assert any(part in line for part in reason.split("|")) and len(line) < 300


def test_chunks_of_other_kinds_and_a_byte_order_mark_are_passed_over(tmp_path):
    content = glb(b"\xef\xbb\xbf" + GOOD.text(), bytes(GOOD.bytes))
    content += struct.pack("<II", 4, 0x12345678) + b"more"
    (tmp_path / "a.glb").write_bytes(content[:8] + struct.pack("<I", len(content)) + content[12:])
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "a.glb").vertices, CORNER)


def test_draco_that_leaves_plain_arrays_is_not_needed(tmp_path):
    sample = changed_primitive(extensions=DRACO)
    np.testing.assert_array_equal(sample.read(tmp_path).vertices, CORNER)
    packed = json.loads(json.dumps(sample.json))
    del packed["accessors"][0]["bufferView"]
    sample.json = packed
    assert "export it without compression" in refusal(sample.read, tmp_path)
