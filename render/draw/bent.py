"""Frames through a lens with distortion: drawn straight, wider and finer, and bent.

Straight lines are bent by such a lens, and OpenGL draws straight ones only. So a pinhole camera
draws all that the lens shows, at OVERSAMPLE samples or more to a pixel each way. Of them a pixel
takes the depth, the id, the normal and the coordinates of the one that is nearest to its ray, and
the mean of the colours within its area.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.distortion import derivative, distort, reach, straight_rays
from render.errors import InputError
from render.frame import Frame
from render.scene.spec import SceneSpec, rows

OVERSAMPLE = 2
MARGIN = 2  # samples around all that is shown
LARGEST = 1 << 14  # samples, of a side
# Where the colours of a pixel are taken: the middles of its quarters.
QUARTERS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))
ALONG = 33  # points of each side of a box, which a lens bends
Sizes = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Bend:
    """What a lens makes of a straight drawing.

    camera: with the lens. straight: the pinhole that draws. straight_from_pinhole: (2, 3), from
    pixels of a pinhole with the same K. uv: (2, H, W) float32, where the ray of each pixel is seen
    in the drawing; quarters: the same of each of QUARTERS.
    """

    camera: Camera
    straight: Camera
    straight_from_pinhole: np.ndarray
    uv: np.ndarray
    quarters: tuple[np.ndarray, ...]

    def spec(self, spec: SceneSpec) -> SceneSpec:
        """What is to be drawn, straight, of a spec with this camera."""
        background = spec.background
        if background.crop_from_image is not None:
            A = np.vstack([background.crop_from_image, [0, 0, 1]])
            crop = rows(self.straight_from_pinhole @ A)
            background = replace(background, crop_from_image=crop)
        return replace(
            spec,
            K=rows(self.straight.K),
            size=self.straight.size,
            background=background,
            distortion=None,
        )

    def frame(self, drawn: Frame) -> Frame:
        """The bent frame of a straight one."""
        u, v = np.rint(self.uv).astype(np.intp)

        def nearest(image: np.ndarray | None) -> np.ndarray | None:
            return None if image is None else image[v, u]

        return replace(
            drawn,
            camera=self.camera,
            rgb=None if drawn.rgb is None else self._mean_color(drawn.rgb),
            depth=nearest(drawn.depth),
            instance=nearest(drawn.instance),
            normals=nearest(drawn.normals),
            coordinates=nearest(drawn.coordinates),
            drawn_depth=nearest(drawn.drawn_depth),
        )

    def masks(self, straight: np.ndarray, canvas: int) -> np.ndarray:
        """Bent silhouettes.

        Args:
            straight: (n, canvas * h, canvas * w) bool, those of the drawing.

        Returns:
            (n, canvas * H, canvas * W) bool; outside the image, as far as `straight` holds them.
        """
        (width, height), shift = self.camera.size, canvas // 2
        masks = np.zeros((len(straight), canvas * height, canvas * width), bool)
        u, v = np.rint(self.uv).astype(np.intp)
        u, v = u + shift * self.straight.width, v + shift * self.straight.height
        top, left = shift * height, shift * width
        for mask, drawn in zip(masks, straight, strict=True):
            part = self._reached(drawn, shift)
            if part is not None:
                self._bend_outside(mask, drawn, part, shift)
            mask[top : top + height, left : left + width] = drawn[v, u]
        return masks

    def _mean_color(self, rgb: np.ndarray) -> np.ndarray:
        total = np.zeros((*self.uv.shape[1:], 3), np.uint16)
        for u, v in self.quarters:
            total += cv2.remap(rgb, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return ((total + 2) // 4).astype(np.uint8)

    def _reached(self, drawn: np.ndarray, shift: int) -> tuple[int, int, int, int] | None:
        """left, top, right, bottom on the bent canvas of what a silhouette may cover there, the
        last two one beyond; None if that is all in the image."""
        x, y, columns, lines = cv2.boundingRect(drawn.view(np.uint8))
        if not columns:
            return None
        a, b = np.linspace(x - 1, x + columns, ALONG), np.linspace(y - 1, y + lines, ALONG)
        grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
        grid -= shift * np.array(self.straight.size)
        lens, K = self.camera.distortion, self.straight.K
        assert lens is not None
        xy = (grid - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
        away = np.linalg.norm(xy, axis=1, keepdims=True)
        xy *= np.minimum(1, reach(lens) / np.maximum(away, 1e-12))
        pixels = distort(xy, lens) @ self.camera.K[:2, :2].T + self.camera.K[:2, 2]
        size = np.array(self.camera.size)
        low, high = np.floor(pixels.min(axis=0)) - 2, np.ceil(pixels.max(axis=0)) + 3
        if (low >= 0).all() and (high <= size).all():
            return None
        low = np.maximum(low + shift * size, 0).astype(int)
        high = np.minimum(high + shift * size, (2 * shift + 1) * size).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _bend_outside(
        self, mask: np.ndarray, drawn: np.ndarray, part: tuple[int, int, int, int], shift: int
    ) -> None:
        """Fill a part of the bent canvas."""
        left, top, right, bottom = part
        if left >= right or top >= bottom:
            return
        v, u = np.mgrid[top:bottom, left:right].astype(np.float64)
        pixels = np.stack([u, v], axis=-1) - shift * np.array(self.camera.size)
        assert self.camera.distortion is not None
        xy = straight_rays(pixels, self.camera.K, self.camera.distortion)
        seen = xy @ self.straight.K[:2, :2].T + self.straight.K[:2, 2]
        seen = np.rint(seen + shift * np.array(self.straight.size))
        height, width = drawn.shape
        there = (seen >= 0).all(axis=-1) & (seen <= [width - 1, height - 1]).all(axis=-1)
        column, row = np.where(there, np.moveaxis(seen, -1, 0), 0).astype(np.intp)
        mask[top:bottom, left:right] = drawn[row, column] & there


def draw_bent(renderer: Any, spec: SceneSpec) -> Frame:
    """`Renderer.render` of one spec with a lens distortion, before black."""
    bend = bend_of(spec)
    return bend.frame(renderer.render([bend.spec(spec)])[0])


def bend_of(spec: SceneSpec) -> Bend:
    """How a spec's frame is to be drawn and bent.

    Raises:
        InputError: the lens folds within the image, or shows more than can be drawn.
        ValueError: it has none.
    """
    if spec.distortion is None:
        raise ValueError("the spec has no lens distortion")
    return _bend(spec.K, spec.size, spec.distortion)


@lru_cache(maxsize=1)  # a frame is drawn, and then its silhouettes; and many have the same lens
def _bend(K: Any, size: Sizes, lens: tuple[float, ...]) -> Bend:
    camera = Camera(np.array(K), *size, lens)
    v, u = np.mgrid[: size[1], : size[0]].astype(np.float64)
    xy = straight_rays(np.stack([u, v], axis=-1), camera.K, lens)
    if np.isnan(xy).any():
        raise InputError(
            f"sensor.k1, k2, p1, p2, k3: a lens of {', '.join(f'{k:g}' for k in lens)} folds within"
            f" the {size[0]}x{size[1]} image; give such as are nearer to 0"
        )
    a, b, c = derivative(xy, lens)
    # So many samples that two are also in a pixel where the lens shows a small part of the view.
    scale = OVERSAMPLE * max(1.0, float(((a + c) / 2 + np.hypot((a - c) / 2, b)).max()))
    pinhole = xy @ camera.K[:2, :2].T + camera.K[:2, 2]
    low, high = pinhole.min(axis=(0, 1)) - 1, pinhole.max(axis=(0, 1)) + 1
    width, height = (np.ceil(scale * (high - low)) + 2 * MARGIN).astype(int).tolist()
    if max(width, height) > LARGEST:
        raise InputError(
            f"sensor.k1, k2, p1, p2, k3: a lens of {', '.join(f'{k:g}' for k in lens)} shows"
            f" {width}x{height} samples, more than {LARGEST} a side; give such as are nearer to 0"
        )
    shift = MARGIN - scale * low
    straight_from_pinhole = np.column_stack([scale * np.eye(2), shift])
    straight = Camera(camera.K, *size).crop(straight_from_pinhole, width, height)
    uv = np.moveaxis(scale * pinhole + shift, -1, 0)
    quarters = []
    for du, dv in QUARTERS:
        # Within a pixel the lens is its derivative: (x, y) moves by its inverse.
        x, y = np.linalg.solve(camera.K[:2, :2], [du, dv])
        step = np.stack([c * x - b * y, a * y - b * x], axis=-1) / (a * c - b * b)[..., None]
        moved = scale * (step @ camera.K[:2, :2].T)
        quarters.append(np.moveaxis(moved, -1, 0) + uv)
    return Bend(
        camera,
        straight,
        straight_from_pinhole,
        uv.astype(np.float32),
        tuple(np.ascontiguousarray(q, np.float32) for q in quarters),
    )
