import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.config import to_dict
from render.dataset.folder import begin_dataset
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig, make_renderer, see
from render.formats.bop import read_split
from render.formats.bop_files import depth_path
from render.formats.bop_writer import measure, write_scene
from render.mesh.mesh import write_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig, draw_sensors
from render.validate.frame import DEPTH_SLACK, MOST_OFF_DEPTH
from render.validate.pixels import contour_iou
from render.validate.validate import validate
from tests.planted_faults import (
    copy_stray,
    cut,
    edit_camera,
    edit_gt,
    edit_info,
    edit_json,
    enlarge,
    names,
    plant,
    remove,
)
from tests.scenes import CAMERA, at, scene
from tests.small_dataset import cuboid, cuboids, random_frames, write_dataset

RENDER = RenderConfig(frames=40, size=(160, 120), frames_per_scene=20)
SCENE = SceneConfig(
    layout="upright",
    objects_per_frame=(3, 4),
    distance=(0.4, 0.6),
    elevation_deg=(0, 90),
    inplane_deg=(-45, 45),
)


@pytest.fixture(scope="module", params=["perfect", "structured-light", "time-of-flight"])
def good(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("validate") / "good"
    sensor = SensorConfig(depth=request.param)
    generate(RENDER, SCENE, out, seed=0, workers=1, sensor=sensor)
    return out


@pytest.fixture
def dataset(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "bad"))


# Name -> what plants the fault and gives back the file to be named, and what is said of it.


def test_every_planted_fault_is_found_in_its_file_and_nothing_else_is(dataset):
    planted = plant(read_split(dataset, "train"))
    found = validate(dataset, None)
    print(f"{len(planted)} planted, {len(found)} found")
    missed = [p for p in planted if not any(names(fault, p) for fault in found)]
    extra = [str(fault) for fault in found if not any(names(fault, p) for p in planted)]
    assert not missed and not extra, f"missed {missed}, extra {extra}"
    assert len(found) == len(planted)


def break_json(path: Path) -> Path:
    path.write_text(path.read_text()[:-20])
    return path


def drop_key(path: Path, key: str) -> Path:
    return edit_json(path, lambda content: content.pop(key))


# What is planted in a whole dataset -> (plants it and gives back the file, number of faults, text).
WHOLE_FILES: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "broken gt": (lambda d: break_json(d / "train/000000/scene_gt.json"), 1, "not valid JSON"),
    "broken info": (lambda d: break_json(d / "train/000000/scene_gt_info.json"), 1, "not valid"),
    "broken camera": (lambda d: break_json(d / "train/000001/scene_camera.json"), 1, "not valid"),
    "no gt": (lambda d: remove(d / "train/000000/scene_gt.json"), 1, "no such file"),
    "no info": (lambda d: remove(d / "train/000001/scene_gt_info.json"), 1, "no such file"),
    "no id": (
        lambda d: edit_json(d / "train/000000/scene_gt.json", lambda c: c.update(a=[])),
        1,
        "keys must be image ids, got 'a'",
    ),
    "camera key": (lambda d: drop_key(d / "train/000000/scene_camera.json", "3"), 1, "image 3 is"),
    "gt key": (lambda d: drop_key(d / "train/000000/scene_gt.json", "3"), 1, "image 3 is missing"),
    "info key": (lambda d: drop_key(d / "train/000000/scene_gt_info.json", "3"), 1, "image 3 is"),
    "sensor": (lambda d: break_json(d / "camera.json"), 1, "not valid JSON"),
    "models_info": (lambda d: break_json(d / "models/models_info.json"), 1, "not valid JSON"),
    "no model": (lambda d: remove(d / "models/obj_000002.ply"), 1, "models_info.json lists obj"),
    "model cut": (lambda d: cut(d / "models/obj_000002.ply"), 1, ""),
    "no record": (lambda d: drop_key(d / "models/models_info.json", "2"), 1, "object 2 is missing"),
    "images only": (
        lambda d: copy_stray(d / "train/000000/rgb/000000.png", "holiday.png"),
        1,
        "no such image",
    ),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Good data of two scenes with four images each."""
    out = tmp_path_factory.mktemp("validate") / "small"
    render = replace(RENDER, frames=8, size=(80, 60), frames_per_scene=4)
    generate(render, SCENE, out, seed=1, workers=1)
    return out


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_damaged_file_is_named_once_however_many_images_need_it(name, small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "bad"))
    change, count, message = WHOLE_FILES[name]
    path = change(root)
    # What needs drawing is checked above; here it is the mesh's own faults that need its reading.
    found = validate(root, "train", render=name == "model cut")
    assert [fault.path for fault in found] == [path] * count, found
    assert re.search(message, found[0].message)


def test_two_faults_of_one_record_are_both_found(small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "bad"))
    image = read_split(root, "train")[0]
    edit_gt(image, "cam_R_m2c", lambda R: [2 * x for x in R])
    edit_gt(image, "cam_t_m2c", lambda t: [x / 1000 for x in t])
    edit_camera(image, k1=0.1, depth_scale=0)
    text = "\n".join(map(str, validate(root, None, render=False)))
    for what in ("not a rotation", "look like metres", "lens distortion", "depth_scale must be"):
        assert text.count(what) == 1, text


def test_a_contour_may_lie_a_pixel_elsewhere_but_not_a_silhouette():
    given = np.zeros((60, 80), bool)
    given[20:40, 30:50] = True
    assert contour_iou(given, np.roll(given, 1, axis=(0, 1))) == 1
    # Shifted by 4 px, 3 of them beyond the contour's: 3 columns of 20 px on each side.
    assert contour_iou(given, np.roll(given, 4, axis=1)) == 1 - 2 * 3 * 20 / (24 * 20)
    assert contour_iou(given, np.zeros_like(given)) == 0


def run(*args: object):
    return CliRunner().invoke(main, ["validate", *map(str, args)])


def test_good_data_is_one_line(small):
    result = run(small)
    assert (result.exit_code, result.output) == (0, f"{small}: train, 8 images: no fault\n")
    result = run(small, "--no-render", "--split", "train")
    assert result.exit_code == 0
    assert result.output == f"{small}: train, 8 images; poses not drawn: no fault\n"


def test_each_fault_is_a_line_and_the_exit_code_one(small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "bad"))
    image = read_split(root, "train")[2]
    first, second = cut(image.rgb_path), remove(depth_path(image.scene_dir, image.im_id))
    result = run(root)
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert len(lines) == 3 and lines[2].endswith(": 2 faults")
    assert lines[0].startswith(f"{first}: ") and lines[1] == f"{second}: no such file"


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("{tmp}/none",), "no such folder"),
        (("{tmp}",), "this is an empty folder"),
        (("{good}", "--split", "x"), "there are train"),
    ],
)
def test_what_is_no_dataset_is_refused_in_a_line(args, what, small, tmp_path):
    result = run(*(arg.format(tmp=tmp_path, good=small) for arg in args))
    assert result.exit_code == 1 and what in result.output and "Traceback" not in result.output


def test_boxes_of_others_may_be_a_pixel_off_but_not_those_made_here(small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "others"))
    for image in read_split(root, "train"):
        edit_info(image, "bbox_visib", lambda b: [*b[:2], b[2] - 1, b[3]])
    assert len(validate(root, None)) == 8
    (root / "generation.json").unlink()
    assert validate(root, None) == []


def test_a_rendering_domain_of_slightly_other_geometry_is_sound(tmp_path):
    render = replace(RENDER, frames=6)
    generate(render, replace(SCENE, stretch=(1.03, 0.98, 1.02)), tmp_path / "out", 0, workers=1)
    assert validate(tmp_path / "out", None) == []


@pytest.mark.parametrize("kind", ["structured-light", "time-of-flight"])
def test_a_depth_cameras_noise_is_no_fault_however_far_away_but_more_than_it_is(kind, tmp_path):
    render, scene = replace(RENDER, frames=2, size=(640, 480)), replace(SCENE, distance=(3.5, 4.0))
    sensor = SensorConfig(depth=kind, disparity_noise_px=(0.06, 0.06), distance_noise=(4e-3, 4e-3))
    generate(render, scene, tmp_path / "out", 0, workers=1, sensor=sensor)
    assert validate(tmp_path / "out", None) == []
    image = read_split(tmp_path / "out", "train")[1]
    path = edit_camera(image, depth_scale=0.105)
    assert [fault.path for fault in validate(tmp_path / "out", None)] == [path]


@pytest.mark.parametrize("kind", ["structured-light", "time-of-flight"])
def test_what_a_depth_camera_makes_of_the_edges_of_a_small_object_is_no_fault(kind, tmp_path):
    """Most of it lies near its contour, half a metre before a wall."""
    models = {1: cuboid(1, (-0.025, -0.025, 0.0), (0.025, 0.025, 0.05))}
    models[2] = cuboid(2, (-1.0, -1.0, 0.0), (1.0, 1.0, 0.05))
    sensor = SensorConfig(depth=kind, lateral_px=(3.0, 3.0), mixing_px=(0.9, 0.9))
    settings = {"render": to_dict(RENDER), "sensor": to_dict(sensor)}
    begin_dataset(tmp_path / "out", settings, "a device")
    write_models(tmp_path / "out" / "models", models.values())
    spec = scene(CAMERA, at([0, 0, 1.0], obj_id=1), at([0, 0, 1.5], obj_id=2))
    spec = replace(spec, depth_sensor=draw_sensors(sensor, np.random.default_rng(0))[1])
    with closing(make_renderer(models, RENDER)) as renderer:
        (frame,) = see(renderer, [spec])
        masks = renderer.full_masks(spec, canvas=3)
    images = [(0, measure(frame, masks), masks)]
    write_scene(tmp_path / "out" / "train" / "000000", images)

    measured = frame.depth[(frame.instance == 1) & (frame.depth > 0)]
    assert (np.abs(measured - 1.0) > DEPTH_SLACK).mean() > MOST_OFF_DEPTH
    assert validate(tmp_path / "out", None) == []


def test_a_dataset_without_depth_and_masks_is_checked_by_its_boxes(rng, tmp_path):
    models = cuboids()
    root = write_dataset(tmp_path / "rgb", models, random_frames(rng, models, 3))
    assert validate(root, "test") == []
    assert "no depth, no mask, no mask_visib: no fault" in run(root).output

    first, second, third = read_split(root, "test")
    path = edit_gt(first, "cam_t_m2c", lambda t: [t[0] + 20, *t[1:]])
    other = edit_info(second, "bbox_obj", lambda b: [b[0] + 9, *b[1:]])
    resized = enlarge(third.rgb_path, third.read_rgb())
    assert [fault.path for fault in validate(root, "test")] == [other, path, resized]


@pytest.mark.slow
def test_lmo_is_sound(lmo):
    """Its rotations are up to 0.016 off; its boxes were drawn with another renderer."""
    result = run(lmo, "--split", "test")
    assert result.exit_code == 0, result.output
    expected = f"{lmo}: test, 150 images, no depth, no mask, no mask_visib: no fault\n"
    assert result.output == expected
