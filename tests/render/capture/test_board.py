"""The printed board: its frame, its file, its page; OpenCV's own board is the reference."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from render.capture.board import PAPERS_MM, Board, read_board, write_board
from render.capture.board_sheet import draw_sheet, make_board, write_sheet
from render.errors import InputError
from render.transforms import apply
from tests.mesh_samples import refusal

BOARD = make_board()
PX_PER_MM = 4.0


@pytest.mark.parametrize("scale", [1.0, 0.97])
def test_corners_are_those_of_opencvs_board_seen_from_its_other_side(scale):
    board = replace(BOARD, scale=scale)
    theirs = np.array(board.charuco().getChessboardCorners(), np.float64)
    np.testing.assert_allclose(apply(board.board_from_charuco, theirs), board.corners, atol=1e-7)
    np.testing.assert_allclose(board.outline.mean(axis=0), 0, atol=1e-12)
    assert np.linalg.det(board.board_from_charuco) == pytest.approx(1)


@pytest.mark.parametrize(
    "board",
    [
        BOARD,
        make_board("letter", blank=(5, 3)),
        make_board("a3", (8, 6), 40.0, dictionary="DICT_APRILTAG_36h11"),
        replace(make_board("a4", (8, 6)), legacy=True),
    ],
    ids=lambda board: board.name,
)
def test_opencv_finds_every_corner_of_the_page_where_the_board_has_it(board):
    page = cv2.resize(draw_sheet(board, 4 * PX_PER_MM), None, fx=0.25, fy=0.25, interpolation=3)
    page = cv2.GaussianBlur(page, (0, 0), 0.8)
    pixels, ids, _, _ = cv2.aruco.CharucoDetector(board.charuco()).detectBoard(page)
    pixels, ids = pixels.reshape(-1, 2), ids.ravel()
    assert set(np.flatnonzero(board.usable)) <= set(ids.tolist())
    width, height = PAPERS_MM[board.paper]
    top_left = board.page_outline[0, :2]
    expected = (board.corners[ids, :2] - top_left) * [1000, -1000] * PX_PER_MM - 0.5
    assert np.abs(pixels - expected)[board.usable[ids]].max() < 0.15
    np.testing.assert_allclose(np.ptp(board.page_outline, axis=0)[:2] * 1000, [width, height])


def test_what_is_left_blank_is_white_and_bears_the_outline():
    board = make_board(blank=(5, 4))
    assert board.hole == (4, 2, 9, 7)  # one more down, to lie in the middle
    corner = (board.hole_outline[0] - board.page_outline[0]) * 1000 * PX_PER_MM
    side = round(board.square_mm * PX_PER_MM)
    x, y = round(corner[0]) + 2, round(-corner[1]) + 2
    blank = draw_sheet(board, PX_PER_MM)[y : y + 5 * side - 4, x : x + 5 * side - 4]
    assert (blank == 255).all()
    square = 0.02 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    drawn = draw_sheet(board, PX_PER_MM, [square])[y : y + 5 * side - 4, x : x + 5 * side - 4]
    rows, columns = np.nonzero(drawn == 0)
    assert np.ptp(rows) == pytest.approx(40 * PX_PER_MM, abs=2)
    assert np.ptp(columns) == pytest.approx(40 * PX_PER_MM, abs=2)


def test_the_ruler_is_as_long_as_it_says():
    page = draw_sheet(BOARD, PX_PER_MM)
    below = page[round((PAPERS_MM["a4"][1] - 18.5) * PX_PER_MM) :, : round(125 * PX_PER_MM)]
    line = max(below, key=lambda row: (row == 0).sum())
    ends = np.flatnonzero(line == 0)[[0, -1]]
    assert np.ptp(ends) + 1 == pytest.approx(BOARD.ruler_mm * PX_PER_MM, abs=1)


def test_the_pdf_has_the_papers_size(tmp_path):
    write_sheet(tmp_path / "board.pdf", BOARD)
    content = (tmp_path / "board.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", content)
    points = np.array([float(box[1]), float(box[2])])
    np.testing.assert_allclose(points / 72 * 25.4, PAPERS_MM["a4"], atol=0.05)
    assert "board.png: a board is written as .pdf" in refusal(
        write_sheet, tmp_path / "board.png", BOARD
    ).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    "board",
    [BOARD, make_board("a3", blank=(3, 3)), BOARD.measured(98.7), replace(BOARD, legacy=True)],
)
def test_a_board_survives_its_file(board, tmp_path):
    write_board(tmp_path / "board.toml", board)
    assert read_board(tmp_path / "board.toml") == board


def test_the_ruler_scales_all_lengths():
    board = BOARD.measured(99.2)
    np.testing.assert_allclose(board.corners, 0.992 * BOARD.corners)
    np.testing.assert_allclose(board.page_outline, 0.992 * BOARD.page_outline)
    assert board.measured(100) == BOARD
    for wrong in (9.92, 0, float("nan"), 1000):
        with pytest.raises(InputError, match=r"--ruler-mm .* should be 100 mm"):
            BOARD.measured(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("squares_x = 2", "squares_x must be a whole number from 3 to 60"),
        ("marker_mm = 19.9", "marker_mm must be from 0.3 to 0.9 of square_mm"),
        ('dictionary = "DICT_4X4_50"', "take 58 markers, DICT_4X4_50 has 50"),
        ('dictionary = "DICT_9X9_50"', "dictionary must be one of"),
        ("hole = [0, 0, 13, 9]", "0 corners are left around what is blank"),
        ("hole = [0, 0, 14, 9]", "hole must be x0, y0, x1, y1"),
        ("square_mm = nan", "square_mm must be a finite number"),
        ("colour = 3", "colour' is not known"),
        ("ruler_measured_mm = 12", "--ruler-mm 12"),
        ("= 3", "is not the TOML file of a board"),
    ],
)
def test_a_board_that_cannot_be_is_refused(change, message, tmp_path):
    file = tmp_path / "board.toml"
    write_board(file, BOARD)
    name = change.split(" ")[0]
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} ")]
    file.write_text("\n".join([*lines, change]))
    assert message in refusal(read_board, file)


def test_a_board_that_does_not_fit_the_paper_is_refused():
    assert "do not fit a4; they may be of 1 to 20.0 mm" in refusal(make_board, "a4", square_mm=25)
    assert isinstance(make_board("a4", square_mm=20.0), Board)
