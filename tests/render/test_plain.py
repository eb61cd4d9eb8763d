"""Tests of render.plain."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render import plain
from render.errors import InputError
from render.plain import shown

NESTED: list = []
for _ in range(3000):
    NESTED = [NESTED]

POINT = plain.record({"at": plain.array(2, least=-1)}, {"name": plain.text})
GOOD = {
    plain.number(0, 1): (0, 1, 0.5),
    plain.number(): (-1e300, 10**300),
    plain.whole(0): (0, 7, 2**53),
    plain.one_of(("a", 1)): ("a", 1),
    plain.text: ("", "a"),
    plain.boolean: (True, False),
    plain.array(2, 3): ([[1, 2, 3], [4, 5.5, 6]], ((1, 2, 3), (4, 5, 6))),
    plain.optional(plain.text): (None, "a"),
    plain.list_of(plain.whole(), most=2): ([], [1], (1, 2)),
    plain.dict_of(plain.whole()): ({}, {"a": 1}),
    POINT: ({"at": [0, 0]}, {"at": [1, -1], "name": "b"}),
}
BAD = {
    plain.number(0, 1): (-1, 1.1, float("nan"), "1", True, None, [], 10**400, 10**5000),
    plain.whole(0): (-1, 1.0, True, "1", None, 2**53 + 1, 10**5000),
    plain.one_of(("a", 1)): ("b", 1.0, True, None, []),
    plain.text: (1, None, []),
    plain.boolean: (0, "true", None),
    plain.array(2, 3): ([1] * 6, [[1, 2, 3]], [[1, 2], [3, 4]], [[1, 2, float("inf")]] * 2, "ab"),
    plain.optional(plain.text): (0, False),
    plain.list_of(plain.whole(), most=2): ([1, 2, 3], ["a"], {}, None, "ab", NESTED),
    plain.dict_of(plain.whole()): ([], {"a": "b"}, {"a" * 5000: NESTED}),
    POINT: ({}, [], None, {"at": [-2, 0]}, {"at": [0, 0], "name": 1}, {"at": [0, 0], "x": 1}),
    plain.flat(1): ("a", None, {}, [1, 2], 10**400, NESTED, float("nan")),
}

any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


@pytest.mark.parametrize("check", GOOD, ids=range(len(GOOD)))
def test_what_is_wanted_is_given_back_as_it_is(check):
    for value in GOOD[check]:
        assert check(value, "here") is value


@pytest.mark.parametrize("check", BAD, ids=range(len(BAD)))
def test_anything_else_is_refused_in_one_short_line(check):
    for value in BAD[check]:
        with pytest.raises(InputError) as caught:
            check(value, "here")
        message = str(caught.value)
        assert message.startswith("here") and "\n" not in message and len(message) < 400


@given(any_value)
def test_every_check_takes_or_refuses_every_value(value):
    for check in BAD:
        try:
            check(value, "here")
        except InputError as error:
            assert str(error).startswith("here")


def test_a_fault_is_named_by_its_place():
    check = plain.record({"points": plain.list_of(POINT, most=9)})
    with pytest.raises(InputError) as caught:
        check({"points": [{"at": [0, 0]}, {"at": [0, "x"]}]}, "file.json")
    wanted = "file.json: points[1].at must be 2 finite numbers, at least -1, got [0, 'x']"
    assert str(caught.value) == wanted


@given(any_value)
def test_a_value_is_shown_in_one_line(value):
    text = shown(value)
    assert len(text) <= 200 and len(text.splitlines()) <= 1


@pytest.mark.parametrize("kind", range(5))
def test_what_cannot_be_written_out_is_shown_too(kind):
    value = (NESTED, 10**5000, np.zeros((100, 100)), json, object())[kind]
    assert 0 < len(shown(value)) <= 200


@given(st.lists(st.integers() | st.floats() | st.text(max_size=10), max_size=5))
def test_what_is_short_is_shown_as_python_writes_it(value):
    if len(repr(value)) <= 60 and "  " not in repr(value):
        assert shown(value) == repr(value)
