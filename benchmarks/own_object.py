"""From a mesh and a film to poses in another film: the README's five commands, and their times.

    python benchmarks/own_object.py [--mesh FILE] [--keep FOLDER] [--set SECTION.NAME=VALUE ...]

Two films by one telephone, rendered: the object put on its printed outline by hand, with lens
distortion, noise, shake and light that changes, as H.264. From the first a network is trained, by
the defaults of `run`; it reads the second, another path round an object that was put down anew.
Printed beside the seconds are the errors of what it read.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from benchmarks.capture import ASSETS, any_shot, print_outline, put_by_hand
from render.camera import Camera
from render.errors import InputError
from render.image_file import write_png
from render.mesh.mesh import ObjectModel, load_models
from tests.render.capture.film import Film, make_film, write_film
from train.objects.metrics import PoseErrors, pose_errors

SIZE = (960, 540)
RULER_MM = 100  # the board was printed as it should be
WITHIN_PX, OF_DIAMETER = 5, 0.1


@click.command()
@click.option(
    "--mesh", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="In place of ours."
)
@click.option("--seed", default=0, show_default=True, help="Of lens, light and paths.")
@click.option("--frames", default=90, show_default=True, help="Of each film.")
@click.option("--set", "settings", multiple=True, help="Settings of `run`.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave all files in this folder.")
def main(
    mesh: Path | None, seed: int, frames: int, settings: Sequence[str], keep: Path | None
) -> None:
    """Print the seconds of each command, and the errors of the poses in a new film."""
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        shown = (mesh or ASSETS / "obj_000001.ply").resolve()
        (model,) = load_models([shown]).values()
        try:
            new = _make_films(folder, shown, model, seed, frames)
        except InputError as error:  # it fits no board
            raise click.ClickException(str(error)) from None
        sets = [part for setting in settings for part in ("--set", setting)]
        ruler = ["--ruler-mm", str(RULER_MM), "--object", str(shown)]
        board = ["--board", "board.toml", *ruler]
        _timed(folder, "capture", "board", "--object", str(shown), "--out", "again.pdf")
        _timed(folder, "capture", "film.mp4", *board, "--out", "real")
        _timed(folder, "run", "--object", str(shown), "--real", "real", "--out", "runs", *sets)
        _timed(folder, "predict", "runs", "photo.png")
        lines = _timed(folder, "predict", "runs", "new.mp4", "--video", "poses.mp4")
        records = [json.loads(line) for line in lines if line.startswith("{")]
        print(errors_in_words(records, new, model))


def _make_films(folder: Path, mesh: Path, model: ObjectModel, seed: int, frames: int) -> Film:
    """Write film.mp4, new.mp4 and photo.png, a frame of it; return the new one."""
    board, rng = print_outline(folder, mesh), np.random.default_rng(seed)
    shot = any_shot(rng, SIZE)
    first = make_film(board, frames, rng, shot, model.mesh, put_by_hand(model, rng))
    write_film(folder / "film.mp4", first.frames)
    later = replace(shot, elevation_deg=(20.0, 62.0), azimuth_deg=(320.0, -20.0))
    new = make_film(board, frames, rng, later, model.mesh, put_by_hand(model, rng))
    write_film(folder / "new.mp4", new.frames)
    write_png(folder / "photo.png", new.frames[frames // 2])
    return new


def _timed(folder: Path, *command: str) -> list[str]:
    """Run a command of the program in the folder, print its seconds, and return its lines."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline.py"), *command],
        cwd=folder,
        text=True,
        capture_output=True,
    )
    (folder / f"{'-'.join(command[:2]).replace('.', '_')}.log").write_text(
        done.stdout + done.stderr
    )
    if done.returncode:
        raise click.ClickException(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    print(f"{' '.join(command[:2]):22} {time.monotonic() - start:7.1f} s", flush=True)
    return done.stdout.splitlines()


def errors_in_words(records: list[dict], film: Film, model: ObjectModel) -> str:
    """How well the poses of each frame's first reading fit the film's truth."""
    camera = Camera(film.K, *film.size)
    assert film.board_from_obj is not None
    found: list[PoseErrors] = []
    firsts = {record["frame"]: record for record in reversed(records)}
    for frame, record in firsts.items():
        if record["R"] is None:
            continue
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = record["R"], np.array(record["t_mm"]) / 1000
        true = film.cam_from_board[frame] @ film.board_from_obj
        found.append(pose_errors(pose, true, model, camera))
    count = len(film.frames)
    within = sum(one.proj_px < WITHIN_PX for one in found)
    near = sum(one.add < OF_DIAMETER * model.diameter for one in found)
    degrees = np.degrees([one.rotation for one in found])
    mm = 1000 * np.array([one.translation for one in found])
    return (
        f"{len(found)} of {count} frames read; of all, {100 * within / count:.1f} % within"
        f" {WITHIN_PX} px, ADD(-S) {100 * near / count:.1f} %;"
        f" medians {np.median(degrees):.1f} degrees, {np.median(mm):.1f} mm"
    )


if __name__ == "__main__":
    main()
