"""What render and train offer to other programs, and the page that shows it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import torch

import assets
import render
import train
from render.mesh.box import box_corners
from render.mesh.mesh import load_mesh
from render.transforms import apply, rigid, rodrigues
from tests.small_dataset import CAMERA, cuboids
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects.crops import square_crop, to_crop
from train.options import CropConfig

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "library.md").read_text()
TO_A_FRAME, TO_A_POSE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PACKAGES = pytest.mark.parametrize("package", [render, train], ids=["render", "train"])
HEAVY = {"numpy", "scipy", "cv2", "torch", "moderngl", "trimesh"}


def python(code: str, folder: Path) -> str:
    """What a program prints that runs in a folder and finds the project's packages."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_leads_from_a_mesh_to_a_frame(tmp_path):
    python(TO_A_FRAME, tmp_path)
    drawn = imageio.v3.imread(tmp_path / "frame.png").astype(int)
    points = load_mesh(assets.FOLDER / "obj_000001.ply").vertices
    in_cam = points[:, [0, 2, 1]] * (1, -1, 1) + (0, 0, 0.25)
    pixels = 600 * in_cam[:, :2] / in_cam[:, 2:] + (319.5, 239.5)
    seen = np.argwhere(drawn.any(axis=2))[:, ::-1]
    np.testing.assert_allclose(seen.min(axis=0), pixels.min(axis=0), atol=1)
    np.testing.assert_allclose(seen.max(axis=0), pixels.max(axis=0), atol=1)
    shown = imageio.v3.imread(ROOT / "docs" / "library.png").astype(int)
    assert np.abs(drawn - shown).mean() < 1  # other devices shade a little otherwise


def test_the_page_leads_from_a_run_folder_and_a_photograph_to_a_pose(tmp_path):
    """By a network that always answers with the corners of one pose."""
    model, crop = cuboids()[1], CropConfig(size=32)
    truth = rigid(rodrigues(np.array([0.3, -0.5, 0.2])), [0.01, -0.02, 0.6])
    pixels = CAMERA.project(apply(truth, box_corners(model.box)))
    box = tuple(map(int, re.findall(r"box = .*, \((\d+), (\d+), (\d+), (\d+)\)", TO_A_POSE)[0]))
    net = build("small", crop.size, with_mapping=True)
    with torch.no_grad():
        net.predict.weight.zero_()
        answer = to_crop(pixels, square_crop(box, crop), crop.size)
        net.predict.bias.copy_(torch.from_numpy(answer.reshape(16)))
    run = tmp_path / "runs" / "demo" / "obj_000001" / "mapping"
    run.mkdir(parents=True)
    target = ObjectInfo(1, model.box, CAMERA)
    settings = {"steps": 1}
    Checkpoint(net, "small", crop, target, "mapping", 1, settings, {}).save(run / "checkpoint.pt")
    photo = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
    imageio.v3.imwrite(tmp_path / "photo.png", photo)

    printed = re.sub(r"[\[\]]", " ", python(TO_A_POSE, tmp_path))
    found = np.array(printed.split(), float).reshape(4, 4)
    np.testing.assert_allclose(found, truth, atol=1e-5)
    drawn = (imageio.v3.imread(tmp_path / "pose.png") != photo).any(axis=2)
    seen = np.argwhere(drawn)[:, ::-1]
    np.testing.assert_allclose(seen.min(axis=0), pixels.min(axis=0), atol=2.5)
    np.testing.assert_allclose(seen.max(axis=0), pixels.max(axis=0), atol=2.5)


@PACKAGES
def test_every_name_is_the_one_of_its_module_and_has_a_docstring(package):
    assert 10 <= len(package.__all__) <= 15
    for name in package.__all__:
        offered = getattr(package, name)
        assert (offered.__module__, offered.__name__) == (package._HOMES[name], name)
        assert offered.__doc__
        assert name in dir(package)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'of'"):
        _ = package.of


@PACKAGES
def test_editors_are_told_of_the_same_names(package):
    told = {
        alias.asname: node.module
        for node in ast.walk(ast.parse(Path(package.__file__).read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert told == package._HOMES


@PACKAGES
def test_the_page_lists_every_name(package):
    rows = PAGE.split(f"| `from {package.__name__} import` |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`(\w+)`", rows.replace("`render`", ""))) == sorted(package.__all__)


def test_importing_them_imports_nothing_heavy(tmp_path):
    code = "import render, train; print(*{name.split('.')[0] for name in sys.modules})"
    assert HEAVY.isdisjoint(python(code, tmp_path).split())


def test_a_name_imports_what_it_needs_alone(tmp_path):
    code = "from render import Camera; print(*{name.split('.')[0] for name in sys.modules})"
    assert HEAVY & set(python(code, tmp_path).split()) == {"numpy"}
