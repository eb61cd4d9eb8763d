"""Textures that stand in for the colours of meshes, in the memory of an OpenGL context."""

from collections import OrderedDict
from pathlib import Path

import cv2
import moderngl
import numpy as np

from render.draw.gl_context import PAINT_UNIT
from render.draw.gl_mesh import upload_texture
from render.image_file import read_rgb
from render.scene.spec import Texture
from render.scene.textures import draw_texture

KEPT = 32  # textures
LARGEST = 1024  # texels of a side; larger pictures are scaled down


class Paints:
    """The textures of a context, read when first used; the least recently used one goes."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._made: OrderedDict[tuple[str | None, str, int], moderngl.Texture] = OrderedDict()

    def use(self, texture: Texture) -> None:
        """Let the next draw show a texture.

        Raises:
            InputError: its picture cannot be read.
        """
        key = texture.path, texture.kind, texture.number
        if key not in self._made:
            self._made[key] = upload_texture(self._context, _image(texture))
        self._made.move_to_end(key)
        if len(self._made) > KEPT:
            self._made.popitem(last=False)[1].release()
        self._made[key].use(PAINT_UNIT)


def _image(texture: Texture) -> np.ndarray:
    """(h, w, 3) uint8, at most LARGEST a side."""
    if texture.path is None:
        return draw_texture(texture.kind, texture.number)
    image = read_rgb(Path(texture.path))
    longest = max(image.shape[:2])
    if longest <= LARGEST:
        return image
    height, width = (max(1, round(side * LARGEST / longest)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
