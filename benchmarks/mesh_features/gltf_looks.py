"""What glTF files hold of colours and textures."""

import numpy as np

from benchmarks.mesh_features.feature import FACES, RED, UV, VERTICES, flat_normals
from benchmarks.mesh_features.gltf import LAID, TYPES, Builder, Register
from benchmarks.mesh_features.ply import FOUR, TEXTURE, png

LINEAR_RED = [0.5775804, 0.0129830, 0.0212190]  # RED by the inverse of sRGB (IEC 61966-2-1)
PBR = "pbrMetallicRoughness"
FLAT = flat_normals(VERTICES[FACES])
FEATURES = feature = Register()


@feature("texture as a file", colors=RED)
def _(b: Builder):
    b.texture()
    b.json["images"] = [{"uri": "my%20t.png"}]
    b.material(pbr={"baseColorTexture": {"index": 0}})
    return {"a.gltf": b.gltf("b.bin"), "b.bin": bytes(b.buffer), "my t.png": png(TEXTURE)}


@feature("base colour, linear", colors=RED)
def _(b: Builder):
    b.material(pbr={"baseColorFactor": [*LINEAR_RED, 1]})


@feature("a material without a colour", colors=(255, 255, 255))
def _(b: Builder):
    b.material()


@feature("base colour texture", colors=RED)
def _(b: Builder):
    b.texture()
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("texture times base colour", colors=(128, 128, 128))
def _(b: Builder):
    b.texture(np.full((4, 4, 3), 188, np.uint8))  # 0.5029 linear
    b.material(
        pbr={"baseColorTexture": {"index": 0}, "baseColorFactor": [0.42923, 0.42923, 0.42923, 1]}
    )


@feature("grey texture of 16 bits", colors=(128, 128, 128))
def _(b: Builder):
    b.texture(np.full((4, 4), 32896, np.uint16))
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("second texture coordinates", colors=RED)
def _(b: Builder):
    b.texture()
    b.uv(np.full((4, 2), 0.95))
    b.uv(UV, 1)
    b.material(pbr={"baseColorTexture": {"index": 0, "texCoord": 1}})


@feature("texture coordinates in normalised bytes", colors=RED)
def _(b: Builder):
    b.texture()
    down = np.round((UV * [1, -1] + [0, 1]) * 255)
    b.primitive["attributes"]["TEXCOORD_0"] = b.accessor(down, "u1", normalized=True)
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("sampler that repeats", colors=RED)
def _(b: Builder):
    b.texture(wrapS=10497, wrapT=10497)
    b.uv(UV + [2, -3])
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("sampler that mirrors", colors=RED)
def _(b: Builder):
    b.texture(wrapS=33648, wrapT=33648)
    b.uv(UV * [-1, 1] + [2, 2])
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("sampler that clamps", colors=(0, 0, 255))
def _(b: Builder):
    b.texture(wrapS=33071, wrapT=33071)
    b.uv(UV + [2, 0])
    b.material(pbr={"baseColorTexture": {"index": 0}})


@feature("KHR_texture_transform", colors=RED)
def _(b: Builder):
    b.texture()
    b.uv((UV - [0.05, -0.05]) / 2 + [0, 0.5])  # v down: (1 - v) is doubled, then moved
    transform = {"scale": [2, 2], "offset": [0.05, -0.05]}
    b.json["extensionsUsed"] = b.json["extensionsRequired"] = ["KHR_texture_transform"]
    texture = {"index": 0, "extensions": {"KHR_texture_transform": transform}}
    b.material(pbr={"baseColorTexture": texture})


@feature("KHR_materials_pbrSpecularGlossiness", colors=RED)
def _(b: Builder):
    factors = {"diffuseFactor": [*LINEAR_RED, 1]}
    b.material(extensions={"KHR_materials_pbrSpecularGlossiness": factors})
    b.json["extensionsUsed"] = ["KHR_materials_pbrSpecularGlossiness"]


def _tinted(kind: str, scale: float, channels: int, **fields):
    def build(b: Builder):
        values = np.array([*RED, 255][:channels]) / 255 * scale
        values = values if kind == "f4" else np.round(values)
        tints = np.tile(values, (4, 1))
        if len(values) * np.dtype(kind).itemsize % 4:  # rows begin at multiples of four bytes
            rows = b"".join(
                row.astype(f"<{kind}").tobytes() + bytes(1 if kind == "u1" else 2) for row in tints
            )
            view = b.view(rows, byteStride=4 if kind == "u1" else 8)
            b.json["accessors"].append(
                {
                    "bufferView": view,
                    "componentType": TYPES[kind],
                    "count": 4,
                    "type": "VEC3",
                    **fields,
                }
            )
            b.primitive["attributes"]["COLOR_0"] = len(b.json["accessors"]) - 1
        else:
            b.primitive["attributes"]["COLOR_0"] = b.accessor(tints, kind, **fields)

    return build


feature("vertex colours, float", colors=RED)(_tinted("f4", 1, 3))
feature("vertex colours, bytes, with alpha", colors=RED)(_tinted("u1", 255, 4, normalized=True))
feature("vertex colours, bytes, rows apart", colors=RED)(_tinted("u1", 255, 3, normalized=True))
feature("vertex colours, 16 bits, with alpha", colors=RED)(_tinted("u2", 65535, 4, normalized=True))
feature("vertex colours, 16 bits, rows apart", colors=RED)(_tinted("u2", 65535, 3, normalized=True))


@feature("vertex colours and a material", colors=RED)
def _(b: Builder):
    _tinted("u2", 65535, 4, normalized=True)(b)
    b.material(pbr={"metallicFactor": 0})


@feature("two materials", colors=np.array([RED, RED, FOUR[1], FOUR[1]]), normals=FLAT)
def _(b: Builder):
    b.json["materials"] = [
        {PBR: {"baseColorFactor": [*LINEAR_RED, 1]}},
        {PBR: {"baseColorFactor": [0.0212190, 0.5775804, 0.0129830, 1]}},
    ]
    corners = b.accessor(LAID[FACES].reshape(-1, 3), "f4")
    attributes = {
        "POSITION": corners,
        "NORMAL": b.accessor(flat_normals(LAID[FACES]).reshape(-1, 3), "f4"),
    }
    b.json["meshes"][0]["primitives"] = [
        {
            "attributes": attributes,
            "indices": b.accessor(np.arange(6 * i, 6 * i + 6), "u2"),
            "material": i,
        }
        for i in range(2)
    ]


@feature("alpha and masks", colors=RED)
def _(b: Builder):
    b.texture(np.dstack([TEXTURE, np.full((10, 10), 200, np.uint8)]))
    b.material(pbr={"baseColorTexture": {"index": 0}}, alphaMode="MASK", alphaCutoff=0.5)
