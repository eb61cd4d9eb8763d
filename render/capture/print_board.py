"""`capture board`: a board as a PDF with its board.toml; and which board a film is of."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from render.capture.board import Board, read_board, write_board
from render.capture.board_sheet import ACROSS, DOWN, make_board, write_sheet
from render.capture.capture_object import load_object
from render.capture.object_config import ObjectConfig
from render.capture.outline import outline
from render.capture.place import footprint, resting_pose, resting_poses
from render.config import OptionError
from render.errors import InputError
from render.mesh.mesh import ObjectModel

log = logging.getLogger(__name__)

AROUND_MM = 4.0  # blank around an outline
RING = 2  # squares that must stay on each side of it; of one alone no four meet
# Squares across and down; the later ones leave more room for an object, and are read from nearer.
LAYOUTS = ((ACROSS, DOWN), (17, 11), (19, 13))


def print_board(
    out: Path,
    layout: Mapping[str, str | float | None],
    mesh: Path | None,
    rest: int,
    unit: str | None,
    up: str | None,
) -> list[str]:
    """Write a board's page and its board.toml.

    Args:
        layout: paper, squares, square_mm and blank, as the command has them.
        mesh: its outline is printed in the middle, in its resting pose of number `rest`.

    Returns:
        Lines that say what was written and what is to be done.

    Raises:
        InputError: there is no such board, or the object does not fit it.
    """
    if out.suffix.lower() != ".pdf":
        raise InputError(f"{out}: a board is written as .pdf, to be printed in its true size")
    paper, side = str(layout["paper"]), layout["square_mm"]
    wanted = None if layout["squares"] is None else _size("squares", layout["squares"])
    blank = None if layout["blank"] is None else _size("blank", layout["blank"])
    square_mm = None if side is None else float(side)
    board = make_board(paper, wanted or LAYOUTS[0], square_mm, blank)
    lines, outlines = [], []
    if mesh is not None:
        model = load_object(mesh, ObjectConfig(unit=unit, up=up))  # type: ignore[arg-type]
        pose = resting_pose(model, rest).board_from_obj
        if blank is None:
            layouts = LAYOUTS if wanted is None and square_mm is None else (wanted or LAYOUTS[0],)
            board = _around(model, pose, [make_board(paper, each, square_mm) for each in layouts])
        outlines = outline(model, pose)
        lines += [
            f"{mesh}: --rest {i}: {one.words}" + (" (printed)" if i == rest else "")
            for i, one in enumerate(resting_poses(model))
        ]
    toml = out.with_suffix(".toml")
    write_sheet(out, board, outlines)
    write_board(toml, board)
    return [
        *lines,
        f"{out}: {paper}, {board.name}; print it at 100 %, then measure the ruler",
        f"{toml}: what `capture` needs to know of it",
    ]


def board_in_use(file: Path, ruler_mm: float | None) -> Board:
    """The board that was filmed, in the size in which it was printed.

    Raises:
        InputError: board.toml cannot be used, or the ruler cannot be so long.
    """
    board = read_board(file)
    if ruler_mm is not None:
        return board.measured(ruler_mm)
    if board.scale == 1:
        log.warning(
            "%s: its ruler is taken to be %g mm long; measure it and say --ruler-mm: all distances"
            " are wrong by as much as it is",
            *(file, board.ruler_mm),
        )
    return board


def _size(name: str, text: str | float | None) -> tuple[int, int]:
    """Two whole numbers, of an option that is written 13x9."""
    parts = str(text).split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) < 1000 for part in parts):
        raise OptionError(f"--{name} must be two whole numbers such as 13x9, got {text!r}")
    return int(parts[0]), int(parts[1])


def _around(model: ObjectModel, board_from_obj: np.ndarray, boards: Sequence[Board]) -> Board:
    """The first of some boards that leaves enough squares around an object; those that the object
    covers are blank in it.

    Raises:
        InputError: none does.
    """
    reach_mm = 2000 * np.abs(footprint(model, board_from_obj)).max(axis=0)
    for board in boards:
        wide, high = np.ceil((reach_mm + 2 * AROUND_MM) / board.square_mm).astype(int)
        if wide <= board.squares_x - 2 * RING and high <= board.squares_y - 2 * RING:
            squares = board.squares_x, board.squares_y
            return make_board(str(board.paper), squares, board.square_mm, (int(wide), int(high)))
    size = " x ".join(f"{side:.0f}" for side in reach_mm)
    raise InputError(
        f"{model.source}: {size} mm leave too little of the board around it; take a larger --paper"
        " or another --rest; or a board without --object, beside which it stands, and"
        " capture --place points"
    )
