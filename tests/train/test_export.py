"""Exported networks: read by onnxruntime as by torch, and used without torch as the JSON says."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from docs import onnx_example
from render.errors import InputError
from render.mesh.box import box_corners
from render.transforms import apply
from tests.small_dataset import CAMERA, HALF_TURN, cuboids, random_frames
from tests.train.objects.detect.test_checkpoint import detector_file
from train.export import export_onnx
from train.hand_options import HandCropConfig
from train.learn import onnx_file
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.onnx_file import check_onnx, write_onnx
from train.learn.targets import HandInfo, ObjectInfo
from train.objects.about import about_object
from train.objects.crops import ObjectCrops, square_crop, to_crop
from train.objects.inputs import object_target
from train.objects.read.image import read_boxes
from train.options import NETWORKS, WITH_TRUNK, CropConfig

MODEL = cuboids()[2]
CROP = CropConfig(size=32, margin=1.4)
COLOUR = [(name, 3) for name in NETWORKS]
DEPTH = [(name, 1) for name in NETWORKS if name not in WITH_TRUNK]


def random_net(name, size, outputs=16, channels=3, reach=0.1):
    """With a g that is not the identity, and outputs of an image's features."""
    torch.manual_seed(3)
    net = build(name, size, True, outputs, channels).eval()
    with torch.no_grad():
        for parameter in net.mapping.parameters():
            parameter.normal_(std=0.05)
        for parameter in net.predict.parameters():
            parameter.normal_(std=reach)
    return net


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A frame, a box in it, a network that reads about the true corners there, and a folder with
    its run and the photo."""
    rng = np.random.default_rng(1)
    frame = random_frames(rng, cuboids(), 1)[1]
    annotation = frame.annotations[1]
    corners = CAMERA.project(apply(annotation.cam_from_obj, box_corners(MODEL.box)))
    net = random_net("small", CROP.size, reach=0.01)
    affine = square_crop(annotation.bbox_visib, CROP)
    with torch.no_grad():
        net.predict.bias.copy_(torch.from_numpy(to_crop(corners, affine, CROP.size).reshape(16)))
    symmetries = {"symmetries_discrete": [HALF_TURN[:3] + [5.0] + HALF_TURN[4:]]}
    target = ObjectInfo(2, MODEL.box, CAMERA, symmetries, "mug")
    folder = tmp_path_factory.mktemp("exported")
    checkpoint = Checkpoint(net, "small", CROP, target, "mapping", 1, {"steps": 1}, {})
    checkpoint.save(folder / "run" / "checkpoint.pt")
    Image.fromarray(frame.rgb).save(folder / "photo.png")
    return frame, annotation.bbox_visib, checkpoint, folder


@pytest.fixture(scope="module")
def exported(trained):
    """`trained`, its folder now with net.onnx and net.json too, and what was said of them."""
    folder = trained[3]
    return (*trained, export_onnx(folder / "run", folder / "net.onnx"))


@pytest.mark.slow
def test_what_is_written_is_said_and_compared_with_torch(exported):
    *_, folder, line = exported
    first, second = line.splitlines()
    assert first.startswith(f"{folder / 'net.onnx'}: mug, opset 18, image (n, 3, 32, 32)")
    assert float(first.rpartition("within ")[2]) <= 1e-4
    assert second.startswith(f"{folder / 'net.json'}: ")
    assert {path.name for path in folder.iterdir()} == {"run", "photo.png", "net.onnx", "net.json"}


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.3, 2.0])
def test_the_example_finds_what_predict_finds(exported, scale):
    """At crops that shrink the image and at ones that enlarge it."""
    frame, (x, y, width, height), checkpoint, folder, _ = exported
    box = (x, y, width * scale, height * scale)
    (ours,) = read_boxes(checkpoint, frame.rgb, [box], CAMERA, torch.device("cpu"))
    R, t, corners = onnx_example.read_pose(folder / "net.onnx", folder / "photo.png", box,
                                           (150, 150, 80, 60))  # fmt: skip
    np.testing.assert_allclose(corners, ours.corners, atol=1e-3)
    np.testing.assert_allclose(CAMERA.project(box_corners(MODEL.box) @ R.T + t),
                               CAMERA.project(apply(ours.cam_from_obj, box_corners(MODEL.box))),
                               atol=1e-2)  # fmt: skip


@pytest.mark.slow
def test_the_example_runs_without_torch_and_without_this_program(exported, tmp_path):
    _, box, _, folder, _ = exported
    script = "import sys, runpy; sys.modules['torch'] = sys.modules['render'] = None;"
    script += f"sys.argv = {['x', str(folder / 'net.onnx'), str(folder / 'photo.png')]}"
    script += f" + {[','.join(map(str, box)), '150,150,80,60']};"
    script += f"runpy.run_path({onnx_example.__file__!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"R\n[[")


def test_the_example_is_as_short_as_is_said_and_stands_on_the_page():
    file = Path(onnx_example.__file__)
    text, page = file.read_text(), file.with_name("export.md").read_text()
    assert f"These {len(text.splitlines())} lines find the pose" in page
    assert f"```python\n{text}```" in page


@pytest.mark.slow
def test_the_json_says_what_the_checkpoint_knows(exported):
    folder = exported[3]
    about = json.loads((folder / "net.json").read_text())
    content = (folder / "net.onnx").read_bytes()
    assert about["network"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert about["network"]["file"] == "net.onnx" and about["network"]["opset"] == 18
    assert about["input"]["shape"] == ["n", 3, 32, 32] and about["output"]["shape"] == ["n", 16]
    assert about["crop"]["size_px"] == 32 and about["crop"]["margin"] == 1.4
    np.testing.assert_array_equal(about["object"]["corners_m"], box_corners(MODEL.box))
    assert about["camera"] == {"K": CAMERA.K.tolist(), "width": 160, "height": 120}
    turn = np.array(about["object"]["symmetries"]["discrete_obj_from_obj_m"])
    expected = np.array(HALF_TURN, float).reshape(1, 4, 4)
    expected[0, 0, 3] = 0.005
    np.testing.assert_array_equal(turn, expected)


def test_symmetries_are_those_of_the_mesh_or_said_not_to_be_known():
    assert object_target(MODEL, Inputs(ObjectCrops(CROP))).symmetries == {
        "symmetries_discrete": [HALF_TURN]
    }
    old = {"obj_id": 2, "box": MODEL.box.tolist(), "camera": None}
    assert ObjectInfo.from_record(old, "file").symmetries is None
    net = build("small", CROP.size, with_mapping=False)
    checkpoint = Checkpoint(net, "small", CROP, ObjectInfo.from_record(old, ""), "real", 1, {}, {})
    about = about_object(checkpoint)
    assert about["object"]["symmetries"] is None and about["camera"] is None
    with pytest.raises(InputError, match="symmetries_discrete"):
        ObjectInfo.from_record(old | {"symmetries": {"symmetries_discrete": [[1, 2]]}}, "file")


@pytest.mark.slow
def test_the_file_names_no_place_of_the_machine_that_wrote_it(exported):
    content = (exported[3] / "net.onnx").read_bytes()
    assert b"networks.py" not in content and str(Path.cwd()).encode() not in content


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes(exported, tmp_path):
    *_, checkpoint, folder, _ = exported
    write_onnx(tmp_path / "again.onnx", checkpoint.net, 3, CROP.size)
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "net.onnx").read_bytes()


@pytest.mark.slow
def test_a_file_that_is_read_otherwise_than_by_torch_is_refused(exported, tmp_path):
    folder = exported[3]
    other = random_net("small", CROP.size)
    with pytest.raises(InputError, match=r"^n\.onnx: not written, as onnxruntime .* away from"):
        check_onnx(folder / "net.onnx", other, 3, CROP.size, Path("n.onnx"))


def test_a_missing_package_is_named_and_nothing_is_written(trained, tmp_path, monkeypatch):
    run = trained[3] / "run"
    there = onnx_file.find_spec
    for missing in ("onnx", "onnxscript"):
        monkeypatch.setattr(
            onnx_file, "find_spec", lambda n, m=missing: None if n == m else there(n)
        )
        with pytest.raises(InputError, match=f"need the package {missing}, which is missing: pip"):
            export_onnx(run, tmp_path / "net.onnx")
        assert not list(tmp_path.iterdir())
    monkeypatch.setattr(onnx_file, "find_spec", lambda n: None)
    assert check_onnx(tmp_path / "none", None, 3, 32, tmp_path / "none") is None


def test_another_name_a_folder_and_what_is_no_run_are_refused(trained, tmp_path):
    run = trained[3] / "run"
    with pytest.raises(InputError, match=r"--onnx .*net\.pt: must end in \.onnx"):
        export_onnx(run, tmp_path / "net.pt")
    (tmp_path / "net.json").mkdir()
    with pytest.raises(InputError, match=r"net\.json: a folder"):
        export_onnx(run, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"holds no checkpoint\.pt"):
        export_onnx(tmp_path, tmp_path / "other.onnx")
    (tmp_path / "mine.json").write_text('{"format": "my own"}')
    with pytest.raises(InputError, match=r"mine\.json: is there and not by `export`"):
        export_onnx(run, tmp_path / "mine.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "net.json"]


def test_a_detector_is_not_exported(tmp_path):
    detector_file(tmp_path)
    with pytest.raises(InputError, match="is a detector, which reads no pose; give the folder"):
        export_onnx(tmp_path, tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "channels"), COLOUR + DEPTH)
def test_every_network_is_read_by_onnxruntime_as_by_torch(name, channels, tmp_path):
    pytest.importorskip("onnxruntime")
    net = random_net(name, 32, 16 if channels == 3 else 42, channels)
    write_onnx(tmp_path / "net.onnx", net, channels, 32)
    off = check_onnx(tmp_path / "net.onnx", net, channels, 32, tmp_path)
    assert off is not None and off <= 1e-4


@pytest.mark.slow
def test_a_hands_network_says_its_joints_and_its_cube(tmp_path):
    target, crop = HandInfo((13, 0)), HandCropConfig(size=32, cube_mm=280.0)
    net = random_net("small-votes", 32, 6, 1)
    checkpoint = Checkpoint(net, "small-votes", crop, target, "synthetic", 1, {"steps": 1}, {})
    checkpoint.save(tmp_path / "run" / "checkpoint.pt")
    export_onnx(tmp_path / "run", tmp_path / "hand.onnx")
    about = json.loads((tmp_path / "hand.json").read_text())
    assert about["reads"] == "hand" and about["joints"][0] == "palm"
    assert about["crop"]["cube_mm"] == 280 and about["input"]["shape"] == ["n", 1, 32, 32]
