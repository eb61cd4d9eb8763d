"""The whole `render` command, timed beside a plain pyrender + imageio script for the same files."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.workload import CROP, Workload, mesh_of
from render.mesh import write_ply

ROOT = Path(__file__).resolve().parents[1]
OURS, PLAIN = 400, 40  # frames
PERFECT_CAMERA = (
    "scene.background=plain",
    "sensor.gain=1,1",
    "sensor.white_balance=0",
    "sensor.gamma=1,1",
    "sensor.blur_px=0,0",
    "sensor.noise=0,0",
)


def time_commands(
    workload: Workload, repeats: int = 1, workers: int | None = None
) -> dict[str, float]:
    """Frames/s of `render` and of the plain script, from start to the last file, median of repeats.

    Both draw the same scenes through a perfect camera before one colour, so that the files hold the
    same; "f_default" has the noise, blur and background that `render` has unless told otherwise.
    """
    rates: dict[str, list[float]] = {"f": [], "f_plain": [], "f_default": []}
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(workload, Path(folder), workers)
        _render(arguments, Path(folder) / "warm", 2)  # levels of detail are made once for all
        for repeat in range(repeats):
            out = Path(folder) / f"ours{repeat}"
            perfect = [f"--set={setting}" for setting in PERFECT_CAMERA]
            rates["f"].append(OURS / _render([*arguments, *perfect], out, OURS))
            plain = [str(out), str(Path(folder) / f"plain{repeat}"), str(PLAIN)]
            script = str(ROOT / "benchmarks" / "plain_pyrender.py")
            rates["f_plain"].append(PLAIN / _seconds([script, *plain]))
            rates["f_default"].append(OURS / _render(arguments, out.with_suffix(".default"), OURS))
    return {name: float(np.median(values)) for name, values in rates.items()}


def _arguments(workload: Workload, folder: Path, workers: int | None) -> list[str]:
    """Options of `render` that make a workload's scenes."""
    source, unit = workload.source, []
    if source == "blob":
        mesh = mesh_of("blob", workload.obj_id, workload.faces)
        write_ply(folder / f"obj_{workload.obj_id:06d}.ply", mesh)
        source, unit = str(folder), ["--unit=mm"]
    layout = "crop" if workload.size == CROP else "upright"
    return [
        f"--objects={source}",
        f"--obj-ids={workload.obj_id}",
        *unit,
        f"--size={workload.size[0]}x{workload.size[1]}",
        f"--set=scene.layout={layout}",
        f"--set=scene.objects_per_frame={workload.count},{workload.count}",
        "--set=scene.occluder_chance=0",
        "--set=scene.distractor_chance=0",
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
