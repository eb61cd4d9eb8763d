"""Processes that read damaged files: a reader that hangs or crashes costs no more than its own."""

import faulthandler
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from multiprocessing import connection
from pathlib import Path

from benchmarks.fuzz_reading import Case, Outcome, Watch, read_case, read_intact

SECONDS = 10.0  # of computing for one file
WAITED = 60.0  # seconds after which a file that is not computed with either counts as hanging


def read_all(cases: Iterable[Case], seeds: Path, work: Path, workers: int) -> Iterator[Outcome]:
    """What comes of each case, as they are done.

    Args:
        seeds: a folder with the valid files of each reader in one of its name.
        work: where processes have copies of them.

    Raises:
        RuntimeError: a reader does not read its valid files.
    """
    waiting = iter(cases)
    team = [_Worker(seeds, work / str(i)) for i in range(workers)]
    busy = [worker for worker in team if worker.give(next(waiting, None))]
    try:
        while busy:
            ready = connection.wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in list(busy):
                outcome = worker.outcome(worker.pipe in ready)
                if outcome is not None:
                    yield outcome
                    if not worker.give(next(waiting, None)):
                        busy.remove(worker)
    finally:
        for worker in team:
            worker.stop()


class _Worker:
    """A process, the case it is at, and since when; a dead one is replaced."""

    def __init__(self, seeds: Path, folder: Path) -> None:
        self.seeds, self.folder = seeds, folder
        self.case: Case | None = None
        self._start()

    def _start(self) -> None:
        # Not forked from this process; not spawned either, which would import all of it each time.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.fuzz_readers"])
        shutil.rmtree(self.folder, ignore_errors=True)
        self.pipe, theirs = context.Pipe()
        args = (theirs, self.seeds, self.folder)
        self.process = context.Process(target=_serve, args=args, daemon=True)
        self.process.start()
        theirs.close()

    def give(self, case: Case | None) -> bool:
        """Let it do this next; False if there is none."""
        self.case, self.since, self.cpu = case, time.monotonic(), _cpu_seconds(self.process.pid)
        if case is not None:
            self.pipe.send(case)
        return case is not None

    def outcome(self, ready: bool) -> Outcome | None:
        """What came of its case; None while it is at it."""
        assert self.case is not None
        if ready:
            try:
                answer = self.pipe.recv()
            except (EOFError, OSError):
                self.process.join()
                return self._dead(f"the process ends with exit code {self.process.exitcode}")
            if isinstance(answer, Outcome):
                return answer
            if isinstance(answer, str):
                raise RuntimeError(answer)
            self.since, self.cpu = time.monotonic(), _cpu_seconds(self.process.pid)  # begins now
            return None
        if _cpu_seconds(self.process.pid) - self.cpu > SECONDS:
            return self._dead(f"computes for more than {SECONDS:g} s")
        if time.monotonic() - self.since > WAITED:
            return self._dead(f"waits for more than {WAITED:g} s")
        return None

    def _dead(self, what: str) -> Outcome:
        assert self.case is not None
        self.stop()
        self._start()
        return Outcome(self.case, "fault", what)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _cpu_seconds(pid: int | None) -> float:
    """Processor time of a process so far (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(pipe: connection.Connection, seeds: Path, folder: Path) -> None:
    """A process's life: cases come through the pipe, outcomes go back."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    faulthandler.disable()
    watch = Watch()
    while True:
        case = pipe.recv()
        own = folder / case.reader.name
        if not own.exists():
            shutil.copytree(seeds / case.reader.name, own)
            refused = read_intact(case.reader, own)
            if refused:
                pipe.send(refused)
        pipe.send(None)  # the clock starts
        file, content = case.place(own)
        intact = file.read_bytes()
        file.write_bytes(content)
        outcome = read_case(case, file, own, watch)
        file.write_bytes(intact)
        pipe.send(outcome)
