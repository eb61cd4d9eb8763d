"""An OpenGL context without a display, its shader programs and its framebuffers."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moderngl

from render.errors import EGL_FIX, InputError

SHADERS = Path(__file__).parent / "shaders"
GEOMETRY_BINDING, SHADING_BINDING = 0, 1  # where the uniform blocks of the shaders are bound
SAMPLES = 4  # of an anti-aliased pixel
KEPT_FRAMEBUFFERS = 16  # the least recently used one goes


def open_context() -> moderngl.Context:
    """A new OpenGL 3.3 core context over EGL; GLCONTEXT_DEVICE_INDEX chooses the device.

    Raises:
        InputError: there is none; the message holds the fix.
    """
    try:
        settings: dict[str, Any] = {"backend": "egl"}
        return moderngl.create_context(standalone=True, **settings)
    except Exception as error:  # glcontext raises bare Exception
        raise InputError(f"no OpenGL 3.3 over EGL here ({error}); {EGL_FIX}") from error


@dataclass(frozen=True, eq=False)
class Programs:
    """The shader programs that draw a mesh."""

    plain: moderngl.Program
    textured: moderngl.Program
    silhouette: moderngl.Program


def compile_programs(context: moderngl.Context) -> Programs:
    """Compile the files of `shaders/`."""
    vertex, shaded, silhouette = (
        (SHADERS / name).read_text() for name in ("mesh.vert", "shaded.frag", "silhouette.frag")
    )
    version, body = shaded.split("\n", 1)
    textured = f"{version}\n#define TEXTURED\n{body}"
    programs = Programs(*(context.program(vertex, f) for f in (shaded, textured, silhouette)))
    for program in (programs.plain, programs.textured, programs.silhouette):
        for name, binding in (("Geometry", GEOMETRY_BINDING), ("Shading", SHADING_BINDING)):
            block = program.get(name, None)
            if isinstance(block, moderngl.UniformBlock):
                block.binding = binding
    return programs


class Framebuffers:
    """The framebuffers of a context by kind and size, made when first asked for.

    shaded: RGBA8, whose alpha is the instance id, and float32 depth, one sample a pixel.
    silhouette: one byte. multisampled, resolved: RGBA8 whose alpha is the covered share of the
    pixel, as samples and as their mean.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._made: OrderedDict[tuple[str, int, int], moderngl.Framebuffer] = OrderedDict()
        info = context.info
        self._limit = min(info["GL_MAX_RENDERBUFFER_SIZE"], *info["GL_MAX_VIEWPORT_DIMS"])

    def get(self, kind: str, width: int, height: int) -> moderngl.Framebuffer:
        """The framebuffer of that kind and size; valid until a few others have been asked for.

        Raises:
            InputError: it is larger than the device can draw.
        """
        if max(width, height) > self._limit:
            limit = f"{self._limit}x{self._limit}"
            raise InputError(f"image size {width}x{height}: this OpenGL device draws up to {limit}")
        key = kind, width, height
        if key not in self._made:
            self._made[key] = self._make(kind, (width, height))
        self._made.move_to_end(key)
        if len(self._made) > KEPT_FRAMEBUFFERS:
            _release(self._made.popitem(last=False)[1])
        return self._made[key]

    def _make(self, kind: str, size: tuple[int, int]) -> moderngl.Framebuffer:
        context = self._context
        if kind == "shaded":
            depth = context.renderbuffer(size, 1, dtype="f4")
            colors, z_buffer = [context.renderbuffer(size), depth], context.depth_renderbuffer(size)
            return context.framebuffer(colors, z_buffer)
        if kind == "multisampled":
            samples = min(SAMPLES, context.max_samples)
            color = context.renderbuffer(size, samples=samples)
            return context.framebuffer(color, context.depth_renderbuffer(size, samples=samples))
        components = {"resolved": 4, "silhouette": 1}[kind]
        return context.framebuffer(context.renderbuffer(size, components))


def _release(framebuffer: moderngl.Framebuffer) -> None:
    attachments = [*framebuffer.color_attachments]
    if framebuffer.depth_attachment is not None:
        attachments.append(framebuffer.depth_attachment)
    framebuffer.release()
    for attachment in attachments:
        attachment.release()
