"""What STL and OFF files hold."""

import struct

import numpy as np

from benchmarks.mesh_features.feature import FACES, RED, VERTICES, Feature, flat_normals
from benchmarks.mesh_features.ply import FOUR, rows

TRIANGLES = VERTICES[FACES]


def _binary(head: bytes = b"", colors: list[int] | None = None, count: int | None = None) -> bytes:
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *triangle.reshape(-1), color)
        for triangle, color in zip(TRIANGLES, colors or [0] * 4, strict=True)
    )
    return head.ljust(80, b"\0") + struct.pack("<I", len(FACES) if count is None else count) + body


def _ascii(name: str = "a", faces: np.ndarray = TRIANGLES) -> str:
    text = f"solid {name}\n"
    for triangle in faces:
        corners = "".join(f"vertex {row}\n" for row in rows(triangle).splitlines())
        text += f"facet normal 0 0 0\nouter loop\n{corners}endloop\nendfacet\n"
    return text + f"endsolid {name}\n"


def _viscam(color) -> int:
    """15 bits, blue lowest, and a bit that says so."""
    r, g, b = (int(c) >> 3 for c in color)
    return 1 << 15 | r << 10 | g << 5 | b


def _materialise(color) -> int:
    """15 bits, red lowest; the highest bit means the whole object's colour."""
    r, g, b = (int(c) >> 3 for c in color)
    return b << 10 | g << 5 | r


def _stl(name: str, content: bytes | str, **expected) -> Feature:
    content = content.encode() if isinstance(content, str) else content
    return Feature("STL", name, {"a.stl": content}, normals=flat_normals(TRIANGLES), **expected)


def _off(name: str, text: str, **expected) -> Feature:
    return Feature("OFF", name, {"a.off": text.encode()}, **expected)


V, F = rows(VERTICES), "\n".join(f"3 {a} {b} {c}" for a, b, c in FACES)
COFF = "\n".join(f"{row} 200 30 40 255" for row in V.splitlines())
FRACTIONS = "\n".join(f"{row} 0.784314 0.117647 0.156863 1" for row in V.splitlines())
FACE_COLORS = "\n".join(
    f"{f} {r} {g} {b}" for f, (r, g, b) in zip(F.splitlines(), FOUR, strict=True)
)
FIVE_BITS = np.round((FOUR >> 3) * 255 / 31)

FEATURES = [
    _stl("binary", _binary()),
    _stl("binary whose header begins with solid", _binary(b"solid made by a program")),
    _stl("ASCII", _ascii()),
    _stl("ASCII, several solids", _ascii("a", TRIANGLES[:2]) + _ascii("b", TRIANGLES[2:])),
    _stl("ASCII, capitals and line ends of Windows", _ascii().upper().replace("\n", "\r\n")),
    _stl("colours of faces, VisCAM", _binary(colors=[_viscam(c) for c in FOUR]), colors=FIVE_BITS),
    _stl(
        "colours of faces, Materialise",
        _binary(b"COLOR=\x10\x20\x30\xff", [_materialise(c) for c in FOUR]),
        colors=FIVE_BITS,
    ),
    _stl(
        "colour of the whole, Materialise",
        _binary(b"COLOR=" + bytes(RED) + b"\xff", [1 << 15] * 4),
        colors=RED,
    ),
    _stl("promises more faces than it has", _binary(count=4_000_000_000), refused="promises"),
    _stl("no faces", _binary()[:80] + struct.pack("<I", 0), refused="no faces"),
    _off("no colours", f"OFF\n4 4 6\n{V}\n{F}\n"),
    _off("counts on the first line, comments", f"OFF 4 4 6 # counts\n{V}\n# faces\n{F}\n"),
    _off("no edge count", f"OFF\n4 4\n{V}\n{F}\n"),
    _off("colours, whole numbers", f"COFF\n4 4 6\n{COFF}\n{F}\n", colors=RED),
    _off("colours, fractions", f"COFF\n4 4 6\n{FRACTIONS}\n{F}\n", colors=RED),
    _off("colours of faces", f"OFF\n4 4 6\n{V}\n{FACE_COLORS}\n", colors=FOUR),
    _off(
        "normals",
        "NOFF\n4 4 6\n" + "\n".join(f"{row} 0 0 1" for row in V.splitlines()) + f"\n{F}\n",
        normals=np.broadcast_to([0.0, 0, 1], (4, 3, 3)),
    ),
    _off("four coordinates", f"4OFF\n4 4 6\n{V}\n{F}\n", refused="a.off"),
    _off("cut off", f"OFF\n4 4 6\n{V}\n", refused="early"),
]
