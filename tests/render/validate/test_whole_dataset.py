import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.scene import tabletop
from render.scene.randomize import SceneConfig
from render.validate.validate import validate

RENDER = RenderConfig(frames=4, size=(160, 120), exact=True)
SCENE = SceneConfig(objects_per_frame=(2, 3), clutter_per_frame=(0, 1))


@pytest.fixture
def dataset(tmp_path) -> Path:
    generate(RENDER, SCENE, tmp_path / "out", seed=0, workers=1)
    return tmp_path / "out"


def card(folder: Path) -> str:
    folder.mkdir()
    corners = np.array([[0, 0, 0], [0.08, 0, 0], [0.08, 0.05, 0], [0, 0.05, 0]])
    trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]]).export(folder / "a.ply")
    return str(folder)


def test_cards_on_a_table_are_seen_whole_and_named_where_they_lie_in_it(tmp_path, monkeypatch):
    render = replace(RENDER, objects=(card(tmp_path / "card"),))
    generate(render, SCENE, tmp_path / "out", seed=0, workers=1)
    assert validate(tmp_path / "out", None) == []
    record = json.loads((tmp_path / "out/generation.json").read_text())
    assert record["settings"]["lifted"] == [1]

    monkeypatch.setattr(tabletop, "lift_of", lambda *_: 0.0)
    generate(render, SCENE, tmp_path / "bad", seed=0, workers=1)
    faults = [str(fault) for fault in validate(tmp_path / "bad", None)]
    assert len(faults) >= 4
    assert all("lie in the plane of the table" in f and "scene_spec.json" in f for f in faults)


@pytest.mark.parametrize("name", ["scene_gt_points.json", "scene_spec.json", "scene_gt_coco.json"])
def test_numbers_that_are_none_are_a_fault_wherever_they_stand(dataset, name):
    file = dataset / "train" / "000000" / name
    content = json.loads(file.read_text())
    first = content["images"][0] if name == "scene_gt_coco.json" else content["0"]
    (first if isinstance(first, dict) else first[0])["extra"] = [float("-inf"), float("nan")]
    file.write_text(json.dumps(content))
    (fault,) = validate(dataset, None)
    assert str(fault) == f"{file}: holds -Infinity, which is no number of JSON's"


def test_numbers_that_are_none_are_named_once_in_a_pose_and_in_models_info(dataset):
    file = dataset / "train" / "000000" / "scene_gt.json"
    content = json.loads(file.read_text())
    content["1"][0]["cam_t_m2c"][0] = float("nan")
    file.write_text(json.dumps(content))
    info = dataset / "models" / "models_info.json"
    info.write_text(info.read_text().replace('"diameter"', '"extra": NaN, "diameter"', 1))
    faults = validate(dataset, None, render=False)
    assert sorted(fault.path.name for fault in faults) == ["models_info.json", "scene_gt.json"]


def test_a_dataset_in_which_nothing_is_seen_is_a_fault(dataset):
    scene = dataset / "train" / "000000"
    file = scene / "scene_gt_info.json"
    infos = json.loads(file.read_text())
    for record in (record for image in infos.values() for record in image):
        record |= {"px_count_visib": 0, "visib_fract": 0.0, "bbox_visib": [-1] * 4}
    file.write_text(json.dumps(infos))
    count = sum(map(len, infos.values()))
    message = f"{dataset}/train: nothing is seen of any of its {count} annotated objects"
    assert message in map(str, validate(dataset, None, render=False))
