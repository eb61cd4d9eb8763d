"""Progress of long work: a bar on a terminal, about ten log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import click

log = logging.getLogger(__name__)
T = TypeVar("T")


def progress(
    items: Iterable[T],
    total: int,
    label: str,
    done: int = 0,
    count: Callable[[T], int] = lambda item: 1,
) -> Iterator[T]:
    """Hand items through while showing how many of `total` are done.

    Args:
        done: how many were finished before this call (a resumed run).
        count: how many of them an item is.
    """
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            bar.update(done)
            for item in items:
                yield item
                bar.update(count(item))
        return

    start, first = time.monotonic(), done
    for item in items:
        yield item
        before, done = done, done + count(item)
        if done == total or done * 10 // total > before * 10 // total:
            rate = (done - first) / max(time.monotonic() - start, 1e-9)
            log.info("%s: %d of %d, %.1f/s", label, done, total, rate)
