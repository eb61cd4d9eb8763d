"""PLY files as text or bytes, written from tables of numbers."""

import struct
from collections.abc import Sequence

FORMATS = {
    "char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I",
    "float": "f", "double": "d",
}  # fmt: skip
Element = tuple[str, Sequence[str], Sequence[Sequence]]  # name, properties as declared, rows


def write_ply_file(
    elements: Sequence[Element],
    encoding: str = "ascii",
    comments: Sequence[str] = (),
    newline: str = "\n",
) -> bytes:
    """The content of a PLY file. A row holds a number a scalar property, a list a list property."""
    lines = ["ply", f"format {encoding} 1.0", *(f"comment {comment}" for comment in comments)]
    for name, properties, rows in elements:
        lines += [f"element {name} {len(rows)}", *(f"property {p}" for p in properties)]
    header = newline.join([*lines, "end_header", ""]).encode()
    body = b"".join(
        _row(row, [prop.split() for prop in properties], encoding, newline)
        for _, properties, rows in elements
        for row in rows
    )
    return header + body


def _row(row: Sequence, properties: list[list[str]], encoding: str, newline: str) -> bytes:
    numbers: list[tuple[str, float]] = []
    for value, words in zip(row, properties, strict=True):
        if words[0] == "list":
            numbers += [(words[1], len(value)), *((words[2], entry) for entry in value)]
        else:
            numbers.append((words[0], value))
    if encoding == "ascii":
        return (" ".join(repr(number) for _, number in numbers) + newline).encode()
    order = "<" if encoding == "binary_little_endian" else ">"
    form = order + "".join(FORMATS[kind] for kind, _ in numbers)
    return struct.pack(form, *(number for _, number in numbers))
