"""The parts of a study, and what is known of them so far."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from render.errors import InputError
from train.report.damage import DAMAGED, damage
from train.study.job import Job, Setup

WORKERS = "workers"  # among the subjects that failed: processes that died


@dataclass(eq=False)
class Findings:
    """The parts of a study, and what is known of them so far.

    cells: networks that are tested on test frames. tuning: method -> its tuning runs. tuned_on:
    subjects that options are chosen on. failed: subject -> why it could not be prepared;
    WORKERS -> of what they died.
    """

    setup: Setup
    cells: list[Job]
    tuning: dict[str, list[Job]]
    tuned_on: list[str]
    failed: dict[str, str]
    figures: dict[tuple[Job, float], dict[str, Any] | None] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        return self.setup.task.config["run"].methods

    @property
    def measure(self) -> str:
        """The name of the main error."""
        return self.setup.task.measure

    @property
    def visib(self) -> tuple[float, ...]:
        """The thresholds of the tables."""
        return self.setup.task.visibs(self.setup.study.visib)

    @cached_property
    def by_key(self) -> dict[tuple[str, int, int | None, str], Job]:
        return {(job.subject, job.seed, job.frames, job.method): job for job in self.cells}

    @cached_property
    def jobs(self) -> list[Job]:
        """All of them, pre-trainings first."""
        jobs = [*(job for runs in self.tuning.values() for job in runs), *self.cells]
        starts = [job.start for job in jobs] if self.setup.train.pretrain_steps else []
        readings = [job.labelled for job in jobs if job.labelled is not None]
        return list(dict.fromkeys([*starts, *readings, *jobs]))

    def of(self, job: Job, visib: float) -> dict[str, Any] | None:
        """Figures of a network; None where there are none yet, or no instance so visible."""
        if (job, visib) not in self.figures:
            if not job.is_done:
                return None
            try:
                self.figures[job, visib] = self.setup.task.metrics(job.result(), visib)
            except DAMAGED as error:
                raise InputError(
                    f"{job.folder / 'result.json'}: not as it was written ({damage(error)});"
                    " delete it, and the same command makes it again"
                ) from None
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
            name if name == WORKERS else self.setup.task.title(name): error
            for name, error in self.failed.items()
        }
        for job in self.jobs:
            if not job.is_done and job.error is not None:
                found[job.name] = job.error
        return found
