"""An OpenGL context without a display, its shader programs and its framebuffers."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import moderngl

from render.draw.gl_read import TOGETHER
from render.errors import EGL_FIX, InputError
from render.mesh.finish import MAPS

SHADERS = Path(__file__).parent / "shaders"
INCLUDE = re.compile(r'^#include "(.*)"$', re.M)  # of what several fragment shaders share
# OpenGL 3.3 discards whole pixels; with this, samples.
BY_SAMPLE = "GL_ARB_gpu_shader5"
# Where the uniform blocks and the textures of the shaders are bound.
GEOMETRY_BINDING, SHADING_BINDING, SHADOWS_BINDING, ENVIRONMENT_BINDING = 0, 1, 2, 3
SURFACE_UNIT, SHADOW_UNIT, MIRRORED_UNIT, ALBEDO_UNIT, OCCLUSION_UNIT = 0, 1, 2, 3, 4
SHADOW_DEPTH_UNIT, PAINT_UNIT = 9, 10
MAP_UNITS = {name: 5 + i for i, name in enumerate(MAPS)}
SAMPLES = 4  # of an anti-aliased pixel
# Views that are read together may each take a shaded, a multisampled and a resolved one, and then
# silhouettes one each.
KEPT_FRAMEBUFFERS = 4 * TOGETHER


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


def renderer_name(context: moderngl.Context) -> str:
    """The OpenGL renderer and version, on which the last bits of an image depend."""
    return "{GL_RENDERER}, OpenGL {GL_VERSION}".format(**context.info)


class Programs:
    """The shader programs of a context, of `shaders/`, compiled when first asked for."""

    def __init__(self, context: moderngl.Context, maps: Sequence[str] = ()) -> None:
        """
        Args:
            maps: what else is drawn, into the targets from 2 on: "normals", "coordinates".
        """
        self._context = context
        self._targets = {name.upper(): str(2 + i) for i, name in enumerate(maps)}
        self._made: dict[str, moderngl.Program] = {}

    def shaded(self, lights: int, physical: bool, **kinds: bool) -> moderngl.Program:
        """The program for so many lights; physical: for an environment.

        Each number has its own, since llvmpipe takes up to twice as long to shade where the shader
        must count them.

        Args:
            kinds: macros that are set. TEXTURED. PAINTED: another texture is shown instead. CUT:
                parts are cut out; with SMOOTH, sample by sample. SPOTS: among the lights are spots,
                or some cast shadows; SOFT: of a lamp with a size. FINISH: the mesh has one, with
                MAP_ and the name of each of its maps; for an environment.
        """
        file = "physical.frag" if physical else "shaded.frag"
        kinds["SMOOTH"] = kinds.get("SMOOTH", False) and BY_SAMPLE in self._context.extensions
        return self._get(file, {**self._targets, "LIGHTS": str(lights), **_set(kinds)})

    def silhouette(self, **kinds: bool) -> moderngl.Program:
        """The program that covers and does not shade; kinds: CUT, and of that TEXTURED."""
        return self._get("silhouette.frag", _set(kinds))

    def surfaces(self, **kinds: bool) -> moderngl.Program:
        """The program that draws depth and normals, for `occlusion`; kinds: as `silhouette`."""
        return self._get("surfaces.frag", _set(kinds))

    def occlusion(self) -> moderngl.Program:
        """The program that finds, of a whole image of surfaces, what they hide."""
        return self._get("occlusion.frag", {}, "whole.vert")

    def smooth(self) -> moderngl.Program:
        """The program that smoothes what `occlusion` found."""
        return self._get("smooth.frag", {}, "whole.vert")

    def _get(
        self, file: str, macros: Mapping[str, str], vertex_file: str = "mesh.vert"
    ) -> moderngl.Program:
        key = f"{file} {macros}"
        if key not in self._made:
            self._made[key] = _program(self._context, vertex_file, file, macros)
        return self._made[key]


def _set(kinds: Mapping[str, bool]) -> dict[str, str]:
    """Macros of the kinds that are."""
    return dict.fromkeys((name for name, is_so in kinds.items() if is_so), "")


def _program(
    context: moderngl.Context, vertex_file: str, file: str, macros: Mapping[str, str]
) -> moderngl.Program:
    """The program of a vertex and a fragment shader, with its blocks and textures bound."""
    program = context.program(_source(vertex_file, macros), _source(file, macros))
    bindings = {"Geometry": GEOMETRY_BINDING, "Shading": SHADING_BINDING}
    bindings |= {"Shadows": SHADOWS_BINDING, "Environment": ENVIRONMENT_BINDING}
    for name, binding in bindings.items():
        block = program.get(name, None)
        if isinstance(block, moderngl.UniformBlock):
            block.binding = binding
    units = {"surface": SURFACE_UNIT, "shadow_atlas": SHADOW_UNIT}
    units |= {"mirrored": MIRRORED_UNIT, "albedo": ALBEDO_UNIT, "occlusion": OCCLUSION_UNIT}
    units |= {"surfaces": SURFACE_UNIT, "shadow_depths": SHADOW_DEPTH_UNIT, "paint": PAINT_UNIT}
    units |= {f"{name}_map": unit for name, unit in MAP_UNITS.items()}
    for name, unit in units.items():
        if name in program:
            program[name] = unit
    return program


def _source(file: str, macros: Mapping[str, str]) -> str:
    """The text of a shader, with its macros and what it includes."""
    version, body = (SHADERS / file).read_text().split("\n", 1)
    body = INCLUDE.sub(lambda found: (SHADERS / found[1]).read_text(), body)
    lines = [f"#define {name} {value}" for name, value in macros.items()]
    if "SMOOTH" in macros:
        lines = [f"#extension {BY_SAMPLE} : require", "#define AT sample", *lines]
    else:
        lines.append("#define AT")
    return "\n".join([version, *lines, body])


class Framebuffers:
    """The framebuffers of a context by kind and size, made when first asked for.

    shaded: RGBA8, whose alpha is the instance id, float32 depth, and `maps` float32 RGBA targets,
    one sample a pixel. silhouette: one byte. surfaces, occlusion: textures of four and two float32,
    the first with a depth buffer. multisampled, resolved: RGBA8 whose alpha is the
    covered share of the pixel, as samples and as their mean. shadows: depth only, to be looked up
    as a shadow map.
    """

    def __init__(
        self, context: moderngl.Context, maps: int = 0, kept: int = KEPT_FRAMEBUFFERS
    ) -> None:
        """
        Args:
            kept: how many; the least recently used one goes.
        """
        self._context, self._maps, self._kept = context, maps, kept
        self._made: OrderedDict[tuple[str, int, int, int], moderngl.Framebuffer] = OrderedDict()
        info = context.info
        self._limit = min(info["GL_MAX_RENDERBUFFER_SIZE"], *info["GL_MAX_VIEWPORT_DIMS"])

    def get(self, kind: str, width: int, height: int, number: int = 0) -> moderngl.Framebuffer:
        """A framebuffer of that kind and size; valid until `kept` others have been asked for.

        Args:
            number: which of several.

        Raises:
            InputError: it is larger than the device can draw.
        """
        if max(width, height) > self._limit:
            limit = f"{self._limit}x{self._limit}"
            raise InputError(f"image size {width}x{height}: this OpenGL device draws up to {limit}")
        key = kind, width, height, number
        if key not in self._made:
            self._made[key] = self._make(kind, (width, height))
        self._made.move_to_end(key)
        if len(self._made) > self._kept:
            _release(self._made.popitem(last=False)[1])
        return self._made[key]

    def _make(self, kind: str, size: tuple[int, int]) -> moderngl.Framebuffer:
        context = self._context
        if kind == "shaded":
            depth = context.renderbuffer(size, 1, dtype="f4")
            colors, z_buffer = [context.renderbuffer(size), depth], context.depth_renderbuffer(size)
            # float32: half floats are off by up to 0.02 degrees in a normal and 0.03 mm in a point.
            colors += [context.renderbuffer(size, dtype="f4") for _ in range(self._maps)]
            return context.framebuffer(colors, z_buffer)
        if kind == "multisampled":
            samples = min(SAMPLES, context.max_samples)
            color = context.renderbuffer(size, samples=samples)
            return context.framebuffer(color, context.depth_renderbuffer(size, samples=samples))
        if kind == "shadows":
            depth_map = context.depth_texture(size)
            depth_map.compare_func, depth_map.filter = "<=", (moderngl.LINEAR, moderngl.LINEAR)
            return context.framebuffer(depth_attachment=depth_map)
        if kind in ("surfaces", "occlusion"):
            floats = context.texture(size, 4 if kind == "surfaces" else 2, dtype="f4")
            floats.filter = moderngl.NEAREST, moderngl.NEAREST
            if kind == "occlusion":
                return context.framebuffer(floats)
            return context.framebuffer(floats, context.depth_renderbuffer(size))
        components = {"resolved": 4, "silhouette": 1}[kind]
        return context.framebuffer(context.renderbuffer(size, components))


def _release(framebuffer: moderngl.Framebuffer) -> None:
    attachments = [*framebuffer.color_attachments]
    if framebuffer.depth_attachment is not None:
        attachments.append(framebuffer.depth_attachment)
    framebuffer.release()
    for attachment in attachments:
        attachment.release()
