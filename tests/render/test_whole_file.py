import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from render.errors import InputError
from render.formats.nyu_dataset import write_joint_data
from render.image_file import write_png
from render.json_file import write_text
from render.whole_file import (
    AREA,
    LOCK,
    check_apart,
    check_file,
    held,
    sweep,
    whole_file,
    work_area,
    write_whole,
)

ROOT = Path(__file__).parents[2]
WRITERS = {
    "write_whole": lambda path: write_whole(path, b"new"),
    "write_text": lambda path: write_text(path, "new"),
    "write_png": lambda path: write_png(path, np.zeros((2, 3), np.uint8)),
    "write_joint_data": lambda path: write_joint_data(path, np.zeros((1, 1, 36, 3))),
}
HOLDER = """
import os, signal, sys
from pathlib import Path
from render.whole_file import held
with held(Path(sys.argv[1])):
    {then}
"""


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only the superuser may mount a file system, and not in every container")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_links_beside_a_file_lead_no_writer_to_what_they_point_at(tmp_path, write):
    other, path = tmp_path / "other", tmp_path / "out" / "file.png"
    other.write_text("another's")
    path.parent.mkdir()
    for name in (".file.png.partial", "file.partial", "file.png"):
        (path.parent / name).symlink_to(other)
    write(path)
    assert other.read_text() == "another's"
    assert path.is_file() and not path.is_symlink()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_in_a_work_area_the_same_bytes_are_written(tmp_path, write):
    write(tmp_path / "file")
    with work_area(tmp_path) as area:
        write(area / "file")
        assert (area / "file").read_bytes() == (tmp_path / "file").read_bytes()
        assert names(area) == ["file", LOCK]
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(small_disk, write):
    path = small_disk / "file"
    path.write_text("old")
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):
        while True:
            os.write(filler, bytes(4096))
    os.close(filler)
    with pytest.raises(InputError, match=r"/file: cannot be written \(No space left on device\)"):
        write(path)
    assert path.read_text() == "old" and names(small_disk) == ["file", "filler"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_folder_or_device_is_not_replaced(tmp_path, write):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("folder", "a folder"), ("pipe", "a device or pipe")):
        with pytest.raises(InputError, match=f"^{tmp_path / name}: {kind}; name a file"):
            write(tmp_path / name)
    assert names(tmp_path) == ["folder", "pipe"]
    check_file(tmp_path / "free")


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_file_in_a_folders_place_is_named(tmp_path, write):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=rf"{tmp_path / 'file'} is a file, no folder; give"):
        write(tmp_path / "file" / "sub" / "image.png")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_is_read_is_not_written_over_by_any_name(tmp_path):
    (tmp_path / "photo.png").write_text("mine")
    (tmp_path / "link.png").symlink_to("photo.png")
    check_apart(tmp_path / "new.png", tmp_path / "photo.png")
    check_apart(tmp_path / "photo.png", tmp_path / "gone.png")
    for name in ("photo.png", "link.png"):
        with pytest.raises(InputError, match=rf"{name}: is what is read"):
            check_apart(tmp_path / name, tmp_path / "photo.png")


def test_only_areas_of_dead_processes_are_swept(tmp_path):
    mine = tmp_path / f"{AREA}mine"
    unlocked = tmp_path / f"{AREA}0123456789abcdef"
    longer = tmp_path / f"{AREA}0123456789abcdef0"
    piped = tmp_path / f"{AREA}00000000000000aa"
    for folder in (mine, unlocked, longer, piped):
        folder.mkdir()
        (folder / "data").write_text("keep")
    for folder in (mine, longer):
        (folder / LOCK).touch()
    os.mkfifo(piped / LOCK)  # which to open would take for ever
    linked = tmp_path / f"{AREA}00000000000000bb"
    linked.symlink_to(mine, target_is_directory=True)
    dead, unborn = tmp_path / f"{AREA}00000000000000cc", tmp_path / f"{AREA}00000000000000dd"
    dead.mkdir()
    (dead / LOCK).touch()
    unborn.mkdir()  # killed before it had its lock
    with work_area(tmp_path) as living:
        sweep(tmp_path)
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {path.name for path in (mine, unlocked, longer, piped, linked, living)}
    assert all((folder / "data").read_text() == "keep" for folder in (mine, unlocked, longer))


def test_a_held_folder_is_refused_by_name_until_it_is_let_go(tmp_path):
    out = tmp_path / "deeper" / "out"
    with held(out):
        expected = f"^{out}: another process works in this folder"
        with pytest.raises(InputError, match=expected), held(out):
            pass
        (out / "result").touch()
    assert names(out) == ["result"]
    with held(out):
        pass
    assert names(out) == ["result"]


def test_a_folder_that_was_made_to_be_held_goes_where_nothing_came_of_it(tmp_path):
    with pytest.raises(InputError, match="no mesh"), held(tmp_path / "out"):
        raise InputError("no mesh")
    assert names(tmp_path) == []


def test_a_killed_process_holds_nothing(tmp_path):
    code = HOLDER.format(then="os.kill(os.getpid(), signal.SIGKILL)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    died = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment)
    assert died.returncode == -signal.SIGKILL
    with held(tmp_path):
        pass
    assert names(tmp_path) == []


def test_without_locks_the_work_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with held(tmp_path / "out"), held(tmp_path / "out"):
        write_whole(tmp_path / "out" / "file", b"x")
    assert names(tmp_path / "out") == ["file"]
    with whole_file(tmp_path / "other") as partial:
        partial.write_text("y")
    assert (tmp_path / "other").read_text() == "y"
