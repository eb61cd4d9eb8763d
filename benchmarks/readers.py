"""What `convert` and `render` write for other trainers, read by those trainers' own code.

    python -m venv venv && venv/bin/pip install ultralytics
    python benchmarks/readers.py --python venv/bin/python

A small dataset is rendered and converted to each format; ultralytics' YOLODataset (AGPL, so it is
no dependency, and has an environment of its own) and pycocotools read it, and what they have is
compared with the dataset's masks and poses. COCO's files are also evaluated as results of
themselves. A reader that is not there is told of; one that disagrees makes the exit code 1. DOPE's
and NOCS's readers are no packages: tests/render/formats/ does what their sources do.
"""

# the path is set first
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # else `render` would be render.py here

import click
import numpy as np

from benchmarks.agreement import Dataset, Disagrees, agree, check_coco, check_yolo, seen_in
from render.formats.coco_split import split_file

WIDTH, HEIGHT = 640, 480
TASKS = {"yolo": "detect", "yolo-seg": "segment", "yolo-pose": "pose"}
KINDS = {"coco": ["bbox", "segm"], "coco-keypoints": ["bbox", "segm", "keypoints"]}
LABELLED = 0.1  # the visible share from which on `convert` labels an object
VERSION = "import ultralytics, ultralytics.data.dataset as _; print(ultralytics.__version__)"


@dataclass(frozen=True)
class Row:
    """What came of one format."""

    name: str
    reader: str
    images: int
    labels: int
    said: str
    wrong: bool = False


def run_command(*words: str) -> None:
    """One of the project's own commands."""
    command = [sys.executable, "pipeline.py", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{words[0]} failed: {done.stderr[-2000:]}")


def make_dataset(root: Path, frames: int, seed: int) -> None:
    """Render images of the bundled meshes, a fifth of them as a split val."""
    words = [f"--frames={frames}", "--val=0.2", "--frames-per-scene=4", f"--seed={seed}"]
    words += ["--preset=tabletop", "--objects=assets", f"--size={WIDTH}x{HEIGHT}"]
    run_command("render", *words, f"--out={root}")


def ask(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run another environment's Python, whose ultralytics installs and fetches nothing."""
    with tempfile.TemporaryDirectory() as settings:
        quiet = {"YOLO_CONFIG_DIR": settings, "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}
        command = [str(python), *words]
        return subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)


def last_line(text: str) -> str:
    """Of an error message."""
    return (text.rstrip() or "no output").rsplit("\n", 1)[-1]


def ultralytics_of(python: Path | None) -> tuple[str | None, str]:
    """The version that an environment has, or None and why there is none."""
    if python is None:
        return None, "no environment with it is given (--python)"
    done = ask(python, "-c", VERSION)
    if done.returncode:
        return None, last_line(done.stderr)
    return last_line(done.stdout), ""


def read_yolo(python: Path, folder: Path, name: str, expected: Dataset) -> str:
    """Have ultralytics read a converted dataset; what agreed, or `Disagrees`."""
    out = folder / "read.npz"
    script = str(ROOT / "benchmarks" / "ultralytics_reader.py")
    done = ask(python, script, str(folder / "data.yaml"), TASKS[name], str(WIDTH), str(out))
    agree(done.returncode == 0, f"it fails: {last_line(done.stderr)}")
    about = json.loads((folder / "conversion.json").read_text())
    with np.load(out) as read:
        classes = {one["obj_id"]: one["name"] for one in about["objects"]}
        return check_yolo(dict(read), expected, classes)


def row(name: str, reader: str, expected: Dataset, check: Callable[[], str]) -> Row:
    """Of a format whose reader is there."""
    counts = len(expected), sum(map(len, expected.values()))
    try:
        return Row(name, reader, *counts, check())
    except (Disagrees, AssertionError) as error:
        return Row(name, reader, *counts, f"DISAGREES: {error}", wrong=True)


def coco_rows(root: Path, folder: Path, labelled: Dataset) -> list[Row]:
    """Of `render`'s own files, each a split, and of those that `convert` makes of one."""
    try:
        reader = f"pycocotools {version('pycocotools')}"
    except PackageNotFoundError:
        why = "not read: this environment has no pycocotools"
        return [Row(name, "pycocotools", 0, 0, why) for name in ("render", *KINDS)]
    rows = []
    for split in ("train", "val"):
        seen, file = seen_in(root, split, least=0, whole=True), split_file(root, split)
        check = lambda f=file, s=seen: check_coco([f], s, KINDS["coco"])  # noqa: E731
        rows.append(row(f"render, {split}", reader, seen, check))
    for name, kinds in KINDS.items():
        files = sorted((folder / name / "annotations").iterdir())
        check = lambda f=files, k=kinds: check_coco(f, labelled, k)  # noqa: E731
        rows.append(row(name, reader, labelled, check))
    return rows


def yolo_rows(python: Path | None, folder: Path, labelled: Dataset) -> list[Row]:
    """Of the three formats for ultralytics."""
    found, why = ultralytics_of(python)
    if python is None or found is None:
        return [Row(name, "ultralytics", 0, 0, f"not read: {why}") for name in TASKS]
    rows = []
    for name in TASKS:
        check = lambda n=name: read_yolo(python, folder / n, n, labelled)  # noqa: E731
        rows.append(row(name, f"ultralytics {found}", labelled, check))
    return rows


def table(rows: list[Row]) -> str:
    """Text: a format a line."""
    lines = [f"{'format':14} {'reader':19} {'images':>6} {'labels':>6}  what agreed"]
    lines += [f"{r.name:14} {r.reader:19} {r.images:6} {r.labels:6}  {r.said}" for r in rows]
    return "\n".join(lines)


@click.command()
@click.option("--python", type=click.Path(path_type=Path), help="That has ultralytics")
@click.option("--frames", default=40, show_default=True, help="Images that are rendered")
@click.option("--seed", default=0, show_default=True)
def main(python: Path | None, frames: int, seed: int) -> None:
    """Have other trainers' readers read what is written for them."""
    # The environment may be a link to the interpreter: resolved, it would be another.
    python = python.absolute() if python else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        root = folder / "own"
        make_dataset(root, frames, seed)
        for name in (*TASKS, *KINDS):
            words = [f"--to={name}", "--split=train", "--val=0.2", f"--out={folder / name}"]
            run_command("convert", str(root), *words)
        seen = seen_in(root, "train", LABELLED)
        labelled = {name: objects for name, objects in seen.items() if objects}  # as `convert` does
        rows = [*yolo_rows(python, folder, labelled), *coco_rows(root, folder, labelled)]
        click.echo(table(rows))
    sys.exit(any(row.wrong for row in rows))


if __name__ == "__main__":
    main()
