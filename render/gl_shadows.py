"""Shadow maps in OpenGL: the depth that each light sees, drawn before the view itself."""

from collections.abc import Mapping, Sequence

import moderngl
import numpy as np

from render.draw_records import GEOMETRY, MAX_LIGHTS, Bounds, View
from render.gl_context import GEOMETRY_BINDING, SHADOW_UNIT, SHADOWS_BINDING, Framebuffers
from render.scene import Light, SceneSpec
from render.shadows import SIDES, caster_corners, light_matrix, map_lights, map_size

COLUMNS = 2, 8  # of the atlas, of up to 8 maps and of more; so that it fits in 16384x16384
KERNEL = 1.5  # texels that a bilinear comparison reaches across: the diagonal, rounded up
MAX_MAPS = SIDES * MAX_LIGHTS

# std140 uniform block of shaded.frag: SIDES maps a light, of which only point lights use all.
SHADOWS = np.dtype([("atlas_from_cam", "<f4", (MAX_MAPS, 4, 4)), ("reach", "<f4", (MAX_MAPS, 4))])


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
        shadows = np.zeros((), SHADOWS)
        casting = {i: light for i, light in enumerate(view.spec.lights) if light.shadow}
        if casting and view.placed:
            self._draw_atlas(view, casting, silhouettes, shadows)
        self._shadows.write(shadows.tobytes())
        self._shadows.bind_to_uniform_block(SHADOWS_BINDING)

    def _draw_atlas(
        self,
        view: View,
        casting: Mapping[int, Light],
        silhouettes: Sequence[moderngl.VertexArray],
        shadows: np.ndarray,
    ) -> None:
        """Draw the maps of the lights `casting`, bind their texture, and fill in `shadows`."""
        lights = {
            SIDES * i + side: map_light
            for i, light in casting.items()
            for side, map_light in enumerate(map_lights(light))
        }
        texels, corners = map_size(view.camera, len(lights)), caster_corners(view, self._boxes)
        found = {i: light_matrix(light, view, corners, texels) for i, light in lights.items()}
        maps = {i: seen for i, seen in found.items() if seen is not None}
        if not maps:
            return
        columns = min(len(maps), COLUMNS[len(maps) > 8])
        grid = columns, -(-len(maps) // columns)
        atlas = self._framebuffers.get("shadows", grid[0] * texels, grid[1] * texels)
        atlas.use()
        atlas.clear()
        for tile, (i, (clip_from_cam, texel)) in enumerate(maps.items()):
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
