"""STL mesh files: binary, with the colours that programs hide in them, and ASCII.

Format: 3D Systems, "StereoLithography Interface Specification" (1989). Colours of facets in their
two spare bytes are no part of it: VisCAM's and SolidView's, and Materialise Magics', which writes
COLOR= and a colour of the whole object into the header.
"""

import logging
import re
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.mesh.part import PLAIN, Part, check

log = logging.getLogger(__name__)

FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("color", "<u2")])
HEADER = 84  # bytes: a text of 80, and the number of facets
# A facet's words in an ASCII file, None for a number.
WORDS = (
    b"facet", b"normal", None, None, None, b"outer", b"loop",
    *(b"vertex", None, None, None) * 3, b"endloop", b"endfacet",
)  # fmt: skip
LONGEST_WORD = 64  # what is longer is no number
WIDE = re.compile(rb"\xff\xfe|\xfe\xff|([^\0]\0){4}|(\0[^\0]){4}")  # how UTF-16 begins
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f\x7f]")  # what text has none of
BEGINNING = 1024  # bytes by which text is told from numbers
AGREEMENT = 0.9  # least cosine between a facet's normal in the file and that of its corners


def read_stl(path: Path) -> list[Part]:
    """An STL file's one part, each facet with corners, normal and colour of its own.

    Raises:
        InputError: a binary file is longer or shorter than its header says, or it is other text.
        ValueError: it is damaged.
    """
    content, colors = read_bytes(path), None
    if _is_ascii(content):
        normals, corners = _read_ascii(content)
    else:
        facets = _read_binary(path, content)
        normals, corners = facets["normal"], facets["corners"]
        colors = _facet_colors(content[:HEADER], facets["color"])
    if not len(corners):
        return []
    with np.errstate(invalid="ignore"):  # of NaN, which is refused below
        vertices = corners.reshape(-1, 3).astype(np.float64)
    faces = np.arange(len(vertices)).reshape(-1, 3)
    check(vertices, faces)
    if colors is None:
        colors = np.full((len(faces), 3), PLAIN, np.uint8)
    return [Part(vertices, faces, _normals(vertices, normals), np.repeat(colors, 3, axis=0))]


def _normals(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(3 m, 3) normals: those of the file's (m, 3) that fit to the facets' corners, else 0."""
    import trimesh  # here, since it takes a third of a second and most files are no STL

    faces = np.arange(len(vertices)).reshape(-1, 3)
    with np.errstate(all="ignore"):  # of normals that are infinite, NaN or not of unit length
        mesh = trimesh.Trimesh(vertices, faces, face_normals=normals, process=False)
        read = mesh.vertex_normals
        a, b, c = vertices[0::3], vertices[1::3], vertices[2::3]
        across = np.cross(b - a, c - a)
        fitting = np.einsum("ij,ij->i", read[::3], across) >= AGREEMENT * np.linalg.norm(
            across, axis=1
        )
    return np.where(np.repeat(fitting, 3)[:, None], read, 0.0)


def _is_ascii(content: bytes) -> bool:
    """By what it holds: binary files begin with "solid", too."""
    size = len(content) - HEADER
    if size >= 0 and size == FACET.itemsize * int.from_bytes(content[80:HEADER], "little"):
        return False
    return re.match(rb"(\xef\xbb\xbf)?\s*solid\b", content, re.I) is not None and (
        b"\0" not in content[:BEGINNING]
    )


def _read_binary(path: Path, content: bytes) -> np.ndarray:
    """(m,) FACET."""
    count = int.from_bytes(content[80:HEADER], "little")
    there, left = divmod(len(content) - HEADER, FACET.itemsize)
    if there != count:
        _refuse_text(path, content[:BEGINNING])
    if len(content) < HEADER:
        raise ValueError("the file ends too early")
    if there != count:
        raise InputError(
            f"{path}: no ASCII, and as a binary STL file its header promises {count} facets, and"
            f" there are {there}; export it again"
        )
    if left:
        log.info("%s: %d bytes behind the last facet are not read", path, left)
    return np.frombuffer(content, FACET, count, HEADER)


def _refuse_text(path: Path, beginning: bytes) -> None:
    """Raise InputError on text: what is no binary file, and does not begin as STL's ASCII."""
    if WIDE.match(beginning):
        raise InputError(f"{path}: text in UTF-16; an STL file is binary or ASCII: save it as that")
    if beginning.strip() and not CONTROL.search(beginning):
        words = " ".join(beginning[:80].decode("latin-1").split())
        raise InputError(
            f"{path}: text that is no STL: it begins with {words[:40]!r}, not with solid; give"
            " the mesh itself"
        )


def _facet_colors(header: bytes, words: np.ndarray) -> np.ndarray | None:
    """(m, 3) uint8 of facets of which at least one has a colour, five bits a channel; or None."""
    of_object = re.search(rb"COLOR=(.{4})", header[:80], re.DOTALL)
    if of_object:  # Magics: a set bit says that the facet has none, and red is lowest
        colored, shifts, rest = words < 0x8000, (0, 5, 10), tuple(of_object[1][:3])
    else:  # VisCAM, SolidView: a set bit says that it has one, and blue is lowest
        colored, shifts, rest = words >= 0x8000, (10, 5, 0), PLAIN
        if not colored.any():
            return None
    channels = np.stack([words >> shift & 31 for shift in shifts], axis=1)
    colors = np.round(channels * (255 / 31)).astype(np.uint8)
    return np.where(colored[:, None], colors, np.array(rest, np.uint8))


def _read_ascii(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(m, 3) normals and (m, 3, 3) corners of the facets of all solids, in the file's order."""
    # The lines that begin and end a solid hold its name, which may be any words, "facet normal"
    # too; a facet may begin in the same line.
    named = (
        rb"(?:^[^\S\n]*|(?<=endfacet)[^\S\n]+)(?:\xef\xbb\xbf)?(?:end[^\S\n]*)?solid\b"
        rb"(?:(?=(?>[^\n]*?\bfacet\s+normal\b)[^\n]*?(?:\n\s*)?\bouter\s+loop\s+vertex\b)"
        rb"[^\n]*?(?=\bfacet\s+normal\b)|[^\n]*$)"
    )
    text = re.sub(named, b" ", re.sub(rb"\r\n?", b"\n", content), flags=re.M | re.I)
    words = text.lower().split()
    if max(map(len, words), default=0) > LONGEST_WORD:
        raise ValueError("words that are no numbers")
    if len(words) % len(WORDS):
        raise ValueError("the file ends too early, or a facet is no triangle")
    facets = np.array(words, np.bytes_).reshape(-1, len(WORDS))
    for i, word in enumerate(WORDS):
        if word is not None and (facets[:, i] != word).any():
            found = facets[facets[:, i] != word][0, i].decode("latin-1")
            raise ValueError(f"{found} stands where {word.decode()} was expected")
    places = [i for i, word in enumerate(WORDS) if word is None]
    numbers = facets[:, places].astype(np.float64).reshape(-1, 4, 3)
    return numbers[:, 0], numbers[:, 1:]
