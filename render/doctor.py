"""What can draw on this machine, tried out, and the exact fix for what cannot."""

import ctypes
import ctypes.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EGL_FIX = "run: apt-get update && apt-get install -y libegl1 libgl1 libgl1-mesa-dri"
DEVICE_FIX = (
    "choose another with GLCONTEXT_DEVICE_INDEX=i, or update the driver; software drawing: " + EGL_FIX
)
PYRENDER_FIX = "run: .venv/bin/pip install -r requirements.txt; nothing but `--renderer pyrender` needs it"
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
    """Look for EGL, then draw a test frame on each of its devices and with pyrender.

    Each runs in a process of its own: a driver that crashes or hangs does not take this one along.
    """
    found, detail = _try("egl")
    checks = [_check("EGL", found, detail, EGL_FIX)]
    devices = int(detail.split()[0]) if found else 0
    if found and not devices:
        checks = [_check("EGL", False, "the library finds no device", EGL_FIX)]
    for index in range(devices):
        checks.append(_check(f"OpenGL device {index}", *_try("device", index), DEVICE_FIX))
    checks.append(_check("pyrender", *_try("pyrender"), PYRENDER_FIX))
    return checks


def _check(name: str, ok: bool, detail: str, fix: str) -> Check:
    return Check(name, ok, detail, "" if ok else fix)
