"""Draws many SceneSpecs with OpenGL, in one pass: colour, depth, instance ids, more on request."""

from collections.abc import Iterator, Mapping, Sequence

import moderngl
import numpy as np

from render.draw.compose import annotations, check_background, compose, embed
from render.draw.gl_context import Framebuffers, Programs, open_context, renderer_name
from render.draw.gl_environment import Environments
from render.draw.gl_models import DrawnModels
from render.draw.gl_occlusion import Occlusion
from render.draw.gl_paint import Paints
from render.draw.gl_read import Drawn, ReadBack, batches
from render.draw.gl_shadows import ShadowMaps, needs_soft, needs_spots
from render.draw.gl_silhouettes import Silhouettes
from render.draw.gl_uniforms import Uniforms
from render.draw.level import Level
from render.draw.records import View, fill_records, make_view
from render.frame import Frame
from render.hand.model import HandModel
from render.mesh.mesh import Mesh
from render.scene.spec import SceneSpec


class Rasterizer:
    """Draws SceneSpecs with OpenGL, over EGL, so that no display is needed.

    Views are drawn one after another into framebuffers of their own size; of each the part where
    there can be anything is read, eight at a time, and made into a frame while the next ones are
    drawn. So a frame does not depend, to the last bit, on what is drawn with it. Tiles of one large
    framebuffer could not promise that: devices interpolate in float32 window coordinates, which
    change with the tile.

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
            self._shadows = ShadowMaps(self._context, self._models.boxes)
            self._environments = Environments(self._context)
            self._paints = Paints(self._context)
            self._uniforms = Uniforms(self._context)
            self._read_back = ReadBack(self._context)
            self._silhouettes = Silhouettes(self._context, self._framebuffers, self._models)
            programs = Programs(self._context, self._maps)
            self._occlusion = Occlusion(self._context, self._framebuffers, programs)
            self._models.upload(self._context, programs)
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
            InputError: an image is larger than the device can draw, or a texture cannot be read.
            ValueError: a spec cannot be drawn (see `make_view`), or a background does not fit.
            RuntimeError: OpenGL failed, for lack of memory for instance.
        """
        backgrounds = [None] * len(specs) if backgrounds is None else backgrounds
        for spec, background in zip(specs, backgrounds, strict=True):
            check_background(spec, background)
        views = [make_view(spec, self._models.boxes) for spec in specs]

        with self._context:
            return [
                self._frame(view, images, background)
                for view, images, background in zip(
                    views, self._draw(views), backgrounds, strict=True
                )
            ]

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
        with self._context:
            return self._silhouettes.draw(spec, canvas, instance)

    def _draw(self, views: Sequence[View]) -> Iterator[list[np.ndarray]]:
        """Draw views.

        Yields:
            Of each view, within its `part`: RGB with the instance id, (h, w, 4) uint8; depth,
            (h, w, 1) float32; what else was asked for, in the order of `_maps`, (h, w, 3) float32;
            and, if anti-aliased, RGB as a share of the pixel, with that share, (h, w, 4) uint8.
            In memory that the next batch reuses.
        """
        largest = max((view.camera.width * view.camera.height for view in views), default=1)
        read: list[list[np.ndarray]] = []
        for batch in batches(views, largest):
            drawn: list[Drawn] = []
            for turn, view in enumerate(batch):
                drawn += self._start(view, turn)
                if read:
                    yield read.pop(0)  # put to use while llvmpipe's threads, or a GPU, draw
            yield from read
            images, n = self._read_back.read(drawn), len(drawn) // len(batch)
            read = [images[i : i + n] for i in range(0, len(images), n)]
        yield from read

    def _start(self, view: View, turn: int) -> list[Drawn]:
        """Let a view be drawn.

        Args:
            turn: its place among those that are read together, each from framebuffers of its own.

        Returns:
            What of it is to be read, as `_draw` yields it.
        """
        self._models.forget()
        records = fill_records(view)
        self._uniforms.send([records])
        self._context.enable_only(moderngl.DEPTH_TEST)
        size, part = view.camera.size, view.part
        shaded = self._framebuffers.get("shaded", *size, turn)
        lamps = self._cast_shadows(view)
        if view.spec.environment is not None:
            self._environments.use(view.spec.environment, size)
            self._occlusion.draw(view, self._models.seen(view), self._uniforms)
        self._draw_view(shaded, view, lamps)
        targets = [(4, "u1"), (1, "f4"), *((3, "f4") for _ in self._maps)]
        drawn = [Drawn(shaded, part, *target, i) for i, target in enumerate(targets)]
        if self._antialias:
            # Once more with several samples a pixel, whose mean is taken.
            records["shading"]["tint"][:, 3] = 1  # alpha, the id so far, becomes coverage
            self._uniforms.send([records])
            multisampled = self._framebuffers.get("multisampled", *size)
            self._draw_view(multisampled, view, lamps, smooth=True)
            resolved = self._framebuffers.get("resolved", *size, turn)
            self._context.copy_framebuffer(resolved, multisampled)
            drawn.append(Drawn(resolved, part, 4, "u1"))
        return drawn

    def _cast_shadows(self, view: View) -> dict[str, bool]:
        """Draw a view's shadow maps; returns which kinds of programs it takes for its lamps."""
        spots = needs_spots(view.spec)
        if spots:
            self._context.disable(moderngl.CULL_FACE)
            self._shadows.draw(view, self._models.casters(view))
        return {"SPOTS": spots, "SOFT": needs_soft(view.spec)}

    def _draw_view(
        self,
        framebuffer: moderngl.Framebuffer,
        view: View,
        lamps: Mapping[str, bool],
        smooth: bool = False,
    ) -> None:
        """Draw a view's meshes, whose uniforms have been sent; smooth: into several samples."""
        framebuffer.scissor = view.part
        framebuffer.use()
        framebuffer.clear()
        physical = view.spec.environment is not None
        for i, mesh in enumerate(self._models.seen(view)):
            self._uniforms.bind(i)
            mesh.cull()
            texture = view.placed[i][0].material.texture
            if texture is not None:
                self._paints.use(texture)
            kinds = {**lamps, "PAINTED": texture is not None}
            mesh.draw_shaded(len(view.spec.lights), kinds, physical, smooth)

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
