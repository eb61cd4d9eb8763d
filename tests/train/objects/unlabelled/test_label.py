"""Poses that are read in unlabelled frames: which are believed, and that nothing else is known."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from render.draw.renderer import RenderConfig, make_renderer
from render.errors import InputError
from render.frame import Frame
from render.image_file import read_rgb
from render.mesh.mesh import Mesh, ObjectModel, load_models, object_model
from render.scene.randomize import SceneConfig
from render.scene.spec import Light, Placed, SceneSpec, near_of, rows
from render.sensor.config import SensorConfig
from render.transforms import random_rotation, rigid, rodrigues
from tests.small_dataset import CAMERA, annotate, cuboid, write_dataset
from train.objects.data import DataConfig
from train.objects.detect.detector import Found
from train.objects.inputs import real_instances
from train.objects.predict import Prediction
from train.objects.refine.refiner import open_refiner
from train.objects.twins.pair import PairConfig
from train.objects.unlabelled import label
from train.objects.unlabelled.agreement import open_judge
from train.objects.unlabelled.frames import unlabelled_images
from train.objects.unlabelled.label import LABELS, Labeller, read_labels
from train.objects.unlabelled.truth import TRUTH, compare_with_truth
from train.options import RunConfig

KNOWN, UNKNOWN = range(0, 5), range(5, 13)
DEVICE = torch.device("cpu")


def block() -> ObjectModel:
    """A cuboid whose sides have their own colours."""
    plain = cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.08))
    corners = plain.mesh.vertices[plain.mesh.faces]  # (12, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.repeat(normals / np.linalg.norm(normals, axis=1, keepdims=True), 3, axis=0)
    colors = np.repeat(np.random.default_rng(1).integers(60, 250, (6, 3), np.uint8), 6, axis=0)
    faces = np.arange(36, dtype=np.int32).reshape(-1, 3)
    mesh = Mesh(corners.reshape(-1, 3), faces, normals.astype(np.float32), colors)
    return object_model(1, mesh, plain.info, "block")


def turned(pose: np.ndarray, degrees: float) -> np.ndarray:
    turn = rodrigues(np.radians(degrees) * np.array([0.6, 0.0, 0.8]))
    return rigid(turn @ pose[:3, :3], pose[:3, 3])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Five frames with labels and eight without, lit from above, before something blueish."""
    model, rng, frames = block(), np.random.default_rng(5), {}
    with closing(make_renderer({1: model}, RenderConfig(exact=True))) as renderer:
        for i in (*KNOWN, *UNKNOWN, 13):
            pose = rigid(random_rotation(rng), [*rng.uniform(-0.03, 0.03, 2), 0.35])
            placed = (Placed(1, rows(pose)),)
            light = Light("directional", (0.0, -0.8, -0.6), (0.6,) * 3)
            spec = SceneSpec(
                *(rows(CAMERA.K), CAMERA.size, placed),
                ambient=(0.5, 0.5, 0.5), lights=(light,), near=near_of(placed),
            )  # fmt: skip
            (frame,) = renderer.render([spec])
            seen = np.where(frame.instance[..., None] > 0, frame.rgb, (40, 60, 120))
            rgb = (seen + rng.normal(0, 4, seen.shape)).clip(0, 255).astype(np.uint8)
            frames[i] = Frame(CAMERA, (annotate(1, pose, model),), rgb=rgb)
    root = write_dataset(tmp_path_factory.mktemp("label") / "real", {1: model}, frames)
    parts = {"train": KNOWN, "unlabelled": UNKNOWN, "test": [13]}
    split = {part: [[2, i] for i in numbers] for part, numbers in parts.items()}
    (root / "split.json").write_text(json.dumps(split))
    return root


class SureDetector:
    """Finds the object in every frame but the last."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, rgb: np.ndarray) -> Found:
        self.asked += 1
        return Found((10.0, 10.0, 80.0, 80.0), 0.9 if self.asked < len(UNKNOWN) else 0.1)


def labeller(root: Path, out: Path) -> Labeller:
    data = DataConfig(dataset=str(root), split_file="split.json", objects=(1,))
    config = {
        "data": data,
        "run": RunConfig(),
        "pair": PairConfig(variants=1),
        "scene": SceneConfig(),
        "sensor": SensorConfig(),
    }
    model = load_models([root / "models"])[1]
    images = unlabelled_images(data, root, out, 0)
    return Labeller(config, root, model, images, real_instances(data, root, model, 0),
                    SureDetector(), 0)  # fmt: skip


@pytest.fixture
def read(root, monkeypatch) -> dict[int, np.ndarray]:
    """Poses that a network reads: every second frame rightly, the others 30 degrees off."""
    truth = json.loads((root / "test" / "000002" / "scene_gt.json").read_text())
    poses, pixels = {}, {}
    for i in UNKNOWN:
        (record,) = truth[str(i)]
        t = np.array(record["cam_t_m2c"]) / 1000
        pose = rigid(np.array(record["cam_R_m2c"]).reshape(3, 3), t)
        poses[i] = turned(pose, 0 if i % 2 else 30)
        pixels[read_rgb(root / "test" / "000002" / "rgb" / f"{i:06d}.png").tobytes()] = poses[i]

    def read_boxes(checkpoint, rgb, boxes, camera, device, refiner):
        return [Prediction(np.zeros((8, 2)), pixels[rgb.tobytes()], 80.0, 0.5)]

    monkeypatch.setattr(label, "read_boxes", read_boxes)
    return poses


def test_right_poses_are_believed_and_wrong_ones_are_not(root, tmp_path, read):
    pairs = labeller(root, tmp_path).label(None, tmp_path / "round", DEVICE)
    threshold, guesses = read_labels(tmp_path / "round" / LABELS)
    assert [guess.key for guess in guesses] == [(2, i) for i in UNKNOWN]
    believed = [g.key[1] for g in guesses if g.pose is not None and g.agreement >= threshold]
    assert believed == [i for i in UNKNOWN if i % 2]
    assert guesses[-1].pose is None  # where the detector was not sure
    assert [instance.key[:2] for instance in pairs.real] == [(2, i) for i in believed]
    for instance, twins in zip(pairs.real, pairs.twins, strict=True):
        np.testing.assert_allclose(instance.annotation.cam_from_obj, read[instance.key[1]])
        assert len(twins) == 1 and twins[0].window.shape == instance.window.shape
        assert (twins[0].window != instance.window).any()
    assert (tmp_path / "round" / "labels.png").is_file()


def test_poses_of_unlabelled_frames_are_not_read(root, tmp_path, read):
    """With others in the dataset's files the same is read, believed and drawn, to the byte."""
    other = Path(shutil.copytree(root, tmp_path / "other" / "real"))
    file = other / "test" / "000002" / "scene_gt.json"
    records = json.loads(file.read_text())
    for i in UNKNOWN:
        records[str(i)] = [records[str(i)][0] | {"cam_t_m2c": [0.0, 0.0, 700.0]}]
    file.write_text(json.dumps(records))
    found = []
    for folder, name in ((root, "one"), (other, "two")):
        out = tmp_path / name
        labeller(folder, out).label(None, out, DEVICE)
        found.append({
            str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob("*")) if path.is_file()
        })  # fmt: skip
    assert found[0].keys() == found[1].keys() and len(found[0]) > 5
    assert found[0] == found[1]


def test_what_is_finished_is_left(root, tmp_path, read):
    labeller(root, tmp_path).label(None, tmp_path / "round", DEVICE)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "round").rglob("*") if p.is_file()}
    again = labeller(root, tmp_path)
    again.label(None, tmp_path / "round", DEVICE)
    assert again.detector.asked == 0
    assert before == {
        p: p.stat().st_mtime_ns for p in (tmp_path / "round").rglob("*") if p.is_file()
    }


def test_labels_of_other_frames_are_refused(root, tmp_path, read):
    first = labeller(root, tmp_path)
    first.label(None, tmp_path / "round", DEVICE)
    fewer = replace(first, images=first.images[1:])
    with pytest.raises(InputError, match=r"labels\.json is of other unlabelled frames"):
        fewer.label(None, tmp_path / "round", DEVICE)


def test_an_object_that_is_found_nowhere_is_said(root, tmp_path, read):
    nowhere = labeller(root, tmp_path)
    nowhere.detector.asked = len(UNKNOWN)
    with pytest.raises(InputError, match=r"data\.unlabelled: .* found in none of 8 frames"):
        nowhere.label(None, tmp_path / "round", DEVICE)


def test_the_truth_is_compared_with_afterwards(root, tmp_path, read):
    one = labeller(root, tmp_path)
    one.label(None, tmp_path / "round", DEVICE)
    compare_with_truth(one.config["data"], root, one.model, tmp_path / "round")
    found = json.loads((tmp_path / "round" / TRUTH).read_text())
    assert (found["frames"], found["read"]) == (8, 7)
    assert found["believed"]["n"] == 4 and found["refused"]["n"] == 3
    assert found["believed"]["rotation_deg_median"] < 0.01
    assert found["refused"]["rotation_deg_median"] == pytest.approx(30, abs=0.01)


def test_a_right_pose_is_told_from_a_disturbed_one(root, tmp_path):
    """In all views but those of one side alone, which has one colour."""
    one, told = labeller(root, tmp_path), []
    with (
        open_refiner(4, one.config["data"], root, 1, 0) as refiner,
        open_judge(one.model, refiner) as judge,
    ):
        for instance in one.real:
            true = instance.annotation.cam_from_obj
            found = [judge.distinction(instance, turned(true, degrees)) for degrees in (0, 10, 25)]
            told.append(found[0] > 1 and found[0] > max(found[1:]))
    assert sum(told) >= len(KNOWN) - 1
