"""The text of an OBJ file -> arrays, each statement as it stands there.

Format: Wavefront's "Object Files (.obj)", 3.0, as modelling programs write it.
"""

import re
from dataclasses import dataclass

import numpy as np

from render.mesh.obj.mtl import decode_text, plain_name
from render.plain import spells_number

NUMERIC = (b"v", b"vt", b"vn", b"f")
LEFT_OUT = {
    b"curv": "free-form curves",
    b"curv2": "free-form curves",
    b"surf": "free-form surfaces",
    b"call": "other files that it calls",
    b"usemap": "texture maps by usemap",
}
CORNER = re.compile(rb"-?\d+(/(-?\d+)?){0,2}")


@dataclass(frozen=True, eq=False)
class ObjText:
    """Statements of an OBJ file.

    vertices: the numbers of each "v" one after another, (n,) counts of them.
    uv: (t, 2). normals: (k, 3). corners: (c, 3) int64, of each corner of each face its vertex,
    texture coordinates and normal, counted from 0, -1 for none. lengths: (p,) corners a face.
    materials: (p,) for each face an index into `names`, in the order in which they appear; None is
    no material. libraries: what follows each "mtllib". painted: (n, 3) uint8 of ZBrush's comments.
    first_object: the name in "o" if that comes before all else. left_out: what else it holds.
    """

    vertices: np.ndarray
    counts: np.ndarray
    uv: np.ndarray
    normals: np.ndarray
    corners: np.ndarray
    lengths: np.ndarray
    materials: np.ndarray
    names: list[str | None]
    libraries: list[str]
    painted: np.ndarray
    first_object: str | None
    left_out: set[str]


def parse_obj(content: bytes) -> ObjText:
    """Read the statements of an OBJ file.

    Raises:
        ValueError: the content is no such text, a line of it cannot be read, or it ends too early.
    """
    found = _Statements(_lines(content))
    if not found.rows[b"v"]:
        found.rows[b"f"].clear()
    vertices, counts = _numbers(found, b"v", (3, 4, 6, 7, 8))
    uv, _ = _table(found, b"vt", (1, 2, 3), 2)
    normals, _ = _table(found, b"vn", (3,), 3)
    corners, lengths = _corners(found)
    runs = np.array(found.runs, np.int64).reshape(-1, 5)
    run_of_face = np.searchsorted(runs[:, 0], np.arange(len(lengths)), side="right") - 1
    back = corners < 0
    if back.any():
        so_far = np.repeat(runs[run_of_face, 2:], lengths, axis=0)
        corners = np.where(back, corners + so_far + 1, corners)
        if (corners[back] < 1).any():
            raise ValueError("a face counts back to before the first vertex")
    if (corners[:, 0] == 0).any():
        raise ValueError("a face names vertex 0; OBJ files count from 1")
    return ObjText(
        vertices=vertices,
        counts=counts,
        uv=uv,
        normals=normals,
        corners=corners - 1,
        lengths=lengths,
        materials=runs[run_of_face, 1],
        names=list(found.names),
        libraries=found.libraries,
        painted=found.painted(),
        first_object=found.first_object,
        left_out=found.left_out,
    )


def _lines(content: bytes) -> list[bytes]:
    """The file's lines; one that a backslash continues holds the next, which is left empty."""
    if b"\0" in content:
        raise ValueError("NUL bytes in what should be text in UTF-8")
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    if b"\\\n" not in content and b"\\\r" not in content:
        return lines
    whole: list[bytes] = []
    begun: list[bytes] = []
    for line in lines:
        begun.append(line.removesuffix(b"\\"))
        if line.endswith(b"\\") and b"#" not in line:  # a comment may name a folder of Windows
            continue
        whole += [b" ".join(begun)] + [b""] * (len(begun) - 1)
        begun = []
    return whole + begun


class _Statements:
    """The lines of an OBJ file by what they are: the first pass over the text."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.rows: dict[bytes, list[bytes]] = {key: [] for key in NUMERIC}
        self.rows[b"fo"] = self.rows[b"f"]  # the older word for it
        # Of faces that follow each other: the first, its material, and how many v, vt, vn precede.
        self.runs: list[tuple[int, int, int, int, int]] = []
        self.names: dict[str | None, int] = {None: 0}
        self.libraries: list[str] = []
        self.paint: list[bytes] = []
        self.first_object: str | None = None
        self.left_out: set[str] = set()
        self._material = 0
        self._began = False  # with an object, group, material or face
        self._collect()

    def _collect(self) -> None:
        rows = self.rows
        vertices, uv, normals, faces = (rows[key] for key in NUMERIC)
        in_run = False
        for line in self.lines:
            key, _, rest = line.partition(b" ")
            own = rows.get(key)
            if own is None:  # another statement, or tabs, or spaces before it
                words = line.split(None, 1)
                if not words:
                    continue
                key, rest = words[0], words[1] if len(words) == 2 else b""
                own = rows.get(key)
            if own is None:
                in_run &= key != b"usemtl"
                self._note(key, rest)
                continue
            if own is not faces:
                in_run = False
            elif not in_run:
                counts = (len(vertices), len(uv), len(normals))
                self.runs.append((len(faces), self._material, *counts))
                in_run = True
            own.append(rest)

    def _note(self, key: bytes, rest: bytes) -> None:
        """A statement without numbers."""
        if key == b"usemtl":
            name = plain_name(decode_text(rest))
            self._material = self.names.setdefault(
                None if name in ("", "(null)") else name, len(self.names)
            )
        elif key == b"mtllib":
            self.libraries.append(decode_text(rest).strip())
        elif key == b"#MRGB":
            self.paint.append(rest)
        elif key in LEFT_OUT and rest.strip() != b"off":
            self.left_out.add(LEFT_OUT[key])
        if key in (b"o", b"g", b"s", b"usemtl"):
            if key == b"o" and not self._began and not self.rows[b"f"]:
                self.first_object = decode_text(rest).strip()
            self._began = True

    def painted(self) -> np.ndarray:
        """(n, 3) uint8: ZBrush's comments hold 8 hexadecimal digits a vertex, mask, R, G and B."""
        try:
            content = bytes.fromhex(b"".join(self.paint).decode("ascii"))
            return np.frombuffer(content, np.uint8).reshape(-1, 4)[:, 1:]
        except ValueError:
            self.left_out.add("vertex paint (#MRGB) that cannot be read")
            return np.zeros((0, 3), np.uint8)

    def own_rows(self, key: bytes) -> tuple[list[bytes], np.ndarray, bytes]:
        """What follows a word in its lines, without comments; how many words; and all as one."""
        rows = self.rows[key]
        text = b" ".join(rows)
        if b"#" in text:
            rows = [row.partition(b"#")[0] for row in rows]
            text = b" ".join(rows)
        return rows, np.fromiter(map(len, map(bytes.split, rows)), np.int64, len(rows)), text

    def fault(self, key: bytes, index: int, what: str) -> ValueError:
        """Names the line of a statement, the index-th with this word."""
        same = (b"f", b"fo") if key == b"f" else (key,)
        numbers = [n for n, line in enumerate(self.lines, 1) if line.split(None, 1)[:1] != []]
        own = [n for n in numbers if self.lines[n - 1].split(None, 1)[0] in same]
        end = " the file ends too early," if own[index] == numbers[-1] else ""
        text = self.lines[own[index] - 1].decode("latin-1").strip()
        return ValueError(f"{end} line {own[index]}: {text[:60]!r}: {what}".strip())


def _numbers(
    found: _Statements, key: bytes, allowed: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of all lines of a kind one after another, and (n,) how many each has."""
    rows, counts, text = found.own_rows(key)
    odd = np.flatnonzero(~np.isin(counts, allowed))
    if len(odd):
        raise found.fault(key, odd[0], f"{counts[odd[0]]} numbers")
    numbers = _parse(text, np.float64)
    if len(numbers) != counts.sum():
        for i, row in enumerate(rows):
            if not all(map(_is_number, row.split())):
                raise found.fault(key, i, "numbers were expected")
        raise ValueError(f"numbers after {key.decode()} that cannot be read")
    return numbers, counts


def _table(
    found: _Statements, key: bytes, allowed: tuple[int, ...], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n, width) numbers of lines of a kind, 0 where one has fewer; and how many each has."""
    numbers, counts = _numbers(found, key, allowed)
    table = np.zeros((len(counts), width))
    starts = np.cumsum(counts) - counts
    for column in range(width):
        has = counts > column
        table[has, column] = numbers[starts[has] + column]
    return table, counts


def _corners(found: _Statements) -> tuple[np.ndarray, np.ndarray]:
    """Of all faces: (c, 3) numbers of vertex, texture coordinates and normal, 0 for none; and (p,)
    how many corners each has.
    """
    rows, lengths, text = found.own_rows(b"f")
    if (lengths < 3).any():
        few = int(np.argmax(lengths < 3))
        raise found.fault(b"f", few, "a face has three corners or more; the file ends too early")
    # Words as v, v/vt, v/vt/vn, with 0 for what is left out.
    words = b" %b " % b" ".join(text.split())
    words = words.replace(b"/ ", b" ").replace(b"/ ", b" ").replace(b"//", b"/0/")
    numbers = _parse(words.replace(b"/", b" "), np.int64)
    marks = np.frombuffer(words, np.uint8)
    marks = marks[(marks == ord(" ")) | (marks == ord("/"))]
    each = np.diff(np.flatnonzero(marks == ord(" "))) if len(rows) else np.zeros(0, np.int64)
    if len(numbers) != each.sum() or each.max(initial=0) > 3:
        for i, row in enumerate(rows):
            if not all(map(CORNER.fullmatch, row.split())):
                raise found.fault(b"f", i, "corners are v, v/vt, v//vn or v/vt/vn")
        raise ValueError("faces that cannot be read")
    corners = np.zeros((len(each), 3), np.int64)
    starts = np.cumsum(each) - each
    for column in range(3):
        has = each > column
        corners[has, column] = numbers[starts[has] + column]
    return corners, lengths


def _parse(text: bytes, dtype: type) -> np.ndarray:
    """Numbers between spaces; none where one cannot be read."""
    try:
        return np.fromstring(text, dtype, sep=" ") if text.strip() else np.zeros(0, dtype)
    except ValueError:
        return np.zeros(0, dtype)


def _is_number(word: bytes) -> bool:
    return spells_number(word) and b"_" not in word
