"""`score` against the rules of the BOP benchmark, written out once more, number by number.

What bop_toolkit's eval_bop19_pose.py does, in loops over thresholds, estimates and pixels;
benchmarks/bop_toolkit.py runs the toolkit itself.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_results import Estimate, write_results
from render.formats.bop_targets import TARGETS, read_targets
from render.formats.bop_writer import write_scene
from render.frame import Annotation, Frame
from render.mesh.mesh import models_info_record, write_models
from render.transforms import rigid
from tests.train.objects.test_score import BOX, MODELS, draw_card
from train.objects.data import DataConfig
from train.objects.score import score, score_file

CAMERA = Camera(np.array([[250.0, 0, 160], [0, 250, 120], [0, 0, 1]]), 320, 240)
DIAMETER_MM = 100.0
TURN = np.diag([-1.0, -1, 1, 1])


def turned(angle, x, y, z):
    cos, sin = np.cos(angle), np.sin(angle)
    return rigid(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), [x, y, z])


@pytest.fixture
def images(tmp_path, rng):
    """Five images of three cards of each object: nearer ones hide others, and depth has holes."""
    frames = []
    for im_id in range(5):
        placed = [(obj_id, _place(rng)) for obj_id in (1, 2) * 3]
        depth = np.zeros((240, 320), np.float32)
        for obj_id, pose in placed:
            drawn = draw_card(CAMERA, obj_id, pose)
            depth = np.where((drawn > 0) & ((depth == 0) | (drawn < depth)), drawn, depth)
        depth[rng.random(depth.shape) < 0.1] = 0
        annotations = tuple(Annotation(i, pose, float(rng.random())) for i, pose in placed)
        frames.append((im_id, Frame(CAMERA, annotations, depth=depth), None))
    write_scene(tmp_path / "test" / "000001", frames)
    (tmp_path / "camera.json").write_text('{"width": 320, "height": 240}')
    info = models_info_record(MODELS[1].mesh)
    models = [replace(model, info=info | model.info) for model in MODELS.values()]
    write_models(tmp_path / "models", models)
    return read_split(tmp_path, "test")


def _place(rng):
    return turned(0.0, *rng.uniform(-0.15, 0.15, 2), rng.uniform(0.7, 0.9))


@pytest.fixture
def estimates(images, rng):
    """Missing ones, surplus ones, equal scores, and poses that only a symmetry makes right."""
    found = []
    for image in images:
        for annotation in image.annotations:
            for _ in range(rng.choice([0, 1, 1, 2])):
                size = 10 ** rng.uniform(-3, -1)
                shift = rigid(np.eye(3), size * rng.normal(size=3))
                pose = shift @ annotation.cam_from_obj
                if annotation.obj_id == 2 and rng.random() < 0.5:
                    pose = pose @ TURN
                score = round(float(rng.random()), 1)
                found.append(Estimate(1, image.im_id, annotation.obj_id, score, pose))
    return found


@pytest.fixture
def targets(images, rng):
    """The last image is none; of the others one to three instances of each object are asked for."""
    return {(1, i, j): int(rng.integers(1, 4)) for i in range(4) for j in (1, 2)}


# The rules, once more


def vsd_errors(est, gt, depth, obj_id):
    """One value a tau: 5 to 50 percent of the diameter."""
    drawn_est, drawn_gt = (draw_card(CAMERA, obj_id, pose).astype(float) for pose in (est, gt))
    fx, cx, cy = 250.0, 160.0, 120.0
    both, either, distances = 0, 0, []
    for v, u in np.argwhere((drawn_est > 0) | (drawn_gt > 0)):
        ray = np.sqrt(((u - cx) / fx) ** 2 + ((v - cy) / fx) ** 2 + 1)
        e, g, seen = 1000 * ray * drawn_est[v, u], 1000 * ray * drawn_gt[v, u], 1000 * depth[v, u]
        seen *= ray
        gt_visible = g > 0 and (seen == 0 or g - seen <= 15)
        est_visible = e > 0 and (seen == 0 or e - seen <= 15 or gt_visible)
        either += gt_visible or est_visible
        if gt_visible and est_visible:
            both += 1
            distances.append(abs(e - g) / DIAMETER_MM)
    if either == 0:
        return [1.0] * 10
    taus = [0.05 * k for k in range(1, 11)]
    return [(sum(d >= tau for d in distances) + either - both) / either for tau in taus]


def surface_errors(est, gt, obj_id):
    """MSSD over the diameter, MSPD in an image 640 px wide."""
    corners = np.array([[x, y, 0.0, 1] for x in BOX[:, 0] for y in BOX[:, 1]])
    mssd, mspd = [], []
    for symmetry in [np.eye(4)] + [TURN] * (obj_id == 2):
        a, b = ((pose @ corners.T)[:3] for pose in (est, gt @ symmetry))
        mssd.append(max(np.linalg.norm(a - b, axis=0)) * 1000 / DIAMETER_MM)
        pixels = [(CAMERA.K @ points)[:2] / points[2] for points in (a, b)]
        mspd.append(max(np.linalg.norm(pixels[0] - pixels[1], axis=0)) * 640 / 320)
    return min(mssd), min(mspd)


def average_recalls(images, estimates, targets):
    """VSD, MSSD and MSPD in percent of all instances that are to be found."""
    thresholds = {"vsd": [0.05 * k for k in range(1, 11)] * 10}
    thresholds |= {
        "mssd": [0.05 * k for k in range(1, 11)],
        "mspd": [5.0 * k for k in range(1, 11)],
    }
    hits, total = dict.fromkeys(thresholds, 0), 0
    for (scene_id, im_id, obj_id), count in targets.items():
        (image,) = (i for i in images if (i.scene_id, i.im_id) == (scene_id, im_id))
        shown = [a for a in image.annotations if a.obj_id == obj_id]
        valid = sorted(shown, key=lambda a: -a.visib_fract)[:count]
        total += len(valid)
        mine = [e for e in estimates if (e.im_id, e.obj_id) == (im_id, obj_id)]
        surest = sorted(mine, key=lambda e: -e.score)[:count]
        depth = image.read_depth()
        errors = []  # estimate -> instance -> measure -> errors, one a threshold
        for e in surest:
            row = []
            for a in valid:
                of_vsd = vsd_errors(e.cam_from_obj, a.cam_from_obj, depth, obj_id)
                mssd, mspd = surface_errors(e.cam_from_obj, a.cam_from_obj, obj_id)
                by_tau = [error for error in of_vsd for _ in range(10)]
                row.append({"vsd": by_tau, "mssd": [mssd] * 10, "mspd": [mspd] * 10})
            errors.append(row)
        for measure, limits in thresholds.items():
            for k, limit in enumerate(limits):
                taken = set()
                for row in errors:
                    free = [(row[j][measure][k], j) for j in range(len(valid)) if j not in taken]
                    nearest = min(free, default=(np.inf, -1))
                    if nearest[0] < limit:
                        taken.add(nearest[1])
                hits[measure] += len(taken)
    return {m: 100 * hits[m] / (total * len(thresholds[m])) for m in thresholds}


def test_the_average_recalls_are_those_of_the_rules(images, estimates, targets):
    found = score(estimates, images, MODELS, render_depth=draw_card, targets=targets)["targets"]
    expected = average_recalls(images, estimates, targets)
    assert all(5 < recall < 95 for recall in expected.values())  # else little is compared
    for measure, recall in expected.items():
        assert found[f"{measure}_recall"] == pytest.approx(recall, abs=1e-9)
    assert found["ar"] == pytest.approx(np.mean(list(expected.values())), abs=1e-9)


def test_without_targets_all_that_is_visible_enough_is_one(images, estimates):
    counts = {}
    for image in images:
        for a in image.annotations:
            if a.visib_fract >= 0.3:
                key = (1, image.im_id, a.obj_id)
                counts[key] = counts.get(key, 0) + 1
    found = score(estimates, images, MODELS, min_visib=0.3, render_depth=draw_card)["targets"]
    expected = average_recalls(images, estimates, counts)
    assert found["n"] == sum(counts.values())
    for measure, recall in expected.items():
        assert found[f"{measure}_recall"] == pytest.approx(recall, abs=1e-9)


# The file


def write_targets(root, targets):
    keys = ("scene_id", "im_id", "obj_id")
    entries = [dict(zip(keys, key, strict=True)) | {"inst_count": n} for key, n in targets.items()]
    (root / TARGETS).write_text(json.dumps(entries))


def test_a_datasets_targets_are_what_is_scored(images, estimates, targets, tmp_path):
    write_results(tmp_path / "a.csv", estimates)
    write_targets(tmp_path, targets)
    assert read_targets(tmp_path / TARGETS) == targets
    scores = json.loads(score_file(DataConfig(), tmp_path / "a.csv", tmp_path, as_json=True))
    expected = score(estimates, images, MODELS, targets=targets)
    assert scores["targets"]["n"] == sum(targets.values())
    for name in ("mssd_recall", "mspd_recall", "corner_px"):
        assert scores["targets"][name] == pytest.approx(expected["targets"][name])
    given = {key: sum((1, e.im_id, e.obj_id) == key for e in estimates) for key in targets}
    left_out = len(estimates) - sum(min(n, given[key]) for key, n in targets.items())
    said = f"{left_out} of {len(estimates)} estimates are left out"
    assert TARGETS in scores["scored"] and said in scores["scored"]


def test_a_split_file_or_another_split_is_scored_whole(images, estimates, targets, tmp_path):
    write_results(tmp_path / "a.csv", estimates)
    all_n = sum(a.visib_fract >= 0.1 for image in images for a in image.annotations)

    def scored(**options):
        data = DataConfig(**options)
        scores = json.loads(score_file(data, tmp_path / "a.csv", tmp_path, as_json=True))
        return scores["targets"]["n"], scores["scored"]

    without, said = scored()
    assert without == all_n and f"no {TARGETS} says what counts" in said
    write_targets(tmp_path, targets)
    (tmp_path / "split.json").write_text('{"train": [], "test": [[1, 4]]}')
    count, said = scored(split_file="split.json")
    assert count == sum(a.visib_fract >= 0.1 for a in images[4].annotations)
    assert "the test images of split.json, 1 images" in said
    (tmp_path / "test").rename(tmp_path / "val")
    assert scored(split="val")[0] == all_n


def test_targets_of_images_that_are_not_there_are_refused(images, estimates, tmp_path):
    write_results(tmp_path / "a.csv", estimates)
    write_targets(tmp_path, {(1, 0, 1): 1, (1, 77, 1): 1})
    with pytest.raises(InputError, match=rf"no image 77 in scene 1 .*{TARGETS} names it"):
        score_file(DataConfig(), tmp_path / "a.csv", tmp_path, as_json=False)
    write_targets(tmp_path, {(1, 0, 1): 1})
    with pytest.raises(InputError, match="object 2 nowhere is a target"):
        score_file(DataConfig(objects=(2,)), tmp_path / "a.csv", tmp_path, as_json=False)


ENTRY = {"scene_id": 1, "im_id": 0, "obj_id": 2, "inst_count": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "expected a JSON list"),
        ([], "names no target"),
        ([3], "entry 0: expected a JSON object"),
        ([ENTRY, {"scene_id": 1, "im_id": 0}], "entry 1: obj_id is missing"),
        ([ENTRY | {"inst_count": 0}], "entry 0: inst_count must be 1 or more"),
        ([ENTRY | {"inst_count": 1.5}], "entry 0: inst_count must be a whole number"),
        ([ENTRY, ENTRY | {"inst_count": 2}], "entry 1: .* another inst_count further up"),
    ],
)
def test_faulty_targets_are_named_by_their_place(tmp_path, content, message):
    (tmp_path / TARGETS).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"{TARGETS}.*{message}"):
        read_targets(tmp_path / TARGETS)
