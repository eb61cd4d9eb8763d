"""Contestants that draw the same workloads, each in processes of its own, taking turns."""

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

import numpy as np

from benchmarks import drawing
from benchmarks.workload import BUNDLED, Workload
from render.dataset.shards import llvmpipe_threads

SECONDS = 0.6  # that one turn takes, about
FEWEST, MOST = 4, 400  # frames of a turn
Contestant = Callable[[int], float]  # frames -> frames/s


class Contest:
    """Keeps the processes: one for pyrender, one for ours, and workers of ours by their threads.

    renderer: the OpenGL that draws ours.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.cores = len(os.sched_getaffinity(0))
        self._pyrender = ProcessPoolExecutor(1, spawn)
        self._ours = ProcessPoolExecutor(1, spawn)
        self._workers = {
            threads: [
                ProcessPoolExecutor(1, spawn, initializer=drawing.use_threads, initargs=(threads,))
                for _ in range(max(2, self.cores))
            ]
            for threads in (0, 1)
        }
        self.renderer = self._ours.submit(drawing.renderer_name, BUNDLED).result()

    def __enter__(self) -> "Contest":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._pyrender, self._ours, *self._workers[0], *self._workers[1]):
            pool.shutdown()

    def pyrender(self, workload: Workload) -> Contestant:
        """pyrender's OffscreenRenderer, reused."""
        return lambda n: n / self._pyrender.submit(pyrender_seconds, workload, n).result()

    def ours(self, workload: Workload, kind: str) -> Contestant:
        """Our rasterizer in one process; kind as in `drawing.seconds`."""
        return lambda n: n / self._ours.submit(drawing.seconds, workload, kind, n).result()

    def workers(
        self, workload: Workload, count: int | None = None, threads: int | None = None
    ) -> Contestant:
        """Our rasterizer in `count` processes at once, by default one a core.

        Args:
            threads: of llvmpipe beside each process's own, 0 or 1; by default as `render` has it.
        """
        count = count or self.cores
        if threads is None:
            threads = llvmpipe_threads(count, self.cores)
        pools = [self._ours] if threads is None else self._workers[threads][:count]

        def rate(frames: int) -> float:
            start = perf_counter()
            running = [p.submit(drawing.seconds, workload, "frames", frames) for p in pools]
            for one in running:
                one.result()
            return len(pools) * frames / (perf_counter() - start)

        return rate

    def rates(self, contestants: Mapping[str, Contestant], repeats: int = 5) -> dict[str, float]:
        """Median frames/s of each, over repeats in which they take turns."""
        frames = {}
        for name, draw in contestants.items():
            draw(FEWEST)  # makes contexts, meshes and scenes
            frames[name] = int(np.clip(SECONDS * draw(FEWEST), FEWEST, MOST))
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(repeats):
            for name, draw in contestants.items():
                rates[name].append(draw(frames[name]))
        return {name: float(np.median(values)) for name, values in rates.items()}


def pyrender_seconds(workload: Workload, count: int) -> float:
    """`pyrender_drawing.seconds`, imported in the process that draws and in no other."""
    from benchmarks import pyrender_drawing

    return pyrender_drawing.seconds(workload, count)
