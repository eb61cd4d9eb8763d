"""The PLY format: any file as named columns, and the writer of BOP's variant.

Format: Greg Turk, "The PLY Polygon File Format" (1994); textures as MeshLab and BOP have them
(`comment TextureFile NAME`).
"""

import re
from dataclasses import dataclass, field

import numpy as np

_SCALARS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "<i2", "int16": "<i2", "ushort": "<u2", "uint16": "<u2",
    "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4",
    "float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8",
}  # fmt: skip
_NAMES = {"u1": "uchar", "i4": "int", "f4": "float"}
_ENCODINGS = ("ascii", "binary_little_endian", "binary_big_endian")


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one element (the vertices, the faces).

    columns: scalar property -> (n,) in the type the header declares. lists: list property ->
    (values, lengths): the rows' entries one after the other, and (n,) how many each row has.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Property:
    name: str
    dtype: np.dtype  # of the values, as the header declares
    count: np.dtype | None  # of a list's length; None for a scalar


def parse_ply(content: bytes) -> tuple[dict[str, Rows], list[str]]:
    """Read a PLY file, ASCII or binary, lists of any length.

    Returns:
        Element name -> its rows, and the header's comments.

    Raises:
        ValueError: the content is no PLY file, or ends before its last row.
    """
    header = re.match(rb"ply\s.*?\bend_header[^\n]*\n", content, re.DOTALL)
    if header is None:
        raise ValueError("no PLY header")
    lines = header.group().decode("latin-1").splitlines()
    encoding, elements, comments = _parse_header(lines)

    body = content[header.end() :]
    if encoding == "ascii":
        body = np.array(body.split(), np.float64).tobytes()

    offset, rows = 0, {}
    for name, (count, properties) in elements.items():
        stored = [_stored(p, encoding) for p in properties]
        rows[name], offset = _read_rows(body, offset, count, stored)
        for column in properties:
            if column.count is None:  # what is ASCII has been read as double
                rows[name].columns[column.name] = (
                    rows[name].columns[column.name].astype(column.dtype)
                )
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


def _parse_header(
    lines: list[str],
) -> tuple[str, dict[str, tuple[int, list[_Property]]], list[str]]:
    """Encoding, element name -> (row count, properties), and comments."""
    encoding, comments = "", []
    elements: dict[str, tuple[int, list[_Property]]] = {}
    for line in lines[1:-1]:
        match line.split():
            case ["format", word, _] if word in _ENCODINGS:
                encoding = word
            case ["comment" | "obj_info", *_]:
                comments.append(line.strip().partition(" ")[2])
            case ["element", name, count] if count.isdigit():
                elements[name] = (int(count), [])
            case ["property", "list", length, dtype, name] if (
                elements and length in _SCALARS and dtype in _SCALARS
            ):
                prop = _Property(name, np.dtype(_SCALARS[dtype]), np.dtype(_SCALARS[length]))
                elements[next(reversed(elements))][1].append(prop)
            case ["property", dtype, name] if elements and dtype in _SCALARS:
                prop = _Property(name, np.dtype(_SCALARS[dtype]), None)
                elements[next(reversed(elements))][1].append(prop)
            case []:
                pass
            case _:
                raise ValueError(f"PLY header line {line.strip()!r} is not understood")
    if not encoding:
        raise ValueError("PLY header has no known format line")
    return encoding, elements, comments


def _stored(prop: _Property, encoding: str) -> _Property:
    """The property in the types its values have in the body; ASCII is parsed to double."""
    if encoding == "ascii":
        double = np.dtype(np.float64)
        return _Property(prop.name, double, None if prop.count is None else double)
    if encoding == "binary_little_endian":
        return prop
    count = None if prop.count is None else prop.count.newbyteorder(">")
    return _Property(prop.name, prop.dtype.newbyteorder(">"), count)


def _read_rows(
    body: bytes, offset: int, count: int, properties: list[_Property]
) -> tuple[Rows, int]:
    """Read `count` rows from `offset`: in one go if all rows have lists of the same lengths."""
    if count == 0:
        return Rows({p.name: np.empty(0) for p in properties if p.count is None}), offset

    _, lengths, _ = _read_row(body, offset, properties)
    fields: list = []
    for prop in properties:
        if prop.count is not None:
            fields += [(f"{prop.name} count", prop.count)]
        shape = (lengths[prop.name],) if prop.count is not None else ()
        fields += [(prop.name, prop.dtype, shape)]
    dtype = np.dtype(fields)
    lists = [p.name for p in properties if p.count is not None]

    if offset + count * dtype.itemsize <= len(body):
        table = np.frombuffer(body, dtype, count, offset)
        if all((table[f"{name} count"] == lengths[name]).all() for name in lists):
            columns = {p.name: table[p.name] for p in properties if p.count is None}
            full = {n: (table[n].reshape(-1), np.full(count, lengths[n])) for n in lists}
            return Rows(columns, full), offset + count * dtype.itemsize
    if not lists:
        raise ValueError("the file ends too early")
    return _read_ragged_rows(body, offset, count, properties)


def _read_ragged_rows(
    body: bytes, offset: int, count: int, properties: list[_Property]
) -> tuple[Rows, int]:
    """Read rows one by one: triangles and quads mixed."""
    values: dict[str, list] = {p.name: [] for p in properties}
    row_lengths: dict[str, list] = {p.name: [] for p in properties}
    for _ in range(count):
        row, lengths, offset = _read_row(body, offset, properties)
        for name, value in row.items():
            values[name].append(value)
            row_lengths[name].append(lengths[name])

    joined = {name: np.concatenate(v) for name, v in values.items()}
    columns = {p.name: joined[p.name] for p in properties if p.count is None}
    lists = {
        p.name: (joined[p.name], np.array(row_lengths[p.name]))
        for p in properties
        if p.count is not None
    }
    return Rows(columns, lists), offset


def _read_row(
    body: bytes, offset: int, properties: list[_Property]
) -> tuple[dict[str, np.ndarray], dict[str, int], int]:
    """One row's values, how many each property has, and the offset behind the row."""
    values, lengths = {}, {}
    for prop in properties:
        length = 1
        if prop.count is not None:
            length = int(_take(body, offset, 1, prop.count)[0])
            offset += prop.count.itemsize
        values[prop.name] = _take(body, offset, length, prop.dtype)
        lengths[prop.name] = length
        offset += length * prop.dtype.itemsize
    return values, lengths, offset


def _take(body: bytes, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
    if count < 0 or offset + count * dtype.itemsize > len(body):
        raise ValueError("the file ends too early")
    return np.frombuffer(body, dtype, count, offset)
