import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from render.dataset.folder import begin_dataset, check_machine
from render.errors import InputError
from render.whole_file import whole_file, whole_folder

SETTINGS = {"scene": {"zoom": (1.5, 1.8)}, "seed": 0}
KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from render.whole_file import {kind}
with {kind}(Path(sys.argv[1])) as partial:
    ({target}).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_a_writer(kind: str, path: Path) -> None:
    """Leave what a process leaves that dies while it writes a whole_folder or whole_file."""
    target = "partial / 'half'" if kind == "whole_folder" else "partial"
    code = KILLED_WRITER.format(kind=kind, target=target)
    root = Path(__file__).parents[3]
    died = subprocess.run(
        [sys.executable, "-c", code, path], env={**os.environ, "PYTHONPATH": root}
    )
    assert died.returncode == -signal.SIGKILL
    assert len(list(path.parent.glob(".*"))) == 1 and not path.exists()


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deeper" / "scene"
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert not list(path.parent.iterdir())

    with whole_folder(path) as folder:
        (folder / "all").write_text("y")
        assert not path.exists()
    assert names(path.parent) == ["scene", "scene/all"]


@pytest.mark.parametrize("kind", ["whole_folder", "whole_file"])
def test_what_a_killed_process_left_is_cleared_away(kind, tmp_path):
    kill_a_writer(kind, tmp_path / "scene")
    with whole_file(tmp_path / "other") as partial:
        partial.write_text("y")
    assert names(tmp_path) == ["other"]


def test_two_writers_of_a_folder_leave_each_other_alone_and_the_first_to_end_has_made_it(tmp_path):
    path = tmp_path / "scene"
    with whole_folder(path) as late:
        (late / "from").write_text("late")
        with whole_folder(path) as early:
            (early / "from").write_text("early")
        (late / "more").write_text("late")
        assert names(path) == ["from"]
    assert names(tmp_path) == ["scene", "scene/from"]
    assert (path / "from").read_text() == "early"


def test_a_writer_whose_folder_was_swept_away_does_not_put_a_half_one_in_place(tmp_path):
    """Another machine may take it for dead where locks do not reach over the network."""
    with (
        pytest.raises(InputError, match="cleared away"),
        whole_folder(tmp_path / "scene") as folder,
    ):
        (folder / "first").write_text("x")
        shutil.rmtree(folder.parent)
        folder.mkdir(parents=True)
        (folder / "second").write_text("x")
    assert not (tmp_path / "scene").exists()


def test_a_dataset_goes_on_with_its_own_settings_only(tmp_path):
    out = tmp_path / "out"
    begin_dataset(out, SETTINGS, "a device")
    assert names(out) == ["generation.json"]
    record = json.loads((out / "generation.json").read_text())
    assert record["settings"] == {"scene": {"zoom": [1.5, 1.8]}, "seed": 0}
    assert record["renderer"] == "a device" and record["versions"]["numpy"] == np.__version__
    begin_dataset(out, SETTINGS, "a device")
    with pytest.raises(InputError, match=r"scene\.zoom = \[1\.5, 1\.8\], not \[1\.5, 2\.0\]"):
        begin_dataset(out, {**SETTINGS, "scene": {"zoom": (1.5, 2.0)}}, "a device")
    assert json.loads((out / "generation.json").read_text()) == record


def test_of_many_that_begin_a_dataset_at_once_one_has_begun_it(tmp_path):
    def begin(seed: int) -> bool:
        try:
            begin_dataset(tmp_path / "out", {"seed": seed}, "a device")
        except InputError as error:
            assert "seed" in str(error)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(begin, [seed % 4 for seed in range(32)]))
    (winner,) = {seed % 4 for seed in range(32) if begun[seed]}
    assert sum(begun) == 8
    record = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert record["settings"] == {"seed": winner}
    assert names(tmp_path / "out") == ["generation.json"]


def test_a_dataset_whose_very_beginning_was_killed_can_be_begun(tmp_path):
    (tmp_path / "out").mkdir()
    kill_a_writer("whole_file", tmp_path / "out" / "generation.json")
    begin_dataset(tmp_path / "out", SETTINGS, "a device")
    assert names(tmp_path / "out") == ["generation.json"]


def test_other_opengl_or_libraries_are_refused_by_name(tmp_path):
    begin_dataset(tmp_path, SETTINGS, "a device")
    check_machine(tmp_path, "a device")
    with pytest.raises(InputError, match=r"renderer = a device, but on .* it is another"):
        check_machine(tmp_path, "another")
    text = (tmp_path / "generation.json").read_text()
    (tmp_path / "generation.json").write_text(text.replace(np.__version__, "1.26.0"))
    with pytest.raises(InputError, match=r"versions\.numpy = 1\.26\.0, but on .* it is "):
        check_machine(tmp_path, "a device")


def test_a_folder_of_something_else_is_not_written_to(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        begin_dataset(tmp_path, {"seed": 0}, "a device")
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_folder_that_cannot_be_written_to_is_named():
    out = Path("/sys/dataset")  # refuses the superuser too
    with pytest.raises(InputError, match=r"^/sys/dataset: cannot be written"):
        begin_dataset(out, SETTINGS, "a device")
    with pytest.raises(InputError, match=r"^/sys/dataset/scene: c"), whole_folder(out / "scene"):
        pass
