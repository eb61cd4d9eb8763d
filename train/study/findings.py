"""The parts of a study, and what is known of them so far."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from train.study.job import HAND, Job, Setup
from train.study.subject import metrics

# The main error, by which methods are compared and chosen for.
MEASURES = {"object": "corner_px", HAND: "joint_mm"}


@dataclass(eq=False)
class Findings:
    """The parts of a study, and what is known of them so far.

    cells: networks that are tested on test frames. tuning: method -> its tuning runs. tuned_on:
    subjects that options are chosen on. failed: subject -> why it could not be prepared;
    "workers" -> of what they died.
    """

    setup: Setup
    cells: list[Job]
    tuning: dict[str, list[Job]]
    tuned_on: list[str]
    failed: dict[str, str]
    figures: dict[tuple[Job, float], dict[str, Any] | None] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        return self.setup.config["run"].methods

    @property
    def measure(self) -> str:
        """The name of the main error."""
        return MEASURES[self.setup.config["run"].target]

    @property
    def visib(self) -> tuple[float, ...]:
        """The thresholds of the tables; hands have none."""
        return (0.0,) if self.setup.config["run"].target == HAND else self.setup.study.visib

    @cached_property
    def by_key(self) -> dict[tuple[str, int, int | None, str], Job]:
        return {(job.subject, job.seed, job.frames, job.method): job for job in self.cells}

    def of(self, job: Job, visib: float) -> dict[str, Any] | None:
        """Figures of a network; None where there are none yet, or no instance so visible."""
        if (job, visib) not in self.figures:
            if not job.is_done:
                return None
            self.figures[job, visib] = metrics(job.result(), visib)
        return self.figures[job, visib]

    def scores(self, method: str) -> list[float] | None:
        """Each candidate's mean logarithm of the main error; None until all are known."""
        runs = self.tuning[method]
        if not self.setup.study.tuning:
            return [0.0]
        found = [self.of(job, self.visib[0]) for job in runs]
        if not runs or None in found:
            return None
        logs = np.array([np.log(figures[self.measure]) for figures in found if figures])
        count = 1 + max(job.candidate or 0 for job in runs)
        return logs.reshape(count, -1).mean(axis=1).tolist()

    def failures(self) -> dict[str, str]:
        """Name -> error, of whatever failed when it was last tried."""
        found = {
            f"object {name}" if name.isdecimal() else name: error
            for name, error in self.failed.items()
        }
        jobs = [*(job for runs in self.tuning.values() for job in runs), *self.cells]
        for job in dict.fromkeys([*(job.start for job in jobs), *jobs]):
            if not job.is_done and job.error is not None:
                found[job.name] = job.error
        return found
