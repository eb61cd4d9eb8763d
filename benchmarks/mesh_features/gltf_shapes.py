"""What glTF files hold of shapes, scenes and buffers."""

import base64

import numpy as np

from benchmarks.mesh_features.feature import FACES, UV, VERTICES, flat_normals
from benchmarks.mesh_features.gltf import LAID, Builder, Register

FLAT = flat_normals(VERTICES[FACES])
FEATURES = feature = Register()


@feature("no colours, no normals")
def _(b: Builder): ...


@feature("buffer in a file, its name with a space as %20")
def _(b: Builder):
    return {"a.gltf": b.gltf("my%20b.bin"), "my b.bin": bytes(b.buffer)}


@feature("buffer as a data URI")
def _(b: Builder):
    encoded = base64.b64encode(bytes(b.buffer)).decode()
    return {"a.gltf": b.gltf(f"data:application/octet-stream;base64,{encoded}")}


@feature("normals", normals=FLAT)
def _(b: Builder):
    corners = LAID[FACES].reshape(-1, 3)
    b.primitive["attributes"] = {
        "POSITION": b.accessor(corners, "f4"),
        "NORMAL": b.accessor(flat_normals(LAID[FACES]).reshape(-1, 3), "f4"),
    }
    del b.primitive["indices"]


@feature("normals, all zero")
def _(b: Builder):
    b.primitive["attributes"]["NORMAL"] = b.accessor(np.zeros((4, 3)), "f4")


@feature("indices of 8 bits")
def _(b: Builder):
    b.primitive["indices"] = b.accessor(FACES.reshape(-1), "u1")


@feature("indices of 32 bits")
def _(b: Builder):
    b.primitive["indices"] = b.accessor(FACES.reshape(-1), "u4")


@feature("a strip of triangles", triangles=VERTICES[[[0, 1, 2], [2, 1, 3]]])
def _(b: Builder):
    b.primitive["indices"] = b.accessor(np.array([0, 1, 2, 3]), "u2")
    b.primitive["mode"] = 5


@feature("a fan of triangles", triangles=VERTICES[[[0, 1, 2], [0, 2, 3]]])
def _(b: Builder):
    b.primitive["indices"] = b.accessor(np.array([0, 1, 2, 3]), "u2")
    b.primitive["mode"] = 6


@feature("lines beside triangles")
def _(b: Builder):
    lines = {"attributes": b.primitive["attributes"], "mode": 1}
    b.json["meshes"][0]["primitives"].append(lines)


@feature("interleaved rows")
def _(b: Builder):
    rows = np.hstack([LAID, np.full((4, 2), 7.0)]).astype("<f4")
    b.json["accessors"][0]["bufferView"] = b.view(rows.tobytes(), byteStride=20)


def _sparse(b: Builder, accessor: dict, base: np.ndarray | None) -> None:
    """The last three vertices, or the last one where there is a base, from a sparse part."""
    start = 1 if base is None else 3
    accessor["sparse"] = {
        "count": 4 - start,
        "indices": {
            "bufferView": b.view(np.arange(start, 4, dtype="<u2").tobytes()),
            "componentType": 5123,
        },
        "values": {"bufferView": b.view(LAID[start:].astype("<f4").tobytes())},
    }
    if base is None:
        del accessor["bufferView"]
    else:
        accessor["bufferView"] = b.view(base.astype("<f4").tobytes())


def _skin(b: Builder, joint_from_mesh: np.ndarray) -> None:
    attributes = b.primitive["attributes"]
    attributes["JOINTS_0"] = b.accessor(np.zeros((4, 4)), "u1")
    attributes["WEIGHTS_0"] = b.accessor(np.tile([1.0, 0, 0, 0], (4, 1)), "f4")
    inverse = b.accessor(joint_from_mesh.T.reshape(1, 16), "f4")
    b.json["skins"] = [{"joints": [1], "inverseBindMatrices": inverse}]
    b.json["nodes"] = [{"mesh": 0, "skin": 0}, {"name": "joint"}]
    b.json["scenes"] = [{"nodes": [0, 1]}]


@feature("sparse positions")
def _(b: Builder):
    _sparse(b, b.json["accessors"][0], np.vstack([LAID[:3], [[9, 9, 9]]]))


@feature("sparse positions over nothing")
def _(b: Builder):
    _sparse(b, b.json["accessors"][0], None)


@feature("positions in 16 bits, KHR_mesh_quantization")
def _(b: Builder):
    b.json["extensionsUsed"] = b.json["extensionsRequired"] = ["KHR_mesh_quantization"]
    rows = np.hstack([np.round(LAID * 100000), np.zeros((4, 1))]).astype("<i2")
    view = b.view(rows.tobytes(), byteStride=8)
    b.json["accessors"][0] |= {"bufferView": view, "componentType": 5122}
    b.json["nodes"][0]["scale"] = [1e-5] * 3


@feature("nodes within nodes, turned, scaled and moved")
def _(b: Builder):
    half = np.sqrt(0.5)
    inner = {"mesh": 0, "matrix": [0, -2, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
    # Undoes the matrix: a quarter turn about z, half the size.
    outer = {"children": [0], "rotation": [0, 0, half, half], "scale": [0.5] * 3}
    b.json["nodes"] = [inner, outer]
    b.json["scenes"] = [{"nodes": [1]}]


@feature("a mirrored node", triangles=(VERTICES * [-1, 1, 1])[FACES[:, ::-1]])
def _(b: Builder):
    b.json["nodes"][0]["scale"] = [-1, 1, 1]


@feature(
    "a mesh in two places",
    triangles=np.concatenate([VERTICES[FACES], VERTICES[FACES] + [0.3, 0, 0]]),
)
def _(b: Builder):
    b.json["nodes"].append({"mesh": 0, "translation": [0.3, 0, 0]})
    b.json["scenes"] = [{"nodes": [0, 1]}]


@feature("two scenes, of which the second is shown")
def _(b: Builder):
    b.json["nodes"] = [{"mesh": 0, "translation": [5, 0, 0]}, {"mesh": 0}]
    b.json["scenes"] = [{"nodes": [0]}, {"nodes": [1]}]
    b.json["scene"] = 1


@feature("a skin, whose node's own transform does not count")
def _(b: Builder):
    _skin(b, np.eye(4))
    b.json["nodes"][0]["scale"] = [0.01] * 3


@feature("a skin whose joints have moved", triangles=VERTICES[FACES] + [0.1, 0, 0])
def _(b: Builder):
    _skin(b, np.eye(4))
    b.json["nodes"][1]["translation"] = [0.1, 0, 0]


@feature("a morph target by half", triangles=(VERTICES * [2, 1, 1])[FACES])
def _(b: Builder):
    change = LAID * [2, 0, 0]
    b.primitive["targets"] = [{"POSITION": b.accessor(change, "f4")}]
    b.json["meshes"][0]["weights"] = [0.5]


@feature("texture coordinates fewer than vertices", refused="TEXCOORD_0")
def _(b: Builder):
    b.texture()
    b.primitive["attributes"]["TEXCOORD_0"] = b.accessor(UV[:2], "f4")
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("an accessor that promises 200 million rows", refused="2")
def _(b: Builder):
    b.json["accessors"].append({"componentType": 5126, "count": 200_000_000, "type": "VEC3"})
    b.primitive["attributes"]["POSITION"] = len(b.json["accessors"]) - 1


@feature("an accessor beyond its buffer", refused="a.glb")
def _(b: Builder):
    b.json["accessors"][0]["count"] = 4000


@feature("nodes in a circle", refused="a.glb")
def _(b: Builder):
    b.json["nodes"] = [{"mesh": 0, "children": [1]}, {"children": [0]}]


def _required(extension: str) -> None:
    @feature(extension, refused="export")
    def _(b: Builder):
        b.json["extensionsUsed"] = b.json["extensionsRequired"] = [extension]
        b.primitive["extensions"] = {extension: {}}


for _extension in ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"):
    _required(_extension)


@feature("glTF 1.0", refused="1.0")
def _(b: Builder):
    b.json["asset"]["version"] = "1.0"


@feature("points alone", refused="no faces")
def _(b: Builder):
    b.primitive["mode"] = 0
