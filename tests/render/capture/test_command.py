"""`capture` and `capture board` as a user types them."""

from pathlib import Path

import pytest
import trimesh
from click.testing import CliRunner, Result

from pipeline import main
from render.capture.board import read_board
from render.capture.board_sheet import make_board

TUG = "assets/obj_000001.ply"


def invoke(*args: object) -> Result:
    return CliRunner().invoke(main, ["capture", *(str(arg) for arg in args)])


def fail(code: int, *args: object) -> str:
    """The single line that a failure prints."""
    result = invoke(*args)
    assert result.exit_code == code, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1 and "Traceback" not in result.output, result.output
    return lines[0]


@pytest.fixture
def board(tmp_path) -> Path:
    result = invoke("board", "--out", tmp_path / "board.pdf")
    assert result.exit_code == 0, result.output
    return tmp_path / "board.toml"


def test_a_board_goes_out_as_page_and_file(board):
    assert read_board(board) == make_board()
    assert board.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_a_board_whose_ruler_was_measured_is_not_forgotten(board):
    text = board.read_text()
    assert invoke("board", "--out", board.with_suffix(".pdf")).exit_code == 0  # the same again
    assert board.read_text() == text
    board.write_text(text + "ruler_measured_mm = 99.2\n")
    for args in ([], ["--paper", "letter"]):
        said = fail(1, "board", *args, "--out", board.with_suffix(".pdf"))
        assert "board.toml: is there, of another board or with what its ruler measured" in said
    assert read_board(board).scale == pytest.approx(0.992)


def test_the_board_of_an_object_leaves_room_for_it_and_lists_its_poses(tmp_path):
    result = invoke("board", "--object", TUG, "--out", tmp_path / "tug.pdf")
    assert "--rest 0: -z down (printed)" in result.output
    assert read_board(tmp_path / "tug.toml").hole is not None


def test_a_board_has_room_for_what_is_long_across_the_page_as_it_was_modelled(tmp_path):
    trimesh.creation.box((0.066, 0.12, 0.1)).export(tmp_path / "cow.ply")
    result = invoke("board", "--object", tmp_path / "cow.ply", "--out", tmp_path / "cow.pdf")
    assert result.exit_code == 0, result.output
    x0, y0, x1, y1 = read_board(tmp_path / "cow.toml").hole
    assert x1 - x0 > y1 - y0


def test_both_helps_name_what_there_is():
    assert "capture board --help" in invoke("--help").output
    assert "--ruler-mm" in invoke("--help").output
    assert "--paper [a4|a3|letter]" in invoke("board", "--help").output


@pytest.mark.parametrize(
    ("code", "args", "said"),
    [
        (1, ["--out", "x.png"], "a board is written as .pdf"),
        (1, ["--square-mm", 30, "--out", "x.pdf"], "do not fit a4; they may be of 1 to 20.0 mm"),
        (2, ["--squares", "13", "--out", "x.pdf"], "--squares must be two whole numbers"),
        (2, ["--rest", 1, "--out", "x.pdf"], "--rest belongs to --object"),
        (1, ["--object", TUG, "--rest", 9, "--out", "x.pdf"], "--rest 9"),
        (1, ["--object", TUG, "--unit", "m", "--out", "x.pdf"], "most likely the wrong unit"),
        (1, ["--blank", "12x8", "--out", "x.pdf"], "0 corners are left"),
        (2, [], "--out"),
    ],
)
def test_a_board_that_cannot_be_printed_is_refused(code, args, said, monkeypatch):
    monkeypatch.setattr("render.capture.print_board.write_sheet", lambda *_: None)
    assert said in fail(code, "board", *args)
    assert not Path("x.toml").exists()


def test_what_can_be_refused_is_refused_before_the_film_is_read(board, tmp_path):
    film = ["no.mp4", "--board", board, "--out", tmp_path / "real"]
    assert "no.mp4: there is no such film" in fail(1, *film, "--object", TUG)
    assert "--ruler-mm 9.92" in fail(1, *film, "--object", TUG, "--ruler-mm", 9.92)
    assert "gone.ply" in fail(1, *film, "--object", "gone.ply")
    assert "c.json" in fail(1, *film, "--object", TUG, "--camera", tmp_path / "c.json")
    both = ["--camera", board, "--most-focal-std", 0.01]
    assert "has no effect with --camera" in fail(2, *film, "--object", TUG, *both)
    assert not (tmp_path / "real").exists()
