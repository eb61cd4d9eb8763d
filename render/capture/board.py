"""The printed board: squares, markers and a ruler; its file, its frame, its points in metres."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from render import plain
from render.errors import InputError
from render.input_file import read_text
from render.whole_file import write_whole

if TYPE_CHECKING:
    import cv2

PAPERS_MM = {"a4": (297.0, 210.0), "a3": (420.0, 297.0), "letter": (279.4, 215.9)}  # lying
FOOT_MM = 8.0  # the squares' middle lies by this above the page's: ruler and text stand below
RULER_MM = 100.0
SCALES = 0.5, 2.0  # no printer is further off
MOST_SQUARES = 60
LONGEST_FILE = 1 << 16  # characters
# From the coarsest to the finest: the bits of a marker's side, and how many markers there are.
DICTIONARIES = tuple(
    f"DICT_{bits}X{bits}_{count}" for bits in (4, 5, 6, 7) for count in (50, 100, 250, 1000)
) + ("DICT_APRILTAG_16h5", "DICT_APRILTAG_25h9", "DICT_APRILTAG_36h10", "DICT_APRILTAG_36h11")

_CHECK = plain.record(
    {
        "squares_x": plain.whole(3, MOST_SQUARES),
        "squares_y": plain.whole(3, MOST_SQUARES),
        "square_mm": plain.number(1, 1000),
        "marker_mm": plain.number(0.5, 1000),
        "dictionary": plain.one_of(DICTIONARIES),
    },
    {
        "paper": plain.one_of(tuple(PAPERS_MM)),
        "hole": plain.list_of(plain.whole(0, MOST_SQUARES), 4, 4),
        "legacy": plain.boolean,
        "ruler_mm": plain.number(10, 1000),
        "ruler_measured_mm": plain.number(5, 2000),
    },
)


@dataclass(frozen=True)
class Board:
    """A ChArUco board: a chess board whose white squares bear markers, so that a part tells where.

    Board frame: the origin in the middle of the squares, x to the right, y up the page (away from
    the reader), z out of the paper towards the viewer, metres. OpenCV's own begins at the top left,
    its y goes down the page and its z into it; `board_from_charuco` leads from there.

    squares_x, squares_y: across and down the page. square_mm, marker_mm: sides as they should have
    been printed. dictionary: name of OpenCV's set of markers. paper: "a4", "a3" or "letter", lying;
    None where the board is not one of ours. hole: squares left blank in the middle, x0, y0, x1, y1
    counted from the top left, the last ones outside. legacy: the pattern of OpenCV before 4.6, and
    of some generators of boards. ruler_mm: what the printed ruler should measure. scale: printed
    size / size as it should be, which the ruler tells.
    """

    squares_x: int
    squares_y: int
    square_mm: float
    marker_mm: float
    dictionary: str
    paper: str | None = None
    hole: tuple[int, int, int, int] | None = None
    legacy: bool = False
    ruler_mm: float = RULER_MM
    scale: float = 1.0

    @property
    def name(self) -> str:
        """What tells it from other boards, printed on it."""
        blank = ""
        if self.hole is not None:
            x0, y0, x1, y1 = self.hole
            blank = f" blank {x1 - x0}x{y1 - y0}"
        size = f"{self.squares_x}x{self.squares_y} squares of {self.square_mm:g} mm"
        return f"{size}, {self.dictionary.removeprefix('DICT_')}{blank}"

    @property
    def square(self) -> float:
        """Side of a square as printed, metres."""
        return self.square_mm * self.scale / 1000

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of all squares together, as printed, metres."""
        return self.squares_x * self.square, self.squares_y * self.square

    @property
    def markers(self) -> int:
        """How many markers the squares bear, those left blank among them."""
        return self.squares_x * self.squares_y // 2

    @property
    def corners(self) -> np.ndarray:
        """Where four squares meet: (n, 3) metres, board frame, in the order of OpenCV's ids."""
        x, y = np.meshgrid(np.arange(1, self.squares_x), np.arange(1, self.squares_y))
        return self.at(np.stack([x.ravel(), y.ravel()], axis=-1))

    @property
    def usable(self) -> np.ndarray:
        """(n,) bool: the corners whose four squares are all printed."""
        x, y = np.meshgrid(np.arange(1, self.squares_x), np.arange(1, self.squares_y))
        if self.hole is None:
            return np.ones(x.size, bool)
        x0, y0, x1, y1 = self.hole
        return ~((x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)).ravel()

    @property
    def board_from_charuco(self) -> np.ndarray:
        """(4, 4): from the frame of OpenCV's board, in metres, to ours."""
        width, height = self.size
        board_from_charuco = np.diag([1.0, -1.0, -1.0, 1.0])
        board_from_charuco[:2, 3] = -width / 2, height / 2
        return board_from_charuco

    @property
    def outline(self) -> np.ndarray:
        """(4, 3) corners of all squares together, metres, board frame: top left, then clockwise."""
        x, y = self.squares_x, self.squares_y
        return self.at(np.array([[0, 0], [x, 0], [x, y], [0, y]]))

    @property
    def hole_outline(self) -> np.ndarray | None:
        """(4, 3) corners of what is left blank, as `outline`; None if nothing is."""
        if self.hole is None:
            return None
        x0, y0, x1, y1 = self.hole
        return self.at(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))

    @property
    def page_outline(self) -> np.ndarray:
        """(4, 3) corners of the paper, as `outline`; a square around all where it is not known."""
        if self.paper is None:
            x, y = self.squares_x + 1, self.squares_y + 1
            return self.at(np.array([[-1, -1], [x, -1], [x, y], [-1, y]]))
        width, height = PAPERS_MM[self.paper]
        top, bottom = height / 2 - FOOT_MM, -height / 2 - FOOT_MM
        mm = [[-width / 2, top], [width / 2, top], [width / 2, bottom], [-width / 2, bottom]]
        return np.column_stack([np.array(mm) * self.scale / 1000, np.zeros(4)])

    def at(self, squares: np.ndarray) -> np.ndarray:
        """Board frame of positions counted in squares from the top left: (n, 2) -> (n, 3)."""
        across, down = np.asarray(squares, np.float64).T
        x = (across - self.squares_x / 2) * self.square
        y = (self.squares_y / 2 - down) * self.square
        return np.stack([x, y, np.zeros_like(x)], axis=-1)

    def charuco(self) -> "cv2.aruco.CharucoBoard":
        """OpenCV's board, in metres as printed; what is left blank is never seen of it."""
        import cv2

        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        squares = self.squares_x, self.squares_y
        marker = self.marker_mm * self.scale / 1000
        board = cv2.aruco.CharucoBoard(squares, self.square, marker, dictionary)
        board.setLegacyPattern(self.legacy)
        return board

    def measured(self, ruler_mm: float) -> "Board":
        """The board whose printed ruler says so many mm.

        Raises:
            InputError: no printer is so far off.
        """
        scale = ruler_mm / self.ruler_mm
        if not (math.isfinite(scale) and SCALES[0] <= scale <= SCALES[1]):
            raise InputError(
                f"--ruler-mm {ruler_mm:g}: the board's ruler should be {self.ruler_mm:g} mm long;"
                " measure it in millimetres"
            )
        return replace(self, scale=scale)


def read_board(path: Path) -> Board:
    """Read a board.toml.

    Raises:
        InputError: it is missing, damaged, or says of a board what cannot be.
    """
    text = read_text(path)
    try:
        if len(text) > LONGEST_FILE:
            raise ValueError("longer than any board's")
        values: Mapping[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not the TOML file of a board: {error}") from None
    values = dict(_CHECK(values, str(path)))
    measured = values.pop("ruler_measured_mm", None)
    hole = values.pop("hole", None)
    board = Board(**values, hole=None if hole is None else tuple(hole))
    check_board(board, str(path))
    return board if measured is None else board.measured(measured)


def write_board(path: Path, board: Board) -> None:
    """Write a board.toml, whole or not at all."""
    values = {
        name: value
        for name, value in vars(board).items()
        if value is not None and name not in ("scale", "legacy")
    }
    lines = [f"{name} = {_toml(value)}" for name, value in values.items()]
    if board.legacy:
        lines.append("legacy = true")
    if board.scale == 1:
        lines.append("# Measure the printed ruler, in mm, and say so here or by --ruler-mm:")
        lines.append(f"# ruler_measured_mm = {board.ruler_mm:g}")
    else:
        lines.append(f"ruler_measured_mm = {board.scale * board.ruler_mm!r}")
    text = "# A ChArUco board, as `capture board` printed it.\n" + "\n".join(lines) + "\n"
    write_whole(path, text.encode())


def check_board(board: Board, where: str) -> None:
    """Refuse a board that cannot be printed or told from another.

    Raises:
        InputError: a marker fills its square, there are too few markers in the dictionary, or what
            is left blank leaves too little.
    """
    if not 0.3 * board.square_mm <= board.marker_mm <= 0.9 * board.square_mm:
        raise InputError(
            f"{where}: marker_mm must be from 0.3 to 0.9 of square_mm, got {board.marker_mm:g} of"
            f" {board.square_mm:g}"
        )
    there = marker_count(board.dictionary)
    if board.markers > there:
        raise InputError(
            f"{where}: {board.squares_x}x{board.squares_y} squares take {board.markers} markers,"
            f" {board.dictionary} has {there}; take a larger dictionary"
        )
    if board.hole is not None:
        x0, y0, x1, y1 = board.hole
        if not (0 <= x0 < x1 <= board.squares_x and 0 <= y0 < y1 <= board.squares_y):
            raise InputError(
                f"{where}: hole must be x0, y0, x1, y1 in squares, within"
                f" {board.squares_x}x{board.squares_y}, got {list(board.hole)}"
            )
    if board.usable.sum() < 8:
        raise InputError(
            f"{where}: {board.usable.sum()} corners are left around what is blank, of at least 8"
        )


def marker_count(dictionary: str) -> int:
    """How many markers a dictionary of OpenCV's has."""
    import cv2

    return len(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary)).bytesList)


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else repr(value)
