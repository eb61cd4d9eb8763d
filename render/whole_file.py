"""Files and folders that are whole or not there, whoever else writes.

What is made grows in a hidden work area beside its place and is moved there when it is complete. An
area belongs to one process and is locked while that process lives, so that any number of processes,
on any number of machines that share the folder, may write to it at once: nobody clears away what
another is still writing, whoever is first to complete a folder has made it, and what killed
processes left is found by its lost lock.

A folder that bears only one writer is `held` by a lock of the same kind.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from render.errors import InputError

AREA, LOCK = ".partial-", "lock"
AREA_NAME = re.compile(re.escape(AREA) + "[0-9a-f]{16}")
IN_AREA = re.compile(f"(^|/){AREA_NAME.pattern}/")
HELD = ".lock"


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

    Raises:
        InputError: the place cannot be written to, is full, or is a folder, a device or a pipe.
    """
    check_file(path)
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        with _area(path.parent) as area:
            yield area / path.name
            (area / path.name).replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all: a reader never meets a half-written one.

    In a work area, which nobody reads before it is complete, it is simply written.
    """
    name = str(path)
    if IN_AREA.search(name):
        with open(name, "wb") as file:
            file.write(content)
        return
    with whole_file(path) as partial:
        partial.write_bytes(content)


def check_file(path: Path) -> None:
    """Refuse, before much is done for it, a place of a file where a folder or device is.

    Raises:
        InputError: it is one.
    """
    with written(path), suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise InputError(f"{path}: {kind}; name a file to be written")


def check_apart(path: Path, source: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        InputError: both are one file.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path}: is what is read, and would be written over; name another file")


def check_growth(file: Path) -> None:
    """Raise the OSError that keeps a file from growing, if anything does: a full disk, say.

    For files that others write, who do not tell; it is longer afterwards.
    """
    with file.open("ab", buffering=0) as end:
        for _ in range(2):  # on a disk that is almost full the first is only shortened
            end.write(bytes(1 << 20))


@contextmanager
def work_area(folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder`, gone after the block, to build what is then moved elsewhere."""
    sweep(folder)
    with _area(folder) as area:
        yield area


@contextmanager
def _area(folder: Path) -> Iterator[Path]:
    area, lock = _claim(folder)
    with lock:
        try:
            yield area
        finally:
            shutil.rmtree(area, ignore_errors=True)


@cache
def _sweep_once(folder: Path) -> None:
    """Sweep once in a process: a folder of many files is not looked through for each of them."""
    sweep(folder)


def sweep(folder: Path) -> None:
    """Clear away the work areas in `folder` whose processes have died, and nothing else.

    On a file system without locks none can be told from those in use, and all stay.
    """
    for area in folder.glob(f"{AREA}*"):
        if not AREA_NAME.fullmatch(area.name) or area.is_symlink():
            continue  # not ours
        # In use, gone meanwhile, another user's, or without locks: each is left alone.
        with suppress(OSError):
            area.rmdir()  # of one that was killed before it had made its lock
        with suppress(OSError), _open_lock(area / LOCK, 0) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead = area.with_name(AREA + secrets.token_hex(8))
            area.rename(dead)  # at once, so that nobody goes on in what is half removed
            shutil.rmtree(dead, ignore_errors=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, made if missing, for this process alone; its lock goes with the block.

    A file system without locks, or on which nothing can be written, is not locked.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    with written(folder):
        found = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
    lock = _take(folder)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                (folder / HELD).unlink()
            lock.close()
        if not found:
            with suppress(OSError):  # there is something in it
                folder.rmdir()


def _take(folder: Path) -> IO | None:
    """The locked file that says that a folder is held; None where there are no locks."""
    while True:
        try:
            lock = _open_lock(folder / HELD)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (folder / HELD).stat()):
                return lock
        except BlockingIOError:
            lock.close()
            raise InputError(
                f"{folder}: another process works in this folder; wait for it, stop it, or give"
                " another --out"
            ) from None
        except FileNotFoundError:  # the one before has just ended, and removed it
            pass
        except OSError:
            with suppress(OSError):
                (folder / HELD).unlink()
            lock.close()
            return None
        lock.close()


def _open_lock(path: Path, creating: int = os.O_CREAT) -> IO:
    """Open a lock's file; a link is not followed, and of what is no file nothing is waited for."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | creating, 0o666)
    lock = os.fdopen(descriptor, "r+b", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        lock.close()
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
    return lock


def _claim(folder: Path) -> tuple[Path, IO]:
    """A new work area and its lock, held as long as the file is open."""
    while True:
        area = folder / (AREA + secrets.token_hex(8))
        area.mkdir()
        try:
            lock = _open_lock(area / LOCK)
        except FileNotFoundError:  # another process took it for a dead one's before it was locked
            continue
        except OSError:
            area.rmdir()
            raise
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
        if isinstance(error, NotADirectoryError | FileExistsError):
            file = next((p for p in (path, *path.parents) if p.is_file()), name)
            raise InputError(f"{path}: {file} is a file, no folder; give another --out") from None
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); what is finished is kept: run"
            " the same command again when it can, or give another --out"
        ) from None
