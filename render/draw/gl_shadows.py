"""Shadow maps in OpenGL: the depth that each light sees, drawn before the view itself."""

from collections.abc import Mapping, Sequence

import moderngl
import numpy as np

from render.draw.gl_context import (
    GEOMETRY_BINDING,
    SHADOW_DEPTH_UNIT,
    SHADOW_UNIT,
    SHADOWS_BINDING,
    Framebuffers,
)
from render.draw.gl_mesh import DrawnMesh
from render.draw.records import GEOMETRY, MAX_LIGHTS, Bounds, View
from render.draw.shadows import KERNEL, WAYS, atlas_layout, caster_corners, light_view, map_lights
from render.scene.spec import Light, SceneSpec

SIDES = len(WAYS)
MAX_MAPS = SIDES * MAX_LIGHTS
KEPT_ATLASES = 4  # of different sizes, which may be large

# std140 uniform block of shaded.frag: SIDES maps a light, of which only point lights use all.
SHADOWS = np.dtype(
    [
        ("atlas_from_cam", "<f4", (MAX_MAPS, 4, 4)),
        ("reach", "<f4", (MAX_MAPS, 4)),
        ("soft", "<f4", (MAX_MAPS, 4)),
        ("tile", "<f4", (MAX_MAPS, 4)),
    ]
)


def needs_spots(spec: SceneSpec) -> bool:
    """Whether a spec's lights need the programs for spots and shadows, which take longer."""
    return any(light.shadow or light.kind == "spot" for light in spec.lights)


def needs_soft(spec: SceneSpec) -> bool:
    """Whether a spec's lights need the programs for lamps of a size, which take longer still."""
    return any(light.shadow and light.radius for light in spec.lights)


class ShadowMaps:
    """The shadow maps of one view at a time, beside one another in one depth texture."""

    def __init__(self, context: moderngl.Context, boxes: Mapping[int, Bounds]) -> None:
        """
        Args:
            boxes: each mesh's bounds, by obj_id.
        """
        self._context, self._boxes = context, boxes
        self._framebuffers = Framebuffers(context, kept=KEPT_ATLASES)
        self._geometry = context.buffer(reserve=GEOMETRY.itemsize, dynamic=True)
        self._plain = context.sampler(filter=(moderngl.NEAREST, moderngl.NEAREST))  # compares not
        self._shadows = context.buffer(reserve=SHADOWS.itemsize, dynamic=True)

    def draw(self, view: View, casters: Sequence[DrawnMesh]) -> None:
        """Draw the maps of a view, if its lights cast any shadows, and bind them.

        Args:
            casters: each of the spec's objects, as it is drawn.
        """
        shadows = np.zeros((), SHADOWS)
        casting = {i: light for i, light in enumerate(view.spec.lights) if light.shadow}
        if casting and view.placed:
            self._draw_atlas(view, casting, casters, shadows)
        self._shadows.orphan()
        self._shadows.write(shadows.tobytes())
        self._shadows.bind_to_uniform_block(SHADOWS_BINDING)

    def _draw_atlas(
        self,
        view: View,
        casting: Mapping[int, Light],
        casters: Sequence[DrawnMesh],
        shadows: np.ndarray,
    ) -> None:
        """Draw the maps of the lights `casting`, bind their texture, and fill in `shadows`."""
        lights = {
            SIDES * i + side: map_light
            for i, light in casting.items()
            for side, map_light in enumerate(map_lights(light))
        }
        corners = caster_corners(view, self._boxes)
        views = {i: light_view(light, view, corners) for i, light in lights.items()}
        casting_views = {i: seen for i, seen in views.items() if seen is not None}
        if not casting_views:
            return
        grid, texels = atlas_layout(view.camera, len(casting_views))
        atlas = self._framebuffers.get("shadows", grid[0] * texels, grid[1] * texels)
        atlas.use()
        atlas.clear()
        for tile, (i, seen) in enumerate(casting_views.items()):
            clip_from_cam, texel = seen.matrix(texels)
            place = tile % grid[0], tile // grid[0]
            atlas.viewport = (place[0] * texels, place[1] * texels, texels, texels)
            self._draw_map(view.spec, clip_from_cam, casters)
            shadows["atlas_from_cam"][i] = _atlas_from_clip(place, grid) @ clip_from_cam
            shadows["reach"][i, 0] = KERNEL * texel
            radius = lights[i].radius or 0.0
            shadows["soft"][i] = radius, seen.depths[0], *seen.depth_terms()
            # Half a texel within the tile, so that filtering does not look beyond.
            low, size = np.array(place) / grid, 1 / np.array(grid)
            half = size / texels / 2
            shadows["tile"][i] = *(low + half), *(low + size - half)

        depth_map = atlas.depth_attachment
        assert isinstance(depth_map, moderngl.Texture)
        depth_map.use(SHADOW_UNIT)
        if needs_soft(view.spec):
            depth_map.use(SHADOW_DEPTH_UNIT)
            self._plain.use(SHADOW_DEPTH_UNIT)

    def _draw_map(
        self,
        spec: SceneSpec,
        clip_from_cam: np.ndarray,
        casters: Sequence[DrawnMesh],
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
        for i, caster in enumerate(casters):
            offset = i * GEOMETRY.itemsize
            self._geometry.bind_to_uniform_block(GEOMETRY_BINDING, offset, GEOMETRY.itemsize)
            caster.draw_silhouette()


def _atlas_from_clip(place: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """(4, 4) from a light's clip coordinates to texture coordinates and depth, times w.

    Args:
        place, grid: column and row of its tile, and the number of each.
    """
    scale = 0.5 / np.array([*grid, 1])
    atlas_from_clip = np.diag([*scale, 1.0])
    atlas_from_clip[:3, 3] = (2 * np.array([*place, 0]) + 1) * scale
    return atlas_from_clip
