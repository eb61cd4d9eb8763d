"""The commands that use and judge networks; those that make them stand in `commands.py`."""

import click

from render.command_line import (
    PATH,
    SectionedCommand,
    configured,
    device_option,
    out_option,
    refuse_foreign,
)
from train.commands import localiser_option
from train.objects.data import DataConfig
from train.options import ExemplarConfig
from train.unused_judging import EVALUATE, SCORE


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py predict runs/cup photo.jpg",
        "python pipeline.py predict runs/cup film.mp4 --camera 1450,1450,959.5,539.5 --video o.mp4",
        "python pipeline.py predict out/mapping photo.png --box 200,150,120,120"
        " --camera 572.4,573.6,325.3,242",
    ),
)
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.argument("image", metavar="[IMAGE|FOLDER|FILM]", type=PATH, required=False)
@click.option("--webcam", type=click.IntRange(0), metavar="N", help="A camera of this machine.")
@click.option("--box", metavar="x,y,w,h", help="Where the object is in the image, pixels.")
@click.option(
    "--camera",
    metavar="fx,fy,cx,cy",
    help="Or a calibration's file; default: as trained with, or by EXIF.",
)
@localiser_option
@click.option(
    "--out", type=PATH, metavar="FILE.png", help="Overlay.  [default: IMAGE_pose.png here]"
)
@click.option(
    "--video",
    type=PATH,
    metavar="FILM.mp4",
    help="Film all that is read: of a folder, a film, a camera, or NYU's depth frames.",
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
@click.option(
    "--no-refine",
    "as_read",
    is_flag=True,
    help="The pose as the network read it, where its run refines poses.",
)
@device_option
def predict(
    run_folder, image, webcam, box, camera, localiser, out, device, video, beside, split_file,
    as_read,
) -> None:  # fmt: skip
    """Read the pose in an image, in all of a folder or film, or before a camera.

    RUN is the folder of a run, of an object in it (its name will do: runs/kitchen/cup), or of one
    network.
    """
    from train.learn.task import Asked
    from train.reading import Wanted
    from train.reading import predict as read

    wanted = Wanted(image, webcam, out, video, beside)
    asked = Asked(box, camera, localiser, split_file, as_read)
    read(run_folder, wanted, asked, click.echo, device)


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py export out/mapping --onnx out/mapping.onnx",),
)
@click.argument("run_folder", metavar="RUN", type=PATH)
@click.option("--onnx", type=PATH, required=True, metavar="FILE.onnx", help="And FILE.json beside.")
def export(run_folder, onnx) -> None:
    """Write a trained network as ONNX, for programs that do without torch."""
    from train.export import export_onnx

    click.echo(export_onnx(run_folder, onnx))


@click.command(
    cls=SectionedCommand,
    examples=("python pipeline.py evaluate out/mapping --preset lmo --out out/evaluation",),
)
@configured(EVALUATE, data=DataConfig, exemplar=ExemplarConfig)
@click.argument("run_folder", metavar="RUN", type=PATH)
@localiser_option
@out_option
@device_option
def evaluate(config, seed, out, device, run_folder, localiser) -> None:
    """Test a trained network on a dataset's test frames."""
    from train.run import evaluate_one

    click.echo(evaluate_one(config, run_folder, localiser, out, seed, device))


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py score out/evaluation/mapping_lmo-test.csv"
        " --ground-truth lmo --objects 5",
        "python pipeline.py score hands.txt --ground-truth nyu_test_groundtruth_label.txt"
        " --format nyu --plot curve.png",
    ),
)
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
@configured(SCORE, data=DataConfig)
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
    refuse_foreign("--format", file_format, both, ("plot", "compare"))
    if file_format == "nyu":
        from train.hands.score import score_files

        click.echo(score_files([results, *compare], ground_truth, as_json, plot))
    else:
        from train.objects.score import score_file

        click.echo(score_file(config["data"], results, ground_truth, as_json))
