from render.draw.records import GEOMETRY, RECORD


def test_uniform_blocks_start_where_every_device_lets_them():
    # UNIFORM_BUFFER_OFFSET_ALIGNMENT is at most 256, by the OpenGL specification.
    assert GEOMETRY.itemsize % 256 == 0
    assert RECORD.itemsize % 256 == 0
