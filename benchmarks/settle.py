"""How long physics takes: convex pieces a mesh, and scenes that settle.

python benchmarks/settle.py --objects assets --scenes 6
"""

import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from render.config import fill, load_preset
from render.mesh.mesh import load_models
from render.physics.pieces import make_pieces
from render.scene.randomize import Randomizer, SceneConfig


def seconds() -> float:
    """Of this process's time on any core."""
    return time.process_time()


@click.command()
@click.option("--objects", default="assets", help="As --objects of render.")
@click.option("--scenes", default=6, help="Number of scenes of each layout.")
@click.option("--pieces/--no-pieces", default=True, help="Time convex pieces, too.")
def main(objects: str, scenes: int, pieces: bool) -> None:
    """Print CPU seconds a mesh, and a scene of the preset bop-pbr."""
    models = load_models(objects.split(","))
    for obj_id, model in models.items() if pieces else ():
        start = seconds()
        count = len(make_pieces(model.mesh))
        faces = len(model.mesh.faces)
        click.echo(
            f"object {obj_id}, {faces} faces: {count} pieces in {seconds() - start:.1f} s, once"
        )
    for layout in ("pile", "bin"):
        preset = load_preset("bop-pbr")["scene"] | {"layout": layout, "cameras": 1}
        config = fill(SceneConfig, preset, "scene")
        draw = Randomizer(config, models, (640, 480), seed=0)
        draw.prepare()
        start, things = seconds(), 0
        for i in range(scenes):
            things += sum(p.annotated for p in draw.scene(i).objects)
        each = (seconds() - start) / scenes
        click.echo(
            f"{layout}: {things / scenes:.1f} objects, and clutter, at rest in {each:.2f} s a"
            f" scene, {1000 * each / 25:.0f} ms a frame where 25 cameras share it"
        )


if __name__ == "__main__":
    main()
