"""What a step of training needs, made while the step before is trained on."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def made_ahead(
    make: Callable[[int], T], left: Iterable[int], first: int, steps: int
) -> Iterator[tuple[int, T]]:
    """Each step with what is made for it, by one thread that is a step ahead.

    Args:
        left: the steps from `first` up to, and without, `steps`.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make, first)
        for step in left:
            made = waiting.result()
            if step + 1 < steps:
                waiting = pool.submit(make, step + 1)
            yield step, made
