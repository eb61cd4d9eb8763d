"""Points, COCO annotations and specs: a fault in any is found by its file."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.scene.randomize import SceneConfig
from render.validate.validate import validate
from tests.planted_faults import edit_json

POINTS, COCO, SPECS = "scene_gt_points.json", "scene_gt_coco.json", "scene_spec.json"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("beside") / "good"
    generate(RenderConfig(frames=3, size=(160, 120)), SceneConfig(layout="upright"), out, 0, 1)
    assert validate(out, None) == []
    return out


def shift_corner(content: dict) -> None:
    content["1"][0]["box_corners"][3][0] += 0.5


def hide_corner(content: dict) -> None:
    content["1"][0]["box_corners"][3] = None


def lengthen_run(content: dict) -> None:
    counts = content["annotations"][0]["segmentation"]["counts"]
    counts[0], counts[1] = counts[0] - 1, counts[1] + 1


def put(*keys: object, value: object) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        inside = content
        for key in keys[:-1]:
            inside = inside[key]
        inside[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (POINTS, shift_corner, "image 1, gt 0: box_corners are up to 0.5 px off"),
        (POINTS, hide_corner, "image 1, gt 0: box_corners must be 8"),
        (POINTS, lambda c: c.pop("2"), "image 2: expected a list"),
        (POINTS, lambda c: c["0"].pop(), "image 0: expected a list"),
        (POINTS, put("0", 0, value=3), "image 0, gt 0: box_corners must be 8"),
        (POINTS, put("0", 0, "box_corners", 0, value=["x", {}]), "must be numbers"),
        (COCO, lengthen_run, r"image 0, gt \d: segmentation of its annotation 1 "),
        (COCO, put("annotations", 0, "area", value=1), "area of its annotation 1 "),
        (COCO, put("annotations", 0, "bbox", value=[0, 0, 9, 9]), "bbox of its annotation 1 "),
        (COCO, put("annotations", 0, "category_id", value=9), "category_id of its annotation 1 "),
        (COCO, lambda c: c["annotations"].pop(0), "annotations, . are visible"),
        (COCO, put("annotations", value={"a": 1}), "annotations must be a list of objects"),
        (COCO, put("annotations", 0, "image_id", value=[]), "image_id must be a whole number"),
        (SPECS, put("2", "lights", value=[{"x": 1}]), "image 2: lights.0..kind is missing"),
        (SPECS, put("2", "K", value="x"), "image 2: K must be 3 x 3 finite numbers"),
        (SPECS, put("2", "objects", 0, "cam_from_obj", value=[1]), "cam_from_obj must be 4 x 4"),
        (SPECS, put("2", value=None), "image 2 must be an object with names"),
    ],
)
def test_a_fault_is_named_once_by_its_file(good, tmp_path, name, change, message):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    path = edit_json(dataset / "train" / "000000" / name, change)
    (fault,) = validate(dataset, None)
    assert fault.path == path and re.search(message, fault.message), fault


@pytest.mark.parametrize("name", [POINTS, COCO, SPECS, "scene_camera.json", "scene_gt.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"0": ', '{"0": 1e999}', "[" * 60, '{"x": {}}'])
def test_what_is_no_such_json_is_a_fault_of_that_file(good, tmp_path, name, content):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    path = dataset / "train" / "000000" / name
    path.write_text(content)
    found = validate(dataset, None, render=False)
    assert {fault.path for fault in found} == {path}
    assert all(str(fault).isprintable() for fault in found)


def test_a_wrong_pose_is_not_laid_to_what_follows_from_it(good, tmp_path):
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))
    move = lambda c: put("1", 0, "cam_t_m2c", 0, value=c["1"][0]["cam_t_m2c"][0] + 40)(c)  # noqa: E731
    path = edit_json(dataset / "train" / "000000" / "scene_gt.json", move)
    assert {fault.path for fault in validate(dataset, None)} == {path}


def test_objects_that_share_a_surface_are_found(good, tmp_path):
    """Two cards in one plane: which one is seen is left to chance."""
    dataset = Path(shutil.copytree(good, tmp_path / "bad"))

    def same_place(content: dict) -> None:
        one, other = content["1"][:2]
        other |= {key: one[key] for key in ("obj_id", "cam_R_m2c", "cam_t_m2c")}

    path = edit_json(dataset / "train" / "000000" / "scene_gt.json", same_place)
    found = [f for f in validate(dataset, None) if "in the very surface of gt 1" in f.message]
    assert [fault.path for fault in found] == [path] and "image 1, gt 0" in found[0].message
