"""Hands among the objects of BOP scenes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill import same_files
from render.dataset.generate import generate
from render.dataset.replay import replay_frame
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_records import read_records, write_records
from render.formats.bop_writer import bounding_box
from render.hand.file import load_hand
from render.hand.guest import ABOVE, HAND_ID, HandGuest
from render.hand.model import JOINTS, pose_hand
from render.hand.pose import palm_frame
from render.hand.scene import HandSceneConfig
from render.image_file import read_rgb
from render.mesh.mesh import diameter, load_models
from render.scene.contact import dataset_contact
from render.scene.props import TABLES
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec
from render.transforms import apply, invert
from render.validate.validate import validate

CONFIG = RenderConfig(frames=4, size=(160, 120), frames_per_scene=2, hand="bundled", normals=True)
SCENE = SceneConfig(objects_per_frame=(2, 3))
MODEL = load_hand("bundled")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("guest") / "hands"
    generate(CONFIG, SCENE, out, seed=0, workers=1)
    return out


@pytest.fixture
def copy(rendered, tmp_path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "copy"))


def hands_of(root: Path) -> dict[tuple[int, int], dict]:
    """(scene id, image id) -> the one hand's record."""
    found = {}
    for path in sorted(root.glob("train/*/scene_hand.json")):
        for im_id, (record,) in read_records(path).items():
            found[int(path.parent.name), im_id] = record
    return found


def specs_of(root: Path) -> dict[tuple[int, int], SceneSpec]:
    return {
        (int(path.parent.name), im_id): SceneSpec.from_json(json.dumps(record))
        for path in sorted(root.glob("train/*/scene_spec.json"))
        for im_id, record in read_records(path).items()
    }


def faults_of(root: Path) -> list[str]:
    return [str(fault) for fault in validate(root, None)]


def test_joints_pose_and_shape_are_those_of_the_annotated_hand(rendered):
    hands, images = hands_of(rendered), read_split(rendered, "train")
    assert list(hands) == [(image.scene_id, image.im_id) for image in images] and len(hands) == 4
    for image in images:
        record = hands[image.scene_id, image.im_id]
        annotation = image.annotations[record["gt_id"]]
        assert [a.obj_id == HAND_ID for a in image.annotations].index(True) == record["gt_id"]
        assert record["side"] == "right" and record["model"] == "bundled"
        pose, shape = np.array([record["pose"]]), np.array([record["shape"]])
        vertices, points = pose_hand(MODEL, pose, shape, annotation.cam_from_obj[None])
        np.testing.assert_allclose(record["joints_cam_mm"], 1000 * points[0], atol=1e-3)

        canvas = [-160, -120], [319, 239]  # on which BOP has whole silhouettes measured
        pixels = np.clip(image.camera.project(vertices[0]), *canvas)
        x, y, width, height = annotation.bbox_obj
        box = [[x, y], [x + width, y + height]]
        if annotation.px_count_visib:  # a tip ends between the centres of pixels
            np.testing.assert_allclose(box, [pixels.min(axis=0), pixels.max(axis=0)], atol=2)
        mask = image.read_mask(record["gt_id"], visible=True)
        assert annotation.px_count_visib == mask.sum()
        assert annotation.bbox_visib == bounding_box(mask)


def test_all_files_of_a_dataset_with_hands_agree(rendered):
    assert faults_of(rendered) == []
    assert dataset_contact(rendered).depth < 1e-4  # of the objects; hands are left out


@pytest.mark.slow
def test_the_hand_changes_nothing_else_of_a_scene(rendered, tmp_path):
    generate(replace(CONFIG, hand=None), SCENE, tmp_path / "none", seed=0, workers=1)
    alone = specs_of(tmp_path / "none")
    for key, spec in specs_of(rendered).items():
        assert replace(spec, objects=spec.objects[:-1]) == alone[key]
        assert spec.objects[-1].obj_id == HAND_ID and spec.objects[-1].annotated


def test_the_palm_is_over_the_table_and_in_view(rendered):
    for spec in specs_of(rendered).values():
        (table,) = (placed for placed in spec.objects if placed.obj_id in TABLES)
        hand = spec.objects[-1]
        middle = palm_frame(MODEL, np.array(hand.posture.shape))[0]
        (palm,) = apply(hand.matrix, middle[None])
        assert apply(invert(table.matrix), palm[None])[0, 2] > ABOVE - 1e-9
        assert palm[2] > 0.25 - 1e-9
        pixel = spec.camera.project(palm)
        assert (pixel >= 0).all() and (pixel <= [159, 119]).all()


def test_models_hold_the_hands_rest_pose(rendered):
    model = load_models([rendered / "models"])[HAND_ID]
    np.testing.assert_allclose(model.mesh.vertices, MODEL.vertices, atol=1e-6)
    assert model.diameter == pytest.approx(diameter(MODEL.vertices), abs=1e-6)


def test_a_frame_with_a_hand_is_drawn_again_to_the_bit(rendered, tmp_path):
    frame = rendered / "train" / "000001" / "rgb" / "000001.png"
    replay_frame(frame, tmp_path / "again.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "again.png"), read_rgb(frame))


@pytest.mark.slow
def test_a_restart_makes_what_is_missing_alike_and_another_hand_is_refused(rendered, copy):
    shutil.rmtree(copy / "train" / "000000")
    generate(CONFIG, SCENE, copy, seed=0, workers=1)
    assert same_files(copy, rendered)
    left = replace(CONFIG, hand="bundled-left")
    with pytest.raises(InputError, match=r"render\.hand = bundled, not bundled-left"):
        generate(left, SCENE, copy, seed=0, workers=1)
    straight = HandSceneConfig(bend=(0.0, 0.1))
    with pytest.raises(InputError, match=r"hand_scene\.bend"):
        generate(CONFIG, SCENE, copy, seed=0, workers=1, hand_scene=straight)


def test_crops_of_an_object_have_hands_too(tmp_path):
    config = replace(CONFIG, frames=3, size=(64, 64), hand="bundled-left", normals=False)
    scene = SceneConfig(layout="crop")
    generate(config, scene, tmp_path / "crops", seed=1, workers=1)
    assert faults_of(tmp_path / "crops") == []
    assert {record["side"] for record in hands_of(tmp_path / "crops").values()} == {"left"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints_cam_mm": None}, "joints_cam_mm must be 63 finite numbers"),
        ({"side": "left"}, "side is 'left', but the model is right"),
        ({"model": "nowhere.glb"}, "no such file; a hand model was expected"),
        ({"gt_id": 9}, "scene_gt.json has no gt 9 in this image"),
        ({"shape": [0.0] * 3}, "shape must be 12 finite numbers"),
        ({"model": 5}, "expected an object with the name of a model"),
    ],
)
def test_a_wrong_record_of_a_hand_is_named(copy, change, message):
    path = copy / "train" / "000000" / "scene_hand.json"
    records = read_records(path)
    records[0][0] |= change
    write_records(path, records)
    (fault,) = faults_of(copy)
    assert fault.startswith(str(path)) and message in fault


@pytest.mark.slow
def test_a_damaged_file_of_hands_is_the_only_fault(copy):
    path = copy / "train" / "000000" / "scene_hand.json"
    second = json.dumps(read_records(path)[1])
    for content in ("{", "[]", '{"one": []}', f'{{"0": {{}}, "1": {second}}}'):
        path.write_text(content)
        found = faults_of(copy)
        assert len(found) == 1 and found[0].startswith(f"{path}: "), found


def test_joints_that_are_not_the_models_are_named(copy):
    path = copy / "train" / "000001" / "scene_hand.json"
    records = read_records(path)
    records[1][0]["joints_cam_mm"][JOINTS.index("index2")][0] += 7.0
    write_records(path, records)
    (fault,) = faults_of(copy)
    gt_id = records[1][0]["gt_id"]
    assert (
        fault == f"{path}: image 1, gt {gt_id}: joints_cam_mm are 7.0 mm off the hand at its pose"
    )


def test_without_its_postures_a_hand_is_not_where_it_should_be(copy):
    """So hands are compared with what they are bent to, not passed over."""
    for path in copy.glob("train/*/scene_hand.json"):
        path.unlink()
    assert any(f"object {HAND_ID} at its pose" in fault for fault in faults_of(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"renderer": "pyrender", "normals": False}, "render.hand: pyrender does not draw that"),
        ({"coordinates": True}, "render.coordinates: hands have no object coordinates"),
        ({"format": "bop-webdataset"}, "render.format: hands have no place in tar shards"),
        ({"hand": "glove"}, "glove: no hand of that name"),
    ],
)
def test_what_hands_cannot_have_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        generate(replace(CONFIG, **changes), SCENE, tmp_path / "out", seed=0, workers=1)
    assert not (tmp_path / "out").exists()


def test_an_object_with_the_hands_id_is_refused():
    (model,) = load_models(["assets"], obj_ids=[1]).values()
    with pytest.raises(InputError, match="object 999999 is the hand's id"):
        HandGuest(MODEL, HandSceneConfig(), {HAND_ID: model}, seed=0)
