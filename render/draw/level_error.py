"""How far a coarse mesh looks from the exact one, measured over many views."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from render.draw.level import Level
from render.draw.rasterizer import Rasterizer
from render.mesh.mesh import Mesh
from render.scene.spec import Placed, SceneSpec, near_plane, rows
from render.transforms import random_rotation, rigid

SIDE = 300  # pixels of a view, which the object fills
FAR = 6.0  # of the object's radius, from the camera to its centre


def level_errors(exact: Mesh, levels: Sequence[Level], views: int, seed: int) -> np.ndarray:
    """How far levels look from the exact mesh, in the worst of all views: (levels, 3).

    Silhouette error: how far the contour has moved, metres, on average along it; or a quarter of
    how far it has moved anywhere, if that is more. Depth error: the distance between the two
    surfaces along the normal, metres, which 95 % of the pixels stay below. And the share of the
    pixels whose depth differs by more than a quarter of a pixel's width.

    Args:
        levels: drawn whatever their own error says.
        views: how many, from directions all around.
        seed: of those directions.
    """
    errors = [
        [view_errors(depth, other, pixel) for other in others]
        for depth, *others, pixel in _drawn(exact, levels, views, seed)
    ]
    return np.max(errors, axis=0).reshape(-1, 3)


def _drawn(exact: Mesh, levels: Sequence[Level], views: int, seed: int) -> Iterator[tuple]:
    """Of each view the depth of the mesh and of each level, (H, W) metres, and a pixel's width."""
    low, high = exact.vertices.min(axis=0), exact.vertices.max(axis=0)
    center = (low + high).astype(np.float64) / 2
    radius = float(np.linalg.norm(exact.vertices - center, axis=1).max())
    meshes = dict(enumerate([exact, *(level.mesh for level in levels)]))
    # A level without an error is good enough everywhere.
    always = {i: [replace(level, error=0.0)] for i, level in enumerate(levels, start=1)}
    with Rasterizer(meshes, levels=always) as rasterizer:
        for spec, pixel in _views(center, radius, views, seed):
            pose = spec.objects[0].cam_from_obj
            specs = [replace(spec, objects=(Placed(i, pose),)) for i in meshes]
            frames = rasterizer.render(specs)
            yield *(np.asarray(frame.depth) for frame in frames), pixel


def view_errors(exact: np.ndarray, coarse: np.ndarray, pixel: float) -> tuple[float, float, float]:
    """Silhouette error, depth error and share of differing pixels of a view; see `level_errors`.

    Args:
        exact, coarse: (H, W) depth in metres, 0 where the object is not.
        pixel: width of a pixel at the object, metres.
    """
    seen, seen_coarse = (exact > 0).view(np.uint8), (coarse > 0).view(np.uint8)
    x, y, width, height = cv2.boundingRect(seen | seen_coarse)
    part = np.s_[max(y - 2, 0) : y + height + 2, max(x - 2, 0) : x + width + 2]
    exact, coarse = exact[part], coarse[part]
    seen, seen_coarse = seen[part].copy(), seen_coarse[part].copy()

    differing = seen ^ seen_coarse
    # Crofton's formula: a contour is as long as the lines of pixels that it crosses are many.
    crossings = sum(np.count_nonzero(np.diff(seen, axis=axis)) for axis in (0, 1))
    mean = cv2.countNonZero(differing) / max(np.pi / 4 * crossings, 1)
    farthest = max(
        float(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)[differing > 0].max(initial=0))
        if mask.any()
        else float(max(width, height))
        for mask in (seen, seen_coarse)
    )
    # What differs n pixels away has moved by n - 1 to n.
    silhouette = pixel * max(mean, (farthest - 0.5) / 4)

    # A depth that is off along the ray is off by less along the normal, by the slope's cosine.
    slope_y, slope_x = np.gradient(exact, pixel)
    along_normal = np.abs(exact - coarse) / np.sqrt(1 + slope_x**2 + slope_y**2)
    both = (seen & seen_coarse) > 0
    depth = float(np.percentile(along_normal[both], 95)) if both.any() else np.inf
    differing_depths = np.count_nonzero(np.abs(exact - coarse) > pixel / 4)
    share = differing_depths / max(cv2.countNonZero(seen), 1)
    return silhouette, depth, share


def _views(
    center: np.ndarray, radius: float, count: int, seed: int
) -> Iterator[tuple[SceneSpec, float]]:
    """Specs of mesh 0, filling the image, and the width of a pixel at its centre, metres."""
    distance = FAR * radius
    focal = (SIDE - 8) / 2 * np.sqrt(FAR**2 - 1)  # the sphere around the object just fits
    K = ((focal, 0.0, (SIDE - 1) / 2), (0.0, focal, (SIDE - 1) / 2), (0.0, 0.0, 1.0))
    rng = np.random.default_rng(seed)
    for _ in range(count):
        R = random_rotation(rng)
        pose = rows(rigid(R, [0, 0, distance] - R @ center))
        spec = SceneSpec(K, (SIDE, SIDE), (Placed(0, pose),), near=near_plane(radius))
        yield spec, distance / focal
