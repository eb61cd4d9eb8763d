import dataclasses
import sys

import numpy as np
import pytest

from render.draw.rasterizer import Rasterizer
from render.errors import EGL_FIX, InputError
from render.show import doctor
from render.show.doctor import DEVICE_FIX, Check, check_opengl


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return check_opengl()


def test_everything_that_the_other_tests_need_is_found_to_work(checks):
    assert [check for check in checks if not check.ok] == []
    assert all(check.fix == "" for check in checks)


def test_each_egl_device_and_pyrender_draw_the_test_frame(checks):
    egl, *devices, pyrender = checks
    assert egl.name == "EGL" and int(egl.detail.split()[0]) == len(devices) > 0
    assert [d.name for d in devices] == [f"OpenGL device {i}" for i in range(len(devices))]
    assert all("OpenGL" in d.detail and "draws the test frame right" in d.detail for d in devices)
    assert pyrender.name == "pyrender" and pyrender.detail.startswith("0.1.45")


def test_pyrender_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrender", None)
    monkeypatch.setattr(doctor, "_try", lambda name, *_, **__: Check(name, True, "0 devices", ""))
    check = check_opengl()[-1]
    assert (check.name, check.ok) == ("pyrender", True)
    assert check.detail.startswith("not installed") and "pip install pyrender==" in check.detail


def test_a_missing_library_fails_with_the_packages_to_install(monkeypatch):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libEGL-that-is-missing.so")
    check = doctor._try("OpenGL device 0", EGL_FIX, "rasterizer")
    assert check == Check("OpenGL device 0", False, "libEGL-that-is-missing.so not loaded", EGL_FIX)
    assert "apt-get install -y libegl1" in check.fix


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["osmesa", "glx"])
def test_an_environment_that_demands_another_opengl_is_what_is_to_be_mended(platform, monkeypatch):
    monkeypatch.setenv("PYOPENGL_PLATFORM", platform)
    *others, pyrender = check_opengl()
    assert all(check.ok for check in others)
    assert not pyrender.ok and pyrender.fix == "unset PYOPENGL_PLATFORM"


def test_a_device_that_is_not_there_fails_with_a_fix():
    check = doctor._try("OpenGL device 99", DEVICE_FIX, "rasterizer", GLCONTEXT_DEVICE_INDEX="99")
    assert not check.ok and check.fix == DEVICE_FIX
    assert check.detail.startswith("requested device index 99, but found")


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("kill -SEGV $$", "the driver crashed the process (SIGSEGV)"),
        ("exec sleep 60", "no answer in 1 s"),
        ("echo a warning; echo the reason; exit 1", "the reason"),
        ("exit 1", "no answer"),
    ],
)
def test_a_driver_that_fails_does_not_take_the_doctor_along(tmp_path, monkeypatch, script, detail):
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\n{script}\n")
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    monkeypatch.setattr(doctor, "TIMEOUT_S", 1.0)
    assert doctor._try("name", "the fix", "egl") == Check("name", False, detail, "the fix")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("instance", lambda instance: np.roll(instance, 1, axis=0), "covers the wrong pixels"),
        ("instance", lambda instance: np.roll(instance, 1, axis=1), "covers the wrong pixels"),
        ("depth", lambda depth: depth + 2e-5 * (depth > 0), "depth is off by 0.02 mm"),
    ],
)
def test_a_frame_that_is_slightly_wrong_is_noticed(name, change, message):
    spec, mesh, _ = doctor._test_scene()
    with Rasterizer({1: mesh}) as rasterizer:
        frame = rasterizer.render([spec])[0]
    doctor._check_geometry(frame)
    with pytest.raises(InputError, match=message):
        doctor._check_geometry(dataclasses.replace(frame, **{name: change(getattr(frame, name))}))
