import logging
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline import main
from render.command_line import BROKEN_PIPE, MEMORY_FIX, LineFormatter, errors_in_one_line
from render.errors import MOST_SHOWN, InputError

ROOT = Path(__file__).parents[2]
STREAMS = """
import os, sys
from render.command_line import open_standard_streams
open_standard_streams()
assert [os.fstat(i).st_rdev for i in range(3)] == [os.stat(os.devnull).st_rdev] * 3
assert sys.stdin.read() == ""
print("nobody reads this", flush=True)
print("nor this", file=sys.stderr, flush=True)
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2
    file.write("well")
"""
EVIL = "\x1b]0;title\x07\nError: all is well\u202e" + "x" * 3000


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("validate", EVIL), 1),
        (("view", EVIL, "--out", "sheet.png"), 1),
        (("render", "--frames", EVIL, "--out", "out"), 2),
        (("render", "--preset", EVIL, "--out", "out"), 2),
        (("render", f"--{EVIL}"), 2),
        ((EVIL,), 2),
        ((f"--{EVIL}",), 2),
        (("train", "--out", "out"), 2),
    ],
)
def test_an_error_is_one_line_whatever_was_typed(args, code):
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code and result.stdout == ""
    (line,) = result.stderr.split("\n")[:-1]
    assert line.startswith("Error: ") and line.isprintable()
    assert len(line) <= MOST_SHOWN + len("Error: ")


def test_log_lines_are_lines_whatever_names_are_in_them():
    record = logging.LogRecord("render", logging.INFO, "", 0, "%s: read", (EVIL,), None)
    assert LineFormatter().format(record).isprintable()
    record.levelno = logging.DEBUG  # tracebacks
    assert [line.isprintable() for line in LineFormatter().format(record).split("\n")] == [True] * 2


def test_where_nobody_reads_any_more_it_ends_quietly():
    command = f"set -o pipefail; {sys.executable} {ROOT}/pipeline.py options scene | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) in ((BROKEN_PIPE, ""), (0, ""))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "a.png"), "a.png: Permission denied"),
        (OSError("the pipe is gone"), "system: the pipe is gone"),
        (InputError("no mesh"), "no mesh"),
        (MemoryError("9 GB"), f"memory ran out \\(9 GB\\); {MEMORY_FIX}"),
    ],
)
def test_errors_of_files_and_the_system_are_shown(error, line):
    with pytest.raises(click.ClickException, match=f"^{line}$"), errors_in_one_line():
        raise error


def test_files_do_not_take_the_place_of_closed_streams(tmp_path):
    command = f"exec {sys.executable} -c '{STREAMS}' {tmp_path}/file <&- >&- 2>&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(["bash", "-c", command], env=environment).returncode == 0
    assert (tmp_path / "file").read_text() == "well"


@pytest.mark.slow
def test_workers_do_without_standard_input(tmp_path):
    command = f"exec {sys.executable} {ROOT}/pipeline.py render --objects assets --frames 4 --exact"
    command += f" --size 64x48 --set render.frames_per_scene=2 --workers 2 --out {tmp_path}/out <&-"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout == f"{tmp_path}/out: 4 frames\n"
