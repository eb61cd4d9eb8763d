"""Tests of render.array_file. The independent reader and writer is NumPy's."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from render.array_file import Wanted, read_npy, read_npz
from render.errors import InputError
from tests.plain_damage import damaged

KINDS = ("<f8", ">f4", "<i8", ">i2", "|u1", "|b1", "<U3", "|S4", "<c16", "<f2")
ANY = "biufcSU"


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def header(text: str, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode("latin-1") + content


def archive(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("a.npy", content)
    return file.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_arrays_are_those_that_numpy_reads_to_their_layout(tmp_path_factory, data):
    shape = data.draw(st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0))
    array = data.draw(st_numpy.arrays(data.draw(st.sampled_from(KINDS)), shape))
    array = np.asarray(array, order=data.draw(st.sampled_from("CF")))
    folder = tmp_path_factory.mktemp("arrays")
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(folder / "x.npz", a=array, b=np.array([{}], object))
    np.save(folder / "x.npy", array)

    wanted = Wanted(array.shape, ANY, finite=False)
    for found in (
        read_npz(folder / "x.npz", {"a": wanted})["a"],
        read_npy(folder / "x.npy", wanted),
    ):
        reference = np.load(folder / "x.npy")
        np.testing.assert_array_equal(found, reference)
        assert found.dtype == reference.dtype and found.flags.writeable
        assert found.flags.c_contiguous == reference.flags.c_contiguous


def test_a_header_of_python_2_is_read(tmp_path):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }\n"
    (tmp_path / "x.npy").write_bytes(header(text, np.arange(6.0).tobytes()))
    found = read_npy(tmp_path / "x.npy", Wanted((2, "n")))
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))


def head(kind: str = "<f8", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"


ARRAYS = {
    "empty": b"",
    "no header": b"\x93NUMPY\1\0",
    "a header beyond the end": b"\x93NUMPY\1\0\xff\xff{",
    "a header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "a later version": b"\x93NUMPY\7\0\1\0{",
    "objects": npy(np.array([1, "a"], object)),
    "records": npy(np.zeros(2, [("x", "f8")])),
    "a program": header("__import__('os').system('true')"),
    "lists in lists": header("[" * 9000),
    "digits": header(head(shape="(" + "1" * 9000 + ")")),
    "more than there is": header(head(shape="(1000000000000,)"), bytes(16)),
    "more than can be": header(head(shape="(" + "99999999999, " * 8 + ")"), bytes(16)),
    "less than there is": header(head(shape="(1,)"), bytes(16)),
    "fewer than none": header(head(shape="(-2,)"), bytes(16)),
    "nothing of nothing": header(head(kind="<U0"), bytes(16)),
    "an unknown type": header(head(kind="<f3"), bytes(6)),
    "pickled": header(head(kind="|O8"), bytes(16)),
    "another shape": npy(np.zeros(3)),
    "text": npy(np.array(["a", "b"])),
    "not finite": npy(np.array([1, np.inf])),
}
ARCHIVES = {
    "empty": b"",
    "no archive": b"hello",
    "no such array": archive(b"").replace(b"a.npy", b"b.npy"),
    "a bomb": archive(npy(np.zeros(40_000_000))),
    "another method": archive(npy(np.zeros(2)), zipfile.ZIP_LZMA),
    "a false checksum": archive(npy(np.zeros(2)), zipfile.ZIP_STORED).replace(bytes(16), b"1" * 16),
    "cut": archive(npy(np.zeros(2)))[:-30],
    "encrypted": archive(npy(np.zeros(2)))
    .replace(b"PK\3\4\x14\0\0", b"PK\3\4\x14\0\1")
    .replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
}


@pytest.mark.parametrize("content", ARRAYS.values(), ids=ARRAYS)
def test_hostile_arrays_are_refused_in_one_line_that_names_the_file(content, tmp_path):
    (tmp_path / "x.npy").write_bytes(content)
    (tmp_path / "x.npz").write_bytes(archive(content))
    with pytest.raises(InputError) as alone:
        read_npy(tmp_path / "x.npy", Wanted((2,)))
    with pytest.raises(InputError) as within:
        read_npz(tmp_path / "x.npz", {"a": Wanted((2,))})
    for caught, name in ((alone, "x.npy"), (within, "x.npz")):
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: ")
        assert "\n" not in message and len(message) < 400


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_hostile_archives_are_refused_in_one_line_that_names_them(content, tmp_path):
    file = tmp_path / "x.npz"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_npz(file, {"a": Wanted(("n",))})
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and "\n" not in message and len(message) < 400


def test_the_same_word_stands_for_the_same_size(tmp_path):
    file, wanted = tmp_path / "x.npz", {"a": Wanted(("n", 3)), "b": Wanted(("n",))}
    np.savez(file, a=np.zeros((4, 3)), b=np.zeros(4))
    assert read_npz(file, wanted)["b"].shape == (4,)
    np.savez(file, a=np.zeros((4, 3)), b=np.zeros(5))
    with pytest.raises(InputError, match=r"b has shape \(5,\) of float64; \(4\) of numbers was"):
        read_npz(file, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_read_or_refused(save, tmp_path, rng):
    file = tmp_path / "x.npz"
    save(file, a=np.arange(12.0).reshape(4, 3), b=np.array("text"))
    content, refused = file.read_bytes(), 0
    for _ in range(1000):
        file.write_bytes(damaged(content, rng))
        try:
            found = read_npz(file, {"a": Wanted(("n", 3)), "b": Wanted((), "U")})
            np.testing.assert_array_equal(found["a"].ravel(), np.arange(12))  # it has a checksum
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{file}: ")
    assert refused > 200
