import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.mesh.ply.ply import parse_ply
from tests.ply_files import FORMATS, write_ply_file

ENCODINGS = ("ascii", "binary_little_endian", "binary_big_endian")
WHOLE = {kind: f for kind, f in FORMATS.items() if f not in "fd"}


def numbers_of(kind: str) -> st.SearchStrategy:
    """What a type holds exactly."""
    if kind in WHOLE:
        limits = np.iinfo(np.dtype(WHOLE[kind]))
        return st.integers(limits.min, limits.max)
    return st.floats(width=32 if kind == "float" else 64, allow_nan=False)


@st.composite
def elements(draw) -> list:
    """Elements of any properties and lists, and their rows."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        properties, values = [], []
        for i in range(draw(st.integers(0, 4))):
            kind = draw(st.sampled_from(sorted(FORMATS)))
            if draw(st.booleans()):
                length = draw(st.sampled_from(sorted(WHOLE)))
                properties.append(f"list {length} {kind} p{i}")
                values.append(st.lists(numbers_of(kind), max_size=5))
            else:
                properties.append(f"{kind} p{i}")
                values.append(numbers_of(kind))
        rows = draw(st.lists(st.tuples(*values), max_size=4)) if properties else []
        found.append((f"element{number}", properties, rows))
    return found


@settings(max_examples=150, deadline=None)
@given(elements(), st.sampled_from(ENCODINGS), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_number_of_every_type_is_read_back(written, encoding, newline):
    rows, comments = parse_ply(write_ply_file(written, encoding, ["made up"], newline))
    assert comments == ["made up"] and list(rows) == [name for name, _, _ in written]
    for name, properties, expected in written:
        for i, words in enumerate(prop.split() for prop in properties):
            values = [row[i] for row in expected]
            if words[0] == "list":
                entries, lengths = rows[name].lists[words[-1]]
                assert lengths.tolist() == [len(value) for value in values]
                assert entries.tolist() == [entry for value in values for entry in value]
            else:
                column = rows[name].columns[words[-1]]
                assert column.tolist() == values
                assert column.dtype.newbyteorder("=") == np.dtype(FORMATS[words[0]])


@settings(max_examples=150, deadline=None)
@given(elements(), st.sampled_from(ENCODINGS), st.data())
def test_a_file_cut_off_anywhere_is_refused_or_whole(written, encoding, data):
    """Only the white space at its end may be missing, and digits of an ASCII file's last number."""
    content = write_ply_file(written, encoding)
    header = content.index(b"end_header") + len("end_header")
    end = data.draw(st.integers(header, len(content)))
    left_out = content[end:]
    in_last_word = encoding == "ascii" and len(left_out.split()) <= 1
    if left_out.strip() and not in_last_word:
        with pytest.raises(ValueError, match=r"\w"):
            parse_ply(content[:end])


SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
XYZ = ["float x", "float y", "float z"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_header_that_promises_more_than_there_is_costs_nothing(encoding):
    promises = [
        "element vertex 1000000000000\nproperty double x\n",
        "element face 1000000000000\nproperty list uchar int vertex_indices\n",
        "element face 1\nproperty list uint int vertex_indices\n",
    ]
    body = b"4000000000 1 2" if encoding == "ascii" else b"\xee" * 64
    for promise in promises:
        content = f"ply\nformat {encoding} 1.0\n{promise}end_header\n".encode() + body
        tracemalloc.start()
        with pytest.raises(ValueError, match="too early"):
            parse_ply(content)
        assert tracemalloc.get_traced_memory()[1] < 1e6
        tracemalloc.stop()


def test_an_element_of_any_number_of_rows_without_properties_is_passed_over():
    content = b"ply\nformat ascii 1.0\nelement nothing 1000000000000\nelement v 1\nproperty int x\n"
    rows, _ = parse_ply(content + b"end_header\n5\n")
    assert not rows["nothing"].columns and rows["v"].columns["x"].tolist() == [5]


def test_header_words_are_read_as_programs_write_them():
    content = (
        b"\xef\xbb\xbfply \r\nformat ascii 1.0 made by hand\r\ncomment end_header is below\r\n"
        b"element Vertex 1\r\ncomment between\r\nproperty uchar Red\r\nobj_info num_cols 5\r\n"
        b"\r\nend_header \r\n7\r\n"
    )
    rows, comments = parse_ply(content)
    assert rows["vertex"].columns["red"].tolist() == [7]
    assert comments == ["end_header is below", "between", "num_cols 5"]


def test_names_in_comments_are_utf_8_or_latin_1():
    for encoding in ("utf-8", "latin-1"):
        content = "ply\nformat ascii 1.0\ncomment größe\nend_header\n".encode(encoding)
        assert parse_ply(content)[1] == ["größe"]


def test_what_stands_behind_the_numbers_of_a_line_is_left_out():
    content = write_ply_file([("vertex", XYZ, SQUARE), ("face", ["list uchar int i"], [[[0, 1]]])])
    header, body = content.split(b"end_header\n")
    longer = body.replace(b"\n", b" 9 8\n")
    rows, _ = parse_ply(header + b"end_header\n" + longer + b"# made by hand\n")
    assert rows["vertex"].columns["x"].tolist() == [0, 1, 1, 0]
    assert rows["face"].lists["i"][0].tolist() == [0, 1]


FACE = ["list uchar int i"]


@pytest.mark.parametrize("ending", ["", " 9 8", "\n", "\n\n# made by hand\n"])
@pytest.mark.parametrize("element", ["vertex", "face"])
def test_more_rows_than_the_header_says_are_refused(element, ending):
    """Though their ends, empty lines and comments behind the last row are passed over."""
    written = [("vertex", XYZ, SQUARE), ("face", FACE, [[[0, 1, 2]], [[0, 2, 3]]])]
    content = write_ply_file(written).decode()
    header, body = content.split("end_header\n")
    body = body.replace("\n", ending + "\n") if ending.startswith(" ") else body + ending
    parse_ply(f"{header}end_header\n{body}".encode())
    count = {"vertex": 4, "face": 2}[element]
    for fewer in range(1, count):
        header_of_fewer = header.replace(f"{element} {count}", f"{element} {count - fewer}")
        with pytest.raises(
            ValueError, match=r"more rows than its header says, by |the file ends too early"
        ):
            parse_ply(f"{header_of_fewer}end_header\n{body}".encode())


def test_numbers_that_their_declared_type_cannot_hold_stay_as_they_are():
    """Fractions where bytes are declared, 300 in a byte."""
    rows = [[0.78, 300, 3.0, 5]]
    content = write_ply_file([("vertex", ["uchar a", "uchar b", "uchar c", "float d"], rows)])
    columns = parse_ply(content)[0]["vertex"].columns
    assert [columns[name].tolist() for name in "abcd"] == [[0.78], [300], [3], [5]]
    assert [columns[name].dtype.kind for name in "abcd"] == ["f", "f", "u", "f"]


BAD_HEADERS = {
    "no format": ("element vertex 1\nproperty int x\n", "format"),
    "unknown format": ("format binary 1.0\n", "not understood"),
    "unknown type": ("format ascii 1.0\nelement vertex 1\nproperty half x\n", "not understood"),
    "property of nothing": ("format ascii 1.0\nproperty int x\n", "not understood"),
    "list of unknown length": ("format ascii 1.0\nelement f 1\nproperty list n int i\n", "underst"),
    "list of float length": (
        "format ascii 1.0\nelement f 1\nproperty list float int i\n", "not understood"
    ),
    "element twice": ("format ascii 1.0\nelement f 1\nelement f 2\n", "not understood"),
    "property twice": (
        "format ascii 1.0\nelement f 1\nproperty int x\nproperty int X\n", "x twice"
    ),
    "negative count": ("format ascii 1.0\nelement f -1\n", "not understood"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "reason"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_header_with_two_meanings_is_refused(header, reason):
    with pytest.raises(ValueError, match=reason):
        parse_ply(f"ply\n{header}end_header\n".encode())


def test_a_list_of_negative_length_is_refused():
    content = write_ply_file([("face", ["list char int i"], [[[1]]])], "binary_little_endian")
    with pytest.raises(ValueError, match="-1 entries"):
        parse_ply(content[:-5] + b"\xff" + content[-4:])


def test_bytes_behind_the_last_row_are_padding_or_refused():
    """Those of a file whose rows have shifted, by a transfer that changed its line ends."""
    content = write_ply_file([("vertex", XYZ, SQUARE)], "binary_little_endian")
    assert len(parse_ply(content + b"\0\r\n\x1a")[0]["vertex"].columns["x"]) == 4
    with pytest.raises(ValueError, match="13 bytes more"):
        parse_ply(content + b"made by hand\n")
