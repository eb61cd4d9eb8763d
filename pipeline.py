"""The command line: each command parses, calls one function, echoes what came of it."""

import dataclasses
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from render.config import OptionError, explicit, options_of, resolve
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.hand.scene import HandSceneConfig
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from train.hands.data import HandDataConfig
from train.objects.data import DataConfig
from train.objects.pairs import PairConfig
from train.options import (
    METHODS,
    CropConfig,
    ExemplarConfig,
    HandCropConfig,
    LocaliserConfig,
    RunConfig,
    TrainConfig,
)
from train.study.config import StudyConfig

SECTIONS: Mapping[str, type] = {
    "run": RunConfig,
    "data": DataConfig,
    "render": RenderConfig,
    "scene": SceneConfig,
    "hand_scene": HandSceneConfig,
    "sensor": SensorConfig,
    "pair": PairConfig,
    "crop": CropConfig,
    "hand": HandDataConfig,
    "hand_crop": HandCropConfig,
    "localiser": LocaliserConfig,
    "train": TrainConfig,
    "exemplar": ExemplarConfig,
    "study": StudyConfig,
}
PATH = click.Path(path_type=Path)


class Commands(click.Group):
    """Turns what the user can mend into one line: exit code 1, and 130 for Ctrl-C."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the work, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            if _rank():  # torchrun ends this process before it repeats what the first one says
                time.sleep(1)
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'system'}: {error.strerror}") from None
        except KeyboardInterrupt:
            click.echo("Stopped. The same command goes on from here.", err=True)
            sys.exit(130)


def configured(*sections: str) -> Callable[[Callable], Callable]:
    """Give a command --preset, --config, --set, --seed and the named sections' own options.

    The command receives `config`, section name -> filled dataclass, and `seed`.
    """

    def decorate(command: Callable) -> Callable:
        @wraps(command)
        def with_config(preset, config, sets, **kwargs):
            flags = {name: explicit(kwargs, SECTIONS[name]) for name in sections}
            for name in sections:
                for field in dataclasses.fields(SECTIONS[name]):
                    kwargs.pop(field.name, None)
            return command(config=resolve(SECTIONS, preset, config, sets, flags), **kwargs)

        filled: Callable = with_config
        for name in reversed(sections):
            filled = options_of(SECTIONS[name])(filled)
        for decorator in (
            click.option("--preset", metavar="NAME", help="A file of assets/presets."),
            click.option("--config", type=PATH, metavar="FILE.toml", help="Settings of your own."),
            click.option("--set", "sets", multiple=True, metavar="SECTION.NAME=VALUE"),
            click.option("--seed", type=click.IntRange(0), default=0, help="Of all random choices"),
        ):
            filled = decorator(filled)
        return filled

    return decorate


workers_option = click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one a core]"
)
device_option = click.option("--device", default="auto", help="auto, cpu, cuda or cuda:1")
localiser_option = click.option(
    "--localiser", type=PATH, metavar="RUN", help="Hands: the network that finds the palm."
)
out_option = click.option("--out", type=PATH, required=True, metavar="DIR")


@click.group(cls=Commands)
@click.option("--verbose", is_flag=True, help="Log more.")
def main(verbose: bool) -> None:
    """Synthetic training data from meshes, and a pose network that reads real images with it."""
    command = click.get_current_context().invoked_subcommand
    if "TORCHELASTIC_RUN_ID" in os.environ and command not in ("train", "run"):
        raise click.UsageError(f"torchrun is for train and run, not for {command}")
    level = logging.DEBUG if verbose else logging.ERROR if _rank() else logging.INFO
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    for noisy in ("PIL", "matplotlib", "trimesh", "tensorboard", "OpenGL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@main.command()
def doctor() -> None:
    """Say what can render and train here, and the fix where something cannot."""
    from render.show.doctor import check_opengl
    from train.learn.device import check_torch

    checks = [*check_opengl(), *check_torch()]
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.detail}")
        if not check.ok:
            click.echo(f"     fix: {check.fix}")
    sys.exit(0 if all(check.ok for check in checks) else 1)


@main.command()
@configured("render")
@click.option(
    "--replay",
    type=PATH,
    metavar="FRAME.png",
    help="Draw only this frame of a rendered dataset again, as the PNG file --out.",
)
@click.option(
    "--shard",
    metavar="I/N",
    default="1/1",
    help="Make only the I-th of N parts, from 1 on; N machines that share DIR make them all.",
)
@click.option(
    "--ray",
    "cluster",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help="Work on a Ray cluster that shares DIR and this folder; no address: the one running here.",
)
@out_option
@workers_option
def render(config, seed, out, workers, replay, shard, cluster) -> None:
    """Render random scenes of meshes into a BOP dataset, or of a hand into one like NYU's."""
    if replay is not None:
        from render.dataset.replay import replay_frame

        replay_frame(replay, out)
        click.echo(f"{out}: {replay} drawn again")
        return

    from render.dataset.generate import generate
    from render.dataset.shards import parse_part

    if cluster is not None and workers is not None:
        raise OptionError("--workers is of this machine; with --ray the cluster's CPUs count")
    part = parse_part(shard)
    how = {"workers": workers or _cores(), "part": part, "cluster": cluster}
    how |= {"sensor": config["sensor"]}
    if config["render"].format == "nyu":
        from render.dataset.hands import generate_hands

        generate_hands(config["render"], config["hand_scene"], out, seed, **how)
    else:
        hand_scene = config["hand_scene"]
        generate(config["render"], config["scene"], out, seed, hand_scene=hand_scene, **how)
    of_part = "" if part == (1, 1) else f"part {shard} of "
    click.echo(f"{out}: {of_part}{config['render'].frames} frames")


@main.command()
@click.argument("dataset", type=PATH)
@click.option("--split", metavar="NAME", help="Check this split only.")
@click.option("--no-render", is_flag=True, help="Leave out what needs drawing: poses, depth.")
def validate(dataset, split, no_render) -> None:
    """Name every fault of a BOP dataset, by file."""
    from render.scene.contact import dataset_contact
    from render.validate.validate import survey
    from render.validate.validate import validate as find_faults

    faults = find_faults(dataset, split, render=not no_render)
    for fault in faults:
        click.echo(fault)
    count = f"{len(faults)} faults" if faults else "no fault"
    click.echo(f"{survey(dataset, split, render=not no_render)}: {count}")
    contact = None if faults else dataset_contact(dataset, split)
    if contact is not None:
        click.echo(contact)
    sys.exit(1 if faults else 0)


@main.command()
@click.argument("dataset", type=PATH)
@click.option("--split", metavar="NAME", help="Of this split only.")
@click.option("--frames", type=click.IntRange(1), default=24, show_default=True, help="On a sheet.")
@click.option("--frame", metavar="SCENE/IMAGE", help="In the window.  [default: the first]")
@click.option("--out", type=PATH, metavar="SHEET.png", help="Without it a window opens.")
def view(dataset, split, frames, frame, out) -> None:
    """Look at any BOP dataset: a frame's objects in a window, or a contact sheet of many frames.

    A sheet shows boxes, contours of masks and depth. In the window the mouse turns, shifts and
    zooms what is seen; q closes it.
    """
    if out is None:
        if _given("frames"):
            raise OptionError("--frames belongs to --out SHEET.png")
        from render.show.window import show_frame

        show_frame(dataset, split, frame)
        return
    if frame is not None:
        raise OptionError("--frame is of the window, which opens without --out")

    from render.image_file import write_png
    from render.show.contact_sheet import contact_sheet

    write_png(out, contact_sheet(dataset, split, frames))
    click.echo(out)


@main.command()
@click.option(
    "--real",
    type=click.Choice(("bop", "nyu")),
    default="bop",
    show_default=True,
    help="nyu: hands, hand.dataset or NYU_PATH; --split train (where none is given) or test.",
)
@configured("data", "pair")
@out_option
@workers_option
def pair(config, seed, out, real, workers) -> None:
    """Make the synthetic twins of annotated real frames."""
    both = ("preset", "config", "sets", "seed", "out", "split")
    _refuse_foreign_options("--real", real, both, ("hand", "workers"))
    if real == "nyu":
        from train.hands.data import find_nyu
        from train.hands.pairs import pair_hands

        split = config["data"].split if _given("split") else "train"
        root, workers = find_nyu(config["hand"].dataset), workers or _cores()
        click.echo(pair_hands(config["pair"].hand, root, split, out, workers))
        return

    from train.objects import pairs

    ranges = config["scene"], config["sensor"]
    click.echo(pairs.pair(config["pair"], ranges[0], config["data"], out, seed, ranges[1]))


@main.command()
@configured("data", "crop", "train")
@click.option("--method", type=click.Choice(METHODS), required=True)
@click.option("--synthetic", type=PATH, metavar="DIR", help="A dataset that `render` made.")
@click.option("--twins", type=PATH, metavar="DIR", help="What `pair` made of the real frames.")
@click.option("--start", type=PATH, metavar="RUN", help="A run whose weights to start from.")
@localiser_option
@out_option
@device_option
def train(config, seed, out, device, method, synthetic, twins, start, localiser) -> None:
    """Train a network for one object, or for hands."""
    from train.learn.distributed import joined
    from train.learn.task import Folders
    from train.run import train_one

    folders = Folders(synthetic, twins, localiser)
    with joined(device) as own_device:
        found = train_one(config, method, out, seed, own_device, start, folders)
    _echo_once(found)


@main.command()
@configured("data", "exemplar")
@click.argument("run_folder", metavar="RUN", type=PATH)
@localiser_option
@out_option
@device_option
def evaluate(config, seed, out, device, run_folder, localiser) -> None:
    """Test a trained network on a dataset's test frames."""
    from train.run import evaluate_one

    click.echo(evaluate_one(config, run_folder, localiser, out, seed, device))


@main.command()
@click.argument("results", type=PATH)
@click.option("--ground-truth", type=PATH, required=True, metavar="DATASET|LABELS.txt")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("bop", "nyu")),
    default="bop",
    show_default=True,
    help="bop: CSV of object poses. nyu: a line a frame, u v d of 14 joints of a hand.",
)
@configured("data")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--plot", type=PATH, metavar="CURVE.png", help="nyu: draw the success curves.")
@click.option(
    "--compare",
    type=PATH,
    multiple=True,
    metavar="OTHER.txt",
    help="nyu: another's predictions, beside RESULTS; once for each file.",
)
def score(config, seed, results, ground_truth, file_format, as_json, plot, compare) -> None:
    """Metrics of a results file, ours or another's."""
    del seed
    both = ("results", "ground_truth", "file_format", "as_json")
    _refuse_foreign_options("--format", file_format, both, ("plot", "compare"))
    if file_format == "nyu":
        from train.hands.score import score_files

        click.echo(score_files([results, *compare], ground_truth, as_json, plot))
    else:
        from train.objects.score import score_file

        click.echo(score_file(config["data"], results, ground_truth, as_json))


@main.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.argument("image", type=PATH)
@click.option("--box", metavar="x,y,w,h", help="The object's box in the image, pixels.")
@click.option("--camera", metavar="fx,fy,cx,cy", help="Default: the one it was trained with.")
@localiser_option
@click.option(
    "--out", type=PATH, metavar="FILE.png", help="Overlay.  [default: IMAGE_pose.png here]"
)
@click.option(
    "--video",
    type=PATH,
    metavar="FILM.mp4",
    help="Film all of IMAGE, a BOP scene's folder or one of NYU depth frames.",
)
@click.option(
    "--beside",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="In a film: a run to show on the right; once for each.",
)
@click.option(
    "--split-file",
    metavar="FILE.json",
    help="In a film of an object: only the test images that it names, such as a run's split.json.",
)
@device_option
def predict(
    run_folder, image, box, camera, localiser, out, device, video, beside, split_file
) -> None:
    """Print the pose seen in an image, in a BOP frame's boxes or in NYU's depth, and draw it."""
    from train.learn.task import Asked

    if video is not None:
        from train.film import predict_film

        for flag, given in {"--box": box, "--camera": camera, "--out": out}.items():
            if given is not None:
                raise OptionError(f"{flag} is for one image, not for --video")
        runs = [run_folder, *beside]
        asked = Asked(localiser=localiser, split_file=split_file)
        click.echo(predict_film(runs, image, asked, video, device))
        return

    from train.run import predict_one

    for flag, given in {"--beside": beside, "--split-file": split_file}.items():
        if given:
            raise OptionError(f"{flag} belongs to --video FILM.mp4")
    asked = Asked(box, camera, localiser)
    click.echo(predict_one(run_folder, image, asked, out, device))


@main.command()
@configured("run", "data")
@out_option
@workers_option
@device_option
def run(config, seed, out, workers, device) -> None:
    """Everything: render, pair, train each method, evaluate, compare."""
    from train.learn.distributed import joined
    from train.run import run_all

    with joined(device) as own_device:
        found = run_all(config, out, seed, workers or _cores(), own_device)
    _echo_once(found)


@main.command()
@configured("study")
@out_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Processes that train.  [default: one a CUDA device, else one a core]",
)
@device_option
def study(config, seed, out, workers, device) -> None:
    """Compare methods over objects, seeds and numbers of real frames, each tuned alike."""
    from train.study.study import run_study

    click.echo(run_study(config, out, seed, workers, device, _cores()))


def _refuse_foreign_options(
    choice: str, chosen: str, of_both: Sequence[str], of_nyu: Sequence[str]
) -> None:
    """Refuse what was given to a command but belongs to the other kind of data, bop or nyu."""
    for parameter in click.get_current_context().command.params:
        name, flag = parameter.name, parameter.opts[0]
        if name is None or f"--{name}" == choice or name in of_both:
            continue
        owner = "nyu" if name in of_nyu else "bop"
        if owner != chosen and _given(name):
            raise OptionError(f"{flag} belongs to {choice} {owner}, not to {choice} {chosen}")


def _given(name: str) -> bool:
    """Whether the user gave this parameter on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _rank() -> int:
    """Which of torchrun's processes this is; 0 without it."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def _echo_once(text: object) -> None:
    if not _rank():
        click.echo(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
