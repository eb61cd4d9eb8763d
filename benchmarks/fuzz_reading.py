"""One damaged file, read under limits: a value, a refusal in one line, or what is wrong with it."""

import os
import resource
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz_damage import damage
from render.config import OptionError
from render.errors import InputError, one_line
from render.validate.fault import Fault

MEMORY = 1 << 30  # bytes that a reading may take beyond what the process has
LONGEST = 2000  # characters of a message
# What a reading may not do (sys.addaudithook): start a program, or call somebody.
FORBIDDEN = (
    *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile"),
    *("os.system", "pty.spawn", "socket.connect", "subprocess.Popen"),
)
FINDERS = ("/sbin/ldconfig",)  # by which ctypes finds libraries, such as OpenGL's
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Reader:
    """One way in for files.

    make: writes valid files into a folder. files: pattern of those that are damaged. read: is given
    a damaged file, or the folder if `whole`; returns a value, or a list of Faults, or raises
    InputError. intact: whether the valid files are read at all.
    """

    name: str
    make: Callable[[Path], object]
    files: str
    read: Callable[[Path], object]
    whole: bool = False
    intact: bool = True


@dataclass(frozen=True)
class Case:
    """The number-th damaged file of a reader; the same for the same seed."""

    reader: Reader
    seed: int
    number: int

    def place(self, folder: Path) -> tuple[Path, bytes]:
        """Which of the valid files in a folder is damaged, and its damaged content."""
        rng = np.random.default_rng([self.seed, self.number, *self.reader.name.encode()])
        files = sorted(path for path in folder.glob(self.reader.files) if path.is_file())
        file = files[rng.integers(len(files))]
        return file, damage(file.read_bytes(), rng)


@dataclass(frozen=True)
class Outcome:
    """What came of a case. kind: "read", "refused", or "fault" with `what` of the same kind."""

    case: Case
    kind: str
    what: str = ""


class Watch:
    """Notes forbidden events, and lets none pass, while it is on."""

    def __init__(self) -> None:
        self.on, self.seen = False, ""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event in FORBIDDEN and args[0] not in FINDERS:
            self.seen = f"{event} of {args[0]!r}"
            raise RuntimeError(self.seen)


def read_intact(reader: Reader, own: Path) -> str:
    """Read the valid files, without limits; what is wrong with that."""
    for file in sorted(own.glob(reader.files)):
        try:
            found = reader.read(own if reader.whole else file)
        except (InputError, OptionError) as error:
            if reader.intact:
                return f"{reader.name}: a valid file is refused: {error}"
            continue
        if _faults(found):
            return f"{reader.name}: a valid file has faults: {found}"
    return ""


def read_case(case: Case, file: Path, own: Path, watch: Watch) -> Outcome:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, unlimited[1]))
    watch.on, watch.seen = True, ""
    kind, what = "read", ""
    try:
        found = case.reader.read(own if case.reader.whole else file)
        faults = _faults(found)
        if faults:
            kind, what = "refused", next(filter(None, map(_bad_line, faults)), "")
    except (InputError, OptionError) as error:
        kind, what = "refused", _bad_message(error, file, own)
    except BaseException as error:
        kind, what = "fault", _place_of(error)
    finally:
        watch.on = False
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
    what = f"starts a program or a connection: {watch.seen}" if watch.seen else what
    return Outcome(case, "fault" if what else kind, what)


def _faults(found: object) -> list[str]:
    """The lines of a list of Faults; none of any other value."""
    return (
        [one_line(str(f)) for f in found if isinstance(f, Fault)] if isinstance(found, list) else []
    )


def _bad_message(error: Exception, file: Path, own: Path) -> str:
    """What is wrong with an error that a user would see."""
    chain, link = [], error.__context__
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__context__
    for link in chain:
        if isinstance(link, MemoryError) or "memory" in str(link).lower():
            return f"takes more than {MEMORY >> 20} MiB: {_place_of(link)}"
    text = error.format_message() if isinstance(error, OptionError) else str(error)
    if "\n" in text:
        return f"a message of several lines, {_raised_at(error)}: {text[:200]!r}"
    text = one_line(text)
    if file.name not in text and str(own) not in text:
        return f"a message that names no file, {_raised_at(error)}: {text[:200]!r}"
    return _bad_line(text)


def _bad_line(text: str) -> str:
    if not text.isprintable():
        odd = next(c for c in text if not c.isprintable())
        return f"a message with {odd!r}: {text[:200]!r}"
    return f"a message of {len(text)} characters: {text[:200]!r}" if len(text) > LONGEST else ""


def _place_of(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__} at {_raised_at(error)}: {text}"


def _raised_at(error: BaseException) -> str:
    """The last line of the project's that an error came through."""
    own = Path(__file__).resolve()
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    found = traceback.extract_tb(error.__traceback__)
    for path, frame in reversed(list(zip(frames, found, strict=True))):
        if path.is_relative_to(ROOT) and path != own and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.lineno} in {frame.name}"
    return "outside the project"
