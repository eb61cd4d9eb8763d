"""What a light that casts shadows sees: the matrices of its shadow map.

L. Williams, "Casting curved shadows on curved surfaces", 1978: light falls on a point that is no
farther from the light than the nearest surface in its direction.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from render.camera import Camera
from render.draw_records import NEAR, Bounds, View, corners_of
from render.scene import Light
from render.transforms import apply, look_at

TEXELS_A_PIXEL = 3  # of the image's longer side, along each side of a light's map
SMALLEST_MAP, LARGEST_MAP = 512, 4096  # texels along each side
MARGIN = 3  # texels, wide ones, around what is seen: as far as gl_shadows.KERNEL and a texel
SIDES = 6  # of a cube
# The ways from a cube's middle to its sides, in the order of shaded.frag, camera frame.
_WAYS = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]


def map_lights(light: Light) -> list[Light]:
    """What has a map each for a light's shadows: itself; of a point light, six spots that shine on
    the sides of a cube around it."""
    if light.kind != "point":
        return [light]
    sides = [(float(x), float(y), float(z)) for x, y, z in _WAYS]
    return [replace(light, kind="spot", direction=way, cone=(0.0, np.pi / 4)) for way in sides]


def map_size(camera: Camera, maps: int) -> int:
    """Texels along each side of an image's shadow maps, so many at most."""
    largest = LARGEST_MAP if maps <= 8 else LARGEST_MAP // 2
    return int(np.clip(TEXELS_A_PIXEL * max(camera.size), SMALLEST_MAP, largest))


def caster_corners(view: View, boxes: Mapping[int, Bounds]) -> np.ndarray:
    """Bounds of all that casts shadows, behind the camera too: (n, 3) corners, camera frame.

    Args:
        boxes: each mesh's bounds, by obj_id.
    """
    corners = [apply(placed.matrix, corners_of(placed, boxes)) for placed in view.spec.objects]
    return np.concatenate([np.zeros((0, 3)), *corners])


def light_matrix(
    light: Light, view: View, casters: np.ndarray, texels: int
) -> tuple[np.ndarray, float] | None:
    """What a light sees of a view: the part that the camera sees, and all that stands before it.

    Args:
        light: directional, or a spot.
        casters: (n, 3) as `caster_corners` gives them, n > 0.
        texels: along each side of the map.

    Returns:
        OpenGL's (4, 4) clip matrix from the camera frame to the light's map, and the width in
        metres of one of the map's texels for each unit of clip w (1 for directional lights). None
        where nothing that is seen can lie in a shadow.
    """
    spot = light.kind == "spot"
    origin = np.array(light.vector) if spot else np.zeros(3)
    forward = np.array(light.direction) if spot else -np.array(light.vector)
    light_from_cam = look_at(origin, origin + forward, np.eye(3)[np.abs(forward).argmin()])
    points = apply(light_from_cam, casters)
    seen = apply(light_from_cam, _frustum(view.camera, view.near, view.far))

    if spot and min(points[:, 2].max(), seen[:, 2].max()) < NEAR:
        return None
    extents = [_extent(points, spot), _extent(seen, spot)]
    if spot:
        extents.append(np.tan(light.cone[1]) * np.array([[-1.0, -1.0], [1.0, 1.0]]))
    low = np.max([extent[0] for extent in extents], axis=0)
    high = np.min([extent[1] for extent in extents], axis=0)
    if (low >= high).any():
        return None
    half = (high - low) / 2
    half += MARGIN * 2 * half.max() / (texels - 2 * MARGIN)

    # A thousandth more than the bounds, so that rounding never clips a surface away.
    near, far = points[:, 2].min(), points[:, 2].max()
    room = 0.001 * (far - near) + 1e-4
    near, far = near - room, far + room
    if spot:
        near, far = max(near, NEAR), max(far, 2 * NEAR)
    clip_from_light = _projection((low + high) / 2, half, (near, far), spot)
    return clip_from_light @ light_from_cam, float(2 * half.max() / texels)


def _frustum(camera: Camera, near: float, far: float) -> np.ndarray:
    """The 8 corners of what a camera sees between two depths: (8, 3), camera frame."""
    u, v = camera.width - 0.5, camera.height - 0.5
    pixels = np.array([[-0.5, -0.5, 1], [u, -0.5, 1], [-0.5, v, 1], [u, v, 1]])
    rays = pixels @ np.linalg.inv(camera.K).T
    return np.concatenate([near * rays, far * rays])


def _extent(points: np.ndarray, spot: bool) -> np.ndarray:
    """Least and largest x and y (of a spot: x/z and y/z) of points in a light's frame: (2, 2)."""
    if spot:
        if points[:, 2].min() < NEAR:
            return np.array([[-np.inf, -np.inf], [np.inf, np.inf]])
        points = points[:, :2] / points[:, 2:]
    return np.stack([points.min(axis=0), points.max(axis=0)])[:, :2]


def _projection(
    middle: np.ndarray, half: np.ndarray, depths: tuple[float, float], spot: bool
) -> np.ndarray:
    """The (4, 4) clip matrix of a light that looks along its z axis, in perspective for a spot."""
    near, far = depths
    column = 2 if spot else 3  # what x and y are relative to: z, or 1
    clip = np.zeros((4, 4))
    clip[[0, 1], [0, 1]] = 1 / half
    clip[:2, column] = -middle / half
    clip[2, 2:] = [far + near, -2 * far * near] if spot else [2, -(far + near)]
    clip[2] /= far - near
    clip[3, column] = 1
    return clip
