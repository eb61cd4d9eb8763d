"""Shadow maps in OpenGL: the depth that each light sees, drawn before the view itself."""

from collections.abc import Mapping, Sequence

import moderngl
import numpy as np

from render.draw_records import GEOMETRY, MAX_LIGHTS, Bounds, View
from render.gl_context import GEOMETRY_BINDING, SHADOW_UNIT, SHADOWS_BINDING, Framebuffers
from render.scene import SceneSpec
from render.shadows import TILE, caster_corners, light_matrix

COLUMNS = 2  # of the atlas; so that eight maps fit a device that draws up to 8192x8192
KERNEL = 1.5  # texels that a bilinear comparison reaches across: the diagonal, rounded up

# std140 uniform block of shaded.frag.
SHADOWS = np.dtype(
    [("atlas_from_cam", "<f4", (MAX_LIGHTS, 4, 4)), ("reach", "<f4", (MAX_LIGHTS, 4))]
)


def has_shadows(spec: SceneSpec) -> bool:
    """Whether any of a spec's lights casts shadows on anything."""
    return bool(spec.objects) and any(light.shadow for light in spec.lights)


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
        """Draw the maps of a view and bind them for the shadowed programs.

        Args:
            view: of a spec that `has_shadows`.
            silhouettes: of each of the spec's objects.
        """
        casting = [i for i, light in enumerate(view.spec.lights) if light.shadow]
        columns = min(len(casting), COLUMNS)
        grid = columns, -(-len(casting) // columns)
        atlas = self._framebuffers.get("shadows", grid[0] * TILE, grid[1] * TILE)
        atlas.use()
        atlas.clear()

        shadows = np.zeros((), SHADOWS)
        corners = caster_corners(view, self._boxes)
        for tile, i in enumerate(casting):
            clip_from_cam, texel = light_matrix(view.spec.lights[i], view, corners)
            place = tile % columns, tile // columns
            atlas.viewport = (place[0] * TILE, place[1] * TILE, TILE, TILE)
            self._draw_map(view.spec, clip_from_cam, silhouettes)
            shadows["atlas_from_cam"][i] = _atlas_from_clip(place, grid) @ clip_from_cam
            shadows["reach"][i, 0] = KERNEL * texel

        self._shadows.write(shadows.tobytes())
        self._shadows.bind_to_uniform_block(SHADOWS_BINDING)
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
