"""Kill renderings at random moments, run the same command again, and compare every byte.

    python benchmarks/kill.py --kills 20

Each trial begins a dataset in a new folder, kills the main process, a worker or all of them at a
random moment with SIGKILL, runs the same command again where that ended it, and compares all files
with those of a rendering that was left alone. Workers that outlive their main process for longer
than GRACE_S count as a failure too.
"""

import filecmp
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
VICTIMS = ("main", "worker", "all")
GRACE_S = 10.0


@dataclass(frozen=True)
class Kill:
    """What was killed when, and whether the dataset was the same after all."""

    victim: str
    after_s: float
    went_on: bool  # by itself: the command was not run again
    identical: bool
    orphans: int

    def __str__(self) -> str:
        end = "went on by itself" if self.went_on else "run again"
        result = "identical" if self.identical else "DIFFERENT"
        orphans = f", {self.orphans} ORPHANS" if self.orphans else ""
        return f"{self.victim:6} killed after {self.after_s:5.2f} s, {end}: {result}{orphans}"


def kills(count: int, seed: int, workers: int, frames: int, preset: str) -> Iterator[Kill]:
    """Kill `count` renderings, each in its own folder, and say what came of each."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference"
        start = time.monotonic()
        process = _start(reference, workers, frames, preset)
        while not reference.is_dir():
            time.sleep(0.01)
        begun_s = time.monotonic() - start
        if process.wait():
            raise click.ClickException("the rendering that is left alone failed")
        whole_s = time.monotonic() - start

        done = 0
        while done < count:
            # From a little before there is anything on disk.
            after_s = rng.uniform(0.9 * begun_s, whole_s)
            victim = VICTIMS[rng.integers(len(VICTIMS))]
            out = Path(folder) / "killed"
            kill = _kill_one(out, (workers, frames, preset), victim, after_s, reference)
            shutil.rmtree(out, ignore_errors=True)
            if kill is not None:
                done += 1
                yield kill


def _kill_one(
    out: Path, asked: tuple[int, int, str], victim: str, after_s: float, reference: Path
) -> Kill | None:
    """One trial; None if there was nothing to kill at that moment.

    Args:
        asked: workers, frames and preset of the rendering.
    """
    process = _start(out, *asked)
    time.sleep(after_s)
    crew = _workers_of(process.pid)
    targets = {"main": [process.pid], "worker": crew[:1], "all": [process.pid, *crew]}[victim]
    if process.poll() is not None or not targets:
        process.wait()
        return None
    for pid in targets:
        os.kill(pid, signal.SIGKILL)

    code = process.wait()
    if code == -signal.SIGKILL:  # at once, while its workers may still be alive
        again = _start(out, *asked)
        if again.wait():
            raise click.ClickException(f"run again after a kill, it failed ({again.returncode})")
    elif code:
        raise click.ClickException(f"a killed {victim} made the command fail ({code})")
    return Kill(victim, after_s, code == 0, same_files(out, reference), _orphans(crew))


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, hidden ones too, with the same bytes."""
    names = [sorted(p.relative_to(root) for p in root.rglob("*")) for root in (one, other)]
    files = [name for name in names[0] if (one / name).is_file()]
    compared = filecmp.cmpfiles(one, other, files, shallow=False)
    return names[0] == names[1] and len(compared[0]) == len(files) > 0


def _start(out: Path, workers: int, frames: int, preset: str) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "pipeline.py"), "render", "--frames", str(frames)]
    command += ["--preset", preset, "--objects", "assets", "--size", "96x72"]
    command += ["--set", "render.frames_per_scene=40"]  # four parts each
    command += ["--workers", str(workers), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _workers_of(pid: int) -> list[int]:
    """Process ids of a running command's workers (Linux)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in children if _is_worker(int(child))]


def _is_worker(pid: int) -> bool:
    try:
        return b"render.dataset.shards" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _orphans(crew: list[int]) -> int:
    """How many workers are still there after GRACE_S."""
    deadline = time.monotonic() + GRACE_S
    while any(map(_is_worker, crew)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return sum(map(_is_worker, crew))


@click.command()
@click.option("--kills", "count", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True)
@click.option("--preset", default="tabletop", show_default=True)
def main(count: int, seed: int, workers: int, frames: int, preset: str) -> None:
    """Kill renderings at random moments; exit code 1 if a dataset differs after all."""
    done = []
    for kill in kills(count, seed, workers, frames, preset):
        done.append(kill)
        click.echo(f"{len(done):3}: {kill}")
    identical = sum(kill.identical and not kill.orphans for kill in done)
    shares = ", ".join(f"{sum(k.victim == v for k in done)} {v}" for v in VICTIMS)
    click.echo(f"{len(done)} kills ({shares}), {identical} datasets identical to one left alone")
    sys.exit(0 if identical == len(done) else 1)


if __name__ == "__main__":
    main()
