"""Silhouettes in OpenGL: each annotated object as if it were alone, also beside the image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import ArrayLike

from render.camera import Camera
from render.draw.compose import annotations
from render.draw.gl_context import Framebuffers
from render.draw.gl_models import DrawnModels
from render.draw.gl_read import Drawn, ReadBack, batches
from render.draw.gl_uniforms import Uniforms
from render.draw.records import Part, View, fill_records, make_view, pixel_box
from render.scene.spec import SceneSpec


class Silhouettes:
    """Draws the silhouettes of one spec at a time, and reads them back together."""

    def __init__(
        self, context: moderngl.Context, framebuffers: Framebuffers, models: DrawnModels
    ) -> None:
        self._context, self._framebuffers, self._models = context, framebuffers, models
        self._uniforms, self._read_back = Uniforms(context), ReadBack(context)

    def draw(self, spec: SceneSpec, canvas: int, instance: np.ndarray | None) -> np.ndarray:
        """As `Rasterizer.full_masks`."""
        view = make_view(spec, self._models.boxes)
        (width, height), count = spec.size, len(annotations(spec))
        masks = np.zeros((count, canvas * height, canvas * width), bool)
        tiles = masks.reshape(count, canvas, height, canvas, width)
        whole = _shifted(view.camera, -(canvas // 2), canvas)
        boxes = [pixel_box(self._models.outline(item), whole, spec.near) for item, _ in view.placed]
        alone = [False] * len(boxes) if instance is None else _apart(boxes)

        # Each tile is an image of its own through a shifted camera: the one in the centre is drawn
        # just as the image itself, and no tile is larger than the device can draw.
        pieces, middle = [], canvas // 2
        for i, (box, (_, number)) in enumerate(zip(boxes, view.placed, strict=True)):
            for row, column, part in _parts(box, spec.size) if number else ():
                shift = column - middle, row - middle
                if shift != (0, 0) or not alone[i]:
                    x, y, w, h = part
                    mask = tiles[number - 1, row, y : y + h, column, x : x + w]
                    pieces.append(_Piece(i, shift, part, mask))
        if pieces:
            self._draw(view, pieces)
        for (_, number), apart in zip(view.placed, alone, strict=True):
            if apart and number:
                tiles[number - 1, middle, :, middle] = instance == number
        return masks

    def _draw(self, view: View, pieces: Sequence["_Piece"]) -> None:
        """Draw pieces of silhouettes into their masks."""
        self._models.forget()
        shifts = list(dict.fromkeys(piece.shift for piece in pieces))
        cameras = [_shifted(view.camera, shift) for shift in shifts]
        self._uniforms.send([fill_records(view, camera) for camera in cameras])
        self._context.enable_only(moderngl.NOTHING)
        meshes = self._models.seen(view)

        size = view.camera.size
        for batch in batches(pieces, size[0] * size[1]):
            drawn = []
            for turn, piece in enumerate(batch):
                framebuffer = self._framebuffers.get("silhouette", *size, turn)
                framebuffer.scissor = piece.part
                framebuffer.use()
                framebuffer.clear()
                self._uniforms.bind(shifts.index(piece.shift) * len(meshes) + piece.mesh)
                meshes[piece.mesh].cull()
                meshes[piece.mesh].draw_silhouette()
                drawn.append(Drawn(framebuffer, piece.part, 1, "u1"))
            for piece, covered in zip(batch, self._read_back.read(drawn), strict=True):
                np.greater(covered[..., 0], 0, out=piece.mask)


@dataclass(frozen=True)
class _Piece:
    """What of a silhouette lies in one tile.

    mesh: index in `View.placed`. shift: of the tile from the image, in images right and down. part:
    where in the tile. mask: (h, w) bool, to be drawn.
    """

    mesh: int
    shift: tuple[int, int]
    part: Part
    mask: np.ndarray


def _shifted(camera: Camera, images: ArrayLike, times: int = 1) -> Camera:
    """A camera `times` as wide and high, its first pixel so many images right and down."""
    shift = np.broadcast_to(images, 2) * camera.size
    crop_from_image = np.column_stack([np.eye(2), -shift])
    return camera.crop(crop_from_image, times * camera.width, times * camera.height)


def _apart(boxes: Sequence[tuple[int, int, int, int]]) -> list[bool]:
    """Of each `pixel_box`, whether no other one overlaps it."""
    left, top, right, bottom = np.array(boxes).reshape(-1, 4).T[:, :, None]
    beside = (right <= left.T) | (left >= right.T) | (bottom <= top.T) | (top >= bottom.T)
    return (beside.sum(axis=1) >= len(boxes) - 1).tolist()


def _parts(
    box: tuple[int, int, int, int], size: tuple[int, int]
) -> Iterator[tuple[int, int, Part]]:
    """The tiles of that size that a `pixel_box` lies in: row, column, and what of it, in the tile's
    own pixels."""
    left, top, right, bottom = box
    width, height = size
    for row in range(top // height, -(-bottom // height)):
        for column in range(left // width, -(-right // width)):
            x0, y0 = max(left - column * width, 0), max(top - row * height, 0)
            x1, y1 = min(right - column * width, width), min(bottom - row * height, height)
            if x0 < x1 and y0 < y1:
                yield row, column, (x0, y0, x1 - x0, y1 - y0)
