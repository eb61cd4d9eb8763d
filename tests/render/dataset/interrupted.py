"""A dataset whose making is interrupted."""

from typing import Any

import pytest

from render.dataset import generate as module
from render.dataset.generate import generate


def interrupt_at_the_third_part(*args: Any, **more: Any) -> list[Any]:
    """`generate` of these arguments until its third part; returns the jobs that were begun."""
    make, begun = module._SceneMaker.make, []

    def fails_at_the_third_part(maker, job):
        begun.append(job)
        if len(begun) == 3:
            raise KeyboardInterrupt
        make(maker, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._SceneMaker, "make", fails_at_the_third_part)
        with pytest.raises(KeyboardInterrupt):
            generate(*args, **more)
    return begun
