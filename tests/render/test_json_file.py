"""Tests of render.json_file."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.errors import InputError
from render.json_file import DEEPEST, parse_json, read_json

FAULTS = {
    "nothing": (b"", "not valid JSON"),
    "half a file": (b'{"a": [1, 2', "not valid JSON"),
    "no text": (b"\xff\xff\xff", "not valid JSON"),
    "NUL": (b'{"a": 1}\0', "not valid JSON"),
    "another kind": (b"[1]", "expected a JSON object, got list"),
    "a number": (b"1", "expected a JSON object, got int"),
    "a name twice": (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is there twice"),
    "a long name twice": (b'{"%s": 1, "%s": 2}' % (b"k" * 5000, b"k" * 5000), "is there twice"),
    "lists in lists": (b"[" * 100_000, "within each other"),
    "objects in objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "within each other"),
    "brackets after a text of brackets": (b'["]]]]", ' * 100 + b"1" + b"]" * 100, "each other"),
    "a long number": (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
}

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("content, reason", FAULTS.values(), ids=FAULTS)
def test_damaged_files_are_refused_in_one_line_that_names_them(tmp_path, content, reason):
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_json(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and reason in message
    assert "\n" not in message and len(message) < 400


@given(st.dictionaries(st.text(), plain))
@pytest.mark.slow
def test_what_python_writes_is_read_back(value):
    assert parse_json(json.dumps(value).encode(), "x") == value


@pytest.mark.slow
@given(st.dictionaries(st.text(), plain), st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_what_programs_of_windows_write_is_read_back(value, encoding):
    content = json.dumps(value, ensure_ascii=False).encode(encoding, errors="replace")
    assert parse_json(content, "x") == json.loads(content.decode(encoding))


@given(st.text(), st.integers(1, 2 * DEEPEST))
def test_only_lists_that_are_too_deep_are_too_deep(text, depth):
    content = ("[" * depth + json.dumps(text + "[" * 200) + "]" * depth).encode()
    if depth <= DEEPEST:
        assert parse_json(content, "x", list) == json.loads(content)
    else:
        with pytest.raises(InputError, match="within each other"):
            parse_json(content, "x", list)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_file_is_read_or_refused(data):
    content = bytearray(b'{"1": [{"a": [1.5, -2e3], "b": "t\\u00e9", "c": null}], "2": true}')
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        assert isinstance(parse_json(bytes(content), "x"), dict)
    except InputError as error:
        assert str(error).startswith("x: ")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "device or pipe"), (".", "a folder"), ("absent", "no such file")):
        with pytest.raises(InputError, match=reason):
            read_json(tmp_path / name)
