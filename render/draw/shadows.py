"""What a light that casts shadows sees: the matrices of its shadow map.

L. Williams, "Casting curved shadows on curved surfaces", 1978: light falls on a point that is no
farther from the light than the nearest surface in its direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from render.camera import Camera
from render.draw.records import Bounds, View, corners_of
from render.scene.spec import Light
from render.transforms import apply, look_at

TEXELS_A_PIXEL = 3  # of the image's longer side, along each side of a light's map
SMALLEST_MAP, LARGEST_MAP = 512, 4096  # texels along each side
KERNEL = 1.5  # texels that a bilinear comparison reaches across: the diagonal, rounded up
MARGIN = 3  # texels around what is seen: KERNEL off the surface, and one beside, is looked for
FEW_MAPS = 8
# The ways from a cube's middle to its sides, in the order of shaded.frag, camera frame.
WAYS = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]


def map_lights(light: Light) -> list[Light]:
    """The lights that a shadow map is drawn for: a light itself; in place of a point light six
    spots, which shine on the sides of a cube around it."""
    if light.kind != "point":
        return [light]
    ways = [(float(x), float(y), float(z)) for x, y, z in WAYS]
    return [replace(light, kind="spot", direction=way, cone=(0.0, np.pi / 4)) for way in ways]


def atlas_layout(camera: Camera, maps: int) -> tuple[tuple[int, int], int]:
    """How the shadow maps of an image lie in one texture: columns and rows, and texels along each
    side of a map.

    A device with 16384x16384 takes 2x4 maps of the largest size, and 8x6, six for each of the
    eight lights, of half that.
    """
    columns, largest = (2, LARGEST_MAP) if maps <= FEW_MAPS else (8, LARGEST_MAP // 2)
    columns = min(maps, columns)
    texels = int(np.clip(TEXELS_A_PIXEL * max(camera.size), SMALLEST_MAP, largest))
    return (columns, -(-maps // columns)), texels


def caster_corners(view: View, boxes: Mapping[int, Bounds]) -> np.ndarray:
    """Bounds of all that casts shadows, behind the camera too: (n, 3) corners, camera frame.

    Args:
        boxes: each mesh's bounds, by obj_id.
    """
    corners = [apply(placed.matrix, corners_of(placed, boxes)) for placed in view.spec.objects]
    return np.concatenate([np.zeros((0, 3)), *corners])


@dataclass(frozen=True, eq=False)
class LightView:
    """What a light sees of a view.

    low, high: least and largest x and y in the light's frame, of a spot x/z and y/z. depths: the
    nearest and the farthest z.
    """

    light_from_cam: np.ndarray
    low: np.ndarray
    high: np.ndarray
    depths: tuple[float, float]
    is_spot: bool

    def depth_terms(self) -> tuple[float, float]:
        """a and b of the depth d, 0..1, that a map has of what is z in front of the light: for a
        spot d z = a z + b, else d = a z + b."""
        clip = _projection(np.zeros(2), np.ones(2), self.depths, self.is_spot)
        a, b = clip[2, 2:] / 2
        return (a + 0.5, b) if self.is_spot else (a, b + 0.5)

    def matrix(self, texels: int) -> tuple[np.ndarray, float]:
        """OpenGL's (4, 4) clip matrix from the camera frame to a map of so many texels along each
        side, and the width in metres of a texel for each unit of clip w (1 if directional)."""
        half = (self.high - self.low) / 2
        half += MARGIN * 2 * half.max() / (texels - 2 * MARGIN)
        middle = (self.low + self.high) / 2
        clip_from_light = _projection(middle, half, self.depths, self.is_spot)
        return clip_from_light @ self.light_from_cam, float(2 * half.max() / texels)


def light_view(light: Light, view: View, casters: np.ndarray) -> LightView | None:
    """What a light sees of a view: the part that the camera sees, and all that stands before it.

    Args:
        light: directional, or a spot.
        casters: (n, 3) as `caster_corners` gives them, n > 0.

    Returns:
        None where nothing that is seen can lie in a shadow.
    """
    spot = light.kind == "spot"
    origin = np.array(light.vector) if spot else np.zeros(3)
    forward = np.array(light.direction) if spot else -np.array(light.vector)
    light_from_cam = look_at(origin, origin + forward, np.eye(3)[np.abs(forward).argmin()])
    points = apply(light_from_cam, casters)
    seen = apply(light_from_cam, _frustum(view.camera, view.near, view.far))
    if spot and min(points[:, 2].max(), seen[:, 2].max()) < view.spec.near:
        return None

    near = view.spec.near if spot else None
    extents = [_extent(points, near), _extent(seen, near)]
    if spot:
        extents.append(np.tan(light.cone[1]) * np.array([[-1.0, -1.0], [1.0, 1.0]]))
    low = np.max([extent[0] for extent in extents], axis=0)
    high = np.min([extent[1] for extent in extents], axis=0)
    if (low >= high).any():
        return None
    # A thousandth more than the bounds, so that rounding never clips a surface away.
    near, far = points[:, 2].min(), points[:, 2].max()
    room = 0.001 * (far - near) + 1e-4
    near, far = near - room, far + room
    if spot:
        near, far = max(near, view.spec.near), max(far, 2 * view.spec.near)
    return LightView(light_from_cam, low, high, (near, far), spot)


def _frustum(camera: Camera, near: float, far: float) -> np.ndarray:
    """The 8 corners of what a camera sees between two depths: (8, 3), camera frame."""
    u, v = camera.width - 0.5, camera.height - 0.5
    pixels = np.array([[-0.5, -0.5, 1], [u, -0.5, 1], [-0.5, v, 1], [u, v, 1]])
    rays = pixels @ np.linalg.inv(camera.K).T
    return np.concatenate([near * rays, far * rays])


def _extent(points: np.ndarray, near: float | None) -> np.ndarray:
    """Least and largest x and y of points in a light's frame: (2, 2).

    Args:
        near: of a spot, whose x/z and y/z count, the depth from which on it shines.
    """
    if near is not None:
        if points[:, 2].min() < near:
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
