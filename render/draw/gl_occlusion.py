"""Ambient occlusion in OpenGL: how much of an environment surfaces see, at a third of the size."""

from collections.abc import Sequence

import moderngl
import numpy as np

from render.draw.gl_context import OCCLUSION_UNIT, SURFACE_UNIT, Framebuffers, Programs
from render.draw.gl_mesh import DrawnMesh
from render.draw.gl_uniforms import Uniforms
from render.draw.records import View

STEP = 3  # pixels of the image along each side of one that is looked at
REACH = 0.4  # of the median of the meshes' diagonals: what is farther off hides nothing
WIDEST = 0.2  # of the image's longer side that is looked across, to each side


class Occlusion:
    """Draws what surfaces hide of the surroundings of one another, for one view at a time."""

    def __init__(
        self, context: moderngl.Context, framebuffers: Framebuffers, programs: Programs
    ) -> None:
        self._context, self._framebuffers, self._programs = context, framebuffers, programs
        self._whole: dict[moderngl.Program, moderngl.VertexArray] = {}

    def draw(self, view: View, meshes: Sequence[DrawnMesh], uniforms: Uniforms) -> None:
        """Draw a view's occlusion, and let the next draws read it.

        Args:
            meshes: what shows each of `view.placed`, whose uniforms have been sent.
        """
        width, height = (-(-side // STEP) for side in view.camera.size)
        surfaces = self._framebuffers.get("surfaces", width, height)
        surfaces.use()
        surfaces.clear()
        for i, mesh in enumerate(meshes):
            uniforms.bind(i)
            mesh.cull()
            mesh.draw_surfaces()

        occlusion = self._framebuffers.get("occlusion", width, height)
        occlusion.use()
        self._context.disable(moderngl.DEPTH_TEST)
        _texture(surfaces).use(SURFACE_UNIT)
        program = self._programs.occlusion()
        program["cam_from_pixel"] = cam_from_pixel(view, (width, height)).T.ravel().tolist()
        program["reach"], program["widest"] = reach_of(view), WIDEST * max(width, height)
        self._render(program)
        _texture(occlusion).use(OCCLUSION_UNIT)
        smooth = self._framebuffers.get("occlusion", width, height, 1)
        smooth.use()
        self._render(self._programs.smooth())
        _texture(smooth).use(OCCLUSION_UNIT)
        self._context.enable(moderngl.DEPTH_TEST)

    def _render(self, program: moderngl.Program) -> None:
        """Draw all of a framebuffer."""
        if program not in self._whole:
            self._whole[program] = self._context.vertex_array(program, [])
        self._whole[program].render(moderngl.TRIANGLES, vertices=3)


def cam_from_pixel(view: View, size: tuple[int, int]) -> np.ndarray:
    """(3, 3) from pixels of a smaller image, centres at integers, to rays of depth 1."""
    scale = np.array(view.camera.size) / size
    image_from_pixel = np.diag([*scale, 1.0])
    image_from_pixel[:2, 2] = 0.5 * scale - 0.5
    return np.linalg.inv(view.camera.K) @ image_from_pixel


def reach_of(view: View) -> float:
    """How far off, metres, what is in a view hides something from something else."""
    if not view.placed:
        return 1.0
    return REACH * float(np.median(np.linalg.norm(np.ptp(view.corners, axis=1), axis=1)))


def _texture(framebuffer: moderngl.Framebuffer) -> moderngl.Texture:
    (texture,) = framebuffer.color_attachments
    assert isinstance(texture, moderngl.Texture)
    return texture
