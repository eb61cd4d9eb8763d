"""Files that a user, or another file, names: only what lies on a disk is read."""

import stat
from collections.abc import Sequence
from pathlib import Path

from render.errors import InputError


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        InputError: it is missing, cannot be read, or is a folder, a device or a pipe, from which
            one might read for ever.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from None
    kind = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
    raise InputError(f"{path}: {kind}; a file was expected")


def read_text(path: Path) -> str:
    """The content of a regular file in UTF-8, without the mark that Windows' programs put first.

    Raises:
        InputError: as `read_bytes`, or it is no text in UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason})") from None


def files_within(
    folder: Path, suffixes: Sequence[str], others: Sequence[str]
) -> tuple[list[Path], list[Path]]:
    """The files of a folder and the folders in it with some suffixes, and with others; sorted.

    What macOS leaves beside files on other systems' disks has their suffix, and is none of them.
    """
    there = sorted(path for path in folder.rglob("*") if not path.name.startswith("._"))
    wanted, rest = (
        [path for path in there if path.suffix.lower() in some] for some in (suffixes, others)
    )
    return wanted, rest
