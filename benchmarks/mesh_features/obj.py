"""What OBJ and MTL files hold."""

import numpy as np

from benchmarks.mesh_features.feature import (
    FACES,
    PLAIN,
    RED,
    UV,
    VERTICES,
    Feature,
    flat_normals,
    smooth_normals,
)
from benchmarks.mesh_features.ply import FOUR, TEXTURE, png, rows

FLAT = flat_normals(VERTICES[FACES])
V = "".join(f"v {row}\n" for row in rows(VERTICES).splitlines())
VT = "".join(f"vt {row}\n" for row in rows(UV).splitlines())
F = "".join("f {} {} {}\n".format(*face) for face in FACES + 1)
F_UV = "".join("f {0}/{0} {1}/{1} {2}/{2}\n".format(*face) for face in FACES + 1)
TEXTURE_PNG = png(TEXTURE)
GREY_16 = png(np.full((8, 8), 32896, np.uint16))
BLUE_PNG = png(np.full((4, 4, 3), (0, 0, 255), np.uint8))


def _v(*numbers: float) -> str:
    """The vertices, each with these numbers behind its place."""
    more = " ".join(f"{n:.10g}" for n in numbers)
    return "".join(f"v {row} {more}\n" for row in rows(VERTICES).splitlines())


def _feature(name: str, text: str | bytes, files: dict[str, bytes] | None = None, **expected):
    content = text if isinstance(text, bytes) else text.encode()
    return Feature("OBJ", name, {"a.obj": content, **(files or {})}, **expected)


def _material(name: str, mtl: str, files: dict[str, bytes] | None = None, **expected) -> Feature:
    """With one material, m, that this MTL text goes on to describe, and texture coordinates."""
    text = f"mtllib a.mtl\n{V}{VT}usemtl m\n{F_UV}"
    return _feature(name, text, {"a.mtl": f"newmtl m\n{mtl}".encode(), **(files or {})}, **expected)


def _map(name: str, mtl: str, file: str = "t.png", image: bytes = TEXTURE_PNG, **expected):
    expected.setdefault("colors", RED)
    return _material(name, mtl, {file: image}, **expected)


def _uv_features() -> list[Feature]:
    """Coordinates beyond 0..1, and what -o and -s do to them."""
    beyond = f"mtllib a.mtl\n{V}" + "".join(
        f"vt {row}\n" for row in rows(UV + [3, -2]).splitlines()
    )
    mtl = b"newmtl m\nmap_Kd t.png\n"
    # Stretched to twice the size and moved, so that -s 2 2 and -o bring it back.
    half = "".join(f"vt {row}\n" for row in rows((UV - 0.05) / 2).splitlines())
    moved = f"mtllib a.mtl\n{V}{half}usemtl m\n{F_UV}"
    files = {"a.mtl": mtl, "t.png": TEXTURE_PNG}
    options = {"a.mtl": b"newmtl m\nmap_Kd -s 2 2 1 -o 0.05 0.05 0 t.png\n", "t.png": TEXTURE_PNG}
    huge = f"mtllib a.mtl\n{V}" + "vt 4000000000 0\nvt 0 0\nvt 0 1\nvt 1 1\n"
    return [
        _feature("texture coordinates that repeat", f"{beyond}usemtl m\n{F_UV}", files, colors=RED),
        _feature("map_Kd -s and -o", moved, options, colors=RED),
        _feature("texture coordinates of 4e9", f"{huge}usemtl m\n{F_UV}", files, refused="texture"),
        _feature(
            "texture coordinates, NaN",
            f"mtllib a.mtl\n{V}vt nan 0\nvt 0 0\nvt 0 1\nvt 1 1\nusemtl m\n{F_UV}",
            files,
            refused="coordinates",
        ),
    ]


def _two_materials() -> list[Feature]:
    faces = F.splitlines(keepends=True)
    body = f"{V}usemtl one\n{''.join(faces[:2])}usemtl two\n{''.join(faces[2:])}"
    one, two = (
        b"newmtl one\nKd 0.784314 0.117647 0.156863\n",
        b"newmtl two\nKd 0.1568627 0.7843137 0.1176471\n",
    )
    colors = np.array([RED, RED, FOUR[1], FOUR[1]])
    # Where the material changes is an edge.
    triangles = VERTICES[FACES]
    normals = np.concatenate([smooth_normals(triangles[:2]), smooth_normals(triangles[2:])])
    textured = f"mtllib a.mtl\n{V}{VT}usemtl one\n" + "".join(F_UV.splitlines(keepends=True)[:2])
    textured += "usemtl two\n" + "".join(F_UV.splitlines(keepends=True)[2:])
    maps = {
        "a.mtl": b"newmtl one\nmap_Kd t.png\nnewmtl two\nmap_Kd b.png\n",
        "t.png": TEXTURE_PNG,
        "b.png": BLUE_PNG,
    }
    return [
        _feature(
            "two materials in one file",
            "mtllib a.mtl\n" + body,
            {"a.mtl": one + two},
            colors=colors,
            normals=normals,
        ),
        _feature(
            "two material files on one line",
            "mtllib b.mtl a.mtl\n" + body,
            {"a.mtl": two, "b.mtl": one},
            colors=colors,
            normals=normals,
        ),
        _feature(
            "two mtllib lines",
            "mtllib b.mtl\nmtllib a.mtl\n" + body,
            {"a.mtl": two, "b.mtl": one},
            colors=colors,
            normals=normals,
        ),
        _feature(
            "two textures",
            textured,
            maps,
            colors=np.array([RED, RED, (0, 0, 255), (0, 0, 255)]),
            normals=normals,
        ),
        _feature(
            "material file with spaces in its name",
            "mtllib my a.mtl\n" + body,
            {"my a.mtl": one + two},
            colors=colors,
            normals=normals,
        ),
        _feature(
            "material file in another case",
            "mtllib A.MTL\n" + body,
            {"a.mtl": one + two},
            colors=colors,
            normals=normals,
        ),
        _feature(
            "a material that is nowhere",
            f"mtllib a.mtl\n{V}usemtl nowhere\n{F}",
            {"a.mtl": one},
            colors=PLAIN,
        ),
    ]


NORMALS = "".join(f"vn {row}\n" for row in rows(FLAT[:, 0]).splitlines())
F_N = "".join(
    "f {1}//{0} {2}//{0} {3}//{0}\n".format(i + 1, *face) for i, face in enumerate(FACES + 1)
)
CONCAVE = "v 0 0 0\nv 0.1 0 0\nv 0.03 0.03 0\nv 0 0.08 0\nf 1 2 3 4\n"
CONCAVE_V = np.array([[0, 0, 0], [0.1, 0, 0], [0.03, 0.03, 0], [0, 0.08, 0]])

FEATURES = [
    _feature("no colours, no normals", V + F),
    _feature("colours to 1", _v(*np.array(RED) / 255) + F, colors=RED),
    _feature("colours to 255", _v(*RED) + F, colors=RED),
    _feature("colours with w", _v(1, *np.array(RED) / 255) + F, colors=RED),
    _feature("colours with alpha", _v(*np.array(RED) / 255, 1) + F, colors=RED),
    _feature("w alone", _v(1) + F),
    _feature(
        "colours and texture coordinates, no material",
        _v(*np.array(RED) / 255) + VT + F_UV,
        colors=RED,
    ),
    _feature("normals", V + NORMALS + F_N, normals=FLAT),
    _feature(
        "normals, all zero",
        V + "vn 0 0 0\n" + F_N.replace("//2", "//1").replace("//3", "//1").replace("//4", "//1"),
    ),
    _feature("negative indices", V + "".join("f {} {} {}\n".format(*face) for face in FACES - 4)),
    _feature("concave polygon", CONCAVE, triangles=CONCAVE_V[[[1, 2, 0], [0, 2, 3]]]),
    _feature("lines continued by a backslash", V + F.replace(" ", " \\\n ", 1)),
    _feature("line ends of Windows", (V + F).replace("\n", "\r\n")),
    _feature("a byte order mark", b"\xef\xbb\xbf" + (V + F).encode()),
    _feature("names in Latin-1", "o Möbel\n".encode("latin-1") + (V + F).encode()),
    _feature("lines and points beside faces", V + "p 1\nl 1 2\n" + F),
    _feature("groups and smoothing groups", V + "g one\ns 1\n" + F.replace("\n", "\ng two\n", 1)),
    *_two_materials(),
    _material("Kd", "Kd 0.784314 0.117647 0.156863\n", colors=RED),
    _map("map_Kd", "map_Kd t.png\n"),
    _map("map_Kd replaces Kd", "Kd 0.2 0.2 0.2\nmap_Kd t.png\n"),
    _map("map_Kd with spaces", "map_Kd my t.png\n", "my t.png"),
    _map("map_Kd in quotes", 'map_Kd "my t.png"\n', "my t.png"),
    _map("map_Kd with a percent sign", "map_Kd a%20t.png\n", "a%20t.png"),
    _map("map_Kd with a backslash", "map_Kd tex\\t.png\n", "tex/t.png"),
    _map("map_Kd on another machine", "map_Kd C:\\Users\\me\\t.png\n"),
    _map("map_Kd in another case", "map_Kd T.PNG\n"),
    _map("map_Kd -clamp, -bm and others", "map_Kd -clamp off -bm 0.5 -mm 0 1 -imfchan l t.png\n"),
    _map("map_Ka alone", "Ka 0.4 0.4 0.4\nmap_Ka t.png\n"),
    _map("map_Kd in capitals", "MAP_KD t.png\n"),
    _feature(
        "material name with spaces",
        f"mtllib a.mtl\n{V}{VT}usemtl my m\n{F_UV}",
        {"a.mtl": b"newmtl my m\nmap_Kd t.png\n", "t.png": TEXTURE_PNG},
        colors=RED,
    ),
    _map("16-bit grey texture", "map_Kd t.png\n", image=GREY_16, colors=(128, 128, 128)),
    _map(
        "texture with alpha",
        "map_Kd t.png\nmap_d t.png\nd 0.5\n",
        image=png(np.dstack([TEXTURE, np.full((10, 10), 99, np.uint8)])),
    ),
    _map("texture that is no image", "map_Kd t.png\n", image=b"no image", refused="t.png"),
    _map(
        "texture that is EPS",
        "map_Kd t.png\n",
        image=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        refused="t.png",
    ),
    _material("texture that is not there", "map_Kd t.png\n", refused="t.png"),
    *_uv_features(),
    _feature("material file that is not there", "mtllib no.mtl\n" + V + F, refused="no.mtl"),
    _feature("points without faces", V, refused="no faces"),
    _feature("faces of vertices there are not", V + "f 1 2 9\n", refused="9"),
    _feature("a face cut off", V + F + "f 1 2", refused="early"),
]
