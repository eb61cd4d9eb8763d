"""The PLY format: any file as named columns, and the writer of BOP's variant.

Format: Greg Turk, "The PLY Polygon File Format" (1994); textures as MeshLab and BOP have them
(`comment TextureFile NAME`).
"""

import logging
import re
from dataclasses import dataclass, field

import numpy as np

from render.mesh.ply.rows import Property, read_rows
from render.plain import spells_number

log = logging.getLogger(__name__)

_SCALARS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "<i2", "int16": "<i2", "ushort": "<u2", "uint16": "<u2",
    "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4",
    "int64": "<i8", "uint64": "<u8",
    "float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8",
}  # fmt: skip
_NAMES = {"u1": "uchar", "i4": "int", "f4": "float"}
_ENCODINGS = ("ascii", "binary_little_endian", "binary_big_endian")
PADDING = b"\0\r\n\t \x1a"  # what may stand behind the last row of a binary file
_MARK = b"\xef\xbb\xbf"  # which Windows' editors put before UTF-8

Elements = dict[str, tuple[int, list[Property]]]  # name -> number of rows, properties


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one element (the vertices, the faces), its properties' names in lower case.

    columns: scalar property -> (n,) in the type the header declares; an ASCII file's as float64
    where they are none of that type. lists: list property -> (values, lengths): the rows' entries
    one after the other, and (n,) how many each row has.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def parse_ply(content: bytes, name: str = "") -> tuple[dict[str, Rows], list[str]]:
    """Read a PLY file, ASCII or binary, lists of any length.

    Args:
        name: whose content it is, for a word on what is not read.

    Returns:
        Element name -> its rows, and the header's comments.

    Raises:
        ValueError: the content is no PLY file, or holds fewer or more rows than its header says.
    """
    lines, body = _split_header(content)
    encoding, elements, comments = _parse_header(lines)
    if encoding != "ascii":
        rows, left = _parse_body(body, elements, encoding)
        if left.strip(PADDING):
            raise ValueError(f"holds {len(left)} bytes more than its header says")
        return rows, comments
    try:
        rows, left = _parse_body(_numbers(body.split()), elements, encoding)
        if left:
            raise ValueError(f"holds {len(left) // 8} numbers more than its header says")
    except ValueError as error:
        try:
            words, behind = _words_of_rows(body, elements)
        except (ValueError, IndexError, OverflowError):
            raise error from None
        rows, left = _parse_body(_numbers(words), elements, encoding)
        more = sum(spells_number(line[0]) for line in behind)
        if more:
            raise ValueError(f"more rows than its header says, by {more}") from None
        log.info("%s: what stands behind the numbers of its rows is not read", name)
    return rows, comments


def encode_ply(columns: dict[str, np.ndarray], faces: np.ndarray, comments: list[str]) -> bytes:
    """A binary PLY file.

    Args:
        columns: vertex property -> (n,) float32, int32 or uint8.
        faces: (m, 3) vertex indices.
        comments: lines for the header.
    """
    vertices = np.empty(
        len(next(iter(columns.values()))),
        [(k, c.dtype.newbyteorder("<")) for k, c in columns.items()],
    )
    for name, column in columns.items():
        vertices[name] = column
    triangles = np.empty(len(faces), [("count", "u1"), ("index", "<i4", 3)])
    triangles["count"], triangles["index"] = 3, faces

    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {comment}" for comment in comments),
        f"element vertex {len(vertices)}",
        *(f"property {_NAMES[c.dtype.str[1:]]} {name}" for name, c in columns.items()),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode() + vertices.tobytes() + triangles.tobytes()


def _split_header(content: bytes) -> tuple[list[str], bytes]:
    """The header's lines between the first and the last, and what is behind it.

    Lines end as the first one does; what is behind a lone CR may well begin with an LF.
    """
    content = content.removeprefix(_MARK)
    first = re.match(rb"\s*ply[ \t]*(\r(?!\n)|\r?\n)", content)
    ending = b"\r" if first and first[1] == b"\r" else b"\n"
    last = re.compile(rb"%b[ \t]*end_header[^%b]*(%b|\Z)" % (ending, ending, ending))
    end = last.search(content, first.end() - 1) if first else None
    if first is None or end is None:
        raise ValueError("no PLY header")
    header = content[first.end() : max(first.end(), end.start())]
    try:
        text = header.decode()
    except UnicodeDecodeError:
        text = header.decode("latin-1")
    return re.split(r"[\r\n]+", text), content[end.end() :]


def _parse_header(lines: list[str]) -> tuple[str, Elements, list[str]]:
    """Encoding, elements, and comments."""
    encoding, comments = "", []
    elements: Elements = {}
    for line in lines:
        match line.lower().split():
            case ["format", word, *_] if word in _ENCODINGS:
                encoding = word
            case ["comment" | "obj_info", *_]:
                comments.append(line.strip().partition(" ")[2])
            case ["element", name, count] if count.isdecimal() and name not in elements:
                elements[name] = (int(count), [])
            case ["property", "list", length, dtype, name] if (
                elements and _SCALARS.get(length, "f4")[-2] != "f" and dtype in _SCALARS
            ):
                prop = Property(name, np.dtype(_SCALARS[dtype]), np.dtype(_SCALARS[length]))
                _add(elements, prop)
            case ["property", dtype, name] if elements and dtype in _SCALARS:
                _add(elements, Property(name, np.dtype(_SCALARS[dtype]), None))
            case []:
                pass
            case _:
                raise ValueError(f"PLY header line {line.strip()!r} is not understood")
    if not encoding:
        raise ValueError("PLY header has no known format line")
    return encoding, elements, comments


def _add(elements: Elements, prop: Property) -> None:
    name, (_, properties) = next(reversed(elements.items()))
    if any(prop.name == other.name for other in properties):
        raise ValueError(f"PLY header gives {name} the property {prop.name} twice")
    properties.append(prop)


def _parse_body(body: bytes, elements: Elements, encoding: str) -> tuple[dict[str, Rows], bytes]:
    """The rows of all elements, and the bytes behind them."""
    offset, rows = 0, {}
    for name, (count, properties) in elements.items():
        stored = [_stored(prop, encoding) for prop in properties]
        columns, lists, offset = read_rows(body, offset, count, stored)
        declared = {
            p.name: _as_declared(columns[p.name], p.dtype) for p in properties if p.count is None
        }
        rows[name] = Rows(declared, lists)
    return rows, body[offset:]


def _stored(prop: Property, encoding: str) -> Property:
    """The property in the types its values have in the body; ASCII is parsed to double."""
    if encoding == "ascii":
        double = np.dtype(np.float64)
        return Property(prop.name, double, None if prop.count is None else double)
    if encoding == "binary_little_endian":
        return prop
    count = None if prop.count is None else prop.count.newbyteorder(">")
    return Property(prop.name, prop.dtype.newbyteorder(">"), count)


def _as_declared(column: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A column in its declared type, or in double where an ASCII file holds other numbers."""
    if column.dtype.kind == "f" and dtype.kind != "f":
        limits = np.iinfo(dtype)
        inside = (column >= limits.min) & (column <= limits.max)  # NaN is not
        if not (inside & (column == np.round(column))).all():
            return column
    with np.errstate(over="ignore"):  # infinite vertices are refused, by name
        return column.astype(dtype)


def _numbers(words: list[bytes]) -> bytes:
    return np.array(words, np.float64).tobytes()


def _words_of_rows(body: bytes, elements: Elements) -> tuple[list[bytes], list[list[bytes]]]:
    """What an ASCII body holds if each row is a line, whatever else stands behind it there.

    Returns:
        The words of the rows, and those of each line behind the last row.

    Raises:
        ValueError, IndexError, OverflowError: there are fewer or shorter lines than rows.
    """
    lines, words = [line.split() for line in body.splitlines() if line.strip()], []
    row_counts = [count for count, properties in elements.values() if properties]
    if sum(row_counts) > len(lines):
        raise ValueError("the file ends too early")
    for count, properties in elements.values():
        for line in lines[: count if properties else 0]:
            end = 0
            for prop in properties:
                end += 1 if prop.count is None else 1 + int(line[end])
            if not 0 < end <= len(line):
                raise ValueError("the file ends too early")
            words += line[:end]
        lines = lines[count if properties else 0 :]
    return words, lines
