"""Poses that are off as a network's are, refined: how near they come, without any network.

    BOP_PATH=... python benchmarks/refine.py --objects 1,5,8,9 [--set run.refine=6 ...]

Each instance in the real training frames is started from true poses that are turned and moved at
random, and refined by what was learnt from these frames, as `run` does. Options of the refinement
are chosen by this, and not by test frames; `--part test` is for frames that no table shows.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from pipeline import SECTIONS
from render.config import resolve
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import ObjectModel
from train.objects.data import Instance, find_dataset, load_instances
from train.objects.evaluate import measured_model
from train.objects.metrics import pose_errors
from train.objects.refine.refiner import Refiner, open_refiner
from train.objects.split import choose_images
from train.objects.summary import Group, summarize

# Standard deviations of a start in the middle, as networks are off in frames that they have not
# learnt from: turn about each axis; to the right and down, of the diameter; away, of the distance.
# Each start has 0.5 to 2 times as much.
DEGREES, SIDEWAYS, AWAY = 3.5, 0.015, 0.03
LEAST, MOST = 0.5, 2.0
PRESET = "lmo-lite"


@click.command()
@click.option("--objects", default="1,5,6,8,9,10,11,12", show_default=True, help="Ids.")
@click.option("--starts", default=3, show_default=True, help="Of each instance.")
@click.option("--part", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--set", "sets", multiple=True, help="Settings, such as data.dataset=FOLDER.")
def main(objects: str, starts: int, part: str, sets: Sequence[str]) -> None:
    """Print a line for each object's starts and one for what they are refined to."""
    config = resolve(SECTIONS, PRESET, None, sets, {})
    print(f"{'object':>6} {'':8} {'n':>4} {'5 px':>6} {'ADD':>6} {'deg':>6} {'mm':>6} {'ms':>6}")
    for obj_id in map(int, objects.split(",")):
        data = replace(config["data"], objects=(obj_id,))
        root = find_dataset(data.dataset)
        try:
            with open_refiner(config["run"].refine, data, root, obj_id, 0) as refiner:
                if refiner is None:
                    raise click.ClickException("run.refine=0 refines nothing")
                images = read_split(root, data.split, choose_images(data, root, part, 0))
                model = measured_model(root, obj_id)
                instances = load_instances(images, refiner.model, min_visib=data.min_visib)
                for line in refined_in_words(refiner, model, instances, starts):
                    print(f"{obj_id:6} {line}", flush=True)
        except InputError as error:
            raise click.ClickException(str(error)) from None


def refined_in_words(
    refiner: Refiner, model: ObjectModel, instances: Sequence[Instance], starts: int
) -> list[str]:
    """A line on poses as they start, and one on what became of them and how long it took."""
    rng = np.random.default_rng(0)
    of = [instance for instance in instances for _ in range(starts)]
    begun = [refiner.moved(i.annotation.cam_from_obj, some_motion(rng)) for i in of]
    began = time.perf_counter()
    found = [refiner.refine(i, pose) for i, pose in zip(of, begun, strict=True)]
    ms = 1000 * (time.perf_counter() - began) / max(len(of), 1)
    return [
        f"start    {_in_words(of, begun, model)}",
        f"refined  {_in_words(of, found, model)} {ms:6.1f}",
    ]


def some_motion(rng: np.random.Generator) -> np.ndarray:
    """(6,) as `Refiner.moved` takes it."""
    spread = np.array([*[np.radians(DEGREES)] * 3, SIDEWAYS, SIDEWAYS, AWAY])
    motion: np.ndarray = rng.uniform(LEAST, MOST) * rng.normal(0, spread)
    return motion


def _in_words(of: Sequence[Instance], poses: Sequence[np.ndarray], model: ObjectModel) -> str:
    errors = [
        pose_errors(pose, i.annotation.cam_from_obj, model, i.camera)
        for i, pose in zip(of, poses, strict=True)
    ]
    found = summarize([Group(((e,),), (0.0,)) for e in errors], model.diameter)
    return (
        "{n:4} {proj_5px:6.1f} {add_10:6.1f} {rotation_deg_median:6.2f}"
        " {translation_mm_median:6.1f}".format(**found)
    )


if __name__ == "__main__":
    main()
