"""The floors of the house, as `make lint` holds them against the contracts in pyproject.toml."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
LAYERS = {one["name"]: one.get("layers", []) for one in TOOLS["importlinter"]["contracts"]}
WHOLE = "assets, then render, then train"
NO_TORCH = "render does without torch"
NO_OPENGL = "train leaves OpenGL to render"


def floors(package: str) -> str:
    return f"The floors of {package}/"


@pytest.fixture
def house(tmp_path) -> Path:
    """A copy of the sources, and of the contracts."""
    for package in ("assets", "render", "train"):
        for file in (ROOT / package).rglob("*.py"):
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(house: Path) -> tuple[int, str]:
    """Exit code and output of the linter."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=house, capture_output=True, text=True)
    return done.returncode, done.stdout


def broken(output: str) -> set[str]:
    return set(re.findall(r"^(.+?) BROKEN", output, re.MULTILINE))


def test_no_floor_is_broken(house):
    code, output = lint(house)
    assert (code, broken(output)) == (0, set()), output


@pytest.mark.parametrize(
    ("file", "line", "contracts"),
    [
        ("render/mesh/mesh.py", "import render.draw.rasterizer", {floors("render")}),
        ("render/formats/bop.py", "from render.scene import spec", {floors("render")}),
        ("render/camera.py", "import render.transforms, render.mesh.mesh", {floors("render")}),
        ("train/objects/data.py", "import train.hands.data", {floors("train")}),
        ("train/options.py", "import train.learn.networks", {floors("train")}),
        ("train/study/job.py", "import train.run", {floors("train")}),
        ("train/film.py", "import moderngl", {NO_OPENGL}),
        ("render/show/overlay.py", "def late():\n    import torch", {NO_TORCH}),
        ("render/errors.py", "import train.options", {NO_TORCH, WHOLE}),
        ("render/attic/__init__.py", "", {floors("render")}),
        ("train/attic.py", "", {floors("train")}),
    ],
    ids=lambda value: value if str(value).endswith(".py") else "",
)
def test_an_import_that_goes_up_and_a_new_room_are_noticed(house, file, line, contracts):
    (house / file).parent.mkdir(exist_ok=True)
    with (house / file).open("a") as source:
        source.write(f"\n{line}\n")
    code, output = lint(house)
    assert (code, broken(output)) == (1, contracts), output


@pytest.mark.parametrize("package", ["render", "train"])
def test_every_room_stands_on_a_floor(package):
    layers = LAYERS[floors(package)]
    may_be_missing = {layer.strip("()") for layer in layers if layer.startswith("(")}
    named = {name.strip("() ") for layer in layers for name in re.split(r"[:|]", layer)}
    files = (ROOT / package).glob("*.py")
    folders = (file.parent for file in (ROOT / package).glob("*/__init__.py"))
    rooms = {path.stem for path in (*files, *folders)} - {"__init__"}
    assert rooms <= named
    assert named - may_be_missing <= rooms
