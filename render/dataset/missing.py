"""What is missing of a dataset -> made: the same for scenes, hands and twins."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from render.dataset.shards import Maker, make_shards
from render.progress import progress
from render.whole_file import sweep

log = logging.getLogger(__name__)


class Job(Protocol):
    """A part of a dataset that is made whole or not at all; can be pickled and hashed.

    frames: how many it is of.
    """

    @property
    def name(self) -> str: ...

    @property
    def frames(self) -> int: ...

    def is_made(self) -> bool: ...


def make_missing(
    open_maker: Callable[[Any], Maker],
    jobs: Sequence[Job],
    label: str,
    workers: int,
    cluster: str | None = None,
    swept: Sequence[Path] = (),
) -> None:
    """Do the jobs that are not made yet, and show how many frames that is.

    Args:
        open_maker, workers, cluster: as in `make_shards`.
        label: what the progress is of.
        swept: folders to clear afterwards, whatever happens, of what killed workers left.
    """
    left = [job for job in jobs if not job.is_made()]
    made = make_shards(open_maker, left, workers, cluster)
    total, missing = (sum(job.frames for job in some) for some in (jobs, left))
    try:
        for job in progress(made, total, label, total - missing, lambda job: job.frames):
            log.debug("%s is complete", job.name)
    finally:
        for folder in swept:
            sweep(folder)
