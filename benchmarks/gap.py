"""How far real test frames are from being read as if they were synthetic.

    python benchmarks/gap.py STUDY

STUDY is a folder that `study` made, of objects. Every network of it reads the real test frames, and
their synthetic twins: a mapping that moved each real feature to exactly where its twin's lies would
read the ones as well as the others. Beside that: how far features of real images lie from those of
their twins, before and after g, over the mean distance of the twins' features from their mean.
"""

# the path is set first
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be render.py here

import click
import numpy as np
import torch

from render.config import fill
from render.formats.bop import read_split
from render.json_file import read_json
from render.mesh.mesh import ObjectModel, load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from train.learn.checkpoint import Checkpoint
from train.learn.networks import PoseNet, evaluating
from train.objects.crops import ObjectCrops, square_crop
from train.objects.data import DataConfig, Instance, find_dataset, load_twins
from train.objects.evaluate import TestSet, evaluate_method, measured_model, test_sets
from train.objects.split import choose_images
from train.objects.twins.pair import PairConfig, pair, twin_splits
from train.options import METHODS, CropConfig
from train.study.job import PRETRAINED

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Gap:
    """One network on one object: mean corner errors in pixels, distances of features.

    real_px, twin_px: on test frames. train, test: distances before and after g.
    """

    real_px: float
    twin_px: float
    train: tuple[float, float]
    test: tuple[float, float]


class Pairs:
    """Real frames of an object and their twins, to train on and to test on, of a study."""

    def __init__(self, study: Path, obj_id: int, visib: float, scratch: Path) -> None:
        settings = read_json(study / "study_settings.json")
        data = replace(fill(DataConfig, settings["data"], "data"), objects=(obj_id,))
        if settings["run"]["simulated"]:
            data = replace(data, dataset=str(study / "simulated_real"))
        self.seed = settings["seed"]
        self.root = find_dataset(data.dataset)
        self.model = load_models([self.root / "models"], obj_ids=[obj_id])[obj_id]

        # `pair` makes twins of training frames, so the parts change places.
        parts = {p: choose_images(data, self.root, p, self.seed) for p in ("train", "test")}
        split = scratch / "split.json"
        split.write_text(json.dumps({"train": parts["test"], "test": parts["train"]}))
        swapped = replace(data, split_file=str(split))
        twins = scratch / "twins"
        options = replace(fill(PairConfig, settings["pair"], "pair"), variants=1)
        scene = fill(SceneConfig, settings["scene"], "scene")
        sensor = fill(SensorConfig, settings["sensor"], "sensor")
        pair(options, scene, swapped, twins, self.seed, sensor)

        self.test = self._pairs(data, twins, visib)
        self.train = self._pairs(swapped, study / f"obj_{obj_id:06d}" / "twins", visib)

    def _pairs(self, data: DataConfig, twins: Path, visib: float) -> tuple[TestSet, TestSet]:
        """The test frames of `data` that are so visible, and their first twins."""
        real = test_sets(data, self.root, self.model, self.seed)[0]
        kept = [i for i in real.instances if (i.annotation.visib_fract or 0) >= visib]
        found = load_twins(read_split(twins, twin_splits(twins)[0]), kept)
        drawn = [of_one[0] for of_one in found]
        return replace(real, instances=kept), replace(real, instances=drawn)


def gap(checkpoint: Checkpoint, pairs: Pairs, measured: ObjectModel) -> Gap:
    """What one network makes of real frames and of their twins."""
    net, of_twins = checkpoint.net, checkpoint
    if checkpoint.method != "mixed_layers":  # there synthetic images pass through g as well
        of_twins = replace(checkpoint, net=PoseNet(net.extract, None, net.predict))
    real, twins = pairs.test
    return Gap(
        real_px=_error(checkpoint, real, measured, pairs.seed),
        twin_px=_error(of_twins, twins, measured, pairs.seed),
        train=_distances(net, checkpoint.crop, *pairs.train),
        test=_distances(net, checkpoint.crop, *pairs.test),
    )


def _error(checkpoint: Checkpoint, test: TestSet, measured: ObjectModel, seed: int) -> float:
    """Mean corner error in pixels; a pose that was not found counts as the crop's side."""
    outcomes, _ = evaluate_method(checkpoint, checkpoint.method, [test], measured, CPU, seed)
    errors = [o.side if o.errors is None else o.errors.corner_px for o in outcomes]
    return float(np.mean(errors))


def _distances(
    net: PoseNet, config: CropConfig, real: TestSet, twins: TestSet
) -> tuple[float, float]:
    """Mean distance of real features from their twins', before and after g, relative."""
    with evaluating(net):
        before, goal = (net.extract(_images(test.instances, config)) for test in (real, twins))
        spread = (goal - goal.mean(dim=0)).flatten(1).norm(dim=1).mean()
        apart = [found - goal for found in (before, net.map(before))]
        far = [difference.flatten(1).norm(dim=1).mean() / spread for difference in apart]
    return far[0].item(), far[1].item()


def _images(instances: Sequence[Instance], config: CropConfig) -> torch.Tensor:
    crops = ObjectCrops(config)
    images = [crops.image(i, square_crop(i.box, config)) for i in instances]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def table(gaps: dict[str, list[Gap]]) -> str:
    """Text: a method a line, means over its networks."""
    columns = ["real px", "twin px", "train: before g", "after g", "test: before g", "after g"]
    lines = [" ".join([f"{'method':14}", *(f"{name:>15}" for name in columns)])]
    for method, found in gaps.items():
        rows = [(g.real_px, g.twin_px, *g.train, *g.test) for g in found]
        means = np.mean(rows, axis=0)
        digits = (1, 1, 3, 3, 3, 3)
        cells = [f"{mean:15.{n}f}" for mean, n in zip(means, digits, strict=True)]
        lines.append(" ".join([f"{method:14}", *cells]))
    return "\n".join(lines)


@click.command()
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--visib", type=float, default=0.6, show_default=True, help="Least visib_fract")
def main(study: Path, visib: float) -> None:
    """Compare how a study's networks read real test frames and their synthetic twins."""
    torch.set_num_threads(1)
    for folder in sorted(study.glob("obj_*")):
        obj_id = int(folder.name.removeprefix("obj_"))
        with tempfile.TemporaryDirectory() as scratch:
            pairs = Pairs(study, obj_id, visib, Path(scratch))
        measured = measured_model(pairs.root, obj_id)
        gaps: dict[str, list[Gap]] = defaultdict(list)
        for result in sorted(folder.glob("seed*/**/result.json")):
            if "tuning" not in result.parts:
                checkpoint = Checkpoint.load_finished(result.parent, CPU)
                gaps[result.parent.name].append(gap(checkpoint, pairs, measured))
        order = [name for name in (PRETRAINED, *METHODS) if name in gaps]
        count = len(pairs.test[0].instances)
        click.echo(f"object {obj_id}, {count} instances with visib_fract >= {visib:g}")
        click.echo(table({name: gaps[name] for name in order}) + "\n")


if __name__ == "__main__":
    main()
