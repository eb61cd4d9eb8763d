"""What environments cost: scenes of `tabletop` with one and without, in turns.

    python benchmarks/environment.py [--size 640x480] [--repeats 12]

Prints milliseconds of processor time a frame, whatever else the machine does, and ratios: of
drawing alone; and of drawing with what is behind and preparing the environment, each frame's own.
"""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be this file

import click
import numpy as np

from render.config import fill, load_preset
from render.draw.renderer import RenderConfig, make_renderer, see
from render.environment import light
from render.mesh.mesh import load_models
from render.scene.props import props
from render.scene.randomize import Randomizer, SceneConfig

FRAMES = 8


@click.command()
@click.option("--size", default="640x480", help="Of the frames, pixels.")
@click.option("--repeats", default=12, help="Of each measurement; the median counts.")
@click.option("--objects", default="assets", help="As `render --objects`.")
def main(size: str, repeats: int, objects: str) -> None:
    """Time scenes with environments beside the same scenes without."""
    width, height = map(int, size.split("x"))
    models = load_models([objects])
    ranges = fill(SceneConfig, load_preset("tabletop")["scene"], "scene")
    lit = replace(ranges, environment="any", background="environment")
    scenes = {
        name: [Randomizer(config, models, (width, height), 0).scene(i) for i in range(FRAMES)]
        for name, config in (("without", ranges), ("with", lit))
    }
    with closing(make_renderer({**models, **props()}, RenderConfig())) as renderer:

        def draw(name: str) -> Callable[[], object]:
            return lambda: renderer.render(scenes[name])

        def make(name: str) -> Callable[[], object]:
            def run() -> None:
                light._prepare.cache_clear()
                see(renderer, scenes[name])

            return run

        timed = {f"{w.__name__}, {n}": w(n) for w in (draw, make) for n in scenes}
        times: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(repeats + 1):  # the first is for compiling and uploading
            for name, run in timed.items():
                times[name].append(_milliseconds(run))
        click.echo(renderer.name)
    for name, values in times.items():
        click.echo(f"{name}: {np.median(values[1:]):.1f} ms a frame")
    for what in ("draw", "make"):
        ratios = np.array(times[f"{what}, with"][1:]) / times[f"{what}, without"][1:]
        click.echo(f"{what}, with / without: {np.median(ratios):.2f}")
    click.echo(f"preparing an environment: {_preparing(scenes['with']):.1f} ms")


def _milliseconds(run: Callable[[], object]) -> float:
    """Of processor time, a frame."""
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start) / FRAMES


def _preparing(specs) -> float:
    light._prepare.cache_clear()

    def run() -> None:
        for spec in specs:
            light.prepare(spec.environment)

    return _milliseconds(run)


if __name__ == "__main__":
    main()
