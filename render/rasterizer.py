"""Draws many SceneSpecs with OpenGL, in one pass: colour, depth in metres, instance ids."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import moderngl
import numpy as np

from render.camera import Camera
from render.draw_records import (
    GEOMETRY,
    RECORD,
    SHADING,
    View,
    fill_records,
    make_view,
    mesh_corners,
    pixel_box,
)
from render.frame import Annotation, Frame
from render.gl_context import (
    GEOMETRY_BINDING,
    SHADING_BINDING,
    Framebuffers,
    compile_programs,
    open_context,
)
from render.gl_mesh import upload
from render.mesh import Mesh
from render.scene import SceneSpec

PIXELS_IN_FLIGHT = 1 << 22  # views are read back together up to this many pixels


class Rasterizer:
    """Draws SceneSpecs with OpenGL, over EGL, so that no display is needed.

    Views are drawn one after another into a framebuffer of their own size, each packed by the
    device into one pixel buffer, which is read back once. So a frame does not depend, to the last
    bit, on what is drawn with it. Tiles of one large framebuffer could not promise that: devices
    interpolate in float32 window coordinates, which change with the tile.

    Use it as a context manager, or call `close`. Several may live in one process: each makes its
    own OpenGL context current while it works.

    name: the OpenGL renderer and version, on which the last bits of an image depend.
    """

    def __init__(self, meshes: Mapping[int, Mesh], antialias: bool = False) -> None:
        """
        Args:
            meshes: what specs may place, by obj_id.
            antialias: draw the colour once more with several samples a pixel; depth and instance
                ids stay as they are.

        Raises:
            InputError: no OpenGL 3.3 over EGL here, or a texture is larger than the device allows.
            ValueError: a mesh has no faces.
        """
        self._antialias = antialias
        self._context = open_context()
        self.name = "{GL_RENDERER}, OpenGL {GL_VERSION}".format(**self._context.info)
        with self._context:
            self._framebuffers = Framebuffers(self._context)
            self._uniforms = self._context.buffer(reserve=RECORD.itemsize, dynamic=True)
            self._packed = self._context.buffer(reserve=RECORD.itemsize, dynamic=True)
            programs = compile_programs(self._context)
            self._meshes = {i: upload(self._context, m, programs) for i, m in meshes.items()}
        self._boxes = {obj_id: mesh_corners(mesh) for obj_id, mesh in meshes.items()}

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
            instance ids and annotations of the annotated objects.

        Raises:
            InputError: an image is larger than the device can draw.
            ValueError: a spec cannot be drawn (see `make_view`), or a background does not fit.
        """
        backgrounds = [None] * len(specs) if backgrounds is None else backgrounds
        for spec, background in zip(specs, backgrounds, strict=True):
            _check_background(spec, background)
        views = [make_view(spec, self._boxes) for spec in specs]

        frames: dict[int, Frame] = {}
        with self._context:
            for batch in _batches(views):
                planes = self._draw([views[i] for i in batch])
                for position, i in enumerate(batch):
                    frames[i] = _frame(views[i], planes[:, position], backgrounds[i])
        return [frames[i] for i in range(len(specs))]

    def full_masks(self, spec: SceneSpec, canvas: int = 1) -> np.ndarray:
        """Silhouettes of the annotated objects, each as if it were alone.

        Args:
            canvas: the masks are `canvas` times as wide and high as the image, which lies in their
                centre; with 3, as BOP has it, they hold what sticks out of the image too.

        Returns:
            (n, canvas * H, canvas * W) bool. The part inside the image does not depend on `canvas`,
            and holds every pixel that `render` gives to the object.

        Raises:
            InputError, ValueError: as `render`; or canvas is not odd and positive.
        """
        if canvas < 1 or canvas % 2 == 0:
            raise ValueError(f"canvas must be odd and positive, got {canvas}")
        view = make_view(spec, self._boxes)
        (width, height), count = spec.size, len(_annotations(spec))
        masks = np.zeros((count, canvas * height, canvas * width), bool)
        tiles = masks.reshape(count, canvas, height, canvas, width)
        with self._context:
            # Each tile is an image of its own through a shifted camera: the one in the centre is
            # drawn just as the image itself, and no tile is larger than the device can draw.
            for row, column in np.ndindex(canvas, canvas):
                shift = np.array([column - canvas // 2, row - canvas // 2]) * spec.size
                camera = view.camera.crop(np.column_stack([np.eye(2), -shift]), width, height)
                self._draw_silhouettes(view, camera, tiles[:, row, :, column])
        return masks

    def _draw(self, views: Sequence[View]) -> np.ndarray:
        """Draw views of one size: (planes, len(views), H, W, 4) uint8.

        The planes are RGB with the instance id; float32 depth; and, if anti-aliased, RGB as a share
        of the pixel, with that share.
        """
        width, height = views[0].camera.size
        planes = np.empty((3 if self._antialias else 2, len(views), height, width, 4), np.uint8)
        self._packed = _with_room(self._packed, planes.nbytes)
        plane, image = planes.strides[:2]

        records = np.concatenate([fill_records(view) for view in views])
        firsts = np.cumsum([0, *(len(view.placed) for view in views)])
        self._send(records)
        self._context.enable_only(moderngl.DEPTH_TEST)
        shaded = self._framebuffers.get("shaded", width, height)
        for i, view in enumerate(views):
            self._draw_view(shaded, view, firsts[i])
            shaded.read_into(self._packed, components=4, write_offset=i * image)
            shaded.read_into(
                self._packed, components=1, attachment=1, dtype="f4", write_offset=plane + i * image
            )
        if self._antialias:
            multisampled = self._framebuffers.get("multisampled", width, height)
            resolved = self._framebuffers.get("resolved", width, height)
            records["shading"]["tint"][:, 3] = 1  # alpha becomes coverage
            self._send(records)
            for i, view in enumerate(views):
                self._draw_view(multisampled, view, firsts[i])
                self._context.copy_framebuffer(resolved, multisampled)
                offset = 2 * plane + i * image
                resolved.read_into(self._packed, components=4, write_offset=offset)

        self._packed.read_into(planes, size=planes.nbytes)
        return planes

    def _draw_view(self, framebuffer: moderngl.Framebuffer, view: View, first: int) -> None:
        """Draw a view's meshes, whose uniforms start at record `first`."""
        framebuffer.use()
        framebuffer.clear()
        for i, (placed, _) in enumerate(view.placed):
            mesh = self._meshes[placed.obj_id]
            self._bind(first + i)
            if mesh.texture is not None:
                mesh.texture.use()
            mesh.shaded.render()

    def _draw_silhouettes(self, view: View, camera: Camera, masks: np.ndarray) -> None:
        """Draw each annotated object alone through a camera, into masks (n, H, W) bool."""
        boxes = [pixel_box(corners, camera) for corners in view.corners]
        if not any(width and height for _, _, width, height in boxes):
            return
        self._send(fill_records(view, camera))
        self._context.enable_only(moderngl.NOTHING)
        framebuffer = self._framebuffers.get("silhouette", *camera.size)
        for i, ((placed, instance), box) in enumerate(zip(view.placed, boxes, strict=True)):
            x, y, width, height = box
            if not (instance and width and height):
                continue
            framebuffer.scissor = box
            framebuffer.use()
            framebuffer.clear()
            self._bind(i)
            self._meshes[placed.obj_id].silhouette.render()
            covered = np.empty((height, width), np.uint8)
            framebuffer.read_into(covered, viewport=box, components=1)
            masks[instance - 1, y : y + height, x : x + width] = covered > 0

    def _send(self, records: np.ndarray) -> None:
        """Hand (n,) RECORD to the shaders."""
        self._uniforms = _with_room(self._uniforms, records.nbytes)
        self._uniforms.orphan()
        self._uniforms.write(records.tobytes())

    def _bind(self, record: int) -> None:
        """Let the next draw use a record."""
        offset = int(record) * RECORD.itemsize
        self._uniforms.bind_to_uniform_block(GEOMETRY_BINDING, offset, GEOMETRY.itemsize)
        offset += GEOMETRY.itemsize
        self._uniforms.bind_to_uniform_block(SHADING_BINDING, offset, SHADING.itemsize)


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


def _frame(view: View, planes: np.ndarray, background: np.ndarray | None) -> Frame:
    """A frame from the planes (2 or 3, H, W, 4) uint8 that were read back; see `_draw`."""
    depth = planes[1].view(np.float32)[..., 0].copy()
    if len(planes) == 3:
        rgb = _blend(planes[2], background)
    else:
        rgb = cv2.cvtColor(planes[0], cv2.COLOR_RGBA2RGB)
        if background is not None:
            rgb = cv2.copyTo(background, (depth == 0).view(np.uint8), rgb)
    return Frame(
        camera=view.camera,
        annotations=_annotations(view.spec),
        rgb=rgb,
        depth=depth,
        instance=planes[0, ..., 3].copy(),
    )


def _blend(color: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Put (H, W, 4) uint8 premultiplied colour with coverage before a background: (H, W, 3)."""
    rgb, coverage = cv2.cvtColor(color, cv2.COLOR_RGBA2RGB), color[..., 3]
    if background is None:
        return rgb
    rgb = cv2.copyTo(background, (coverage == 0).view(np.uint8), rgb)
    edge = (coverage > 0) & (coverage < 255)
    through = background[edge] * ((255 - coverage[edge, None]) / np.float32(255))
    rgb[edge] = np.minimum(color[edge, :3] + np.round(through), 255)
    return rgb


def _annotations(spec: SceneSpec) -> tuple[Annotation, ...]:
    return tuple(Annotation(p.obj_id, p.matrix) for p in spec.objects if p.annotated)


def _check_background(spec: SceneSpec, background: np.ndarray | None) -> None:
    shape = (spec.size[1], spec.size[0], 3)
    if background is not None and (background.shape != shape or background.dtype != np.uint8):
        got = f"{background.shape} {background.dtype}"
        raise ValueError(f"a background must be {shape} uint8, got {got}")
