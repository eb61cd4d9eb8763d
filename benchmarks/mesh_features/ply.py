"""What PLY files hold."""

import io
import struct

import numpy as np
from PIL import Image

from benchmarks.mesh_features.feature import FACES, RED, UV, VERTICES, Feature, flat_normals

FOUR = np.array([[200, 30, 40], [40, 200, 30], [30, 40, 200], [220, 220, 20]])  # one a face


def png(image: np.ndarray, mode: str | None = None) -> bytes:
    """An image file of an array, or of it converted to one of Pillow's modes."""
    file = io.BytesIO()
    picture = Image.fromarray(image)
    if mode == "P":
        picture = picture.quantize()  # its own colours; convert() would take the web's 216
    elif mode:
        picture = picture.convert(mode)
    picture.save(file, "PNG")
    return file.getvalue()


# A texture that is red where the tetrahedron's faces have their middles, and blue elsewhere.
TEXTURE = np.full((10, 10, 3), (0, 0, 255), np.uint8)
TEXTURE[3:9, 1:6] = RED


def rows(table: np.ndarray) -> str:
    return "\n".join(" ".join(f"{value:.10g}" for value in row) for row in table)


def ascii_ply(
    columns: str,
    table: np.ndarray,
    faces: str = "",
    face_columns: str = "property list uchar int vertex_indices",
    comment: str = "",
) -> bytes:
    """A PLY file; columns: `type name` separated by commas, after x, y and z."""
    properties = "".join(f"property {column.strip()}\n" for column in columns.split(",") if column)
    faces = faces or "\n".join("3 " + " ".join(map(str, face)) for face in FACES)
    header = (
        f"ply\nformat ascii 1.0\n{comment}element vertex {len(table)}\n"
        f"property float x\nproperty float y\nproperty float z\n{properties}"
        f"element face {len(faces.splitlines())}\n{face_columns}\nend_header\n"
    )
    return (header + rows(table) + "\n" + faces + "\n").encode()


def colored(kind: str, values: tuple, names: str = "red green blue") -> bytes:
    columns = ",".join(f"{kind} {name}" for name in names.split())
    return ascii_ply(columns, np.hstack([VERTICES, np.tile(values, (4, 1))]))


def _binary(order: str, color_kind: str, color: tuple) -> bytes:
    letter, name = {"ushort": ("H", "ushort"), "double": ("d", "double")}[color_kind]
    ending = "little" if order == "<" else "big"
    header = (
        f"ply\nformat binary_{ending}_endian 1.0\nelement vertex 4\nproperty double x\n"
        f"property double y\nproperty double z\nproperty {name} red\nproperty {name} green\n"
        f"property {name} blue\nelement face 4\nproperty list uchar uint vertex_index\nend_header\n"
    )
    body = b"".join(struct.pack(f"{order}ddd3{letter}", *v, *color) for v in VERTICES)
    body += b"".join(struct.pack(f"{order}B3I", 3, *face) for face in FACES)
    return header.encode() + body


def _packed_rgb() -> bytes:
    """PCL's: three bytes within the bits of a float."""
    value = struct.unpack("<f", struct.pack("<I", RED[0] << 16 | RED[1] << 8 | RED[2]))[0]
    body = b"".join(struct.pack("<ffff", *v, value) for v in VERTICES)
    body += b"".join(struct.pack("<B3i", 3, *face) for face in FACES)
    return (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\n"
        b"property float y\nproperty float z\nproperty float rgb\nelement face 4\n"
        b"property list uchar int vertex_indices\nend_header\n" + body
    )


def _textured(comment: str, name: str, image: bytes, names: str = "texture_u texture_v") -> dict:
    columns = ",".join(f"float {n}" for n in names.split())
    mesh = ascii_ply(columns, np.hstack([VERTICES, UV]), comment=comment)
    return {"a.ply": mesh, name: image}


def _normals(normals: np.ndarray) -> bytes:
    return ascii_ply("float nx,float ny,float nz", np.hstack([VERTICES, normals]))


def _feature(name: str, content: bytes | dict[str, bytes], **expected) -> Feature:
    files = {"a.ply": content} if isinstance(content, bytes) else content
    return Feature("PLY", name, files, **expected)


FACE_COLORS = "property list uchar int vertex_indices\n" + "\n".join(
    f"property uchar {name}" for name in ("red", "green", "blue")
)
QUADS = "4 0 2 1 1\n3 0 1 3\n3 0 3 2\n3 1 2 3"
FLAT = flat_normals(VERTICES[FACES])
SPLIT_FACES = "\n".join(f"3 {i} {i + 1} {i + 2}" for i in range(0, 12, 3))

FEATURES = [
    _feature("no colours, no normals", ascii_ply("", VERTICES)),
    _feature("colours, uchar", colored("uchar", RED), colors=RED),
    _feature("colours, uint8 named so", colored("uint8", RED), colors=RED),
    _feature("colours, ushort to 65535", colored("ushort", (51400, 7710, 10280)), colors=RED),
    _feature("colours, ushort to 255", colored("ushort", RED), colors=RED),
    _feature("colours, int to 255", colored("int", RED), colors=RED),
    _feature("colours, uint to 255", colored("uint", RED), colors=RED),
    _feature("colours, char, as signed bytes", colored("char", (-56, 30, 40)), colors=RED),
    _feature("colours, float to 1", colored("float", (200 / 255, 30 / 255, 40 / 255)), colors=RED),
    _feature("colours, float to 255", colored("float", RED), colors=RED),
    _feature("colours, double, big-endian", _binary(">", "double", (200, 30, 40)), colors=RED),
    _feature("colours, ushort, little-endian", _binary("<", "ushort", RED), colors=RED),
    _feature("colours, float beyond 255", colored("float", (900, 30, 40)), refused="colour"),
    _feature("colours, NaN", colored("float", (np.nan, 0.2, 0.2)), refused="colour"),
    _feature("colours named r, g, b", colored("uchar", RED, "r g b"), colors=RED),
    _feature("colours named R, G, B", colored("uchar", RED, "R G B"), colors=RED),
    _feature(
        "colours named diffuse_red",
        colored("uchar", RED, "diffuse_red diffuse_green diffuse_blue"),
        colors=RED,
    ),
    _feature("colours packed in a float, as PCL has them", _packed_rgb(), colors=RED),
    _feature(
        "colours with alpha", colored("uchar", (*RED, 128), "red green blue alpha"), colors=RED
    ),
    _feature(
        "colours of faces",
        ascii_ply(
            "",
            VERTICES,
            "\n".join(
                f"3 {a} {b} {c} {r} {g} {u}"
                for (a, b, c), (r, g, u) in zip(FACES, FOUR, strict=True)
            ),
            FACE_COLORS,
        ),
        colors=FOUR,
    ),
    _feature(
        "normals",
        ascii_ply(
            "float nx,float ny,float nz",
            np.hstack([VERTICES[FACES].reshape(-1, 3), FLAT.reshape(-1, 3)]),
            SPLIT_FACES,
        ),
        normals=FLAT,
    ),
    _feature("normals, all zero", _normals(np.zeros((4, 3)))),
    _feature("normals, NaN", _normals(np.full((4, 3), np.nan))),
    _feature(
        "normals, of another length",
        _normals(np.array([[-5, -5, -5], [5, 0, 0], [0, 5, 0], [0, 0, 5.0]])),
        normals=np.array([[-(3**-0.5)] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])[FACES],
    ),
    _feature("double coordinates, uint lists, big-endian", _binary(">", "ushort", RED), colors=RED),
    _feature("polygon with a corner twice", ascii_ply("", VERTICES, QUADS)),
    _feature(
        "a duplicate face",
        ascii_ply(
            "", VERTICES, "\n".join("3 " + " ".join(map(str, f)) for f in [*FACES, FACES[0]])
        ),
    ),
    _feature(
        "a face wound the other way",
        ascii_ply(
            "",
            VERTICES,
            "\n".join("3 " + " ".join(map(str, f)) for f in [FACES[0][::-1], *FACES[1:]]),
        ),
    ),
    _feature(
        "all faces inside out",
        ascii_ply("", VERTICES, "\n".join("3 " + " ".join(map(str, f[::-1])) for f in FACES)),
    ),
    _feature("an unused vertex far away", ascii_ply("", np.vstack([VERTICES, [9, 9, 9]]))),
    _feature(
        "other elements",
        ascii_ply("", VERTICES).replace(
            b"end_header", b"element edge 0\nproperty int vertex1\nend_header"
        ),
    ),
    _feature("line ends of Windows", ascii_ply("", VERTICES).replace(b"\n", b"\r\n")),
    _feature(
        "texture", _textured("comment TextureFile t.png\n", "t.png", png(TEXTURE)), colors=RED
    ),
    _feature(
        "texture, u and v",
        _textured("comment TextureFile t.png\n", "t.png", png(TEXTURE), "u v"),
        colors=RED,
    ),
    _feature(
        "texture, s and t",
        _textured("comment TextureFile t.png\n", "t.png", png(TEXTURE), "s t"),
        colors=RED,
    ),
    _feature(
        "texture name with spaces",
        _textured("comment TextureFile my t.png\n", "my t.png", png(TEXTURE)),
        colors=RED,
    ),
    _feature(
        "texture name with a percent sign",
        _textured("comment TextureFile a%20t.png\n", "a%20t.png", png(TEXTURE)),
        colors=RED,
    ),
    _feature(
        "texture name with a backslash",
        _textured("comment TextureFile tex\\t.png\n", "tex/t.png", png(TEXTURE)),
        colors=RED,
    ),
    _feature(
        "texture of 16 bits",
        _textured("comment TextureFile t.png\n", "t.png", png(np.full((8, 8), 32896, np.uint16))),
        colors=(128, 128, 128),
    ),
    _feature(
        "texture, grey with alpha",
        _textured(
            "comment TextureFile t.png\n",
            "t.png",
            png(np.full((8, 8, 4), (90, 90, 90, 128), np.uint8), "LA"),
        ),
        colors=(90, 90, 90),
    ),
    _feature(
        "texture, palette",
        _textured("comment TextureFile t.png\n", "t.png", png(TEXTURE, "P")),
        colors=RED,
    ),
    _feature(
        "texture that is not there",
        _textured("comment TextureFile t.png\n", "other.png", png(TEXTURE)),
        refused="t.png",
    ),
    _feature(
        "texture coordinates of corners",
        {
            "a.ply": ascii_ply(
                "",
                VERTICES,
                "\n".join(
                    "3 {} {} {} 6 {} {} {} {} {} {}".format(*f, *UV[f].reshape(-1)) for f in FACES
                ),
                "property list uchar int vertex_indices\nproperty list uchar float texcoord",
                "comment TextureFile t.png\n",
            ),
            "t.png": png(TEXTURE),
        },
        colors=RED,
    ),
    _feature(
        "points without faces",
        ascii_ply("", VERTICES, " ").replace(b"element face 1", b"element face 0"),
        refused="no faces",
    ),
    _feature(
        "promises more rows than it has",
        ascii_ply("", VERTICES).replace(b"vertex 4", b"vertex 4000000000"),
        refused="early",
    ),
    _feature(
        "infinite vertices",
        ascii_ply("", np.where(VERTICES == 0.1, np.inf, VERTICES)),
        refused="infinite",
    ),
    _feature("faces of vertices there are not", ascii_ply("", VERTICES, "3 0 1 7"), refused="7"),
]
