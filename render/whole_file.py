"""Files and folders that are whole or not there, whoever else writes.

What is made grows in a hidden work area beside its place and is moved there when it is complete. An
area belongs to one process and is locked while that process lives, so that any number of processes,
on any number of machines that share the folder, may write to it at once: nobody clears away what
another is still writing, whoever is first to complete a folder has made it, and what killed
processes left is found by its lost lock.
"""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from render.errors import InputError

AREA, LOCK = ".partial-", "lock"


@contextmanager
def whole_folder(path: Path, named: Path | None = None) -> Iterator[Path]:
    """`with whole_folder(path) as folder`: `folder` becomes `path` only if nothing failed.

    Where another process was first to complete `path`, its work stands and this one's goes.

    Args:
        named: what the user knows it by; None is `path`.

    Raises:
        InputError: the place cannot be written to, or is full.
    """
    with written(named or path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with work_area(path.parent) as area:
            partial = area / path.name
            partial.mkdir()
            with _kept(partial):
                yield partial
                # A power cut must not leave a complete folder of empty files. One sync takes a
                # sixth of the time that an fsync of each takes.
                os.sync()
            try:
                partial.rename(path)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """`with whole_file(path) as partial`: the file `partial` becomes `path` if nothing failed.

    What else is built beside `partial` goes.
    """
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with work_area(path.parent) as area:
            yield area / path.name
            (area / path.name).replace(path)


@contextmanager
def work_area(folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder`, gone after the block, to build what is then moved elsewhere."""
    sweep(folder)
    area, lock = _claim(folder)
    with lock:
        try:
            yield area
        finally:
            shutil.rmtree(area, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Clear away the work areas in `folder` whose processes have died.

    On a file system without locks none can be told from those in use, and all stay.
    """
    for area in folder.glob(f"{AREA}*"):
        dead = area.with_name(AREA + secrets.token_hex(8))
        # In use, gone meanwhile, another user's, or without locks: each is left alone.
        with suppress(OSError), (area / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            area.rename(dead)  # at once, so that nobody goes on in what is half removed
            shutil.rmtree(dead, ignore_errors=True)


def _claim(folder: Path) -> tuple[Path, IO]:
    """A new work area and its lock, held as long as the file is open."""
    while True:
        area = folder / (AREA + secrets.token_hex(8))
        area.mkdir()
        try:
            lock = (area / LOCK).open("a")
        except FileNotFoundError:  # another process took it for a dead one's before it was locked
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        except OSError:  # a file system without locks
            pass
        if (area / LOCK).exists():
            return area, lock
        lock.close()


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """See to it that a folder is still the same one after the block.

    Where locks are not seen by other machines, one of them may have swept it away meanwhile, and a
    writer that makes its parent folders as it goes has begun another under the same name.
    """
    descriptor = os.open(folder, os.O_RDONLY)  # as long as it is open, no other is taken for it
    try:
        yield
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise FileNotFoundError(errno.ENOENT, "cleared away by another process", str(folder))
    finally:
        os.close(descriptor)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Say of errors of the file system at or beside `path` what they mean for the user."""
    try:
        yield
    except OSError as error:
        # A full disk is reported without a name.
        name = Path(error.filename or path)
        if not (path.is_relative_to(name) or name.is_relative_to(path.parent)):
            raise
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); what is finished is kept: run the same"
            " command again when it can, or give another --out"
        ) from None
