"""`capture board`: a board as a PDF with its board.toml; and which board a film is of."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from render.capture.board import Board, read_board, write_board
from render.capture.board_sheet import ACROSS, DOWN, make_board, write_sheet
from render.capture.capture_object import load_object
from render.capture.object_config import ObjectConfig
from render.capture.placed.outline import outline
from render.capture.placed.place import footprint, resting_pose, resting_poses
from render.config import OptionError
from render.errors import InputError
from render.mesh.mesh import ObjectModel

log = logging.getLogger(__name__)

AROUND_MM = 4.0  # blank around an outline
RIM = 2  # squares around what is blank, at least: between one row and the blank no corner is whole
SIDES_MM = 18.0, 16.0, 15.0, 14.0  # of squares, where larger ones leave too few corners
ENOUGH = 60  # corners around an object: of those behind it none is seen
Layout = Mapping[str, str | float | None]


def print_board(
    out: Path,
    layout: Layout,
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
    lines, outlines = [], []
    if mesh is None:
        board = _board(layout, None)
    else:
        model = load_object(mesh, ObjectConfig(unit=unit, up=up))  # type: ignore[arg-type]
        pose = resting_pose(model, rest).board_from_obj
        board = _board_around(layout, model, pose)
        outlines = outline(model, pose)
        lines = [
            f"{mesh}: --rest {i}: {one.words}" + (" (printed)" if i == rest else "")
            for i, one in enumerate(resting_poses(model))
        ]
    toml = out.with_suffix(".toml")
    if toml.exists() and read_board(toml) != board:
        raise InputError(
            f"{toml}: is there, of another board or with what its ruler measured; give another"
            " --out"
        )
    write_sheet(out, board, outlines)
    write_board(toml, board)
    return [
        *lines,
        f"{out}: {board.paper}, {board.name}; print it at 100 %, then measure the ruler",
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


def _board(layout: Layout, blank: tuple[int, int] | None) -> Board:
    """The board as it was asked for, with so many squares blank in the middle."""
    squares = ACROSS, DOWN
    if layout["squares"] is not None:
        squares = _size("squares", layout["squares"])
    if layout["blank"] is not None:
        blank = _size("blank", layout["blank"])
    side = None if layout["square_mm"] is None else float(layout["square_mm"])
    return make_board(str(layout["paper"]), squares, side, blank)


def _board_around(layout: Layout, model: ObjectModel, board_from_obj: np.ndarray) -> Board:
    """A board with room for an object: of smaller squares where it would leave few corners.

    Raises:
        InputError: it leaves too few however small they are, or as small as they were asked for.
    """
    reach_mm = 2000 * np.abs(footprint(model, board_from_obj)).max(axis=0) + 2 * AROUND_MM
    asked = [layout[name] is not None for name in ("squares", "square_mm", "blank")]
    fitting: list[Board] = []
    plain = _board({**layout, "blank": None}, None)
    for side in (plain.square_mm,) if any(asked) else (plain.square_mm, *SIDES_MM):
        squares = plain.squares_x, plain.squares_y
        if side != plain.square_mm:
            most = np.array(plain.size) * 1000 // side
            squares = int(most[0]), int(most[1])
        blank = tuple(int(n) for n in np.ceil(reach_mm / side))
        if layout["blank"] is not None:
            blank = _size("blank", layout["blank"])
        # Odd from odd and even from even, so that it lies in the middle; two squares all round.
        leaves = [s - (b + (s - b) % 2) for s, b in zip(squares, blank, strict=True)]
        if min(leaves) >= 2 * RIM:
            fitting.append(make_board(str(layout["paper"]), squares, side, (blank[0], blank[1])))
            if fitting[-1].usable.sum() >= ENOUGH:
                break
    if fitting:
        return max(fitting, key=lambda board: int(board.usable.sum()))
    size = " x ".join(f"{length:.0f}" for length in reach_mm - 2 * AROUND_MM)
    raise InputError(
        f"{model.source}: {size} mm leave less than {RIM} squares of the board around it; take a"
        " larger --paper, smaller squares, or another --rest"
    )
