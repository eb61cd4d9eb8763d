import json
from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_results import Estimate, read_results, write_results
from render.formats.bop_writer import write_scene
from render.frame import Annotation, Frame
from render.mesh.box import box_corners
from render.mesh.mesh import Mesh, ObjectModel, load_models, models_info_record, write_models
from render.mesh.symmetry import symmetry_transforms
from render.transforms import rigid
from train.objects.data import DataConfig
from train.objects.score import format_table, score, score_file
from train.objects.summary import Group, match, summarize

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
BOX = np.array([[-0.04, -0.03, 0.0], [0.04, 0.03, 0.0]])  # flat: a shift moves all of it alike
SHARES = ("proj_5px", "add_10", "cm5_deg5", "mssd_recall", "mspd_recall")
HALF_TURN = {"symmetries_discrete": [[-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]]}


def make_model(obj_id, info=None):
    """A flat card of 80 x 60 mm, 100 mm in diameter."""
    corners = box_corners(BOX)
    mesh = Mesh(
        vertices=corners.astype(np.float32),
        faces=np.array([[0, 2, 4], [2, 6, 4]], np.int32),
        normals=np.tile(np.float32([0, 0, -1]), (8, 1)),
        colors=np.full((8, 3), 128, np.uint8),
    )
    return ObjectModel(obj_id, mesh, 0.1, BOX, symmetry_transforms(info or {}), info or {}, "card")


MODELS = {1: make_model(1), 2: make_model(2, HALF_TURN)}


def pose_at(x, y=0.0, z=1.0):
    return rigid(np.eye(3), np.array([x, y, z]))


def draw_card(camera, obj_id, cam_from_obj):
    """Depth of a card that faces the camera."""
    (x, y, z), (half_x, half_y) = cam_from_obj[:3, 3], BOX[1, :2]
    points = camera.unproject(np.full((camera.height, camera.width), z))
    inside = (np.abs(points[..., 0] - x) <= half_x) & (np.abs(points[..., 1] - y) <= half_y)
    return np.where(inside, z, 0).astype(np.float32)


@pytest.fixture
def make_images(tmp_path):
    """Write images, each a list of annotations, and read them back."""

    def make(*annotated, depth=None):
        frames = [
            (i, Frame(CAMERA, tuple(annotations), depth=None if depth is None else depth[i]), None)
            for i, annotations in enumerate(annotated)
        ]
        write_scene(tmp_path / "test" / "000001", frames)
        (tmp_path / "camera.json").write_text('{"width": 640, "height": 480}')
        return read_split(tmp_path, "test")

    return make


def lmo_estimates(images, change=lambda image, pose: pose):
    return [
        Estimate(im.scene_id, im.im_id, a.obj_id, 1.0, change(im, a.cam_from_obj), 0.1)
        for im in images
        for a in im.annotations
    ]


def split_test_images(root):
    return [tuple(key) for key in json.loads((root / "split_train30.json").read_text())["test"]]


@pytest.fixture(scope="module")
def lmo_models(lmo):
    return load_models([lmo / "models_eval"], unit="mm")


def test_the_ground_truth_of_lmo_scores_100(lmo, lmo_models, tmp_path):
    images = read_split(lmo, "test")[::10]
    write_results(tmp_path / "truth_lmo-test.csv", lmo_estimates(images))
    scores = score(read_results(tmp_path / "truth_lmo-test.csv"), images, lmo_models)
    assert set(scores["objects"]) == {"1", "5", "6", "8", "9", "10", "11", "12"}
    for metrics in [*scores["objects"].values(), scores["mean"], scores["targets"]]:
        assert [metrics[name] for name in SHARES] == [100] * 5
        assert metrics["corner_px"] == 0
        assert metrics["n_failed"] == 0
        assert metrics["vsd_recall"] is metrics["ar"] is None
    assert scores["mean"]["rotation_deg_median"] == pytest.approx(0, abs=1e-9)
    assert scores["mean"]["translation_mm_median"] == 0
    assert scores["no_vsd"] == "the dataset has no depth images"
    kinds = {obj_id: metrics["add_kind"] for obj_id, metrics in scores["objects"].items()}
    assert {obj_id for obj_id, kind in kinds.items() if kind == "ADI"} == {"10", "11"}


def test_an_offset_in_the_image_is_found_to_the_pixel(lmo, lmo_models, tmp_path):
    # Sheared along the viewing ray, every point of an object moves by the same 2.5 pixels.
    images = read_split(lmo, "test")[::15]
    shift = np.array([[1, 0, 1.5], [0, 1, -2], [0, 0, 1]])

    def move(image, pose):
        return np.vstack(
            [np.linalg.inv(image.camera.K) @ shift @ image.camera.K @ pose[:3], pose[3]]
        )

    write_results(tmp_path / "moved_lmo-test.csv", lmo_estimates(images, move))
    scores = score(read_results(tmp_path / "moved_lmo-test.csv"), images, lmo_models)
    for metrics in scores["objects"].values():
        assert metrics["corner_px"] == pytest.approx(2.5, abs=1e-6)
        assert (metrics["proj_5px"], metrics["mspd_recall"]) == (100, 100)


def test_mspd_and_mssd_count_the_thresholds_passed(make_images):
    # 20 mm to the right at 1 m: 10 px and 0.2 diameters, just past the 2nd and the 4th threshold.
    images = make_images([Annotation(1, pose_at(0), 1.0)])
    metrics = score([Estimate(1, 0, 1, 1, pose_at(0.0201))], images, MODELS)["objects"]["1"]
    assert metrics["corner_px"] == pytest.approx(10.05)
    assert metrics["translation_mm_median"] == pytest.approx(20.1)
    assert (metrics["mspd_recall"], metrics["mssd_recall"]) == (80, 60)
    assert (metrics["proj_5px"], metrics["add_10"], metrics["cm5_deg5"]) == (0, 0, 100)


def test_a_symmetric_pose_is_right_and_the_same_of_another_object_is_not(make_images):
    # At 0.9 m the card's diagonal, by which its corners are off, is 55 px.
    poses = {1: pose_at(-0.2, z=0.9), 2: pose_at(0.2, z=0.9)}
    images = make_images([Annotation(obj_id, pose, 1.0) for obj_id, pose in poses.items()])
    turn = np.diag([-1.0, -1, 1, 1])
    estimates = [Estimate(1, 0, obj_id, 1, pose @ turn) for obj_id, pose in poses.items()]
    objects = score(estimates, images, MODELS)["objects"]
    assert [objects["2"][name] for name in SHARES] == [100] * 5
    assert [objects["1"][name] for name in SHARES] == [0] * 5
    assert (objects["1"]["add_kind"], objects["2"]["add_kind"]) == ("ADD", "ADI")
    assert objects["1"]["rotation_deg_median"] == pytest.approx(180)


def test_a_missing_estimate_is_a_failure(make_images):
    images = make_images(*[[Annotation(1, pose_at(0), 1.0)]] * 4)
    found = [Estimate(1, im_id, 1, 1, pose_at(0)) for im_id in range(3)]
    metrics = score(found, images, MODELS)["objects"]["1"]
    assert (metrics["n"], metrics["n_failed"]) == (4, 1)
    assert [metrics[name] for name in SHARES] == [75] * 5
    assert metrics["corner_px"] == pytest.approx(40 / 4)  # the box is 40 px wide
    assert metrics["translation_mm_median"] == 0
    half = score(found[:2], images, MODELS)["objects"]["1"]
    assert half["translation_mm_median"] is half["rotation_deg_median"] is None
    nothing = score([], images, MODELS)["mean"]
    assert (nothing["n_failed"], nothing["proj_5px"], nothing["corner_px"]) == (4, 0, 40)


def test_a_pose_behind_the_camera_is_a_failure(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0)])
    metrics = score([Estimate(1, 0, 1, 1, pose_at(0, z=-1))], images, MODELS)["objects"]["1"]
    assert (metrics["n_failed"], metrics["corner_px"]) == (1, pytest.approx(40))
    assert [metrics[name] for name in SHARES] == [0] * 5


def test_only_as_many_estimates_as_targets_count_and_the_surest_of_them(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0)])
    wrong, right = Estimate(1, 0, 1, 0.9, pose_at(0.3)), Estimate(1, 0, 1, 0.8, pose_at(0))
    assert score([right, wrong], images, MODELS)["mean"]["proj_5px"] == 0
    assert score([wrong, replace(right, score=1)], images, MODELS)["mean"]["proj_5px"] == 100


def test_several_instances_are_matched_greedily_surest_first(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0), Annotation(1, pose_at(0.012), 1.0)])
    # The surer estimate takes the target it is nearer to; the other gets what is left: 12 and 1 mm.
    estimates = [Estimate(1, 0, 1, 0.9, pose_at(0.011)), Estimate(1, 0, 1, 0.5, pose_at(0.013))]
    metrics = score(estimates, images, MODELS)["objects"]["1"]
    assert metrics["corner_px"] == pytest.approx((0.5 + 6.5) / 2)
    # For 5 px it may not be matched with what lies 6.5 px away.
    assert metrics["proj_5px"] == 50
    swapped = [replace(e, score=1 - e.score) for e in estimates]
    metrics = score(swapped, images, MODELS)["objects"]["1"]
    assert metrics["corner_px"] == pytest.approx((0.5 + 5.5) / 2)


def test_what_is_hardly_visible_is_no_target(make_images):
    images = make_images(
        [Annotation(1, pose_at(0), 0.09), Annotation(1, pose_at(0.2), 0.1)],
        [Annotation(1, pose_at(0), None)],
    )
    estimates = [Estimate(1, 0, 1, 1, pose_at(0)), Estimate(1, 1, 1, 1, pose_at(0))]
    metrics = score(estimates, images, MODELS)["objects"]["1"]
    assert (metrics["n"], metrics["proj_5px"]) == (2, 50)


def test_vsd_and_ar_are_there_where_depth_is(make_images):
    depth = [draw_card(CAMERA, 1, pose_at(0))] * 2
    images = make_images(*[[Annotation(1, pose_at(0), 1.0)]] * 2, depth=depth)
    # Moved by a quarter of its width: 1/4 + 1/4 of 5/4 do not agree, an error of 0.4.
    estimates = [Estimate(1, 0, 1, 1, pose_at(0)), Estimate(1, 1, 1, 1, pose_at(0.02))]
    scores = score(estimates, images, MODELS, render_depth=draw_card)
    metrics = scores["objects"]["1"]
    assert scores["no_vsd"] is None
    assert metrics["vsd_recall"] == pytest.approx((100 + 20) / 2)  # below 0.45 and 0.5
    parts = [metrics[name] for name in ("vsd_recall", "mssd_recall", "mspd_recall")]
    assert metrics["ar"] == pytest.approx(np.mean(parts))
    assert score(estimates, images, MODELS)["no_vsd"] == "no depth was rendered to compare with"


def test_means_are_over_objects_and_over_targets(make_images):
    images = make_images(
        [Annotation(1, pose_at(0), 1.0), Annotation(2, pose_at(0.2), 1.0)],
        *[[Annotation(1, pose_at(0), 1.0)]] * 2,
    )
    scores = score([Estimate(1, i, 1, 1, pose_at(0)) for i in range(3)], images, MODELS)
    assert (scores["mean"]["proj_5px"], scores["targets"]["proj_5px"]) == (50, 75)
    assert scores["mean"]["n"] == scores["targets"]["n"] == 4
    one = score([], images, MODELS, obj_ids=[2])
    assert list(one["objects"]) == ["2"]


def test_what_cannot_be_scored_is_said(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0), Annotation(2, pose_at(0), 0.05)])
    with pytest.raises(InputError, match="none of the 1 estimates"):
        score([Estimate(9, 0, 1, 1, pose_at(0))], images, MODELS)
    with pytest.raises(InputError, match=r"object 7; there are \[1, 2\]"):
        score([], images, MODELS, obj_ids=[7])
    with pytest.raises(InputError, match=r"object 1 has no mesh; there are \[2\]"):
        score([], images, {2: MODELS[2]})
    with pytest.raises(InputError, match="object 2 nowhere has a visib_fract"):
        score([], images, MODELS, obj_ids=[2])
    others = [Estimate(1, 0, 77, 1, pose_at(0)), Estimate(9, 0, 1, 1, pose_at(0))]
    with pytest.raises(InputError, match="for the scored images is of object 1, they are of 77;"):
        score(others, images, MODELS)


def test_five_centimetres_and_five_degrees_must_both_hold(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0)])
    metrics = score([Estimate(1, 0, 1, 1, pose_at(0.0, z=1.051))], images, MODELS)["mean"]
    assert metrics["cm5_deg5"] == 0
    assert metrics["rotation_deg_median"] == 0


def test_an_empty_group_counts_as_missing():
    metrics = summarize([Group((), (64.0, 32.0))], diameter=0.1)
    assert (metrics["corner_px"], metrics["n"], metrics["n_failed"]) == (48, 2, 2)
    assert match(Group((), (64.0,)), (lambda e: (e.add,), (1.0,))) == {}


def test_a_results_file_is_scored_on_the_split_files_test_images(lmo, tmp_path):
    write_results(tmp_path / "a.csv", lmo_estimates(read_split(lmo, "test")))
    data = DataConfig(split_file="split_train30.json", objects=(5,))
    table = score_file(data, tmp_path / "a.csv", lmo, as_json=False)
    annotations = [
        a for im in read_split(lmo, "test", split_test_images(lmo)) for a in im.annotations
    ]
    targets = sum(a.obj_id == 5 and a.visib_fract >= 0.1 for a in annotations)
    assert table.splitlines()[1].split()[-2:] == [str(targets), "0"]
    assert "No VSD and AR: the dataset has no depth images." in table


def test_a_table_has_a_line_an_object_and_a_dash_for_what_one_lacks(make_images):
    images = make_images([Annotation(1, pose_at(0), 1.0), Annotation(2, pose_at(0.2), 1.0)])
    lines = format_table(score([Estimate(1, 0, 1, 1, pose_at(0))], images, MODELS)).splitlines()
    assert len({len(line) for line in lines[:5]}) == 1
    assert [line.split()[0] for line in lines[1:5]] == ["1", "2", "mean", "targets"]
    assert lines[1].split()[1:] == [
        "0.0",
        *["100.0"] * 3,
        "0.0",
        "0.0",
        "100.0",
        "100.0",
    ] + ["1", "0"]
    assert "VSD" not in lines[0]  # no object has it
    assert lines[2].split()[5:7] == ["-", "-"]


def test_a_results_file_has_vsd_where_the_dataset_has_depth(make_images, tmp_path):
    from render.draw.rasterizer import Rasterizer

    try:
        Rasterizer({}).close()
    except InputError as error:
        pytest.skip(str(error))
    pose = pose_at(0.0123, 0.0071, 0.9)
    make_images([Annotation(1, pose, 1.0)], depth=[draw_card(CAMERA, 1, pose)])
    info = models_info_record(MODELS[1].mesh)
    write_models(tmp_path / "models", [replace(MODELS[1], info=info)])
    write_results(tmp_path / "a.csv", [Estimate(1, 0, 1, 1, pose)])
    scores = json.loads(score_file(DataConfig(), tmp_path / "a.csv", tmp_path, as_json=True))
    assert scores["no_vsd"] is None
    assert scores["mean"]["vsd_recall"] == scores["mean"]["ar"] == 100
