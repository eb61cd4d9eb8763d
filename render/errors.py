"""The one error that reaches the user as a single line."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

EGL_FIX = "run: apt-get update && apt-get install -y libegl1 libgl1 libgl1-mesa-dri"
MOST_NAMED = 8  # faults in one line
MOST_SHOWN = 1000  # characters of a line, of which the last ones say what would be right
CUT = " [...] "
A = TypeVar("A")
B = TypeVar("B")


class InputError(Exception):
    """Something the user gave is unusable; the message names it, what is wrong and what is right.

    Raised at the border (files, options); the command line shows it alone, exit code 1.
    """


class PartError(InputError):
    """An input of one part of long work is unusable, while the other parts do not need it."""


def one_line(text: str, most: int = MOST_SHOWN) -> str:
    """Text that may hold names of others' files, as a line that a terminal only shows.

    Control characters, line ends, and what turns the direction of writing are escaped; of what is
    longer than `most` the middle is left out.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(shown) <= most:
        return shown
    last = (most - len(CUT)) // 2
    return shown[: most - len(CUT) - last] + CUT + shown[-last:]


def joined(errors: Sequence[InputError], of: str) -> InputError:
    """One error that names all: of how many what."""
    texts = list(dict.fromkeys(map(str, errors)))
    if len(texts) == 1:
        return errors[0]
    more = f"; and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return InputError(f"{len(texts)} {of}: {'; '.join(texts[:MOST_NAMED])}{more}")


def all_of(items: Iterable[A], read: Callable[[A], B], of: str) -> list[B]:
    """What `read` gives for each item, after all have been tried.

    Raises:
        InputError: names every item that cannot be read, not only the first.
    """
    found, errors = [], []
    for item in items:
        try:
            found.append(read(item))
        except InputError as error:
            errors.append(error)
    if errors:
        raise joined(errors, of)
    return found
