"""Draws many SceneSpecs with OpenGL, in one pass: colour, depth, instance ids, more on request."""

from collections.abc import Iterator, Mapping, Sequence

import moderngl
import numpy as np
from numpy.typing import ArrayLike

from render.camera import Camera
from render.compose import annotations, check_background, compose, embed
from render.draw_records import (
    GEOMETRY,
    RECORD,
    SHADING,
    Part,
    View,
    fill_records,
    first_records,
    join_records,
    make_view,
    pixel_box,
)
from render.frame import Frame
from render.gl_context import (
    GEOMETRY_BINDING,
    SHADING_BINDING,
    Framebuffers,
    Programs,
    open_context,
    renderer_name,
)
from render.gl_mesh import DrawnMesh
from render.gl_models import DrawnModels
from render.gl_read import ReadBack
from render.gl_shadows import ShadowMaps, needs_spots
from render.hand import HandModel
from render.level_of_detail import Level
from render.mesh import Mesh
from render.scene import SceneSpec

IN_FLIGHT = 4  # views that are drawn before the first of them is packed
PIXELS_IN_FLIGHT = 1 << 22  # views are read back together up to this many pixels


class Rasterizer:
    """Draws SceneSpecs with OpenGL, over EGL, so that no display is needed.

    Views are drawn one after another into a framebuffer of their own size; the part of each where
    there can be anything is packed by the device into one buffer, which is read once. So a frame
    does not depend, to the last bit, on what is drawn with it. Tiles of one large framebuffer could
    not promise that: devices interpolate in float32 window coordinates, which change with the tile.

    Use it as a context manager, or call `close`. Several may live in one process: each makes its
    own OpenGL context current while it works.

    name: the OpenGL renderer and version, on which the last bits of an image depend.
    """

    def __init__(
        self,
        meshes: Mapping[int, Mesh | HandModel],
        antialias: bool = False,
        normals: bool = False,
        coordinates: bool = False,
        levels: Mapping[int, Sequence[Level]] | None = None,
    ) -> None:
        """
        Args:
            meshes: what specs may place, by obj_id; hands with a posture.
            antialias: draw the colour once more with several samples a pixel; depth and instance
                ids stay as they are.
            normals, coordinates: frames shall have them; see `Frame`.
            levels: coarser meshes, fine to coarse, to draw in place of those where the difference
                stays below a quarter of a pixel; none are drawn where None.

        Raises:
            InputError: no OpenGL 3.3 over EGL here, or a texture is larger than the device allows.
            ValueError: a mesh has no faces.
        """
        self._antialias = antialias
        asked = {"normals": normals, "coordinates": coordinates}
        self._maps = [name for name, wanted in asked.items() if wanted]
        self._models = DrawnModels(meshes, levels or {})
        self._context = open_context()
        self.name = renderer_name(self._context)
        with self._context:
            self._framebuffers = Framebuffers(self._context, len(self._maps))
            self._shadows = ShadowMaps(self._context, self._framebuffers, self._models.boxes)
            self._uniforms = self._context.buffer(reserve=RECORD.itemsize, dynamic=True)
            self._read_back = ReadBack(self._context)
            self._models.upload(self._context, Programs(self._context, self._maps))
            # The image's first row is the framebuffer's first, so that all is drawn upside down.
            self._context.front_face = "cw"

    def __enter__(self) -> "Rasterizer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the OpenGL context and all that is in it."""
        self._context.release()

    def render(
        self, specs: Sequence[SceneSpec], backgrounds: Sequence[np.ndarray | None] | None = None
    ) -> list[Frame]:
        """Draw specs, of any sizes.

        Args:
            specs: their background and sensor are left to the caller.
            backgrounds: one a spec, (H, W, 3) uint8, shown where nothing is drawn; None is black.

        Returns:
            Frames in the order of the specs: rgb, depth in metres (of un-annotated objects too),
            instance ids and annotations of the annotated objects; normals and coordinates if they
            were asked for.

        Raises:
            InputError: an image is larger than the device can draw.
            ValueError: a spec cannot be drawn (see `make_view`), or a background does not fit.
            RuntimeError: OpenGL failed, for lack of memory for instance.
        """
        backgrounds = [None] * len(specs) if backgrounds is None else backgrounds
        for spec, background in zip(specs, backgrounds, strict=True):
            check_background(spec, background)
        views = [make_view(spec, self._models.boxes) for spec in specs]

        frames: dict[int, Frame] = {}
        with self._context:
            for batch in _batches(views):
                drawn = self._draw([views[i] for i in batch])
                for i, images in zip(batch, drawn, strict=True):
                    frames[i] = self._frame(views[i], images, backgrounds[i])
        return [frames[i] for i in range(len(specs))]

    def full_masks(
        self, spec: SceneSpec, canvas: int = 1, instance: np.ndarray | None = None
    ) -> np.ndarray:
        """Silhouettes of the annotated objects, each as if it were alone.

        Args:
            canvas: the masks are `canvas` times as wide and high as the image, which lies in their
                centre; with 3, as BOP has it, they hold what sticks out of the image too.
            instance: (H, W) ids of the spec's frame, which save drawing what nothing overlaps.

        Returns:
            (n, canvas * H, canvas * W) bool. The part inside the image does not depend on `canvas`,
            and holds every pixel that `render` gives to the object.

        Raises:
            InputError, ValueError: as `render`; or canvas is not odd and positive.
        """
        if canvas < 1 or canvas % 2 == 0:
            raise ValueError(f"canvas must be odd and positive, got {canvas}")
        view = make_view(spec, self._models.boxes)
        (width, height), count = spec.size, len(annotations(spec))
        masks = np.zeros((count, canvas * height, canvas * width), bool)
        tiles = masks.reshape(count, canvas, height, canvas, width)
        whole = _shifted(view.camera, -(canvas // 2), canvas)
        boxes = [pixel_box(self._models.outline(item), whole) for item, _ in view.placed]
        alone = [False] * len(boxes) if instance is None else _apart(boxes)
        with self._context:
            self._models.forget()
            # Each tile is an image of its own through a shifted camera: the one in the centre is
            # drawn just as the image itself, and no tile is larger than the device can draw.
            for row, column in np.ndindex(canvas, canvas):
                parts = [_part(box, column * width, row * height, spec.size) for box in boxes]
                shift = np.array([column, row]) - canvas // 2
                if not shift.any():
                    parts = [None if alone[i] else part for i, part in enumerate(parts)]
                if any(parts):
                    camera = _shifted(view.camera, shift)
                    self._draw_silhouettes(view, camera, parts, tiles[:, row, :, column])
        for (_, number), apart in zip(view.placed, alone, strict=True):
            if apart and number:
                tiles[number - 1, canvas // 2, :, canvas // 2] = instance == number
        return masks

    def _draw(self, views: Sequence[View]) -> list[list[np.ndarray]]:
        """Draw views of one size.

        Returns:
            Of each view, within its `part`: RGB with the instance id, (h, w, 4) uint8; depth,
            (h, w, 1) float32; what else was asked for, in the order of `_maps`, (h, w, 3) float32;
            and, if anti-aliased, RGB as a share of the pixel, with that share, (h, w, 4) uint8.
            In memory that the next call reuses.
        """
        targets = [(4, "u1"), (1, "f4"), *((3, "f4") for _ in self._maps)]
        pixels = sum(width * height for _, _, width, height in (view.part for view in views))
        pixel = sum(count * np.dtype(dtype).itemsize for count, dtype in targets)
        self._read_back.start(pixels * (pixel + 4 * self._antialias))

        self._models.forget()
        records = join_records(views)
        self._send(records)
        self._context.enable_only(moderngl.DEPTH_TEST)
        drawn: list[tuple[moderngl.Framebuffer, Part]] = []
        for i, (view, record) in enumerate(zip(views, first_records(views), strict=True)):
            # Views take turns in several framebuffers, and are packed late: to pack one is to wait
            # for it, and its pixels can be drawn while the vertices of the next are worked on.
            shaded = self._framebuffers.get("shaded", *view.camera.size, i % IN_FLIGHT)
            self._draw_view(shaded, view, record)
            drawn.append((shaded, view.part))
            if len(drawn) == IN_FLIGHT:
                self._pack(*drawn.pop(0), targets)
        for framebuffer, part in drawn:
            self._pack(framebuffer, part, targets)
        if self._antialias:
            self._draw_antialiased(views, records)

        images, n = self._read_back.read(), len(targets)
        smooth = images[n * len(views) :]
        return [images[n * i : n * (i + 1)] + smooth[i : i + 1] for i in range(len(views))]

    def _pack(
        self, framebuffer: moderngl.Framebuffer, part: Part, targets: Sequence[tuple[int, str]]
    ) -> None:
        for attachment, (components, dtype) in enumerate(targets):
            self._read_back.pack(framebuffer, part, components, dtype, attachment)

    def _draw_antialiased(self, views: Sequence[View], records: np.ndarray) -> None:
        """Draw the views' colour with several samples a pixel, and pack its means."""
        size = views[0].camera.size
        multisampled = self._framebuffers.get("multisampled", *size)
        resolved = self._framebuffers.get("resolved", *size)
        records["shading"]["tint"][:, 3] = 1  # alpha, the instance id so far, becomes coverage
        self._send(records)
        for view, record in zip(views, first_records(views), strict=True):
            self._draw_view(multisampled, view, record)
            self._context.copy_framebuffer(resolved, multisampled)
            self._read_back.pack(resolved, view.part, components=4)

    def _draw_view(self, framebuffer: moderngl.Framebuffer, view: View, first: int) -> None:
        """Draw a view's meshes, whose uniforms start at record `first`."""
        spots = needs_spots(view.spec)
        if spots:
            self._context.disable(moderngl.CULL_FACE)
            casters = self._models.casters(view)
            self._shadows.draw(view, [caster.silhouette() for caster in casters])
        framebuffer.scissor = view.part
        framebuffer.use()
        framebuffer.clear()
        for i, mesh in enumerate(self._models.seen(view)):
            self._bind(first + i)
            if mesh.texture is not None:
                mesh.texture.use()
            self._cull(mesh)
            mesh.shaded(len(view.spec.lights), spots).render()

    def _draw_silhouettes(
        self, view: View, camera: Camera, parts: Sequence[Part | None], masks: np.ndarray
    ) -> None:
        """Draw each annotated object alone, where it has a part, into masks (n, H, W) bool."""
        self._send(fill_records(view, camera))
        self._context.enable_only(moderngl.NOTHING)
        framebuffer = self._framebuffers.get("silhouette", *camera.size)
        meshes = self._models.seen(view)
        for i, ((_, instance), part) in enumerate(zip(view.placed, parts, strict=True)):
            if not instance or part is None:
                continue
            framebuffer.scissor = part
            framebuffer.use()
            framebuffer.clear()
            self._bind(i)
            self._cull(meshes[i])
            meshes[i].silhouette().render()
            x, y, width, height = part
            covered = np.empty((height, width), np.uint8)
            framebuffer.read_into(covered, viewport=part, components=1)
            masks[instance - 1, y : y + height, x : x + width] = covered > 0

    def _cull(self, mesh: DrawnMesh) -> None:
        """Let the next draw leave out the backs of a closed mesh's faces."""
        switch = self._context.enable if mesh.closed else self._context.disable
        switch(moderngl.CULL_FACE)

    def _frame(
        self, view: View, images: Sequence[np.ndarray], background: np.ndarray | None
    ) -> Frame:
        """The frame whose images `_draw` returned."""
        color, depth, *maps = images
        smooth = maps.pop() if self._antialias else None
        part, size = view.part, view.camera.size
        return Frame(
            camera=view.camera,
            annotations=annotations(view.spec, self._models.hands),
            rgb=compose(color, depth, smooth, part, size, background),
            depth=embed(depth[..., 0], part, size),
            instance=embed(color[..., 3], part, size),
            **{name: embed(map_, part, size) for name, map_ in zip(self._maps, maps, strict=True)},
        )

    def _send(self, records: np.ndarray) -> None:
        """Hand (n,) RECORD to the shaders."""
        self._uniforms = _with_room(self._uniforms, records.nbytes)
        self._uniforms.orphan()
        self._uniforms.write(records.tobytes())

    def _bind(self, record: int) -> None:
        """Let the next draw use a record."""
        offset = record * RECORD.itemsize
        self._uniforms.bind_to_uniform_block(GEOMETRY_BINDING, offset, GEOMETRY.itemsize)
        offset += GEOMETRY.itemsize
        self._uniforms.bind_to_uniform_block(SHADING_BINDING, offset, SHADING.itemsize)


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


def _part(box: tuple[int, int, int, int], x: int, y: int, size: tuple[int, int]) -> Part | None:
    """What of a `pixel_box` lies in the tile of that size at (x, y), in the tile's own pixels."""
    left, top = max(box[0] - x, 0), max(box[1] - y, 0)
    right, bottom = min(box[2] - x, size[0]), min(box[3] - y, size[1])
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def _with_room(buffer: moderngl.Buffer, size: int) -> moderngl.Buffer:
    """The buffer, or one of `size` bytes in its place if it is smaller."""
    if buffer.size >= size:
        return buffer
    buffer.release()
    return buffer.ctx.buffer(reserve=size, dynamic=True)


def _batches(views: Sequence[View]) -> Iterator[list[int]]:
    """Indices of views that are read back together: of one size, and not too many."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for i, view in enumerate(views):
        by_size.setdefault(view.camera.size, []).append(i)
    for (width, height), indices in by_size.items():
        count = max(1, PIXELS_IN_FLIGHT // (width * height))
        for start in range(0, len(indices), count):
            yield indices[start : start + count]
