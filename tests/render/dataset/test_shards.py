import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from render.config import OptionError
from render.dataset.shards import ATTEMPTS, llvmpipe_threads, make_shards, parse_part
from render.errors import InputError
from tests.shard_makers import Task, TaskMaker

MAIN = """
import signal
import sys
from pathlib import Path
from render.dataset.shards import make_shards
from tests.shard_makers import Task, TaskMaker
# A shell lets what runs in the background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _ in make_shards(TaskMaker, [Task(f"slow {i}", Path(sys.argv[1])) for i in range(4)], 2):
    pass
"""


def tasks(folder: Path, *names: str) -> list[Task]:
    return [Task(name, folder) for name in names]


def doers(folder: Path, name: str) -> list[str]:
    """Process ids of those who tried a task, in order."""
    return (folder / name).read_text().split()


@pytest.mark.parametrize("workers", [1, 3])
def test_every_shard_is_done_once_whoever_does_it(workers, tmp_path):
    shards = tasks(tmp_path, *"abcdefg")
    assert set(make_shards(TaskMaker, shards, workers)) == set(shards)
    done_by = [doers(tmp_path, shard.name) for shard in shards]
    assert all(len(pids) == 1 for pids in done_by)
    assert (done_by[0] == [str(os.getpid())]) == (workers == 1)


def test_a_worker_that_dies_is_replaced_and_its_shard_done_again(tmp_path):
    shards = tasks(tmp_path, "a", "kills once", "b", "c", "d")
    assert set(make_shards(TaskMaker, shards, 2)) == set(shards)
    first, second = doers(tmp_path, "kills once")
    assert first != second


@pytest.mark.parametrize(("name", "death"), [("kills", "SIGKILL"), ("exits", "exit code 7")])
def test_a_shard_that_kills_every_worker_is_named_when_the_rest_is_done(name, death, tmp_path):
    shards = tasks(tmp_path, name, "a", "b", "c")
    done = []
    with pytest.raises(InputError, match=f"^{name} \\({death}\\): given up after {ATTEMPTS}"):
        done += make_shards(TaskMaker, shards, 2)
    assert len(set(doers(tmp_path, name))) == ATTEMPTS
    assert all(len(doers(tmp_path, n)) == 1 for n in "abc")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_missing_for_some_shards_stops_no_others_and_is_named_at_the_end(workers, tmp_path):
    names = ["without a.png", "1", "without b.png", "2", "without a.png ", "3"]
    done = []
    with pytest.raises(InputError) as caught:
        for task in make_shards(TaskMaker, tasks(tmp_path, *names), workers):
            done.append(task.name)
    assert sorted(done) == ["1", "2", "3"]
    line = str(caught.value)
    assert line.startswith("3 faults, all the rest is complete: ") and "\n" not in line
    assert all(f"{name}: the image is truncated" in line for name in ("a.png", "b.png"))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_shard_raises_arrives_as_it_was(workers, tmp_path):
    def raised(name: str) -> Exception:
        with pytest.raises(Exception) as caught:
            list(make_shards(TaskMaker, tasks(tmp_path, name), workers))
        return caught.value

    for name, line in (("bad input", "cut.png: the image is truncated"), ("unopenable", "no Open")):
        error = raised(name)
        assert isinstance(error, InputError) and str(error).startswith(line)
    full = raised("full disk")
    assert isinstance(full, OSError) and full.filename == "rgb.png"
    assert full.strerror == "No space left on device"
    bug = raised("bug")
    assert isinstance(bug, ValueError)
    assert "shard_makers.py" in "".join(traceback.format_exception(bug))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_workers_end_with_their_main_process_in_the_midst_of_a_shard(sent, tmp_path):
    root = Path(__file__).parents[3]
    main = subprocess.Popen(
        [sys.executable, "-c", MAIN, tmp_path],
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not ((tmp_path / "slow 0").exists() and (tmp_path / "slow 1").exists()):
        time.sleep(0.01)
    time.sleep(0.05)  # the process id follows
    workers = [int(doers(tmp_path, f"slow {i}")[0]) for i in (0, 1)]
    if sent == signal.SIGINT:  # as a terminal does it
        os.killpg(main.pid, sent)
    else:
        os.kill(main.pid, sent)

    _, errors = main.communicate(timeout=20)
    assert main.returncode == -sent
    assert errors.count(b"KeyboardInterrupt") == (sent == signal.SIGINT)
    deadline = time.monotonic() + 10
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, workers))


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_part_is_one_of_n_and_nothing_else():
    assert parse_part("1/1") == (1, 1) and parse_part("4/4") == (4, 4)
    for text in ("0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/4/2", ""):
        with pytest.raises(OptionError, match="--shard must be I/N"):
            parse_part(text)


@pytest.mark.parametrize(
    ("workers", "cores", "threads"), [(1, 2, None), (2, 2, 0), (2, 3, 0), (2, 4, 1), (8, 16, 1)]
)
def test_llvmpipe_has_a_thread_of_its_own_where_a_core_is_left_for_it(workers, cores, threads):
    assert llvmpipe_threads(workers, cores) == threads


def test_workers_are_told_so_and_the_user_has_the_last_word(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2))
    for given, found in ((None, "0"), ("3", "3")):
        monkeypatch.delenv("LP_NUM_THREADS", raising=False)
        if given is not None:
            monkeypatch.setenv("LP_NUM_THREADS", given)
        folder = tmp_path / found
        folder.mkdir()
        list(make_shards(TaskMaker, tasks(folder, "threads a", "threads b"), 2))
        assert (folder / "told").read_text().split() == [found, found]
