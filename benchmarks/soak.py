"""Render a great many frames in one process and watch its memory.

    python benchmarks/soak.py --frames 100000 [--preset photo]

All of `render` is at work: random scenes, drawing, masks, the colour camera, PNG files. Scenes are
deleted when they are complete. The resident memory is printed all along; exit code 1 if at the end
it has left its value after the warm-up by more than TOLERANCE.
"""

# the path is set first
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be render.py here

import click
import trimesh

from render.config import fill, load_preset
from render.dataset import missing
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.scene.randomize import SceneConfig

FRAMES_PER_SCENE = 100
WARM_UP = 2000  # frames: by then every kind of scene has been drawn, and every cache is full
TOLERANCE = 0.05
LINES = 20


class MemoryLog(logging.Handler):
    """Deletes scenes when `generate` says that a part is complete; notes the memory in use."""

    def __init__(self, split: Path, frames: int) -> None:
        super().__init__(logging.DEBUG)
        self.split, self.frames = split, frames
        self.done, self.start = 0, time.monotonic()
        self.warm_mb = self.last_mb = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        before = self.done
        for scene in self.split.glob("[0-9]*"):
            shutil.rmtree(scene)
            self.done += FRAMES_PER_SCENE
        self.last_mb = resident_mb()
        if before < WARM_UP <= self.done:
            self.warm_mb = self.last_mb
        if self.done * LINES // self.frames > before * LINES // self.frames:
            rate = self.done / (time.monotonic() - self.start)
            click.echo(f"{self.done:7} frames  {self.last_mb:7.1f} MB  {rate:6.1f} frames/s")


def resident_mb() -> float:
    """This process's resident memory (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def soak(folder: Path, frames: int, scene: SceneConfig | None = None) -> MemoryLog:
    """Render so many frames in this process, and follow its memory.

    Args:
        scene: None has `render`'s defaults.

    Raises:
        RuntimeError: not all scenes were seen when they were complete.
    """
    mesh, out = folder / "ball.ply", folder / "out"
    trimesh.creation.icosphere(subdivisions=2, radius=0.05).export(mesh)
    memory, log = MemoryLog(out / "train", frames), logging.getLogger(missing.__name__)
    config = RenderConfig(
        objects=(str(mesh),), frames=frames, size=(64, 64), frames_per_scene=FRAMES_PER_SCENE
    )
    level = log.level
    log.addHandler(memory)
    log.setLevel(logging.DEBUG)
    try:
        generate(config, scene or SceneConfig(), out, seed=0, workers=1)
    finally:
        log.removeHandler(memory)
        log.setLevel(level)
    if memory.done != frames:
        raise RuntimeError(f"{frames} frames were made, {memory.done} were seen")
    return memory


@click.command()
@click.option("--frames", type=click.IntRange(2 * WARM_UP), default=100_000, show_default=True)
@click.option("--preset", help="Of `render`, whose scenes are drawn; its defaults if not given.")
def main(frames: int, preset: str | None) -> None:
    """Render frames of 64x64 pixels and watch the memory."""
    frames -= frames % FRAMES_PER_SCENE
    scene = fill(SceneConfig, load_preset(preset)["scene"], "scene") if preset else None
    with tempfile.TemporaryDirectory() as folder:
        memory = soak(Path(folder), frames, scene)
    change = memory.last_mb / memory.warm_mb - 1
    click.echo(
        f"{frames} frames in one process: {memory.warm_mb:.1f} MB after {WARM_UP},"
        f" {memory.last_mb:.1f} MB at the end, {100 * change:+.1f} %"
    )
    sys.exit(0 if abs(change) <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
