"""Where what is slow to make is kept between commands: the user's cache folder."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from render.errors import InputError
from render.whole_file import write_whole

log = logging.getLogger(__name__)
T = TypeVar("T")


def cache_folder(kind: str) -> Path:
    """The folder of one kind of things; one that cannot be made where there is no home."""
    if os.environ.get("XDG_CACHE_HOME"):
        home = Path(os.environ["XDG_CACHE_HOME"])
    else:
        try:
            home = Path.home() / ".cache"
        except RuntimeError:  # a container's user without a name
            home = Path(os.devnull)
    return home / "feature-mapping" / kind


def keep(file: Path, content: bytes, what: str, without: str) -> None:
    """Write a file of the cache, whole, or say why not and go on.

    Args:
        what: it holds, in the plural. without: how else to do.
    """
    try:
        write_whole(file, content)
    except (InputError, OSError) as error:
        reason = getattr(error.__context__, "strerror", None) or error
        log.info(
            "%s: cannot keep %s here (%s); each process makes them anew. Name another folder by"
            " XDG_CACHE_HOME%s",
            file.parent,
            what,
            reason,
            without,
        )


def read_kept(file: Path, parse: Callable[[np.lib.npyio.NpzFile], T]) -> T | None:
    """What a file of arrays in the cache holds; None where it is not there, or not as written.

    Args:
        parse: makes it of the arrays; raises whatever it likes where they do not fit.
    """
    try:
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as arrays:
            return parse(arrays)
    except Exception as error:  # a damaged archive raises what it stumbles on
        reason = " ".join(str(error).split()) or type(error).__name__
        log.info("%s: cannot be used (%s); made again", file, reason)
        return None
