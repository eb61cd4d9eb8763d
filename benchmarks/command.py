"""The whole `render` command, timed beside a plain pyrender + imageio script for the same files."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.workload import CROP, Workload, mesh_of
from render.mesh.mesh import write_ply

ROOT = Path(__file__).resolve().parents[1]
# Frames that ours and the script make, by size: ten seconds or more, so that starts count little.
FRAMES = {CROP: (1600, 100), (640, 480): (400, 40)}
PERFECT_CAMERA = (
    "scene.background=plain",
    "sensor.gain=1,1",
    "sensor.white_balance=0",
    "sensor.gamma=1,1",
    "sensor.blur_px=0,0",
    "sensor.noise=0,0",
)


def time_ours(workload: Workload, workers: int | None = None, default: bool = False) -> float:
    """Frames/s of `render`, from its start to the last file, when levels of detail are there.

    Args:
        default: with the background and the camera that `render` has unless told otherwise, and not
            before one colour through a perfect camera.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames, _ = FRAMES[workload.size]
        arguments = _arguments(workload, Path(folder), workers, default)
        _render(arguments, Path(folder) / "first", 2)
        return frames / _render(arguments, Path(folder) / "out", frames)


def time_both(
    workload: Workload, repeats: int, frames: tuple[int, int] | None = None
) -> dict[str, float]:
    """Frames/s of `render` and of the plain script for the same files, median of repeats.

    Args:
        frames: how many each makes, in place of FRAMES; the script's are the command's first.
    """
    ours, plain = frames or FRAMES[workload.size]
    rates: dict[str, list[float]] = {"f": [], "f_plain": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = _arguments(workload, folder, None, default=False)
        _render(arguments, folder / "first", 2)
        for repeat in range(repeats):
            out, again = folder / f"ours{repeat}", folder / f"plain{repeat}"
            rates["f"].append(ours / _render(arguments, out, ours))
            script = [str(ROOT / "benchmarks" / "plain_pyrender.py"), str(out), str(again)]
            rates["f_plain"].append(plain / _seconds([*script, str(plain)]))
    return {name: float(np.median(values)) for name, values in rates.items()}


def _arguments(workload: Workload, folder: Path, workers: int | None, default: bool) -> list[str]:
    """Options of `render` that make a workload's scenes."""
    source, unit = workload.source, []
    if source == "blob":
        mesh = mesh_of("blob", workload.obj_id, workload.faces)
        write_ply(folder / f"obj_{workload.obj_id:06d}.ply", mesh)
        source, unit = str(folder), ["--unit=mm"]
    layout = ["scene.layout=upright", f"scene.objects_per_frame={workload.count},{workload.count}"]
    if workload.size == CROP:
        layout = ["scene.layout=crop", "scene.occluder_chance=0", "scene.distractor_chance=0"]
    return [
        f"--objects={source}",
        f"--obj-ids={workload.obj_id}",
        *unit,
        f"--size={workload.size[0]}x{workload.size[1]}",
        *(f"--set={setting}" for setting in layout),
        *([] if default else [f"--set={setting}" for setting in PERFECT_CAMERA]),
        *([] if workers is None else [f"--workers={workers}"]),
    ]


def _render(arguments: list[str], out: Path, frames: int) -> float:
    """Seconds of `pipeline.py render`."""
    command = [str(ROOT / "pipeline.py"), "render", *arguments, f"--out={out}"]
    return _seconds([*command, f"--frames={frames}"])


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    finished = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"{command[0]} failed: {finished.stderr[-2000:]}")
    return time.perf_counter() - start
