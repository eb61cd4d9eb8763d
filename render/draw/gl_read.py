"""Images on their way from an OpenGL device to NumPy."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import moderngl
import numpy as np

from render.draw.records import Part

TOGETHER = 8  # views that are read at once, at most
PIXELS_TOGETHER = 1 << 22  # and of how many pixels; one view may have more

Item = TypeVar("Item")


@dataclass(frozen=True)
class Drawn:
    """A part of a colour attachment of a framebuffer that has been told to draw.

    components, dtype: of its pixels; dtype is u1 or f4.
    """

    framebuffer: moderngl.Framebuffer
    part: Part
    components: int
    dtype: str
    attachment: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, components."""
        return self.part[3], self.part[2], self.components

    @property
    def nbytes(self) -> int:
        """Size of its pixels."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class ReadBack:
    """Reads many images at once: the device packs them into one buffer, which is read one time.

    What is not drawn upon need not be read, and the device is waited for once. llvmpipe is waited
    for already when an image is packed, until all is drawn that was asked for: read the images of
    several views, each from a framebuffer of its own.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._buffer = context.buffer(reserve=1, dynamic=True)
        self._bytes = np.empty(1, np.uint8)

    def read(self, images: Sequence[Drawn]) -> list[np.ndarray]:
        """Images as (height, width, components), in memory that the next call reuses.

        Raises:
            RuntimeError: OpenGL failed, for lack of memory for instance.
        """
        starts = np.cumsum([0, *(image.nbytes for image in images)]).tolist()
        self._reserve(starts[-1])
        for image, start in zip(images, starts[:-1], strict=True):
            image.framebuffer.read_into(
                self._buffer,
                viewport=image.part,
                components=image.components,
                attachment=image.attachment,
                dtype="f1" if image.dtype == "u1" else image.dtype,
                write_offset=start,
            )
        self._buffer.read_into(self._bytes, size=starts[-1])
        if self._context.error != "GL_NO_ERROR":
            raise RuntimeError(f"OpenGL failed: {self._context.error}")
        return [
            np.frombuffer(self._bytes, image.dtype, math.prod(image.shape), start).reshape(
                image.shape
            )
            for image, start in zip(images, starts[:-1], strict=True)
        ]

    def _reserve(self, size: int) -> None:
        """Make room for images of `size` bytes in all."""
        if self._buffer.size < size:
            self._buffer.release()
            self._buffer = self._context.buffer(reserve=size, dynamic=True)
            self._bytes = np.empty(size, np.uint8)


def batches(items: Sequence[Item], pixels: int) -> Iterator[Sequence[Item]]:
    """Split what is drawn into what shall be read together.

    Args:
        pixels: of the largest framebuffer among them.
    """
    count = max(1, min(TOGETHER, PIXELS_TOGETHER // pixels))
    for start in range(0, len(items), count):
        yield items[start : start + count]
