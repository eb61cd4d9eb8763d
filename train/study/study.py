"""`study`: methods x objects x seeds x numbers of real frames, with the same effort for each.

Seeds share an object's rendered images and twins, the test frames and the jitter of their boxes;
they differ in the network's first weights, in the batches, and in which real frames are trained on
where that is fewer than all. All methods and numbers of frames of one (object, seed) share one
pre-training; with `share_start` all seeds of an object do, and their first weights with it. A
method without real images is trained once for all numbers of them.

Options are chosen once a method, on folds of the training frames of `tune_objects` under the first
seed: the smallest mean over them of the logarithm of the main error. Test frames are not read for
it.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.config import first_difference, to_dict
from render.dataset.shards import make_shards
from render.errors import InputError
from render.json_file import read_json, write_text
from render.whole_file import held
from train.learn.device import choose_device
from train.learn.task import Task
from train.options import COMPOSITION, DETECTOR, METHODS
from train.report.page import leave_report
from train.study.config import Options, candidates
from train.study.findings import WORKERS, Findings
from train.study.job import Job, JobMaker, Setup
from train.study.report import write_report
from train.tasks import make_task

log = logging.getLogger(__name__)

RECORD = "study_settings.json"
# Options of a run -> what they make of all of the training frames.
OF_ALL_FRAMES = {
    "real_background": "synthetic images are made from",
    "real_views": "synthetic images are made from",
    "refine": "poses are refined by what was learnt from",
}


def run_study(
    config: Mapping[str, Any], out: Path, seed: int, workers: int | None, device: str, cores: int
) -> str:
    """Train and test all networks of a study; what is finished is not done again.

    Args:
        config: section -> options, of all that `run` takes and of study.
        workers: processes that train; None: one for each CUDA device, or each core without one.
        cores: processes that render.

    Returns:
        The report, also in study.txt; study.json, study_frames.png and report.html are beside
        it.

    Raises:
        InputError: the study was begun with other settings or is running, an option is wrong, or
            parts failed; then all others are finished.
    """
    methods = config["run"].methods
    config = dict(config, run=replace(config["run"], detect=False))  # annotated boxes are read
    if not config["run"].has_unlabelled:
        del config[DETECTOR]
    unknown = [method for method in methods if method not in METHODS]
    if unknown or len(set(methods)) < len(methods):
        raise InputError(f"run.methods: must be different ones of {', '.join(METHODS)}")
    grid = candidates(config["study"], config["train"], methods)
    devices = find_devices(device, workers, cores)
    with begun(out, {name: to_dict(section) for name, section in config.items()} | {"seed": seed}):
        setup, failed = _prepare(config, out, seed, devices, cores)
        tuned_on = [s for s in _tuned_on(setup) if s not in failed]
        findings = Findings(setup, _cells(setup, methods), _runs(setup, grid), tuned_on, failed)

        _make_with_starts([job for jobs in findings.tuning.values() for job in jobs], findings)
        choices = choose(findings, grid)
        cells = [
            replace(job, options=tuple(choices[job.method].items()))
            for job in findings.cells
            if job.method in choices
        ]
        # A few pre-trainings at a time, with all that starts from them: so that tables begin early.
        starts = list(dict.fromkeys(job.start for job in cells))
        for first in range(0, len(starts), len(devices)):
            some = starts[first : first + len(devices)]
            _make_with_starts([job for job in cells if job.start in some], findings)
        text = write_report(findings)
        leave_report(config, out, seed)
        _refuse_failures(findings, out)
        return text


def find_devices(device: str, workers: int | None, cores: int) -> tuple[str, ...]:
    """The device of each worker: every CUDA device in turn, or the CPU where there is none."""
    found = [str(choose_device(device))]
    if device == "auto" and torch.cuda.is_available():
        found = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    count = workers or (cores if found == ["cpu"] else len(found))
    return tuple(found[i % len(found)] for i in range(count))


@contextmanager
def begun(out: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Hold a study's folder, made with these settings and by this process alone.

    Raises:
        InputError: it was begun with others, names the first; or another process is at it.
    """
    with held(out):
        plain = json.loads(json.dumps(settings))
        if (out / RECORD).is_file():
            difference = first_difference(read_json(out / RECORD), plain)
            if difference:
                name, before, now = difference
                raise InputError(
                    f"{out} was begun with {name} = {before}, not {now};"
                    " give the old value, or another --out"
                )
        elif any(not path.name.startswith(".") for path in out.iterdir()):
            raise InputError(f"{out} is not empty and holds no {RECORD}; give another --out")
        else:
            write_text(out / RECORD, json.dumps(plain, indent=2) + "\n")
        yield


def choose(findings: Findings, grid: Mapping[str, Sequence[Options]]) -> dict[str, Options]:
    """Method -> the options it is trained with; a method whose tuning failed is left out."""
    return {
        method: grid[method][int(np.argmin(scores))]
        for method in grid
        if (scores := findings.scores(method)) is not None
    }


def _prepare(
    config: Mapping[str, Any], out: Path, seed: int, devices: tuple[str, ...], cores: int
) -> tuple[Setup, dict[str, str]]:
    """Make all that is trained on; returns the setup, and subject -> error where that failed."""
    task = make_task(config, out, seed, cores).with_sources()
    _check_frames(task)
    setup = Setup(task, devices)
    failed: dict[str, str] = {}
    for subject in dict.fromkeys([*task.subjects, *_tuned_on(setup)]):
        try:
            task.prepare(subject, torch.device(devices[0]))
        except InputError as error:
            failed[subject] = str(error)
    return setup, failed


def _check_frames(task: Task) -> None:
    """Raise InputError if more real frames are asked for than there are to train on, or fewer where
    synthetic images, the detector, or what refines poses knows all of them."""
    wanted, count = task.config["study"].real_frames, task.count_frames()
    if max(wanted) > count:
        raise InputError(f"study.real_frames: {max(wanted)}, but there are {count} to train on")
    run, few = task.config["run"], not set(wanted) <= {0, count}
    if few and run.target == "object" and run.has_unlabelled:
        raise InputError(
            f"study.real_frames: {min(n for n in wanted if n)}, but the detector that finds objects"
            f" in unlabelled frames learns from all {count} training frames; use 0, or leave the"
            " methods with unlabelled frames"
        )
    for name, what in OF_ALL_FRAMES.items():
        if getattr(run, name) and few:
            raise InputError(
                f"study.real_frames: {min(n for n in wanted if n)}, but with run.{name} {what} all"
                f" {count} training frames; use 0, or leave that out"
            )


def _tuned_on(setup: Setup) -> list[str]:
    study = setup.study
    return list(setup.task.chosen_on(study.tune_objects)) if study.tuning else []


def _cells(setup: Setup, methods: Sequence[str]) -> list[Job]:
    """Every network that is tested on test frames, an object at a time."""
    seed = setup.task.seed
    cells = [
        Job(subject, seed + i, method, n if COMPOSITION[method][0] else None, setup=setup)
        for subject in setup.task.subjects
        for i in range(setup.study.seeds)
        for n in setup.study.real_frames
        for method in methods
    ]
    return list(dict.fromkeys(cells))


def _runs(setup: Setup, grid: Mapping[str, Sequence[Options]]) -> dict[str, list[Job]]:
    """Method -> its tuning runs, a candidate at a time."""
    return {
        method: [
            Job(subject, setup.task.seed, method, 0, i, fold, tuple(options.items()), setup)
            for i, options in enumerate(of_method)
            for subject in _tuned_on(setup)
            for fold in range(min(setup.study.tune_judged, setup.study.tune_folds))
        ]
        for method, of_method in grid.items()
    }


def _is_ready(job: Job, findings: Findings) -> bool:
    """Whether what a job needs is there."""
    steps = findings.setup.train.pretrain_steps
    return (job.method == "real" or not steps or job.start.is_done) and (
        job.labelled is None or job.labelled.is_done
    )


def _make_with_starts(jobs: Sequence[Job], findings: Findings) -> None:
    """Do jobs, and before them what they start from and what unlabelled frames they learn from."""
    jobs = [job for job in jobs if job.subject not in findings.failed]
    if findings.setup.train.pretrain_steps:
        _make(list(dict.fromkeys(job.start for job in jobs)), findings)
    first = list(dict.fromkeys(job.labelled for job in jobs if job.labelled is not None))
    _make([job for job in first if _is_ready(job, findings)], findings)
    _make([job for job in jobs if _is_ready(job, findings)], findings)


def _make(jobs: Sequence[Job], findings: Findings) -> None:
    """Do jobs, and report after each."""
    left = [job for job in jobs if not job.is_done]
    try:
        for job in make_shards(JobMaker, left, len(findings.setup.devices)):
            done = sum(one.is_done for one in findings.jobs)
            log.info("%s: %s, %d of %d", job.name, job.error or "done", done, len(findings.jobs))
            write_report(findings)
    except InputError as error:  # of jobs whose workers died; all others are complete
        findings.failed[WORKERS] = str(error)


def _refuse_failures(findings: Findings, out: Path) -> None:
    failures = findings.failures()
    if failures:
        text = "; ".join(f"{name}: {error}" for name, error in failures.items())
        raise InputError(
            f"parts failed: {len(failures)}, the others are finished, see {out}/study.txt; {text}"
        )
