"""Arrays of glTF files, of every kind and layout."""

import base64
import json

import numpy as np
import pytest

from render.mesh.file import read_mesh_file
from tests.gltf_samples import CORNER, FACES, GltfSample, corner_in_scene, shape_of
from tests.mesh_samples import refusal

GRID = np.array([[0, 0, 0], [100, 0, 0], [0, 50, 0], [0, 0, -100]])  # fits into every type


def of_positions(accessor) -> GltfSample:
    """A scene of FACES between the vertices that `accessor` makes in it."""
    sample = GltfSample()
    indices = sample.array(FACES.reshape(-1))
    primitive = {"attributes": {"POSITION": accessor(sample)}, "indices": indices}
    sample.put("nodes", mesh=sample.put("meshes", primitives=[primitive]))
    return sample


def assert_corner(part, vertices=CORNER) -> None:
    np.testing.assert_array_equal(part.vertices, vertices.astype(np.float64))
    np.testing.assert_array_equal(part.faces, FACES)


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_embedded_and_encoded_buffers_hold_the_same(suffix, tmp_path):
    assert_corner(read_mesh_file(corner_in_scene().write(tmp_path / f"a.{suffix}")))


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("b.bin", "b.bin"),
        ("my buffer 100%.bin", "my%20buffer%20100%25.bin"),
        ("my buffer.bin", "my buffer.bin"),
        ("as%20it%20is.bin", "as%20it%20is.bin"),
    ],
)
def test_buffers_in_files_are_found_by_their_escaped_names(name, uri, tmp_path):
    sample = corner_in_scene()
    (tmp_path / name).write_bytes(sample.bytes)
    (tmp_path / "a.gltf").write_bytes(sample.text(uri=uri))
    assert_corner(read_mesh_file(tmp_path / "a.gltf"))


@pytest.mark.parametrize("kind", ["i1", "i2", "f4"])
def test_positions_of_every_signed_type_are_numbers_as_they_stand(kind, tmp_path):
    part = of_positions(lambda sample: sample.array(GRID.astype(kind))).read(tmp_path)
    assert_corner(part, GRID)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("i1", [-128, -127, 0, 127], [-1, -1, 0, 1]),
        ("i2", [-32768, -32767, 0, 32767], [-1, -1, 0, 1]),
        ("u1", [0, 51, 102, 255], [0, 0.2, 0.4, 1]),
        ("u2", [0, 13107, 26214, 65535], [0, 0.2, 0.4, 1]),
    ],
)
def test_normalized_integers_are_fractions(kind, values, expected, tmp_path):
    columns = np.zeros((4, 3), kind)
    columns[:, 0], columns[2, 1], columns[3, 2] = values, 1, 1
    sample = of_positions(lambda sample: sample.array(columns, normalized=True))
    np.testing.assert_allclose(sample.read(tmp_path).vertices[:, 0], expected, atol=1e-15)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
def test_indices_of_every_type_are_read(kind, tmp_path):
    sample = GltfSample()
    attributes = {"POSITION": sample.array(CORNER)}
    indices = sample.array(FACES.reshape(-1).astype(kind))
    mesh = sample.put("meshes", primitives=[{"attributes": attributes, "indices": indices}])
    sample.put("nodes", mesh=mesh)
    assert_corner(sample.read(tmp_path))


def test_interleaved_attributes_are_taken_apart(tmp_path):
    rows = np.zeros(4, [("p", "<f4", 3), ("junk", "u1", 4), ("n", "<f4", 3), ("c", "u1", 4)])
    rows["p"], rows["junk"], rows["n"] = CORNER, 77, [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, -1, 0]]
    rows["c"] = np.arange(16).reshape(4, 4)
    sample = GltfSample()
    view = sample.view(bytes(4) + rows.tobytes(), byteStride=32)
    attributes = {
        name: sample.put("accessors", bufferView=view, byteOffset=4 + at, **shape_of(rows[field]))
        for name, field, at in (("POSITION", "p", 0), ("NORMAL", "n", 16), ("COLOR_0", "c", 28))
    }
    indices = sample.array(FACES.reshape(-1))
    mesh = sample.put("meshes", primitives=[{"attributes": attributes, "indices": indices}])
    sample.put("nodes", mesh=mesh)
    part = sample.read(tmp_path)
    assert_corner(part)
    np.testing.assert_array_equal(part.normals, rows["n"])
    np.testing.assert_array_equal(part.colors, rows["c"][:, :3])


def replaced(sample: GltfSample, where: list[int], what: np.ndarray, kind: str = "u2") -> dict:
    """A sparse accessor's account of the elements that it replaces."""
    indices, values = np.array(where, kind), np.asarray(what)
    return {
        "count": len(where),
        "indices": {
            "bufferView": sample.view(indices.tobytes()),
            "componentType": shape_of(indices)["componentType"],
        },
        "values": {"bufferView": sample.view(values.tobytes())},
    }


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
@pytest.mark.parametrize("base", ["of a buffer", "of zeros"])
def test_sparse_values_replace_those_of_a_buffer_or_zeros(base, kind, tmp_path):
    def positions(sample):
        if base == "of a buffer":
            wrong = CORNER.copy()
            wrong[[1, 3]] = 9
            return sample.array(wrong, sparse=replaced(sample, [1, 3], CORNER[[1, 3]], kind))
        sparse = replaced(sample, [1, 2, 3], CORNER[1:], kind)
        return sample.put("accessors", **shape_of(CORNER), sparse=sparse)

    assert_corner(of_positions(positions).read(tmp_path))


def test_an_accessor_without_any_bytes_is_all_zeros(tmp_path):
    sample = GltfSample()
    black = sample.put("accessors", componentType=5121, count=4, type="VEC3", normalized=True)
    sample.put("nodes", mesh=sample.corner(COLOR_0=black))
    np.testing.assert_array_equal(sample.read(tmp_path).colors, np.zeros((4, 3)))


def test_vertices_of_no_face_need_not_be_numbers(tmp_path):
    more = np.concatenate([CORNER, np.full((2, 3), np.nan, "f4")])
    assert_corner(of_positions(lambda sample: sample.array(more)).read(tmp_path))


def with_accessor(**change) -> GltfSample:
    sample = of_positions(lambda sample: sample.array(CORNER))
    sample.json["accessors"][1] |= change
    return sample


def with_view(**change) -> GltfSample:
    sample = of_positions(lambda sample: sample.array(CORNER))
    sample.json["bufferViews"][1] |= change
    return sample


def with_sparse(**change) -> GltfSample:
    def positions(sample):
        return sample.array(CORNER, sparse=replaced(sample, [1], CORNER[1:2]) | change)

    return of_positions(positions)


def without_view() -> GltfSample:
    sample = with_accessor(count=10**7)
    del sample.json["accessors"][1]["bufferView"]
    return sample


def without_indices() -> GltfSample:
    sample = with_accessor(count=2 * 10**8)
    del sample.json["meshes"][0]["primitives"][0]["indices"]
    return sample


LIES = {
    "count": (with_accessor(count=5), "5 elements reaches to byte 60 of a buffer view of 48"),
    "huge count, no indices": (without_indices(), "2400000000"),
    "huge count": (with_accessor(count=2 * 10**8), "2400000000"),
    "huge count without bytes": (without_view(), "10000000 elements without a bufferView"),
    "negative count": (with_accessor(count=-4), "count of an accessor is -4"),
    "count of 400 digits": (with_accessor(count=10**400), "count of an accessor is far out"),
    "count as text": (with_accessor(count="4"), "count of an accessor is no whole number"),
    "negative offset": (with_accessor(byteOffset=-12), "byteOffset of an accessor is -12"),
    "offset": (with_accessor(byteOffset=4), "reaches to byte 52 of a buffer view of 48"),
    "component": (with_accessor(componentType=5130), "componentType 5130"),
    "type": (with_accessor(type="VEC4"), "VEC3 was expected"),
    "view": (with_accessor(bufferView=7), "number of one of its bufferViews is 7"),
    "negative view": (with_accessor(bufferView=-1), "bufferViews is -1"),
    "stride 0": (with_view(byteStride=0), "byteStride of a buffer view is 0"),
    "short stride": (with_view(byteStride=8), "byteStride 8 for elements of 12 bytes"),
    "long stride": (with_view(byteStride=252), "reaches to byte 768"),
    "length of a view": (with_view(byteLength=10**6), "its buffer has 68"),
    "negative length": (with_view(byteLength=-1), "byteLength of a buffer view is -1"),
    "buffer": (with_view(buffer=3), "number of one of its buffers is 3"),
    "sparse count": (with_sparse(count=9), "count of a sparse accessor is 9"),
    "sparse index": (
        with_sparse(indices={"bufferView": 0, "componentType": 5125}), "replaces element"
    ),
    "sparse without values": (with_sparse(values={}), "number of one of its bufferViews"),
}  # fmt: skip


@pytest.mark.parametrize(("sample", "reason"), LIES.values(), ids=LIES)
def test_no_accessor_is_believed_beyond_its_bytes(sample, reason, tmp_path):
    path = sample.write(tmp_path / "a.glb")
    line = refusal(read_mesh_file, path)
    assert line.startswith(f"{path}: ") and reason in line and len(line) < 300


def test_a_short_file_cannot_repeat_its_arrays_without_end(tmp_path):
    """2,000 nodes that draw 30,000 vertices each would be 60 million."""
    sample = GltfSample()
    vertices = np.random.default_rng(0).random((30_000, 3), np.float32)
    given = {"POSITION": sample.array(vertices)}
    mesh = sample.put("meshes", primitives=[{"attributes": given}])
    sample.json["nodes"] = [{"mesh": mesh}] * 2000
    assert "repeats its arrays" in refusal(read_mesh_file, sample.write(tmp_path / "a.glb"))


def test_primitives_may_share_long_arrays(tmp_path):
    """Each of 300 faces of its own primitive, in one array of 100,000 vertices."""
    rng = np.random.default_rng(0)
    vertices = rng.random((100_000, 3), np.float32)
    sample = GltfSample()
    given = {"POSITION": sample.array(vertices)}
    corners = rng.permutation(100_000)[:900].reshape(300, 3).astype("u4")
    primitives = [{"attributes": given, "indices": sample.array(face)} for face in corners]
    sample.put("nodes", mesh=sample.put("meshes", primitives=primitives))
    part = sample.read(tmp_path)
    np.testing.assert_array_equal(part.vertices[part.faces], vertices[corners])


BUFFERS = {
    "lies about its length": ({"byteLength": 10**6}, "buffer 0 ends too early: 68 of 1000000"),
    "has no file": ({"byteLength": 68, "uri": "gone.bin"}, "names the file gone.bin"),
    "is no base64": ({"byteLength": 68, "uri": "data:;base64,A"}, "damaged"),
    "has no length": ({}, "byteLength of a buffer is no whole number"),
    "is elsewhere": ({"byteLength": 68, "uri": "../../etc/passwd"}, "names the file"),
    "is a number": ({"byteLength": 68, "uri": 5}, "uri is not a text"),
}


@pytest.mark.parametrize(("buffer", "reason"), BUFFERS.values(), ids=BUFFERS)
def test_a_buffer_that_is_not_there_is_refused(buffer, reason, tmp_path):
    sample = of_positions(lambda sample: sample.array(CORNER))
    sample.json["buffers"] = [buffer]
    assert reason in refusal(read_mesh_file, sample.write(tmp_path / "a.glb"))


def test_data_without_base64_is_percent_encoded(tmp_path):
    sample = corner_in_scene()
    encoded = "".join(f"%{byte:02X}" for byte in sample.bytes)
    (tmp_path / "a.gltf").write_bytes(sample.text(uri=f"data:,{encoded}"))
    assert_corner(read_mesh_file(tmp_path / "a.gltf"))
    text = json.loads(sample.text(uri="data:;base64," + base64.b64encode(sample.bytes).decode()))
    text["buffers"][0]["uri"] = text["buffers"][0]["uri"].rstrip("=")
    (tmp_path / "b.gltf").write_text(json.dumps(text))
    assert_corner(read_mesh_file(tmp_path / "b.gltf"))
