import numpy as np
import pytest

from render.mesh.part import to_uint8

READ = {  # what a file holds, in which type -> bytes
    "bytes": ([[200, 30, 40]], "u1", [[200, 30, 40]]),
    "bytes in a short": ([[200, 30, 40]], "i2", [[200, 30, 40]]),
    "bytes in a ushort": ([[255, 30, 0]], "u2", [[255, 30, 0]]),
    "bytes in an int": ([[200, 30, 40]], "i4", [[200, 30, 40]]),
    "bytes in a uint": ([[200, 30, 40]], "u4", [[200, 30, 40]]),
    "bytes in floats": ([[200.0, 30.0, 40.4]], "f4", [[200, 30, 40]]),
    "signed bytes": ([[-56, 30, -1]], "i1", [[200, 30, 255]]),
    "fractions": ([[0.5, 0.0, 1.0]], "f4", [[128, 0, 255]]),
    "fractions, a little outside": ([[1.0004, -0.0004, 0.2]], "f8", [[255, 0, 51]]),
    "16 bits": ([[51400, 7710, 65535]], "u2", [[200, 30, 255]]),
    "16 bits in an int": ([[51400, 7710, 0]], "i4", [[200, 30, 0]]),
    "16 bits in a uint": ([[51400, 7710, 0]], "u4", [[200, 30, 0]]),
    "32 bits": ([[4294967295, 2147483648, 0]], "u4", [[255, 128, 0]]),
    "one bright and one dark": ([[65535, 0, 0], [257, 0, 0]], "u2", [[255, 0, 0], [1, 0, 0]]),
    "none": (np.empty((0, 3)), "f4", np.empty((0, 3))),
}


@pytest.mark.parametrize(("colors", "dtype", "expected"), READ.values(), ids=READ)
def test_colors_of_every_type_are_bytes(colors, dtype, expected):
    bytes_ = to_uint8(np.array(colors, np.float64), np.dtype(dtype))
    np.testing.assert_array_equal(bytes_, expected)
    assert bytes_.dtype == np.uint8


REFUSED = {
    "NaN": ([[np.nan, 0, 0]], "f4", "NaN"),
    "infinite": ([[np.inf, 0, 0]], "f4", "infinite"),
    "negative": ([[-3, 0, 0]], "i4", "negative"),
    "negative fraction": ([[-0.5, 0, 0]], "f4", "negative"),
    "too large an int": ([[70000, 0, 0]], "i4", "70000"),
    "too large a float": ([[256.0, 0, 0]], "f8", "256"),
    "neither fraction nor byte": ([[1.5, 0.2, 0]], "f4", "1.5"),
}


@pytest.mark.parametrize(("colors", "dtype", "word"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_color_is_refused(colors, dtype, word):
    with pytest.raises(ValueError, match=word):
        to_uint8(np.array(colors, np.float64), np.dtype(dtype))


def test_every_byte_and_every_16_bit_number_is_what_it_was():
    """As whole numbers of full scale; and as fractions of one."""
    every = np.repeat(np.arange(256), 3).reshape(-1, 3)
    np.testing.assert_array_equal(to_uint8(every, np.dtype("u1")), every)
    np.testing.assert_array_equal(to_uint8(every / 255, np.dtype("f8")), every)
    np.testing.assert_array_equal(to_uint8(every * 257, np.dtype("u2")), every)
