"""Overlays and contact sheets."""

from collections.abc import Sequence

import cv2
import numpy as np

Color = tuple[int, int, int]

SHIFT = 4  # OpenCV draws at a sixteenth of a pixel

# Edges of the box whose corners are in the order of layout.box_corners (z fastest).
BOX_EDGES = [(a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit]


def draw_box(rgb: np.ndarray, corners: np.ndarray, color: Color, thickness: int = 1) -> np.ndarray:
    """Draw a 3D box by its projected corners: (H, W, 3) uint8 and (8, 2) pixels -> a new image."""
    if corners.shape != (8, 2):
        raise ValueError(f"corners must be (8, 2), got {corners.shape}")
    return _draw_lines(rgb, corners, BOX_EDGES, color, thickness)


def draw_skeleton(
    rgb: np.ndarray,
    joints: np.ndarray,
    bones: Sequence[tuple[int, int]],
    color: Color,
    thickness: int = 1,
) -> np.ndarray:
    """Draw a skeleton by its projected joints: (H, W, 3) uint8 -> a new image.

    Args:
        joints: (n, 2) pixels.
        bones: pairs of joints that a line connects.
    """
    if joints.ndim != 2 or joints.shape[1] != 2:
        raise ValueError(f"joints must be (n, 2), got {joints.shape}")
    image = _draw_lines(rgb, joints, bones, color, thickness)
    radius = (thickness + 1) << SHIFT
    for point in _fixed_point(joints):
        cv2.circle(image, point, radius, color, -1, cv2.LINE_AA, SHIFT)
    return image


def draw_contour(rgb: np.ndarray, mask: np.ndarray, color: Color, thickness: int = 1) -> np.ndarray:
    """Draw the border of an (H, W) bool mask, holes included, on the mask's side -> a new image."""
    # A frame of zeros, so that a mask that the image cuts off has a border there too.
    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=thickness)[1:-1, 1:-1]
    return np.where((mask & (inner == 0))[..., None], np.array(color, np.uint8), rgb)


def draw_depth(depth: np.ndarray) -> np.ndarray:
    """Depth as colours, near red and far blue: (H, W) metres -> (H, W, 3) uint8, 0 as black."""
    seen = depth > 0
    if not seen.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[seen], [1, 99])
    share = np.clip((far - depth) / max(far - near, 1e-9), 0, 1)
    colors = cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where(seen[..., None], colors, 0).astype(np.uint8)


def _draw_lines(
    rgb: np.ndarray,
    points: np.ndarray,
    edges: Sequence[tuple[int, int]],
    color: Color,
    thickness: int,
) -> np.ndarray:
    """A new image with lines between points (n, 2); without any where one is beyond all bounds."""
    image = np.ascontiguousarray(rgb).copy()
    fixed = _fixed_point(points)
    for a, b in edges if fixed else ():
        cv2.line(image, fixed[a], fixed[b], color, thickness, cv2.LINE_AA, SHIFT)
    return image


def _fixed_point(points: np.ndarray) -> list[list[int]]:
    """Pixels (n, 2) as OpenCV draws them, none where one is beyond all bounds."""
    if not np.isfinite(points).all() or np.abs(points).max() > 1e5:
        return []
    return np.round(points * (1 << SHIFT)).astype(int).tolist()


def label(rgb: np.ndarray, text: str, height: int = 16) -> np.ndarray:
    """Put a line of text on a dark strip above an image: (H, W, 3) -> (H + height, W, 3)."""
    strip = np.full((height, rgb.shape[1], 3), 24, np.uint8)
    scale = height / 40
    cv2.putText(
        strip, text, (3, height - 5), cv2.FONT_HERSHEY_SIMPLEX, scale, (235,) * 3, 1, cv2.LINE_AA
    )
    return np.vstack([strip, rgb])


def sheet(rows: Sequence[Sequence[np.ndarray]], gap: int = 4) -> np.ndarray:
    """Lay images out in rows, left-aligned, over white: one (H, W, 3) uint8 image."""
    if not rows or not any(rows):
        raise ValueError("a sheet needs at least one image")
    width = max(sum(image.shape[1] + gap for image in row) for row in rows) + gap
    strips = []
    for row in rows:
        height = max(image.shape[0] for image in row) + gap
        strip, x = np.full((height, width, 3), 255, np.uint8), gap
        for image in row:
            strip[gap : gap + image.shape[0], x : x + image.shape[1]] = image
            x += image.shape[1] + gap
        strips.append(strip)
    return np.vstack([*strips, np.full((gap, width, 3), 255, np.uint8)])
