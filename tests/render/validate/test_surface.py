"""Normals and object coordinates: every fault in them is found, and nothing else is."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.formats.bop import BopImage, read_split
from render.formats.surface import (
    encode_normals,
    nocs_from_points,
    nocs_path,
    normals_path,
    points_from_nocs,
)
from render.image_file import read_rgb16, write_png
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from render.transforms import apply, invert
from render.validate.validate import validate
from tests.planted_faults import clear_view, copy_stray, enlarge, remove

RENDER = RenderConfig(
    frames=20, size=(160, 120), frames_per_scene=10, normals=True, coordinates=True
)
SCENE = SceneConfig(layout="upright", objects_per_frame=(2, 3), distance=(0.4, 0.6))


@pytest.fixture(scope="module", params=["perfect", "time-of-flight"])
def good(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("surface") / "good"
    generate(RENDER, SCENE, out, 0, workers=1, sensor=SensorConfig(depth=request.param))
    return out


def cut_short(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:60])
    return path


def block(image: BopImage) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of nine pixels in the middle of the best seen object."""
    mask = image.read_mask(clear_view(image), visible=True)
    v, u = np.nonzero(mask)
    nearest = np.argsort(np.hypot(v - np.median(v), u - np.median(u)))[:9]
    return v[nearest], u[nearest]


def clear_block(path: Path, image: BopImage) -> Path:
    pixels = read_rgb16(path)
    pixels[block(image)] = 0
    write_png(path, pixels)
    return path


def paint_beside(path: Path, image: BopImage) -> Path:
    """Give a corner of the image, where nothing is, what the object has."""
    pixels = read_rgb16(path)
    pixels[:3, :3] = pixels[block(image)][0]
    write_png(path, pixels)
    return path


def change_normals(image: BopImage, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    path = normals_path(image.scene_dir, image.im_id)
    normals = image.read_normals()
    write_png(path, encode_normals(np.ascontiguousarray(change(normals), np.float32)))
    return path


def move_points(image: BopImage, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Change where the points of the best seen object are in the camera's frame."""
    gt_id = clear_view(image)
    annotation = image.annotations[gt_id]
    model = load_models([image.scene_dir.parents[1] / "models"], "mm")[annotation.obj_id]
    mask, path = image.read_mask(gt_id, visible=True), nocs_path(image.scene_dir, image.im_id)
    pixels = read_rgb16(path)
    points = points_from_nocs(pixels[mask] / 65535, model.box)
    moved = change(apply(annotation.cam_from_obj, points))
    nocs = nocs_from_points(apply(invert(annotation.cam_from_obj), moved), model.box)
    pixels[mask] = np.rint(65535 * np.clip(nocs, 0, 1))
    write_png(path, pixels)
    return path


def shift_image(path: Path) -> Path:
    write_png(path, np.roll(read_rgb16(path), 1, axis=1))
    return path


def normals_of(image: BopImage) -> Path:
    return normals_path(image.scene_dir, image.im_id)


def nocs_of(image: BopImage) -> Path:
    return nocs_path(image.scene_dir, image.im_id)


UNREADABLE = "truncated|cannot be read"
FAULTS: list[tuple[Callable[[BopImage], Path], str]] = [
    (lambda i: cut_short(normals_of(i)), UNREADABLE),
    (lambda i: cut_short(nocs_of(i)), UNREADABLE),
    (lambda i: remove(normals_of(i)), "no such file"),
    (lambda i: remove(nocs_of(i)), "no such file"),
    (lambda i: Path(shutil.copy(i.rgb_path, normals_of(i))), "three 16-bit channels"),
    (lambda i: Path(shutil.copy(i.rgb_path, nocs_of(i))), "three 16-bit channels"),
    (lambda i: enlarge(normals_of(i), read_rgb16(normals_of(i))), "160x122 pixels"),
    (lambda i: enlarge(nocs_of(i), read_rgb16(nocs_of(i))), "160x122 pixels"),
    (lambda i: copy_stray(nocs_of(i), "000077.png"), "no such image"),
    (lambda i: change_normals(i, lambda n: 0.99 * n), "are no unit vectors"),
    (lambda i: change_normals(i, lambda n: -n), "point away from the camera"),
    (lambda i: change_normals(i, lambda n: n[..., [1, 0, 2]]), "turned otherwise|point away"),
    (lambda i: clear_block(normals_of(i), i), "9 px of objects have none"),
    (lambda i: clear_block(nocs_of(i), i), r"9 px of gt \d have none"),
    (lambda i: paint_beside(nocs_of(i), i), "9 px hold coordinates, where no visible mask"),
    (lambda i: shift_image(nocs_of(i)), "up to .* px off"),
    (lambda i: move_points(i, lambda X: X + [0.0006, 0, 0]), r"points are up to .* px off"),
    (lambda i: move_points(i, lambda X: 0.94 * X), "have not the depth image's depth|outside"),
]


@pytest.mark.slow
def test_every_fault_is_found_in_its_file_and_nothing_else_is(good, tmp_path):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    assert validate(dataset, None) == []
    images = read_split(dataset, "train")
    planted = [(change(image), m) for image, (change, m) in zip(images, FAULTS, strict=False)]
    found = validate(dataset, None)
    assert {fault.path for fault in found} == {path for path, _ in planted}
    assert len(found) == len(planted)
    for path, message in planted:
        (said,) = (fault.message for fault in found if fault.path == path)
        assert re.search(message, said), f"{said!r} is not {message!r}"


def test_coordinates_are_checked_without_drawing(good, tmp_path):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    image = read_split(dataset, "train")[0]
    path = move_points(image, lambda X: X + [0.0006, 0, 0])
    (fault,) = validate(dataset, None, render=False)
    assert fault.path == path


def test_normals_where_nothing_is_are_found_where_depth_tells(good, tmp_path):
    """A depth camera misses some surfaces, a perfect one none."""
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    image = read_split(dataset, "train")[0]
    path = paint_beside(normals_path(image.scene_dir, image.im_id), image)
    perfect = '"depth": "perfect"' in (dataset / "generation.json").read_text()
    found = validate(dataset, None)
    assert [fault.path for fault in found] == [path] * perfect
    if perfect:
        assert "9 px have one, where nothing has depth" in found[0].message


def test_a_wrong_pose_is_not_laid_to_the_coordinates(good, tmp_path):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    image = read_split(dataset, "train")[0]
    path = image.scene_dir / "scene_gt.json"
    text = path.read_text()
    t = image.annotations[clear_view(image)].cam_from_obj[:3, 3] * 1000
    (x,) = {m for m in re.findall(r"-?\d+\.\d+", text) if abs(float(m) - t[0]) < 1e-9}
    path.write_text(text.replace(x, str(float(x) + 30)))
    assert {fault.path for fault in validate(dataset, None)} == {path}
