"""The commands of this package: each parses, calls one function, echoes what came of it."""

import sys

import click

from render.capture.board_command import board
from render.capture.config import CaptureConfig
from render.command_line import (
    PATH,
    SectionedCommand,
    configured,
    cores,
    given,
    out_option,
    workers_option,
)
from render.config import OptionError, explicit, options_of, preset_files, resolve
from render.dataset.convert import FORMATS, ConvertConfig
from render.draw.renderer import RenderConfig
from render.errors import one_line
from render.option_help import explain, preset_summary, summary_of
from render.unused_capture import CAPTURE
from render.unused_render import RENDER


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py render --objects assets --frames 100 --out out/synth",
        "python pipeline.py render --preset crops --objects cup.glb --frames 5000 --out out/cup",
        "python pipeline.py render --hand bundled --format nyu --frames 1000 --out out/hands",
    ),
)
@configured(RENDER, render=RenderConfig)
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
    """Render scenes of meshes into a BOP dataset, or of a hand into one like NYU's."""
    if replay is not None:
        from render.dataset.replay import replay_frame

        for name in ("shard", "cluster", "workers", "seed", "preset", "config"):
            if given(name):
                flag = "ray" if name == "cluster" else name
                raise OptionError(f"--{flag} has no effect with --replay; leave it")
        replay_frame(replay, out)
        click.echo(f"{out}: {replay} drawn again")
        return

    from render.dataset.generate import generate
    from render.dataset.shards import parse_part

    if cluster is not None and workers is not None:
        raise OptionError("--workers is of this machine; with --ray the cluster's CPUs count")
    part = parse_part(shard)
    how = {"workers": workers or cores(), "part": part, "cluster": cluster}
    how |= {"sensor": config["sensor"]}
    if config["render"].format == "nyu":
        from render.dataset.hands import generate_hands

        generate_hands(config["render"], config["hand_scene"], out, seed, **how)
    else:
        hand_scene = config["hand_scene"]
        generate(config["render"], config["scene"], out, seed, hand_scene=hand_scene, **how)
    of_part = "" if part == (1, 1) else f"part {shard} of "
    parts = config["render"].parts
    apart = "".join(f", {n} of them in {name}" for name, (_, n) in [*parts.items()][1:])
    click.echo(f"{out}: {of_part}{config['render'].frames} frames{apart}")


class CaptureCommand(SectionedCommand):
    """Whose first word is the film, or `board`, which is a command of its own."""

    beside = (board,)

    def make_context(self, info_name, args, parent=None, **extra):
        for command in self.beside:
            if args and args[0] == command.name:
                name = f"{info_name} {command.name}"
                return command.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Before it"):
            formatter.write_dl(
                [
                    (f"{ctx.command_path} {c.name} --help", c.get_short_help_str())
                    for c in self.beside
                ]
            )
        super().format_options(ctx, formatter)


@click.command(
    cls=CaptureCommand,
    examples=(
        "python pipeline.py capture cup.mp4 --board board.toml --ruler-mm 99.2"
        " --object cup.glb --out real",
        "python pipeline.py capture photos --board board.toml --ruler-mm 99.2"
        " --camera real/real/000001/lens.json --object cup.glb --out real",
    ),
)
@click.argument("source", metavar="FILM|FOLDER", type=PATH)
@configured(CAPTURE, capture=CaptureConfig)
@click.option(
    "--board",
    "board_file",
    type=PATH,
    required=True,
    metavar="BOARD.toml",
    help="Of the board in the film, as `capture board` wrote it.",
)
@click.option(
    "--ruler-mm",
    type=float,
    metavar="NUMBER",
    help="What its printed ruler measures.  [default: as board.toml says, else 100]",
)
@click.option(
    "--object", "mesh", type=PATH, required=True, metavar="MESH", help="What stands on the board."
)
@click.option(
    "--camera",
    type=PATH,
    metavar="FILE",
    help="A known calibration: lens.json, camera.json, OpenCV's or ROS' YAML or XML.  [default: by"
    " the film itself]",
)
@out_option
def capture(config, seed, source, board_file, ruler_mm, mesh, camera, out) -> None:
    """Make a dataset of real frames with poses, from a film of an object on a printed board.

    FILM is a video, FOLDER one of photographs, all by one camera without zoom. A folder called
    board is ./board. A second film, of the object lying otherwise, is added to the same DIR.
    """
    from render.capture.capture_object import capture_object, check_object
    from render.capture.frames import digest_of
    from render.capture.lens import read_lens
    from render.capture.print_board import board_in_use
    from render.capture.quality import table
    from render.capture.views import board_views, by_reason
    from render.capture.write import check_film
    from render.show.captured import write_overlay

    settings, printed = config["capture"], board_in_use(board_file, ruler_mm)
    check_object(mesh, printed, settings, out)
    lens = None if camera is None else read_lens(camera)
    check_film(out, digest := digest_of(source))
    views, lens, left_out = board_views(source, printed, settings, lens)
    click.echo(f"{source}: {lens.words}")
    for line in by_reason(left_out):
        click.echo(f"{source}: {line}")
    films = capture_object(views, lens, printed, mesh, out, settings, seed, digest, left_out)
    click.echo(table(films))
    overlay = out / f"film_{len(films)}.mp4"
    write_overlay(out, "real", films[-1]["scene"], overlay)
    click.echo(f"{out}: {len(views)} frames; look at {overlay}")


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py validate out/synth",),
)
@click.argument("dataset", type=PATH)
@click.option("--split", metavar="NAME", help="Check this split only.")
@click.option("--no-render", is_flag=True, help="Leave out what needs drawing: poses, depth.")
def validate(dataset, split, no_render) -> None:
    """Name every fault of a dataset, by file: BOP scenes, shards of them, or NYU's hands."""
    from render.scene.contact import dataset_contact
    from render.validate.validate import survey
    from render.validate.validate import validate as find_faults

    faults = find_faults(dataset, split, render=not no_render)
    for fault in faults:
        click.echo(one_line(str(fault)))
    count = f"{len(faults)} fault{'s' * (len(faults) > 1)}" if faults else "no fault"
    click.echo(f"{survey(dataset, split, render=not no_render)}: {count}")
    contact = None if faults else dataset_contact(dataset, split)
    if contact is not None:
        click.echo(contact)
    sys.exit(1 if faults else 0)


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py view out/synth --out sheet.png",
        "python pipeline.py view out/synth --frame 0/3",
    ),
)
@click.argument("dataset", type=PATH)
@click.option("--split", metavar="NAME", help="Of this split only.")
@click.option("--frames", type=click.IntRange(1), default=24, show_default=True, help="On a sheet.")
@click.option("--frame", metavar="SCENE/IMAGE", help="In the window.  [default: the first]")
@click.option("--out", type=PATH, metavar="SHEET.png", help="Without it a window opens.")
def view(dataset, split, frames, frame, out) -> None:
    """Look at a dataset: a frame of BOP scenes in a window, or a sheet of many frames.

    A sheet shows boxes, contours of masks and depth of BOP scenes and shards, joints and depth of
    NYU's hands. In the window the mouse turns, shifts and zooms what is seen; q closes it.
    """
    if out is None:
        if given("frames"):
            raise OptionError("--frames belongs to --out SHEET.png")
        from render.show.window import show_frame

        show_frame(dataset, split, frame)
        return
    if frame is not None:
        raise OptionError("--frame is of the window, which opens without --out")

    from render.image_file import check_png, write_png
    from render.show.contact_sheet import contact_sheet

    check_png(out)
    write_png(out, contact_sheet(dataset, split, frames))
    click.echo(out)


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py convert out/synth --to yolo --out out/yolo",
        "python pipeline.py convert lmo --to coco --split train_pbr --val test --out out/coco",
    ),
)
@click.argument("dataset", type=PATH)
@click.option("--to", type=click.Choice(tuple(FORMATS)), required=True, help="The format.")
@options_of(ConvertConfig)
@out_option
def convert(dataset, to, out, **kwargs) -> None:
    """Write a BOP dataset in the format of another program's trainer."""
    from render.dataset.convert import convert

    flags = {"convert": explicit(kwargs, ConvertConfig)}
    config = resolve({"convert": ConvertConfig}, None, None, (), flags)["convert"]
    click.echo(convert(dataset, to, out, config))


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py presets",),
)
def presets() -> None:
    """List the presets, settings by name, and what each is for."""
    about = {path.stem: preset_summary(path) for path in preset_files()}
    width = max(map(len, about))
    for name, summary in about.items():
        click.echo(f"{name:<{width}}  {summary}")


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py options",
        "python pipeline.py options scene",
        "python pipeline.py options train.lr",
    ),
)
@click.argument("name", metavar="[SECTION[.NAME]]", default="")
@click.pass_context
def options(ctx: click.Context, name: str) -> None:
    """Explain the settings of --set and of files: default, range, meaning."""
    sections = ctx.find_root().obj
    if name:
        click.echo("\n\n".join(explain(sections, name)))
        return
    for section, cls in sections.items():
        click.echo(f"{section:<12}{summary_of(cls)}")
