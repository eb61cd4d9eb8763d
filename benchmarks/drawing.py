"""Frames a second of our rasterizer, timed in processes of their own."""

import os
import time
from collections.abc import Sequence
from functools import cache

from benchmarks.workload import Workload, mesh_of, specs_of
from render.draw.gl_read import TOGETHER
from render.draw.level_of_detail import load_levels
from render.draw.rasterizer import Rasterizer
from render.draw.records import make_view
from render.formats.bop_writer import measure
from render.scene.spec import SceneSpec

BATCH = 16  # frames handed to the rasterizer at once, as `render` does


class UnreadRasterizer(Rasterizer):
    """The limit: makes the draws of `render`, up to the last pixel, and reads nothing back."""

    def draw(self, specs: Sequence[SceneSpec]) -> None:
        """Draw specs."""
        with self._context:
            for i, spec in enumerate(specs):
                self._start(make_view(spec, self._models.boxes), i % TOGETHER)
            self._context.finish()


def use_threads(count: int) -> None:
    """Let llvmpipe draw with so many threads beside the process's own, in this process."""
    os.environ["LP_NUM_THREADS"] = str(count)


def seconds(workload: Workload, kind: str, count: int) -> float:
    """Time that `count` frames take in this process, with what must be made first left out.

    Args:
        kind: "frames": rgb, depth and ids. "annotations": also full masks on a canvas three times
            the image's size, boxes and counts. "unread": drawn, and nothing read back.
    """
    rasterizer, specs = _rasterizer(workload, kind == "unread"), specs_of(workload)
    start = time.perf_counter()
    for first in range(0, count, BATCH):
        chosen = [specs[i % len(specs)] for i in range(first, min(first + BATCH, count))]
        _draw(rasterizer, chosen, kind)
    return time.perf_counter() - start


def renderer_name(workload: Workload) -> str:
    """The OpenGL that draws."""
    return _rasterizer(workload, False).name


@cache
def _rasterizer(workload: Workload, unread: bool) -> Rasterizer:
    meshes = {workload.obj_id: mesh_of(workload.source, workload.obj_id, workload.faces)}
    levels = load_levels(meshes) if workload.levels else None
    return (UnreadRasterizer if unread else Rasterizer)(meshes, levels=levels)


def _draw(rasterizer: Rasterizer, specs: Sequence[SceneSpec], kind: str) -> None:
    if isinstance(rasterizer, UnreadRasterizer):
        rasterizer.draw(specs)
        return
    frames = rasterizer.render(specs)
    if kind == "annotations":
        for spec, frame in zip(specs, frames, strict=True):
            measure(frame, rasterizer.full_masks(spec, 3, frame.instance))
