"""An image -> the corners of the board in it; why a board is not seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from render.capture.board import DICTIONARIES, Board

# A dictionary of each kind, whose markers the larger ones begin with -> what to call all of them.
FAMILIES = {f"DICT_{bits}X{bits}_100": f"DICT_{bits}X{bits}" for bits in (4, 5, 6, 7)}
FAMILIES |= {name: name for name in DICTIONARIES if name[-4:] in ("16h5", "25h9", "6h11")}
LOOKED_THROUGH = 3  # images, for markers of other kinds
LEAST_READ = 4  # markers: fewer are read in any pattern
EDGE_INNER = 0.3  # of a square's side, along it: the ends of an edge are other edges' business
FITTING = 0.5  # of a layout: the least share of markers that lie where it puts them
LAYOUT_PX = 0.01  # of the image's diagonal, as far as a lens may bend a board


@dataclass(frozen=True, eq=False)
class Seen:
    """The board's corners in one image.

    ids: (n,) into `Board.corners`. pixels: (n, 2) float64. sharpness: 0..1, see `edge_sharpness`.
    """

    index: int
    name: str
    ids: np.ndarray
    pixels: np.ndarray
    sharpness: float


class Detector:
    """Finds one board in grey images."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._usable = board.usable
        how = cv2.aruco.CharucoParameters()
        # A marker that is too small to be read alone is known by where the board has it: of seven
        # real photographs with markers of 16 px three showed nearly no corner without.
        how.tryRefineMarkers = True
        self._detector = cv2.aruco.CharucoDetector(board.charuco(), how)

    def find(self, grey: np.ndarray, index: int = 0, name: str = "") -> Seen:
        """The corners that are seen whole: of the four squares around, the two markers are read.

        Args:
            grey: (H, W) uint8.
        """
        pixels, ids, _, _ = self._detector.detectBoard(grey)
        if ids is None or len(ids) == 0:
            return Seen(index, name, np.empty(0, int), np.empty((0, 2)), 0.0)
        ids = np.asarray(ids).ravel().astype(int)
        pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
        kept = self._usable[ids]
        ids, pixels = ids[kept], pixels[kept]
        return Seen(index, name, ids, pixels, edge_sharpness(grey, self.board, ids, pixels))


def lies_otherwise(seen: Seen, board: Board, size: tuple[int, int]) -> bool:
    """Whether most corners are where this board cannot have them: it is the print of another."""
    if len(seen.ids) < 6:
        return False
    return _share_on_plane(board.corners[seen.ids, :2], seen.pixels, size) < FITTING


def edge_sharpness(grey: np.ndarray, board: Board, ids: np.ndarray, pixels: np.ndarray) -> float:
    """How sharp the edges between squares are: 0.95 at a blur of half a pixel, 0.4 at two.

    It is the share of the step from black to white that lies within a pixel on either side, in
    the median over edges; of edges across and along the board the worse, since motion blurs one.
    Where no two corners are neighbours it is taken to be 0.5.
    """
    place = {int(i): p for i, p in zip(ids, pixels, strict=True)}
    across = board.squares_x - 1
    found = []
    for step in (1, across):
        pairs = [
            (place[i], place[i + step])
            for i in place
            if i + step in place and (step > 1 or (i + 1) % across)
        ]
        if pairs:
            found.append(_median_step(grey, np.array(pairs)))
    return min(found, default=0.5)


def _median_step(grey: np.ndarray, pairs: np.ndarray) -> float:
    """The median share of the step across edges, (n, 2, 2) their end points in pixels."""
    along = pairs[:, 1] - pairs[:, 0]
    length = np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.maximum(length, 1e-9)
    shares = np.linspace(EDGE_INNER, 1 - EDGE_INNER, 5)
    points = pairs[:, None, 0] + shares[:, None] * along[:, None]  # (n, 5, 2)
    # Far from the edge, but not as far as the marker in the white square.
    far = np.maximum(1.0, 0.1 * length)[:, None, :] * across[:, None, :]
    near = across[:, None, :]
    left, right = _sample(grey, points - near), _sample(grey, points + near)
    wide = np.abs(_sample(grey, points + far) - _sample(grey, points - far)).mean(axis=1)
    blacks, whites = np.percentile(_sample(grey, points + 4 * far), [5, 95])
    contrast = np.maximum(wide, 0.5 * (whites - blacks))
    steps = np.abs((right - left).mean(axis=1)) / np.maximum(contrast, 8.0)
    return float(np.clip(np.median(steps), 0, 1))


def _sample(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Grey levels between pixels: (n, m, 2) -> (n, m) float32."""
    xy = points.astype(np.float32)
    values = cv2.remap(
        grey, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return values.astype(np.float32)


def why_unseen(board: Board, greys: Sequence[np.ndarray]) -> str:
    """What images show instead of the board, and what to do, as the end of a sentence."""
    upright = max(_fit(board, grey) for grey in greys)
    mirrored = max(_fit(board, np.ascontiguousarray(grey[:, ::-1])) for grey in greys)
    if _is_seen(mirrored) and mirrored.read > 2 * upright.read:
        return (
            "the board is seen mirrored; film with the camera on the back, or turn off that the"
            " front camera mirrors what it saves"
        )
    if _is_seen(upright):
        return (
            f"a board like it is seen, of which too little is whole at once ({upright.read} markers"
            " at most); film nearer, sharper, and with more of it in the picture"
        )
    other = replace(board, legacy=not board.legacy)
    if board.squares_y % 2 == 0 and _is_seen(max(_fit(other, grey) for grey in greys)):
        return (
            "the board has its black squares where the white ones should be: write legacy ="
            f" {str(other.legacy).lower()} in its board.toml"
        )
    counts = {name: max(_read(name, grey) for grey in greys[:LOOKED_THROUGH]) for name in FAMILIES}
    family = max(counts, key=lambda name: counts[name])
    if counts[family] > max(LEAST_READ, 2 * upright.read):
        return (
            f"a board of {FAMILIES[family]} is seen, not of {board.dictionary}: this is the print"
            " of another board; give the board.toml that was made with it"
        )
    if upright.read >= LEAST_READ:
        return (
            f"markers of {board.dictionary} are seen, but not where the board of {board.name} has"
            " them: this is the print of another board; give the board.toml that was made with it"
        )
    return (
        f"no marker of {board.dictionary} is seen; is the board in the picture, sharp and lit, and"
        " is it the one of this board.toml?"
    )


@dataclass(frozen=True, order=True)
class _Fit:
    """How many markers are read in an image, and the share that lies where a layout puts them."""

    read: int
    share: float


def _is_seen(fit: _Fit) -> bool:
    return fit.read >= LEAST_READ and fit.share >= FITTING


def _read(dictionary: str, grey: np.ndarray) -> int:
    """How many markers of a dictionary are read."""
    known = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary))
    _, ids, _ = cv2.aruco.ArucoDetector(known).detectMarkers(grey)
    return 0 if ids is None else len(ids)


def _fit(board: Board, grey: np.ndarray) -> _Fit:
    charuco = board.charuco()
    corners, ids, _ = cv2.aruco.ArucoDetector(charuco.getDictionary()).detectMarkers(grey)
    if ids is None or not len(ids):
        return _Fit(0, 0.0)
    places = {
        int(i): points for i, points in zip(charuco.getIds(), charuco.getObjPoints(), strict=True)
    }
    pairs = [
        (places.get(int(i)), c.reshape(4, 2)) for i, c in zip(np.ravel(ids), corners, strict=True)
    ]
    known = [(place, pixels) for place, pixels in pairs if place is not None]
    if len(known) < 2:
        return _Fit(len(ids), 0.0)
    plane = np.concatenate([np.asarray(place)[:, :2] for place, _ in known])
    pixels = np.concatenate([p for _, p in known])
    share = _share_on_plane(plane, pixels, grey.shape)
    return _Fit(len(ids), share * len(known) / len(ids))


def _share_on_plane(plane: np.ndarray, pixels: np.ndarray, size: Sequence[int]) -> float:
    """The share of points, (n, 2) on the board, that one view of a plane takes to their pixels."""
    reach = LAYOUT_PX * float(np.hypot(size[0], size[1]))
    H, _ = cv2.findHomography(plane, pixels, cv2.RANSAC, reach)
    if H is None:
        return 0.0
    moved = cv2.perspectiveTransform(plane[None].astype(np.float64), H)[0]
    return float((np.linalg.norm(moved - pixels, axis=1) < reach).mean())
