"""What the board and the table look like, gathered from all frames: what is not the object.

Board, table and even the object's shadow lie in one plane and stay as they are, so that each place
of the plane has one colour, whichever frame shows it; only the object moves before it. What rises
from the table, or moves on it, has no one colour there, and its spread says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from render.camera import Camera
from render.capture.placed.drawing import Window
from render.capture.views import BoardView
from render.contour.colors import BINS, FLOOR, Colors, color_bins
from render.transforms import apply, invert

REACH = 1.5  # diameters of the object to each side of it
TEXELS = 640  # across
ROOM = 0.12  # of the object's seen size: how far from it, where it is drawn, the ground begins
PASSES = 3  # of averaging; each trusts a frame by what the pass before has found
FEWEST = 3  # frames that must have seen a place
NOISE = 4.0  # grey levels: no place is surer
SURE = 0.9  # of the ground's pixels are as they were in other frames; the others of any colour
MOST_SAID = 6.0  # log odds


@dataclass(frozen=True, eq=False)
class Ground:
    """The plane z = 0 of the board as a picture.

    mean: (T, T, 3) float32 grey levels. sigma: (T, T) float32, of a channel. frames: (T, T)
    float32, how many have seen it. board_from_texel: (3, 3), homogeneous, x and y in metres.
    """

    mean: np.ndarray
    sigma: np.ndarray
    frames: np.ndarray
    board_from_texel: np.ndarray

    def log_odds(self, window: Window, colors: Colors) -> np.ndarray:
        """What each pixel says about whether it shows the object, as `Colors.log_odds`.

        Where the ground is known its colour at that very place counts, elsewhere what colours the
        surroundings have.
        """
        said = colors.log_odds(window.rgb, window.mask)
        expected, sigma, known = self._seen_in(window)
        outside = known & window.within & (cv2.dilate(window.mask.astype(np.uint8), _RIM) == 0)
        if not known.any() or np.count_nonzero(outside) < 100:
            return said
        rgb = window.rgb.astype(np.float32)
        off = rgb * _gain(rgb, expected, outside)[..., None] - expected
        # Densities of a colour, per grey level cubed.
        bins, level = color_bins(window.rgb), (256 / BINS) ** 3
        inside = (colors.inside[bins] + FLOOR) / level
        around = (colors.around[bins] + FLOOR) / level
        alike = np.exp(-(off**2).sum(axis=-1) / (2 * sigma**2)) / ((2 * np.pi) ** 1.5 * sigma**3)
        odds = np.log(inside) - np.log(SURE * alike + (1 - SURE) * around)
        said = np.where(known, np.clip(odds, -MOST_SAID, MOST_SAID), said)
        return said.astype(np.float32)

    def _seen_in(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ground as a window would show it: mean (S, S, 3), sigma (S, S), known (S, S) bool."""
        size = window.camera.size
        window_from_texel = _plane(window.camera, window.cam_from_board) @ self.board_from_texel
        mean = cv2.warpPerspective(self.mean, window_from_texel, size)
        sigma = cv2.warpPerspective(self.sigma, window_from_texel, size)
        enough = (self.frames >= FEWEST).astype(np.float32)
        known = cv2.warpPerspective(enough, window_from_texel, size) > 0.999
        known &= _below_horizon(window.camera, window.cam_from_board)
        return mean, np.where(known, sigma, 1), known


_RIM = np.ones((7, 7), np.uint8)


def see_ground(views: Sequence[BoardView], placed: np.ndarray) -> Ground:
    """Gather the ground around an object, without the object itself.

    Args:
        placed: (n, 3) points, board frame, whose convex hull holds the object.
    """
    middle = placed.mean(axis=0)[:2]
    half = REACH * float(np.linalg.norm(np.ptp(placed, axis=0)))
    step = 2 * half / TEXELS
    board_from_texel = np.array(
        [[step, 0, middle[0] - half], [0, step, middle[1] - half], [0, 0, 1]]
    )
    seen = [_unrolled(view, placed, board_from_texel) for view in views]
    mean: np.ndarray = np.zeros((TEXELS, TEXELS, 3), np.float32)
    variance: np.ndarray = np.full((TEXELS, TEXELS), np.inf, np.float32)
    count = np.zeros((TEXELS, TEXELS), np.float32)
    for number in range(PASSES):
        total, squares = np.zeros_like(mean), np.zeros_like(count)
        weights, count = np.zeros_like(count), np.zeros_like(count)
        for rgb, valid in seen:
            image, weight = rgb.astype(np.float32), valid.astype(np.float32)
            if number:
                image *= _gain(image, mean, valid)[..., None]
                off = ((image - mean) ** 2).mean(axis=-1)
                weight /= 1 + off / (variance + NOISE**2)
                squares += weight * off
            total += weight[..., None] * image
            weights += weight
            count += valid
        mean = total / np.maximum(weights, 1e-6)[..., None]
        if number:
            variance = squares / np.maximum(weights, 1e-6)
    sigma = np.sqrt(variance + NOISE**2)
    return Ground(mean, sigma, count, board_from_texel)


def _unrolled(
    view: BoardView, placed: np.ndarray, board_from_texel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A frame seen from straight above: (T, T, 3) uint8, and (T, T) bool where it shows ground."""
    height, width = view.rgb.shape[:2]
    seen = np.full((height, width), 255, np.uint8)
    points = apply(view.cam_from_board, placed)
    if points[:, 2].min() > 0:
        px = view.camera.project(points)
        hull = cv2.convexHull(px.astype(np.float32)).astype(np.int32)
        room = max(3, round(ROOM * float(np.ptp(px, axis=0).max())))
        cv2.fillConvexPoly(seen, hull, 0)
        cv2.polylines(seen, [hull], True, 0, 2 * room)
    seen[[0, -1]] = 0
    seen[:, [0, -1]] = 0
    image_from_texel = _plane(view.camera, view.cam_from_board) @ board_from_texel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (TEXELS, TEXELS)
    rgb = cv2.warpPerspective(view.rgb, image_from_texel, size, flags=flags)
    valid = cv2.warpPerspective(seen, image_from_texel, size, flags=flags) == 255
    x, y = np.meshgrid(np.arange(TEXELS), np.arange(TEXELS))
    depth = image_from_texel[2, 0] * x + image_from_texel[2, 1] * y + image_from_texel[2, 2]
    return rgb, valid & (depth > 1e-3)


def _plane(camera: Camera, cam_from_board: np.ndarray) -> np.ndarray:
    """(3, 3) image_from_board of points of the plane; the third row gives their depth, metres."""
    plane: np.ndarray = camera.K @ cam_from_board[:3, [0, 1, 3]]
    return plane


def _below_horizon(camera: Camera, cam_from_board: np.ndarray) -> np.ndarray:
    """(H, W) bool, where a ray meets the plane before the camera."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.K).T
    board_from_cam = invert(cam_from_board)
    down = rays @ board_from_cam[2, :3]  # along each ray, metres up the board a metre of depth
    below: np.ndarray = down * board_from_cam[2, 3] < 0
    return below


def _gain(rgb: np.ndarray, expected: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(H, W) factor, linear over the image, that brings its colours closest to what is expected.

    Exposure and light change from frame to frame, and slowly within one.
    """
    y, x = np.nonzero(where)
    if len(x) < 100:
        return np.ones(where.shape, np.float32)
    keep = slice(None, None, max(1, len(x) // 4000))
    y, x = y[keep], x[keep]
    seen, wanted = rgb[y, x].mean(axis=-1), expected[y, x].mean(axis=-1)
    scale = float(max(where.shape))
    terms = np.stack([np.ones(len(x)), x / scale, y / scale], axis=-1)  # (n, 3)
    weight = np.ones(len(x))
    fitted = np.array([1.0, 0, 0])
    for _ in range(3):
        a = (terms * (seen * weight)[:, None]).astype(np.float64)
        fitted = np.linalg.lstsq(a, wanted * weight, rcond=None)[0]
        off = terms @ fitted * seen - wanted
        weight = 1 / (1 + (off / (2 * NOISE)) ** 2)
    rows, columns = (np.arange(n, dtype=np.float32) / np.float32(scale) for n in where.shape)
    gain = fitted[0] + fitted[1] * columns[None] + fitted[2] * rows[:, None]
    return np.clip(gain, 0.3, 3).astype(np.float32)
