"""Tests of render.formats.mat_file. The independent reader and writer is scipy's."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy.io import loadmat, savemat

from render.errors import InputError
from render.formats.mat_file import read_mat

SHAPE = ("cameras", "frames", 36, 3)
TYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">f8", ">i4")
# Of every kind that a variable can be, to be passed over.
OTHERS = {
    "text": "joints of a hand",
    "names": np.array(["a", "bc"], object),
    "settings": {"threshold": 0.5, "nested": {"deep": [1, 2]}},
    "complex": np.array([1j, 2]),
    "empty": np.empty((0, 3)),
    "flag": True,
}


def written(variables: dict, compressed: bool, folder: Path) -> Path:
    path = folder / "x.mat"
    savemat(path, variables, do_compression=compressed)
    return path


@pytest.fixture
def joints(rng) -> np.ndarray:
    return rng.normal(size=(2, 7, 36, 3))


@pytest.mark.parametrize("compressed", [False, True])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_arrays_are_those_that_scipy_reads(tmp_path_factory, compressed, data):
    shape = data.draw(st_numpy.array_shapes(min_dims=2, max_dims=4, min_side=0))
    kind = data.draw(st.sampled_from(TYPES))
    array = data.draw(st_numpy.arrays(kind, shape))
    variables = {**OTHERS, "wanted": array, "last": np.ones(3)}
    path = written(variables, compressed, tmp_path_factory.mktemp("mat"))
    found = read_mat(path, {"wanted": ("any",) * array.ndim, "absent": (1, 1)})

    assert list(found) == ["wanted"]
    np.testing.assert_array_equal(found["wanted"], loadmat(path)["wanted"])
    np.testing.assert_array_equal(found["wanted"], array)


@pytest.mark.parametrize("compressed", [False, True])
def test_joints_are_those_that_scipy_reads_to_their_layout(joints, compressed, tmp_path):
    path = written({"names": OTHERS["names"], "joint_uvd": joints}, compressed, tmp_path)
    found, reference = read_mat(path, {"joint_uvd": SHAPE})["joint_uvd"], loadmat(path)["joint_uvd"]
    assert found.dtype == reference.dtype and found.strides == reference.strides
    np.testing.assert_array_equal(found, reference)


def test_files_of_machines_with_the_other_byte_order_are_read(joints, tmp_path):
    def element(kind: int, content: bytes) -> bytes:
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    parts = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">4i", *joints.shape))
    parts += struct.pack(">HH4s", 4, 1, b"uvd_")  # four letters stand within the tag
    parts += element(9, joints.astype(">f8").tobytes(order="F"))
    file = tmp_path / "x.mat"
    file.write_bytes(b"written by hand".ljust(124) + b"\1\0MI" + element(14, parts))
    np.testing.assert_array_equal(read_mat(file, {"uvd_": SHAPE})["uvd_"], joints)
    np.testing.assert_array_equal(loadmat(file)["uvd_"], joints)


def test_version_7_3_is_told_how_to_be_saved(tmp_path):
    file = tmp_path / "x.mat"
    for content in (
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM",
        b"\x89HDF\r\n\x1a\n",
    ):
        file.write_bytes(content)
        with pytest.raises(
            InputError, match=r"of version 7\.3; .* -v7: save\('x\.mat', 'a', '-v7'\)"
        ):
            read_mat(file, {"a": SHAPE})


def matrix(dims: tuple[int, ...], numbers: bytes, kind: int = 9, promised: int | None = None):
    def element(kind: int, content: bytes, size: int | None = None) -> bytes:
        size = len(content) if size is None else size
        return struct.pack("<II", kind, size) + content + bytes(-len(content) % 8)

    parts = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack(f"<{len(dims)}i", *dims))
    parts += element(1, b"a") + element(kind, numbers, promised)
    return parts


def file_of(parts: bytes, compressed: bool = False) -> bytes:
    content = struct.pack("<II", 14, len(parts)) + parts
    if compressed:
        content = zlib.compress(content)
        content = struct.pack("<II", 15, len(content)) + content
    return b"".ljust(124) + b"\0\1IM" + content


BOMB = matrix((3, 100_000, 36, 3), bytes(10_000_000))
ONCE = file_of(matrix((1, 1, 36, 3), bytes(864)))
HOSTILE = {
    "empty": b"",
    "text": b"no mat file at all " * 20,
    "header alone, cut": b"".ljust(100),
    "promised numbers that are not there": file_of(matrix((1, 2**20, 36, 3), b"", promised=2**30)),
    "more numbers than can be": file_of(matrix((2**31 - 1, 2**31 - 1, 36, 3), b"")),
    "fewer than none": file_of(matrix((-1, -5, 36, 3), bytes(8 * 540))),
    "no dimensions": file_of(matrix((), bytes(8))),
    "numbers of no type": file_of(matrix((1, 1, 36, 3), bytes(864), kind=99)),
    "a bomb": file_of(BOMB, compressed=True),
    "a bomb that tells the truth": file_of(
        matrix((3, 400_000, 36, 3), bytes(1000)), compressed=True
    ),
    "an element beyond the end": b"".ljust(124) + b"\0\1IM" + struct.pack("<II", 14, 2**32 - 1),
    "an array twice": ONCE + ONCE[128:],
    "compressed nothing": b"".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, 0),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_in_one_line_that_names_them(content, tmp_path):
    file = tmp_path / "x.mat"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_mat(file, {"a": SHAPE})
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and "\n" not in message and len(message) < 300


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_read_or_refused_and_never_read_wrong(compressed, tmp_path, rng):
    joints = np.arange(2 * 36 * 3, dtype=np.float64).reshape(1, 2, 36, 3)
    content = io.BytesIO()
    savemat(content, {**OTHERS, "a": joints, "b": joints}, do_compression=compressed)
    file, refused = tmp_path / "x.mat", 0
    for _ in range(1500):
        damaged = bytearray(content.getvalue())
        for place in rng.integers(116, len(damaged), rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        if rng.random() < 0.2:
            del damaged[rng.integers(len(damaged)) :]
        file.write_bytes(damaged)
        try:
            found = read_mat(file, {"a": SHAPE, "b": SHAPE})
            for array in found.values():
                assert array.shape[2:] == (36, 3)
                if compressed:  # which has a checksum
                    np.testing.assert_array_equal(array.ravel(), joints.ravel())
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{file}: ")
    assert refused > 300
