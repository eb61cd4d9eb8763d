"""Shards of work -> processes that do them; a process that dies costs time, and nothing else."""

import logging
import mmap
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from multiprocessing import connection
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from render.config import OptionError
from render.errors import InputError, PartError, joined

log = logging.getLogger(__name__)

ATTEMPTS = 3  # at a shard whose worker dies of it


class Shard(Protocol):
    """Work that is done whole or not at all, whoever does it; can be pickled and hashed.

    name: what the user knows it by.
    """

    @property
    def name(self) -> str: ...


class Maker(Protocol):
    """Does shards one after another, and holds what they share: an OpenGL context, meshes."""

    def make(self, shard: Any) -> None: ...

    def close(self) -> None: ...


S = TypeVar("S", bound=Shard)
OpenMaker = Callable[[Any], Maker]  # from the first shard it is to do; a function of a module


def parse_part(text: str) -> tuple[int, int]:
    """The I and N of `--shard I/N`.

    Raises:
        OptionError: it is not such a pair with 1 <= I <= N.
    """
    numbers = re.fullmatch(r"(\d+)/(\d+)", text)
    if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise OptionError(f"--shard must be I/N with I from 1 to N, such as 1/4, got {text!r}")
    return int(numbers[1]), int(numbers[2])


def make_shards(
    open_maker: OpenMaker, shards: Sequence[S], workers: int, cluster: str | None = None
) -> Iterator[S]:
    """Do shards in `workers` processes, one of them in this one; yields each when it is complete.

    A worker that dies is replaced, and its shard done again.

    Args:
        cluster: address of a Ray cluster that does them instead; see `make_on_cluster`.

    Raises:
        InputError: shards of which ATTEMPTS workers died each, or which raised a PartError, when
            all others are complete.
        Exception: what else a shard raised; work on the others is cut off.
    """
    if not shards:
        return
    if cluster is not None:
        from render.dataset.cluster import make_on_cluster

        yield from make_on_cluster(open_maker, shards, cluster)
        return
    if workers == 1:
        refused = []
        with closing(open_maker(shards[0])) as maker:
            for shard in shards:
                try:
                    maker.make(shard)
                except PartError as error:
                    refused.append(error)
                else:
                    yield shard
        check_all_done(refused)
        return

    team = _Team(open_maker, shards)
    try:
        yield from team.work(min(workers, len(shards)))
    finally:
        team.stop()


def attempt(open_maker: OpenMaker, shard: Shard) -> Exception | None:
    """Do a shard in a worker process, with the maker that this process keeps.

    Returns:
        What it raised, with the traceback as a note, to be raised where the user sees it.
    """
    global _maker
    try:
        _maker = _maker or open_maker(shard)
        _maker.make(shard)
    except Exception as error:
        error.add_note(f"in the worker:\n{traceback.format_exc()}")
        return error
    return None


_maker: Maker | None = None


def refusal(given_up: Sequence[tuple[str, str]]) -> InputError:
    """What to tell the user of shards that were given up: the name and last death of each."""
    names = ", ".join(f"{name} ({death})" for name, death in given_up)
    return InputError(
        f"{names}: given up after {ATTEMPTS} workers died of it; all the rest is complete. If"
        " memory was short, run the same command again with fewer --workers"
    )


def check_all_done(refused: Sequence[PartError], given_up: Sequence[tuple[str, str]] = ()) -> None:
    """Raise InputError that names all that kept shards from being done, if anything did.

    Args:
        given_up: as in `refusal`.
    """
    errors = [*refused, *([refusal(given_up)] if given_up else [])]
    if errors:
        raise joined(errors, "faults, all the rest is complete")


class _Worker(Generic[S]):
    """A process, and the shard that it does."""

    def __init__(self, opener: int, shard: S, environment: Mapping[str, str]) -> None:
        # Not forked, since an OpenGL context does not survive that; not by multiprocessing, which
        # would import the main module, and so torch, again.
        self.pipe, theirs = connection.Pipe()
        fd = theirs.fileno()
        code = "from render.dataset.shards import work"
        code = f"import sys; sys.path[:] = {sys.path}; {code}; work({fd}, {opener})"
        # Ctrl-C is for the main process: blocked while the other is started, it stays so there.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[fd, opener],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        self.give(shard)

    def give(self, shard: S) -> None:
        """Let it do this shard next."""
        self.shard = shard
        with suppress(OSError):  # it has died: the pipe's end will tell
            self.pipe.send(shard)

    def death(self) -> str:
        """What a dead worker died of."""
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def llvmpipe_threads(workers: int, cores: int) -> int | None:
    """Threads that llvmpipe shall have beside a worker's own; None leaves that to it.

    A worker's own thread does the geometry, and the pixels too where there are no others. One other
    pays if there is a core for it; with more, processes scale better.
    """
    if workers == 1:
        return None
    return 1 if 2 * workers <= cores else 0


class _Team(Generic[S]):
    """The workers, what waits to be done, and how often workers have died of what."""

    def __init__(self, open_maker: OpenMaker, shards: Sequence[S]) -> None:
        # In a file, for every worker to read: down a pipe each would have to wait for the others.
        self.opener = tempfile.TemporaryFile()  # noqa: SIM115  # `stop` closes it
        self.opener.write(pickle.dumps(open_maker))
        self.opener.flush()
        self.waiting = deque(shards)
        self.workers: list[_Worker[S]] = []
        self.deaths: Counter[S] = Counter()
        self.given_up: list[tuple[str, str]] = []
        self.refused: list[PartError] = []
        self.environment = dict(os.environ)

    def work(self, size: int) -> Iterator[S]:
        """Yields shards as they are complete."""
        threads = llvmpipe_threads(size, len(os.sched_getaffinity(0)))
        if threads is not None:
            self.environment = {"LP_NUM_THREADS": str(threads), **self.environment}
        for _ in range(size):
            self._hire()
        while self.workers:
            ready = connection.wait([worker.pipe for worker in self.workers])
            for worker in [worker for worker in self.workers if worker.pipe in ready]:
                try:
                    error = worker.pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                    continue
                if isinstance(error, PartError):
                    self.refused.append(error)
                elif error is not None:
                    raise error
                else:
                    yield worker.shard
                if self.waiting:
                    worker.give(self.waiting.popleft())
                else:
                    self._dismiss(worker)
        check_all_done(self.refused, self.given_up)

    def stop(self) -> None:
        """End all workers where they are: what they leave is swept away."""
        for worker in self.workers:
            worker.process.kill()
        for worker in list(self.workers):
            self._dismiss(worker)
        self.opener.close()

    def _hire(self) -> None:
        shard = self.waiting.popleft()
        self.workers.append(_Worker(self.opener.fileno(), shard, self.environment))

    def _dismiss(self, worker: _Worker[S]) -> None:
        worker.pipe.close()
        worker.process.wait()
        self.workers.remove(worker)

    def _replace(self, worker: _Worker[S]) -> None:
        """Bury a dead worker; its shard is next, unless it is the shard that kills."""
        shard, death = worker.shard, worker.death()
        self._dismiss(worker)
        self.deaths[shard] += 1
        if self.deaths[shard] < ATTEMPTS:
            log.warning("%s: its worker died (%s) and is replaced", shard.name, death)
            self.waiting.appendleft(shard)
        else:
            log.warning("%s: given up, its worker died again (%s)", shard.name, death)
            self.given_up.append((shard.name, death))
        if self.waiting:
            self._hire()


def work(fd: int, opener: int) -> None:
    """A worker's life: shards come through the pipe, what they raised goes back.

    Args:
        fd: of the pipe. opener: of a file that holds a pickled OpenMaker.

    It ends with the pipe, in the midst of a shard too: then the main process has died.
    """
    pipe, inbox = connection.Connection(fd), SimpleQueue[bytes]()
    threading.Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    try:
        open_maker = pickle.loads(mmap.mmap(opener, 0, access=mmap.ACCESS_READ))
    except MemoryError:
        sys.exit("a worker has no memory to begin with")
    while True:
        pipe.send(attempt(open_maker, pickle.loads(inbox.get())))


def _receive(pipe: connection.Connection, inbox: SimpleQueue[bytes]) -> None:
    try:
        while True:
            inbox.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)
