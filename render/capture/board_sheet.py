"""The board as a page to print: squares, markers, a ruler, what to measure, an object's outline."""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from render.capture.board import DICTIONARIES, FOOT_MM, PAPERS_MM, Board, check_board, marker_count
from render.errors import InputError
from render.whole_file import write_whole

DPI = 600
MARGIN_MM = 7.0  # at least, which every printer reaches
ACROSS, DOWN = 13, 9  # squares on a lying page; odd, for which all generators of boards agree
MARKER_SHARE = 0.75  # of a square's side
LINE_MM = 0.25
BLACK, WHITE = 0, 255


def make_board(
    paper: str = "a4",
    squares: tuple[int, int] = (ACROSS, DOWN),
    square_mm: float | None = None,
    blank: tuple[int, int] | None = None,
    dictionary: str | None = None,
) -> Board:
    """A board that fits a page.

    Args:
        squares: across and down the lying page.
        square_mm: None is the largest whole number that fits.
        blank: squares across and down to leave blank in the middle; one more where that is needed
            to lie in the middle. None leaves none.
        dictionary: None is the smallest one of 4x4 bits, which are read from farthest.

    Raises:
        InputError: it does not fit the paper, or there is no such board (see `check_board`).
    """
    across, down = squares
    width, height = PAPERS_MM[paper]
    most = min((width - 2 * MARGIN_MM) / across, (height - 2 * (FOOT_MM + MARGIN_MM)) / down)
    side = float(int(most)) if square_mm is None else square_mm
    if not 1 <= side <= most:
        raise InputError(
            f"--squares {across}x{down}: squares of {side:g} mm do not fit {paper}; they may be of"
            f" 1 to {most:.1f} mm"
        )
    if dictionary is None:
        needed = across * down // 2
        fitting = [name for name in DICTIONARIES if marker_count(name) >= needed]
        dictionary = (fitting or ["DICT_4X4_1000"])[0]
    marker = round(side * MARKER_SHARE, 2)
    hole = None if blank is None else _middle(squares, blank)
    board = Board(across, down, side, marker, dictionary, paper, hole)
    check_board(board, "--squares")
    return board


def draw_sheet(
    board: Board, px_per_mm: float = DPI / 25.4, outlines: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """The page as it should come out of the printer.

    Args:
        board: one with a paper; its scale does not count.
        outlines: closed polylines to print where the object shall stand, (n, 2) metres, board
            frame.

    Returns:
        (H, W) uint8, 0 is black. The first pixel's upper left corner is the page's.
    """
    assert board.paper is not None
    width, height = (round(side * px_per_mm) for side in PAPERS_MM[board.paper])
    page = np.full((height, width), WHITE, np.uint8)
    _draw_squares(page, board, px_per_mm)
    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    for outline in outlines:
        points = _page_mm(board, np.asarray(outline) * 1000) * px_per_mm - 0.5
        closed = [*map(tuple, points), tuple(points[0])]
        draw.line(closed, BLACK, max(1, round(LINE_MM * px_per_mm)), joint="curve")
    _draw_foot(draw, board, px_per_mm)
    return np.array(image)


def write_sheet(path: Path, board: Board, outlines: Sequence[np.ndarray] = ()) -> None:
    """Write the page as a PDF of its true size, whole or not at all.

    Raises:
        InputError: the file is not named .pdf, or cannot be written.
    """
    if path.suffix.lower() != ".pdf":
        raise InputError(f"{path}: a board is written as .pdf, to be printed in its true size")
    page = Image.fromarray(draw_sheet(board, outlines=outlines)).point(
        lambda grey: 255 * (grey > 127), mode="1"
    )
    content = io.BytesIO()
    page.save(content, "PDF", resolution=DPI, title=board.name)
    write_whole(path, content.getvalue())


def _middle(squares: tuple[int, int], blank: tuple[int, int]) -> tuple[int, int, int, int]:
    """The squares in the middle of the board, at least so many of them: x0, y0, x1, y1."""
    wide, high = (b + (s - b) % 2 for s, b in zip(squares, blank, strict=True))
    x0, y0 = (squares[0] - wide) // 2, (squares[1] - high) // 2
    return x0, y0, x0 + wide, y0 + high


def _page_mm(board: Board, points_mm: np.ndarray) -> np.ndarray:
    """Board frame, unscaled mm -> mm from the page's top left: (n, 2) -> (n, 2)."""
    assert board.paper is not None
    width, height = PAPERS_MM[board.paper]
    return np.stack([width / 2 + points_mm[:, 0], height / 2 - FOOT_MM - points_mm[:, 1]], axis=-1)


def _draw_squares(page: np.ndarray, board: Board, px_per_mm: float) -> None:
    """Fill the black squares, and the black parts of markers, of a white page."""
    size = np.array([board.squares_x, board.squares_y]) * board.square_mm
    top_left = _page_mm(board, np.array([[-size[0] / 2, size[1] / 2]]))[0]

    def fill(corner_mm: np.ndarray, side_mm: float, value: int) -> None:
        x0, y0 = np.rint((top_left + corner_mm) * px_per_mm).astype(int)
        x1, y1 = np.rint((top_left + corner_mm + side_mm) * px_per_mm).astype(int)
        page[y0:y1, x0:x1] = value

    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    modules = dictionary.markerSize + 2
    module_mm, rim_mm = board.marker_mm / modules, (board.square_mm - board.marker_mm) / 2
    first = board.squares_y % 2 == 0 and board.legacy  # whether the top left square is white
    marker = 0
    for y in range(board.squares_y):
        for x in range(board.squares_x):
            corner = np.array([x, y]) * board.square_mm
            blank = _is_blank(board, x, y)
            if (x + y + first) % 2 == 0:
                if not blank:
                    fill(corner, board.square_mm, BLACK)
                continue
            if not blank:
                pattern = cv2.aruco.generateImageMarker(dictionary, marker, modules)
                for row, column in np.argwhere(pattern == 0):
                    fill(corner + rim_mm + module_mm * np.array([column, row]), module_mm, BLACK)
            marker += 1


def _is_blank(board: Board, x: int, y: int) -> bool:
    if board.hole is None:
        return False
    x0, y0, x1, y1 = board.hole
    return x0 <= x < x1 and y0 <= y < y1


def _draw_foot(draw: ImageDraw.ImageDraw, board: Board, px_per_mm: float) -> None:
    """Draw the ruler below the squares, and beside it what is to be done with it."""
    half = np.array([board.squares_x, board.squares_y]) * board.square_mm / 2
    left, top = _page_mm(board, np.array([[-half[0], -half[1] - 4]]))[0]

    def box(x0: float, y0: float, x1: float, y1: float) -> None:
        ends = np.rint(np.array([left + x0, top + y0, left + x1, top + y1]) * px_per_mm)
        draw.rectangle((*ends[:2], *np.maximum(ends[2:] - 1, ends[:2])), BLACK)

    # The ruler is measured between the outer edges of its end strokes.
    length = board.ruler_mm
    box(0, 3, length, 3 + LINE_MM)
    for mm in range(0, round(length) + 1, 10):
        ends = (0, LINE_MM) if mm == 0 else (mm - LINE_MM, mm)
        middle = (mm - LINE_MM / 2, mm + LINE_MM / 2)
        is_end = mm in (0, round(length))
        x0, x1 = ends if is_end else middle
        box(x0, 0 if is_end else 1.5, x1, 6 if is_end else 3)
    lines = (
        "Print at 100 %, not fitted to the page. Then measure this ruler from end to end:",
        f"it should be {length:g} mm; say what it is, such as --ruler-mm {length - 0.8:g}",
        f"ChArUco {board.name}. Fix it to something flat and stiff.",
    )
    font = _font(2.6 * px_per_mm)
    for i, line in enumerate(lines):
        at = np.array([left + length + 5, top - 1 + 3.6 * i]) * px_per_mm
        draw.text(tuple(at), line, BLACK, font)
    draw.text(tuple(np.array([left, top + 7]) * px_per_mm), "0", BLACK, font)
    end = tuple(np.array([left + length, top + 7]) * px_per_mm)
    draw.text(end, f"{length:g} mm", BLACK, font, anchor="ra")


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
