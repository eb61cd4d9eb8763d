"""A dataset of a camera whose lens bends what it sees: written, checked, shown, refused."""

import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.kill import same_files
from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_camera, read_split
from render.formats.bop_records import parse_camera, read_records
from render.formats.camera_file import read_calibration
from render.json_file import read_json
from render.mesh.box import box_corners
from render.mesh.mesh import write_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from render.transforms import apply
from render.validate.validate import validate
from tests.render.dataset.interrupted import interrupt_at_the_third_part
from tests.small_dataset import cuboids

SCENE = SceneConfig(objects_per_frame=(2, 3), zoom=(0.7, 0.9))
LENS = SensorConfig(k1=(-0.4, -0.3), k2=(0.1, 0.12), p1=(-0.01, 0.01), p2=(0.005, 0.005))


def call(command, *arguments):
    return CliRunner().invoke(main, [command, *map(str, arguments)])


@pytest.fixture(scope="module")
def render(tmp_path_factory) -> RenderConfig:
    folder = tmp_path_factory.mktemp("lens") / "meshes"
    write_models(folder, cuboids().values())
    return RenderConfig(
        objects=(str(folder),),
        frames=4,
        size=(96, 72),
        frames_per_scene=3,
        exact=True,
        normals=True,
        coordinates=True,
    )


@pytest.fixture(scope="module")
def bent(render, tmp_path_factory):
    out = tmp_path_factory.mktemp("lens") / "bent"
    generate(render, SCENE, out, seed=4, workers=1, sensor=LENS)
    return out


def test_validate_finds_no_fault_and_every_image_has_its_own_lens(bent):
    assert validate(bent, None) == []
    images = read_split(bent, "train", lens=True)
    lenses = [image.camera.distortion for image in images]
    assert len(set(lenses)) == len(images) == 4
    for low, high, drawn in zip(*np.transpose(LENS.lens), np.transpose(lenses), strict=True):
        assert ((drawn >= low) & (drawn <= high)).all()
    assert read_json(bent / "camera.json")["distortion"].startswith("cam_dist of each image")


def test_boxes_and_corners_are_where_the_lens_shows_them(bent):
    """Of the masks, which are bent; a pinhole would put corners pixels away."""
    boxes, off = {i: model.box for i, model in cuboids().items()}, []
    for image in read_split(bent, "train", lens=True):
        points = read_records(image.scene_dir / "scene_gt_points.json")[image.im_id]
        for gt_id, annotation in enumerate(image.annotations):
            corners = apply(annotation.cam_from_obj, box_corners(boxes[annotation.obj_id]))
            seen = image.camera.project(corners)
            np.testing.assert_allclose(points[gt_id]["box_corners"], seen, atol=1e-3)
            mask = image.read_mask(gt_id, visible=False)
            v, u = np.nonzero(mask)
            if mask.any() and not any(
                e.any() for e in (mask[0], mask[-1], mask[:, 0], mask[:, -1])
            ):
                ends = [u.min(), v.min(), u.max(), v.max()]
                expected = [*seen.min(axis=0), *seen.max(axis=0)]
                np.testing.assert_allclose(ends, expected, atol=1.5)  # edges are bent outwards
                straight = replace(image.camera, distortion=None).project(corners)
                off.append(np.abs(straight - seen).max())
    assert len(off) >= 4 and max(off) > 2


def test_a_fault_in_a_mask_or_a_lens_is_found(bent, render, tmp_path):
    for name in ("straight", "folding"):
        copytree(bent, tmp_path / name)
        path = tmp_path / name / "train/000000/scene_camera.json"
        records = json.loads(path.read_text())
        if name == "straight":
            del records["0"]["cam_dist"]
        else:
            records["0"]["cam_dist"] = [-9.0, 0, 0, 0, 0]
        path.write_text(json.dumps(records))
    faults = [str(fault) for fault in validate(tmp_path / "straight", None)]
    assert any("box_corners are up to" in fault for fault in faults)
    (fault,) = validate(tmp_path / "folding", None)
    assert "cam_dist [-9.0, 0.0, 0.0, 0.0, 0.0] folds within the image" in str(fault)


def test_one_lens_of_all_images_is_in_the_camera_s_file(render, tmp_path):
    sensor = SensorConfig(k1=(-0.2, -0.2))
    generate(replace(render, frames=1), SCENE, tmp_path, seed=4, workers=1, sensor=sensor)
    _, lens = read_calibration(tmp_path / "camera.json")
    assert lens.tolist() == [-0.2, 0, 0, 0, 0]
    assert validate(tmp_path, None) == []


def test_an_interrupted_dataset_ends_up_the_same(render, bent, tmp_path):
    out = tmp_path / "out"
    interrupt_at_the_third_part(render, SCENE, out, seed=4, workers=1, sensor=LENS)
    generate(render, SCENE, out, seed=4, workers=1, sensor=LENS)
    assert same_files(out, bent)


def test_a_frame_is_drawn_again_to_the_byte_and_shown(bent, tmp_path):
    frame, out = bent / "train/000000/rgb/000001.png", tmp_path / "again.png"
    result = call("render", "--replay", frame, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == frame.read_bytes()
    result = call("view", bent, "--out", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "--to", "yolo-pose"),
        ("pair", "--set", "data.split=train"),
        ("train", "--method", "real", "--objects", "1", "--split", "train"),
    ],
)
def test_what_reads_straight_images_refuses_it_in_one_line(bent, tmp_path, command):
    name, *more = command
    dataset = [bent] if name == "convert" else ["--dataset", bent]
    result = call(name, *dataset, *more, "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert "is a lens distortion; undistort the images first" in result.output
    assert result.output.strip().count("\n") == 0


def test_readers_that_do_not_ask_for_a_lens_refuse_it(bent):
    scene = bent / "train/000000"
    with pytest.raises(InputError, match=r"camera\.json: distortion .* is a lens distortion"):
        read_split(bent, "train")
    with pytest.raises(InputError, match=r"camera\.json: distortion .* is a lens distortion"):
        read_camera(scene, 0, (96, 72))
    with pytest.raises(InputError, match="distortion must be a list of numbers"):
        read_calibration(bent / "camera.json")
    record = read_records(scene / "scene_camera.json")[0]
    with pytest.raises(InputError, match=r"here: cam_dist = .* is a lens distortion"):
        parse_camera(record, (96, 72), "here")
    with pytest.raises(InputError, match=r"here: cam_dist = .* is no lens'"):
        parse_camera({**record, "cam_dist": [1e200, 0, 0, 0, 0]}, (96, 72), "here", lens=True)


def test_crops_and_lenses_that_fold_are_refused(render, tmp_path):
    crops = SceneConfig(layout="crop")
    with pytest.raises(InputError, match="crops are cut from images without a lens distortion"):
        generate(render, crops, tmp_path / "crops", seed=4, workers=1, sensor=LENS)
    endless = SensorConfig(k1=(0.0, 1e9))
    with pytest.raises(InputError, match=r"sensor.k1 = 0,1e\+09 is no lens'; give numbers from"):
        generate(render, SCENE, tmp_path / "endless", seed=4, workers=1, sensor=endless)
    folding = SensorConfig(k1=(-2.0, 0.0))
    with pytest.raises(InputError, match="a lens of -2, 0, 0, 0, 0 folds within the 96x72 image"):
        generate(render, SCENE, tmp_path / "folds", seed=4, workers=1, sensor=folding)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("render --set scene.layout=crop", "sensor.k1 belongs to full frames"),
        ("render --format nyu --hand bundled", "sensor.k1 has no effect on hands alone"),
        ("run --preset demo", "sensor.k1 belongs to `render`"),
        ("pair --dataset x", "sensor.k1 has no effect on twins"),
    ],
)
def test_a_lens_that_would_be_passed_over_is_refused(tmp_path, command, message):
    lens = ["--set", "sensor.k1=-0.2,-0.1", "--out", tmp_path / "out"]
    result = call(*command.split(), *lens)
    assert result.exit_code == 2 and message in result.output, result.output
