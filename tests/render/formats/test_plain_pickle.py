"""Hostile and damaged pickles; tests/render/hand/test_file.py reads good ones."""

import pickle
import resource
import struct
from collections import OrderedDict

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from render.errors import InputError
from render.formats import plain_pickle
from render.formats.plain_pickle import read_plain_pickle
from tests.plain_damage import damaged

CONTENT = {"a": np.arange(6.0).reshape(2, 3), "b": [np.arange(3), 1, "x"], "c": {"d": 2.5}}


class Reduced:
    """Pickled as a call with arguments, and with a state."""

    def __init__(self, function, arguments, state=None):
        self.made = function, arguments, state

    def __reduce__(self):
        return self.made


def sparse(**changes) -> csc_matrix:
    matrix = csc_matrix(np.eye(3))
    vars(matrix).update(changes)
    return matrix


BUFFERED = np.arange(3).__reduce_ex__(5)[0]  # NumPy's own, of bytes
BIG = b"x" * 1_000_000
HOSTILE = {
    "empty": b"",
    "no pickle": b"hello there\n",
    "no dictionary": pickle.dumps([1]),
    "a memo of 4 GB": b"\x80\x02}r" + struct.pack("<I", 0x3FFFFFFF) + b".",
    "a memo by text": b"}p99999999999\n.",
    "bytes of 4 EB": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "a bytearray of 4 EB": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
    "a bytearray of a number": pickle.dumps({"a": Reduced(bytearray, (10**11,))}),
    "a number of many digits": b"\x80\x02}U\x01aL" + b"9" * 5000 + b"L\ns.",
    "a number of many bytes": b"\x80\x02}U\x01a\x8b"
    + struct.pack("<i", 10**6)
    + b"\x7f" * 10**6
    + b"s.",
    "doubled again and again": b"\x80\x02}U\x01a(" + b"2\x86" * 60 + b"s.",
    "shared again and again": b"\x80\x02}U\x01a]q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"s.",
    "a list in itself": b"\x80\x02}U\x01a]q\x00h\x00as.",
    "tuples in tuples as a name": b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.",
    "lists in lists": b"\x80\x02}U\x01a" + b"]" * 100_000 + b"a" * 99_999 + b"s.",
    "many steps": b"\x80\x02" + b"N0" * 1_000_000 + b"}.",
    "an array of objects": pickle.dumps({"a": np.array([1, "x"], object)}),
    "a large sparse matrix": pickle.dumps({"a": sparse(_shape=(10**5, 10**5))}),
    "a sparse matrix of long columns": pickle.dumps(
        {"a": sparse(indptr=np.array([0, 0, 0, 10**10]))}
    ),
    "a sparse matrix without columns": pickle.dumps({"a": sparse(indptr=np.array([], int))}),
    "a sparse matrix of rows beyond it": pickle.dumps({"a": sparse(indices=np.array([0, 1, 9]))}),
    "one content of many arrays": pickle.dumps(
        {"a": [Reduced(BUFFERED, (BIG, np.dtype("u1"), (1_000_000,), "C")) for _ in range(500)]}
    ),
    "an array whose shape is another's": pickle.dumps(
        {"a": Reduced(BUFFERED, (b"12345678", np.dtype("f8"), (10**9,), "C"))}
    ),
    "another class": pickle.dumps({"a": OrderedDict()}),
    "a class of a long name": b"cposix\n" + b"x" * 5000 + b"\n.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_are_refused_in_one_line_that_names_them(content, tmp_path):
    file = tmp_path / "x.pkl"
    file.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as caught:
        read_plain_pickle(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and "\n" not in message and len(message) < 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000  # kB


def test_what_is_shared_is_made_once(tmp_path):
    array = np.arange(1000.0)
    file = tmp_path / "x.pkl"
    file.write_bytes(pickle.dumps({"a": [array] * 10_000}))
    found = read_plain_pickle(file)["a"]
    assert all(other is found[0] for other in found)
    np.testing.assert_array_equal(found[0], array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_damaged_pickle_is_read_or_refused(protocol, tmp_path, rng):
    content = pickle.dumps({**CONTENT, "e": csc_matrix(np.eye(3))}, protocol)
    file, refused = tmp_path / "x.pkl", 0
    for _ in range(200):
        file.write_bytes(damaged(content, rng))
        try:
            assert isinstance(read_plain_pickle(file), dict)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{file}: ") and len(str(error).splitlines()) == 1
    assert refused > 30


def test_arrays_together_are_bounded(tmp_path, monkeypatch):
    file = tmp_path / "x.pkl"
    file.write_bytes(pickle.dumps(CONTENT))
    assert read_plain_pickle(file)["c"] == {"d": 2.5}
    monkeypatch.setattr(plain_pickle, "LARGEST", 40)
    with pytest.raises(InputError, match="arrays of more than"):
        read_plain_pickle(file)
