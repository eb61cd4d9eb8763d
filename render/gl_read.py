"""Images on their way from an OpenGL device to NumPy."""

import math
from collections.abc import Sequence

import moderngl
import numpy as np

from render.draw_records import Part

IN_FLIGHT = 4  # framebuffers that are drawn before the first of them is packed


class ReadBack:
    """Reads many images at once: the device packs them into one buffer, which is read one time.

    So it is waited for once, and what is not drawn upon need not be read. To pack an image is to
    wait for it, too, so that is put off: its pixels can be drawn while the vertices of the next are
    worked on. Take IN_FLIGHT framebuffers in turn.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._buffer = context.buffer(reserve=1, dynamic=True)
        self._bytes = np.empty(1, np.uint8)
        self._drawn: list[tuple[moderngl.Framebuffer, Part, Sequence[tuple[int, str]]]] = []
        self._packed: list[tuple[int, tuple[int, ...], str]] = []
        self._end = 0

    def start(self, size: int) -> None:
        """Make room for images of `size` bytes in all; those read before are overwritten."""
        if self._buffer.size < size:
            self._buffer.release()
            self._buffer = self._context.buffer(reserve=size, dynamic=True)
            self._bytes = np.empty(size, np.uint8)
        self._drawn, self._packed, self._end = [], [], 0

    def pack(
        self, framebuffer: moderngl.Framebuffer, part: Part, targets: Sequence[tuple[int, str]]
    ) -> None:
        """Take a part of each colour attachment, as (height, width, components) of dtype.

        Args:
            targets: components and dtype, u1 or f4, of the attachments from the first on.
        """
        self._drawn.append((framebuffer, part, targets))
        if len(self._drawn) == IN_FLIGHT:
            self._pack(*self._drawn.pop(0))

    def _pack(
        self, framebuffer: moderngl.Framebuffer, part: Part, targets: Sequence[tuple[int, str]]
    ) -> None:
        for attachment, (components, dtype) in enumerate(targets):
            framebuffer.read_into(
                self._buffer,
                viewport=part,
                components=components,
                attachment=attachment,
                dtype="f1" if dtype == "u1" else dtype,
                write_offset=self._end,
            )
            shape = part[3], part[2], components
            self._packed.append((self._end, shape, dtype))
            self._end += math.prod(shape) * np.dtype(dtype).itemsize

    def read(self) -> list[np.ndarray]:
        """The images in the order of `pack`, in memory that the next `start` reuses.

        Raises:
            RuntimeError: OpenGL failed, for lack of memory for instance.
        """
        for drawn in self._drawn:
            self._pack(*drawn)
        self._drawn = []
        self._buffer.read_into(self._bytes, size=self._end)
        if self._context.error != "GL_NO_ERROR":
            raise RuntimeError(f"OpenGL failed: {self._context.error}")
        return [
            np.frombuffer(self._bytes, dtype, math.prod(shape), start).reshape(shape)
            for start, shape, dtype in self._packed
        ]
