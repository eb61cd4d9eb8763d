"""Images that a detector is trained on: real frames, with cut-outs of synthetic images in them.

As in "Simple copy-paste" (Ghiasi et al., CVPR 2021). What is pasted beside the object, of the same
outlines but of anything else, keeps a seam from being the sign of an object.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from render.scene.background import draw_background
from render.scene.spec import Background
from train.learn.voting import STRIDE
from train.objects.detect.network import cell_centers

PROCEDURAL = 0.15  # share of images before procedural clutter, where there are real frames
ZOOM = (0.7, 1.6)  # of a real frame
TURN_DEG = 10.0  # of a real frame, or of what is pasted
PASTED = (0.15, 0.5, 0.85)  # shares of images with at most 0, 1, 2 objects pasted; the rest have 3
REAL = 0.4  # share of what is pasted that is cut out of real frames, where these have masks
PATCHES = 4  # of anything else, at most
ERASED = 0.2  # share of the real objects that a patch hides
OVERLAP = 0.15  # of a real object's box that what is pasted may hide
LEAST_SEEN = 0.25  # share of an object that must be seen for it to be one
ATTEMPTS = 8  # at a place for what is pasted
NARROW = 0.6  # of a Gaussian around an object's centre: its sigma over a sixth of the box's sides


@dataclass(frozen=True, eq=False)
class Scene:
    """A real frame. rgb: (H, W, 3) uint8. boxes: (n, 4) x, y, width, height in pixels of the object
    where it is seen. unsure: (m, 4), where it is hardly seen and nothing is asked."""

    rgb: np.ndarray
    boxes: np.ndarray
    unsure: np.ndarray


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object of a synthetic image. rgb: (h, w, 3) uint8. seen: (h, w) uint8, 255 where it is."""

    rgb: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, eq=False)
class Pictures:
    """What images are made of.

    cutouts: of synthetic images. real: of the real frames. size: (width, height) of an image.
    longer: range of the longer side of a pasted object, as a share of that of the image.
    """

    scenes: Sequence[Scene]
    cutouts: Sequence[Cutout]
    size: tuple[int, int]
    longer: tuple[float, float]
    real: Sequence[Cutout] = ()

    def draw_cutout(self, rng: np.random.Generator) -> Cutout:
        """A cut-out, of either kind."""
        use_real = bool(self.real) and rng.random() < REAL
        among = self.real if use_real else self.cutouts
        return among[int(rng.integers(len(among)))]

    def checksum(self) -> int:
        """Of all of it, to tell on resuming whether it is the same."""
        arrays = [part for s in self.scenes for part in (s.rgb, s.boxes, s.unsure)]
        arrays += [part for c in (*self.cutouts, *self.real) for part in (c.rgb, c.seen)]
        return reduce(lambda before, part: zlib.crc32(part.tobytes(), before), arrays, 0)


def compose(rng: np.random.Generator, pictures: Pictures) -> Scene:
    """An image for training, of pictures.size."""
    scenes, (width, height) = pictures.scenes, pictures.size
    if not scenes or rng.random() < PROCEDURAL:
        rgb, boxes, unsure = _clutter(rng, pictures.size), np.zeros((0, 4)), np.zeros((0, 4))
    else:
        rgb, boxes, unsure = _framed(rng, scenes[int(rng.integers(len(scenes)))], pictures.size)

    erased = rng.random(len(boxes)) < ERASED
    for box in boxes[erased]:
        rgb = _erase(rng, rgb, box, _anything(rng, pictures))
    boxes = boxes[~erased]
    taken = np.concatenate([boxes, unsure])
    objects = int(np.searchsorted(PASTED, rng.random(), side="right"))
    are_objects = np.arange(objects + rng.integers(PATCHES + 1)) < objects
    owner = np.zeros((height, width), np.uint8)  # 1 + number of the pasted object that is seen
    areas: list[int] = []
    for is_object in rng.permutation(are_objects):
        placed = _place(rng, pictures.draw_cutout(rng), pictures, taken)
        if placed is None:
            continue
        pasted, seen = placed
        rgb = _blend(rng, rgb, pasted if is_object else _anything(rng, pictures), seen)
        solid = seen > 0.5
        if is_object:
            areas.append(int(solid.sum()))
        owner[solid] = len(areas) if is_object else 0

    for number, area in enumerate(areas, start=1):
        own = owner == number
        if not own.any():
            continue
        box = np.array(cv2.boundingRect(own.view(np.uint8)), np.float64)
        box -= (0, 0, 1, 1)  # BOP's: from the first to the last pixel
        if own.sum() >= LEAST_SEEN * area:
            boxes = np.concatenate([boxes, box[None]])
        else:
            unsure = np.concatenate([unsure, box[None]])
    return Scene(rgb, boxes, unsure)


def targets(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `detector_loss` wants of an image: heat (n, m), sides (4, n, m), counted (n, m) bool."""
    n, m = (side // STRIDE for side in scene.rgb.shape[:2])
    xs, ys = cell_centers(n, m)
    heat, counted = np.zeros((n, m), np.float32), np.ones((n, m), bool)
    sides = np.ones((4, n, m), np.float32)
    for x, y, width, height in scene.unsure:
        rows, columns = (ys >= y) & (ys <= y + height), (xs >= x) & (xs <= x + width)
        counted[np.ix_(rows, columns)] = False
    for x, y, width, height in scene.boxes:
        center = np.array([x + width / 2, y + height / 2])
        spread = NARROW * np.maximum([width, height], STRIDE) / 6
        column, row = np.clip(np.round((center + 0.5) / STRIDE - 0.5), 0, (m - 1, n - 1)).astype(
            int
        )
        across, down = (xs - xs[column]) / spread[0], (ys - ys[row]) / spread[1]
        bump = np.exp(-0.5 * (across**2 + down[:, None] ** 2)).astype(np.float32)
        own = bump > heat
        heat[own], counted[row, column] = bump[own], True
        distances = np.stack(
            np.broadcast_arrays(
                xs - x, (ys - y)[:, None], x + width - xs, (y + height - ys)[:, None]
            )
        )
        sides[:, own] = distances[:, own]
    inside = sides.min(axis=0) > 0
    heat[~inside & (heat < 1)] = 0  # a cell beside the box cannot say it
    return heat, sides, counted


def _framed(
    rng: np.random.Generator, scene: Scene, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random part of a real frame, and the boxes in it."""
    whole = np.array(scene.rgb.shape[1::-1], np.float64)
    angle, zoom = np.radians(TURN_DEG) * rng.uniform(-1, 1), np.exp(rng.uniform(*np.log(ZOOM)))
    zoom *= max(np.array(size) / whole)
    slack = zoom * whole - size
    center = (whole - 1) / 2 + rng.uniform(-0.5, 0.5, 2) * slack / zoom
    affine = _affine(angle, zoom, center, (np.array(size) - 1) / 2)
    color = rng.integers(256, size=3).tolist()
    kind = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    rgb = cv2.warpAffine(scene.rgb, affine, size, flags=kind, borderValue=color)
    boxes, shares = _moved(scene.boxes, affine, size)
    unsure, left = _moved(scene.unsure, affine, size)
    hardly = boxes[(shares > 0) & (shares < 0.5)]
    return rgb, boxes[shares >= 0.5], np.concatenate([unsure[left > 0], hardly])


def _moved(
    boxes: np.ndarray, affine: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes after a warp, cut at the image's edge, and how much of each is left.

    Of a turned box the middle of its sides count: objects seldom fill the corners.
    """
    x, y, width, height = boxes.T
    middles = [(x + width / 2, y), (x + width / 2, y + height), (x, y + height / 2)]
    middles.append((x + width, y + height / 2))
    points = np.array(middles).transpose(2, 0, 1) @ affine[:, :2].T + affine[:, 2]  # (n, 4, 2)
    low, high = points.min(axis=1), points.max(axis=1)
    cut = np.clip(low, 0, np.array(size) - 1), np.clip(high, 0, np.array(size) - 1)
    area, before = (np.prod(b - a, axis=1) for a, b in (cut, (low, high)))
    return np.column_stack([cut[0], cut[1] - cut[0]]), area / np.maximum(before, 1e-6)


def _place(
    rng: np.random.Generator, cutout: Cutout, pictures: Pictures, taken: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """A cut-out, and in which share of each pixel it is seen, warped to a place in the image.

    None where it hid one of the boxes that are taken (n, 4) wherever it was tried.
    """
    size = np.array(pictures.size)
    for _ in range(ATTEMPTS):
        angle = np.radians(TURN_DEG) * rng.uniform(-1, 1)
        longer = np.exp(rng.uniform(*np.log(pictures.longer))) * max(size)
        center = rng.uniform(0, 1, 2) * size
        sides = np.array(cutout.seen.shape[::-1])
        zoom = longer / max(sides)
        if _hides(center, zoom * sides, taken):
            continue
        affine = _affine(angle, zoom, (sides - 1) / 2, center)
        kind = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        pasted, seen = (
            cv2.warpAffine(
                _shrunk(image, zoom), _of_shrunk(affine, zoom), pictures.size, flags=kind
            )
            for image in (cutout.rgb, cutout.seen)
        )
        return pasted, seen.astype(np.float32) / 255
    return None


def _shrunk(image: np.ndarray, zoom: float) -> np.ndarray:
    """Half as large as often as the zoom halves it, so that fine texture does not alias."""
    while zoom <= 0.6:
        image, zoom = (
            cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
            2 * zoom,
        )
    return image


def _of_shrunk(affine: np.ndarray, zoom: float) -> np.ndarray:
    """The same warp of what `_shrunk` gave."""
    while zoom <= 0.6:
        # Pixel centres at integers: u of the half is 2 u + 0.5 of the whole.
        affine = np.column_stack([2 * affine[:, :2], affine[:, 2] + affine[:, :2] @ (0.5, 0.5)])
        zoom = 2 * zoom
    return affine


def _blend(
    rng: np.random.Generator, rgb: np.ndarray, pasted: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """One image over another where it is seen, (h, w) in 0..1; its edge is as soft as a lens's."""
    alpha = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 1.0))[..., None]
    return (rgb + alpha * (pasted.astype(np.float32) - rgb)).astype(np.uint8)


def _erase(
    rng: np.random.Generator, rgb: np.ndarray, box: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """An image with all that is in a box hidden by an ellipse of something else."""
    seen = np.zeros(rgb.shape[:2], np.float32)
    axes = np.ceil(box[2:] * rng.uniform(0.75, 0.95, 2)).astype(int) + 1  # 0.71: around the box
    center = np.round(box[:2] + box[2:] / 2).astype(int)
    cv2.ellipse(seen, center.tolist(), axes.tolist(), 0, 0, 360, 1.0, -1)
    return _blend(rng, rgb, other, seen)


def _hides(center: np.ndarray, sides: np.ndarray, taken: np.ndarray) -> bool:
    """Whether a box hides more than OVERLAP of one of others (n, 4)."""
    low = np.maximum(center - sides / 2, taken[:, :2])
    high = np.minimum(center + sides / 2, taken[:, :2] + taken[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return bool((shared > OVERLAP * np.prod(taken[:, 2:], axis=1)).any())


def _anything(rng: np.random.Generator, pictures: Pictures) -> np.ndarray:
    """An image of no object: a part of a real frame without one, or clutter."""
    for _ in range(ATTEMPTS if pictures.scenes else 0):
        scene = pictures.scenes[int(rng.integers(len(pictures.scenes)))]
        whole = np.array(scene.rgb.shape[1::-1])
        sides = np.ceil(whole * rng.uniform(0.15, 0.6)).astype(int)
        corner = rng.integers(0, whole - sides + 1)
        if not _hides(corner + sides / 2, sides, np.concatenate([scene.boxes, scene.unsure])):
            (x, y), (width, height) = corner, sides
            return cv2.resize(scene.rgb[y : y + height, x : x + width], pictures.size)
    return _clutter(rng, pictures.size)


def _clutter(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw_background(Background("noise", seed=(int(rng.integers(1 << 31)),)), size)


def _affine(angle: float, zoom: float, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, 3): turns and zooms, and moves one point to another."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = zoom * np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, target - linear @ source])
