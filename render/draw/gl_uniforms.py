"""The uniform blocks of many draws, in one buffer."""

from collections.abc import Sequence

import moderngl
import numpy as np

from render.draw.gl_context import GEOMETRY_BINDING, SHADING_BINDING
from render.draw.records import GEOMETRY, RECORD, SHADING


class Uniforms:
    """What the shaders are told of each mesh: records that are sent together, bound one by one."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._buffer = context.buffer(reserve=RECORD.itemsize, dynamic=True)

    def send(self, records: Sequence[np.ndarray]) -> None:
        """Copy (n,) RECORD, one after another, into the buffer in place of those before."""
        content = b"".join(part.tobytes() for part in records)
        if self._buffer.size < len(content):
            self._buffer.release()
            self._buffer = self._context.buffer(reserve=len(content), dynamic=True)
        self._buffer.orphan()
        self._buffer.write(content)

    def bind(self, record: int) -> None:
        """Let the next draw use a record."""
        offset = record * RECORD.itemsize
        self._buffer.bind_to_uniform_block(GEOMETRY_BINDING, offset, GEOMETRY.itemsize)
        offset += GEOMETRY.itemsize
        self._buffer.bind_to_uniform_block(SHADING_BINDING, offset, SHADING.itemsize)
