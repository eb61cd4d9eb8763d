"""The project where pip has installed it: found from any folder, with its meshes and shaders."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest

from render.formats.bop import read_split

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("assets", "render", "train", "tests", "benchmarks")
FILES = ("pipeline.py", "pyproject.toml", "README.md", "LICENSE")


def run(command: list, folder: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of a fresh environment that sees the packages of this one, and the project.

    Nothing is downloaded. Python reads no .pth file in a folder that a .pth file names, so an
    editable install of the checkout among these packages is not seen there.
    """
    folder = tmp_path_factory.mktemp("installed")
    sources = folder / "sources"  # pip builds beside the sources, so not in the checkout
    for name in FOLDERS:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, sources / name, ignore=skipped)
    for name in FILES:
        shutil.copy(ROOT / name, sources)
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    how = ["--quiet", "--no-deps", "--no-index"]
    build = [sys.executable, "-m", "pip", "wheel", *how, "--no-build-isolation", "-w", folder]
    run([*build, sources], folder)
    (wheel,) = folder.glob("feature_mapping-*.whl")
    run([programs / "python", "-m", "pip", "install", *how, "--ignore-installed", wheel], folder)
    return programs


@pytest.mark.slow
def test_the_installed_command_renders_what_the_checkout_renders(installed, tmp_path):
    asked = [
        "render",
        "--preset",
        "tabletop",
        "--objects",
        "assets",
        "--frames",
        "1",
        "--seed",
        "3",
    ]
    run([installed / "feature-mapping", *asked, "--out", "there"], tmp_path)
    run([sys.executable, ROOT / "pipeline.py", *asked, "--out", "here"], tmp_path)
    (image,) = read_split(tmp_path / "there", "train")
    assert image.annotations and np.ptp(image.read_rgb()) > 100
    for file in filter(Path.is_file, (tmp_path / "here").rglob("*")):
        there = tmp_path / "there" / file.relative_to(tmp_path / "here")
        assert there.read_bytes() == file.read_bytes(), file.name


@pytest.mark.slow
def test_the_installed_modules_and_files_are_those_of_the_new_environment(installed, tmp_path):
    code = "import assets, render, train, pipeline, json; print(json.dumps(["
    code += "m.__file__ for m in (assets, render, train, pipeline)]))"
    python = installed / "python"
    found = [Path(file) for file in json.loads(run([python, "-c", code], tmp_path))]
    assert all(file.is_relative_to(installed.parent) for file in found), found
    site = found[-1].parent
    for folder in ("assets", "render", "train"):
        here = {f.relative_to(ROOT) for f in (ROOT / folder).rglob("*") if f.is_file()}
        kept = {f for f in here if "__pycache__" not in f.parts and f.suffix != ".md"}
        there = {f.relative_to(site) for f in (site / folder).rglob("*") if f.is_file()}
        assert {f for f in there if "__pycache__" not in f.parts} == kept
    assert not (site / "tests").exists() and not (site / "benchmarks").exists()


@pytest.mark.slow
def test_the_installed_command_knows_the_presets(installed, tmp_path):
    presets = run([installed / "feature-mapping", "presets"], tmp_path)
    assert {line.split()[0] for line in presets.splitlines()} == {
        file.stem for file in (ROOT / "assets" / "presets").glob("*.toml")
    }
