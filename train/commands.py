"""The commands of this package: each parses, calls one function, echoes what came of it."""

import sys

import click

from render.command_line import (
    PATH,
    SectionedCommand,
    configured,
    cores,
    device_option,
    echo_once,
    given,
    out_option,
    refuse_foreign,
    workers_option,
)
from train.objects.data import DataConfig
from train.objects.own import check_asked, choose
from train.objects.twins.pair import PairConfig
from train.options import DETECTOR, METHODS, CropConfig, RunConfig, TrainConfig
from train.study.config import StudyConfig
from train.unused import PAIR, RUN, STUDY, TRAIN

localiser_option = click.option(
    "--localiser", type=PATH, metavar="RUN", help="Hands: the network that finds the palm."
)


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py pair --preset lmo --set data.objects=5 --out out/twins",
        "python pipeline.py pair --real nyu --out out/hand-twins",
    ),
)
@click.option(
    "--real",
    type=click.Choice(("bop", "nyu")),
    default="bop",
    show_default=True,
    help="nyu: hands, hand.dataset or NYU_PATH; --split train (where none is given) or test.",
)
@configured(PAIR, data=DataConfig, pair=PairConfig)
@out_option
@workers_option
def pair(config, seed, out, real, workers) -> None:
    """Make the synthetic twins of annotated real frames."""
    both = ("preset", "config", "sets", "seed", "out", "split")
    refuse_foreign("--real", real, both, ("hand", "workers"))
    if real == "nyu":
        from train.hands.data import find_nyu
        from train.hands.pairs import pair_hands

        split = config["data"].split if given("split") else "train"
        root, workers = find_nyu(config["hand"].dataset), workers or cores()
        click.echo(pair_hands(config["pair"].hand, root, split, out, workers))
        return

    from train.objects.twins.pair import pair as pair_objects

    ranges = config["scene"], config["sensor"]
    click.echo(pair_objects(config["pair"], ranges[0], config["data"], out, seed, ranges[1]))


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py train --preset lmo --objects 5 --method synthetic"
        " --synthetic out/synth --out out/pretrained",
        "python pipeline.py train --preset lmo --objects 5 --method mapping --synthetic out/synth"
        " --twins out/twins --start out/pretrained --out out/mapping",
    ),
)
@configured(TRAIN, data=DataConfig, crop=CropConfig, train=TrainConfig)
@click.option("--method", type=click.Choice((*METHODS, DETECTOR)), required=True)
@click.option("--synthetic", type=PATH, metavar="DIR", help="A dataset that `render` made.")
@click.option("--twins", type=PATH, metavar="DIR", help="What `pair` made of the real frames.")
@click.option("--start", type=PATH, metavar="RUN", help="A run whose weights to start from.")
@localiser_option
@out_option
@device_option
def train(config, seed, out, device, method, synthetic, twins, start, localiser) -> None:
    """Train a network or a detector for one object, or a network for hands."""
    from train.learn.distributed import joined
    from train.learn.task import Folders
    from train.run import train_one

    folders = Folders(synthetic, twins, localiser)
    with joined(device) as own_device:
        found = train_one(config, method, out, seed, own_device, start, folders)
    echo_once(found)


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py run --object cup.glb --real real --out runs/cup",
        "python pipeline.py run --preset demo --out runs/demo",
        "python pipeline.py run --preset lmo --set data.objects=5 --out runs/lmo-5",
    ),
)
@configured(RUN, choose, run=RunConfig, data=DataConfig)
@click.option(
    "--object",
    "meshes",
    type=PATH,
    multiple=True,
    metavar="MESH",
    help="Your object, a mesh file, or a folder of them; once for each.",
)
@click.option(
    "--real",
    type=PATH,
    metavar="DATASET",
    help="Real frames of it with poses, a BOP dataset; without, synthetic images are all.",
)
@out_option
@workers_option
@device_option
def run(config, seed, out, workers, device, meshes, real) -> None:
    """Everything: render, pair, train each method, evaluate, compare."""
    from train.learn.distributed import joined
    from train.run import run_all

    check_asked(config, meshes, real)
    with joined(device) as own_device:
        found = run_all(config, out, seed, workers or cores(), own_device)
    echo_once(found)


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py study --preset lmo-study-small --out runs/study",),
)
@configured(STUDY, study=StudyConfig)
@out_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Processes that train.  [default: one a CUDA device, else one a core]",
)
@device_option
def study(config, seed, out, workers, device) -> None:
    """Compare methods over objects, seeds and real frames, each tuned alike."""
    from train.study.study import run_study

    click.echo(run_study(config, out, seed, workers, device, cores()))


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py doctor",),
)
def doctor() -> None:
    """Say what can render and train here, and the fix for what cannot."""
    from render.show.doctor import check_opengl
    from train.learn.device import check_torch

    checks = [*check_opengl(), *check_torch()]
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.detail}")
        if not check.ok:
            click.echo(f"     fix: {check.fix}")
    sys.exit(0 if all(check.ok for check in checks) else 1)
