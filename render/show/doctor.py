"""What can draw on this machine, tried out, and the exact fix for what cannot."""

import ctypes.util
import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from render.camera import Camera
from render.draw.egl_devices import INDEX, cuda_indices, load_egl
from render.draw.reference import PYRENDER_FIX, platform_fix
from render.errors import EGL_FIX, InputError
from render.frame import Frame
from render.mesh.mesh import Mesh
from render.scene.spec import Placed, SceneSpec, rows
from render.transforms import rigid, rodrigues

DEVICE_FIX = (
    "install this device's driver, and join the groups video and render for access to /dev/dri; or"
    " draw on another with GLCONTEXT_DEVICE_INDEX=i (in software: apt-get install libgl1-mesa-dri)"
)
NO_PYRENDER = (
    "not installed; only the window of `view` and render.renderer=pyrender need it"
    f" ({PYRENDER_FIX})"
)
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    detail: what was found, or what went wrong. fix: what to do about it; empty if ok.
    """

    name: str
    ok: bool
    detail: str
    fix: str


def check_opengl() -> list[Check]:
    """Look for EGL, then draw a test frame on each of its devices and through pyrender.

    Each runs in a process of its own: a driver that crashes or hangs takes nothing else along.
    """
    library = _try("EGL", EGL_FIX, "egl")
    count = int(library.detail.split()[0]) if library.ok else 0
    devices = [
        _try(f"OpenGL device {i}", DEVICE_FIX, "rasterizer", **{INDEX: str(i)})
        for i in range(count)
    ]
    if importlib.util.find_spec("pyrender") is None:
        return [library, *devices, Check("pyrender", True, NO_PYRENDER, "")]
    fix = platform_fix() or (PYRENDER_FIX if library.ok else EGL_FIX)
    return [library, *devices, _try("pyrender", fix, "pyrender")]


def _try(name: str, fix: str, part: str, **environment: str) -> Check:
    """Try a part of `PARTS` in a process of its own, with changes to the environment."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "render.show.doctor", part],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return Check(name, False, f"no answer in {TIMEOUT_S:.0f} s", fix)
    if done.returncode < 0:
        reason = signal.Signals(-done.returncode).name
        return Check(name, False, f"the driver crashed the process ({reason})", fix)
    lines = done.stdout.splitlines() or done.stderr.splitlines() or ["no answer"]
    ok = done.returncode == 0
    return Check(name, ok, lines[-1], "" if ok else fix)


def _find_egl() -> str:
    for library in ("EGL", "GL"):
        if ctypes.util.find_library(library) is None:
            raise InputError(f"no lib{library}.so.1 here")
    name, indices = ctypes.util.find_library("EGL"), cuda_indices(load_egl())
    if not indices:
        raise InputError(f"{name} knows no device")
    cuda = [f"{i} is cuda:{index}" for i, index in enumerate(indices) if index is not None]
    return "; ".join([f"{len(indices)} device(s) known to {name}", *cuda])


def _draw_with_rasterizer() -> str:
    from render.draw.rasterizer import Rasterizer

    spec, mesh, background = _test_scene()
    with Rasterizer({1: mesh}) as rasterizer:
        frame = rasterizer.render([spec], [background])[0]
        square = _check_geometry(frame)
        expected = np.where(square[..., None], mesh.colors[0], background)
        if frame.rgb is None or not np.array_equal(frame.rgb, expected):
            raise InputError(f"{rasterizer.name}: draws wrong colours")
        return f"{rasterizer.name}, draws the test frame right"


def _draw_with_pyrender() -> str:
    from render.draw.reference import PyrenderRenderer

    spec, mesh, _ = _test_scene()
    _check_geometry(PyrenderRenderer({1: mesh}).render([spec])[0])
    return f"{version('pyrender')}, draws the test frame right"


PARTS = {
    "egl": _find_egl,
    "rasterizer": _draw_with_rasterizer,
    "pyrender": _draw_with_pyrender,
}


def _test_scene() -> tuple[SceneSpec, Mesh, np.ndarray]:
    """A square of 0.4 m, tilted by 0.5 rad, 1 m ahead, in plain ambient light."""
    corners = np.array([[-0.2, -0.2, 0], [0.2, -0.2, 0], [0.2, 0.2, 0], [-0.2, 0.2, 0]], np.float32)
    mesh = Mesh(
        vertices=corners,
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        normals=np.tile(np.array([0, 0, -1], np.float32), (4, 1)),
        colors=np.tile(np.array([200, 100, 50], np.uint8), (4, 1)),
    )
    camera = Camera(np.array([[100, 0, 63.5], [0, 100, 47.5], [0, 0, 1]]), 128, 96)
    cam_from_obj = rigid(rodrigues(np.array([0.5, 0, 0])), [0, 0, 1])
    spec = SceneSpec(
        rows(camera.K), camera.size, (Placed(1, rows(cam_from_obj)),), ambient=(1.0, 1.0, 1.0)
    )
    return spec, mesh, np.full((96, 128, 3), 30, np.uint8)


def _check_geometry(frame: Frame) -> np.ndarray:
    """Compare a frame of the test scene with its analytic mask and depth, within 0.01 mm.

    Returns:
        (H, W) bool, where the square is.
    """
    cam_from_obj, camera = frame.annotations[0].cam_from_obj, frame.camera
    normal = cam_from_obj[:3, 2]
    rays = camera.unproject(np.ones((camera.height, camera.width)))
    depth = normal @ cam_from_obj[:3, 3] / (rays @ normal)
    in_plane = rays * depth[..., None] - cam_from_obj[:3, 3]
    inside = (np.abs(in_plane @ cam_from_obj[:3, :2]) < 0.2).all(axis=-1)
    if not np.array_equal(frame.instance == 1, inside):
        raise InputError("the test square covers the wrong pixels")
    error_mm = 1000 * np.abs(frame.depth - np.where(inside, depth, 0)).max()
    if error_mm > 0.01:
        raise InputError(f"the test square's depth is off by {error_mm:.2g} mm")
    return inside


def main() -> int:
    """Try one part, named on the command line; one line says what came of it."""
    try:
        detail, code = PARTS[sys.argv[1]](), 0
    except Exception as error:  # whatever goes wrong is what the doctor is asked to find
        reason = error.__cause__ or error
        detail, code = " ".join(f"{reason}".split()) or type(reason).__name__, 1
    sys.stdout.write(f"{detail}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
