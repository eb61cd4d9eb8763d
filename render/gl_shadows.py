"""Shadow maps in OpenGL: the depth that each light sees, drawn before the view itself."""

from collections.abc import Mapping, Sequence

import moderngl
import numpy as np

from render.draw_records import GEOMETRY, MAX_LIGHTS, Bounds, View
from render.gl_context import GEOMETRY_BINDING, SHADOW_UNIT, SHADOWS_BINDING, Framebuffers
from render.scene import SceneSpec
from render.shadows import caster_corners, light_matrix, map_size

COLUMNS = 2  # of the atlas; so that eight of the largest maps fit a device with 16384x16384
KERNEL = 1.5  # texels that a bilinear comparison reaches across: the diagonal, rounded up

# std140 uniform block of shaded.frag.
SHADOWS = np.dtype(
    [("atlas_from_cam", "<f4", (MAX_LIGHTS, 4, 4)), ("reach", "<f4", (MAX_LIGHTS, 4))]
)


def needs_spots(spec: SceneSpec) -> bool:
    """Whether a spec's lights need the programs for spots and shadows, which take longer."""
    return any(light.shadow or light.kind == "spot" for light in spec.lights)


class ShadowMaps:
    """The shadow maps of one view at a time, beside one another in one depth texture."""

    def __init__(
        self,
        context: moderngl.Context,
        framebuffers: Framebuffers,
        boxes: Mapping[int, Bounds],
    ) -> None:
        """
        Args:
            boxes: each mesh's bounds, by obj_id.
        """
        self._context, self._framebuffers, self._boxes = context, framebuffers, boxes
        self._geometry = context.buffer(reserve=GEOMETRY.itemsize, dynamic=True)
        self._shadows = context.buffer(reserve=SHADOWS.itemsize, dynamic=True)

    def draw(self, view: View, silhouettes: Sequence[moderngl.VertexArray]) -> None:
        """Draw the maps of a view, if its lights cast any shadows, and bind them.

        Args:
            silhouettes: of each of the spec's objects.
        """
        casting = [i for i, light in enumerate(view.spec.lights) if light.shadow]
        shadows = np.zeros((), SHADOWS)
        if casting and view.placed:
            self._draw_atlas(view, casting, silhouettes, shadows)
        self._shadows.write(shadows.tobytes())
        self._shadows.bind_to_uniform_block(SHADOWS_BINDING)

    def _draw_atlas(
        self,
        view: View,
        casting: Sequence[int],
        silhouettes: Sequence[moderngl.VertexArray],
        shadows: np.ndarray,
    ) -> None:
        """Draw the maps of the lights `casting`, bind their texture, and fill in `shadows`."""
        columns = min(len(casting), COLUMNS)
        grid = columns, -(-len(casting) // columns)
        texels = map_size(view.camera)
        atlas = self._framebuffers.get("shadows", grid[0] * texels, grid[1] * texels)
        atlas.use()
        atlas.clear()
        corners = caster_corners(view, self._boxes)
        for tile, i in enumerate(casting):
            clip_from_cam, texel = light_matrix(view.spec.lights[i], view, corners)
            place = tile % columns, tile // columns
            atlas.viewport = (place[0] * texels, place[1] * texels, texels, texels)
            self._draw_map(view.spec, clip_from_cam, silhouettes)
            shadows["atlas_from_cam"][i] = _atlas_from_clip(place, grid) @ clip_from_cam
            shadows["reach"][i, 0] = KERNEL * texel

        depth_map = atlas.depth_attachment
        assert isinstance(depth_map, moderngl.Texture)
        depth_map.use(SHADOW_UNIT)

    def _draw_map(
        self,
        spec: SceneSpec,
        clip_from_cam: np.ndarray,
        silhouettes: Sequence[moderngl.VertexArray],
    ) -> None:
        """Draw all of a spec's objects as a light sees them."""
        geometry = np.zeros(len(spec.objects), GEOMETRY)
        for record, placed in zip(geometry, spec.objects, strict=True):
            cam_from_mesh = placed.matrix @ np.diag([*placed.stretch, 1.0])
            record["clip_from_obj"] = clip_from_cam @ cam_from_mesh
        if self._geometry.size < geometry.nbytes:
            self._geometry.release()
            self._geometry = self._context.buffer(reserve=geometry.nbytes, dynamic=True)
        self._geometry.orphan()
        self._geometry.write(geometry.tobytes())
        for i, silhouette in enumerate(silhouettes):
            offset = i * GEOMETRY.itemsize
            self._geometry.bind_to_uniform_block(GEOMETRY_BINDING, offset, GEOMETRY.itemsize)
            silhouette.render()


def _atlas_from_clip(place: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """(4, 4) from a light's clip coordinates to texture coordinates and depth, times w.

    Args:
        place, grid: column and row of its tile, and the number of each.
    """
    scale = 0.5 / np.array([*grid, 1])
    atlas_from_clip = np.diag([*scale, 1.0])
    atlas_from_clip[:3, 3] = (2 * np.array([*place, 0]) + 1) * scale
    return atlas_from_clip
