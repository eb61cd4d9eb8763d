"""What a refiner has learnt, kept beside a run's networks for `predict` and films."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.formats.bop import read_split
from tests.small_dataset import CAMERA
from tests.train.objects.refine.photographs import CROP, MODEL, off
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.objects import predict as reading
from train.objects.refine.file import REFINER, leave_refiner, read_refiner
from train.objects.refine.refiner import _shape


@pytest.fixture
def run(tmp_path, refiner):
    """A run's folder of an object, with one network and what refines its poses."""
    torch.manual_seed(3)
    net, target = build("small", CROP.size, with_mapping=False), ObjectInfo(1, MODEL.box, CAMERA)
    folder = tmp_path / "obj_000001"
    (folder / "mixed").mkdir(parents=True)
    Checkpoint(net, "small", CROP, target, "mixed", 1, {"steps": 1}, optimizer={}).save(
        folder / "mixed" / "checkpoint.pt"
    )
    leave_refiner(refiner, folder)
    return folder / "mixed"


def test_a_refiner_that_was_kept_refines_as_it_did(tmp_path, refiner, instances):
    rng = np.random.default_rng(1)
    learnt = refiner.calibrated(instances)
    leave_refiner(learnt, tmp_path)
    with read_refiner(tmp_path, 1) as kept:
        for instance in instances[:3]:
            start = off(instance.annotation.cam_from_obj, rng)
            found = learnt.refine(instance, start)
            np.testing.assert_array_equal(kept.refine(instance, start), found)


def test_an_older_file_says_nothing_of_how_far_contours_lead_astray(run, refiner):
    file = run.parent / REFINER
    arrays = dict(np.load(file))
    del arrays["contour_error"]
    np.savez(file, **arrays)
    with read_refiner(run.parent, 1) as kept:
        np.testing.assert_array_equal(kept.contour_error, refiner.contour_error)


def test_predict_refines_as_the_run_does_and_says_so(
    run,
    refiner,
    instances,
    root,
    tmp_path,
    monkeypatch,
):
    (instance,) = [i for i in instances if i.key[1] == 2]
    start = off(instance.annotation.cam_from_obj, np.random.default_rng(2))
    monkeypatch.setattr(reading, "solve_pose", lambda *_: start)
    image = next(i for i in read_split(root, "test") if i.im_id == 2).rgb_path
    arguments = ["predict", str(run), str(image), "--out", str(tmp_path / "pose.png")]

    def said(*more: str) -> dict:
        result = CliRunner().invoke(main, [*arguments, "--device", "cpu", *more])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    refined, as_read = said(), said("--no-refine")
    assert refined["refined"] and not as_read["refined"]
    np.testing.assert_allclose(as_read["t_mm"], 1000 * start[:3, 3])
    expected = 1000 * refiner.refine(instance, start)[:3, 3]
    # Crops of the image and of the instance's window may differ by a grey level.
    np.testing.assert_allclose(refined["t_mm"], expected, rtol=1e-5)


def test_no_refiner_is_left_where_none_is_wanted(run):
    leave_refiner(None, run.parent)
    with read_refiner(run.parent, 1) as kept:
        assert kept is None


def test_a_refiner_of_another_object_or_of_no_mesh_is_refused(run):
    file = run.parent / REFINER
    with pytest.raises(InputError, match="refines object 1, not 2"), read_refiner(run.parent, 2):
        pass
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, "faces": arrays["faces"] + 1000})
    with pytest.raises(InputError, match="faces must name vertices"), read_refiner(run.parent, 1):
        pass
    np.savez(file, **{**arrays, "contour_error": -np.eye(6)})
    with pytest.raises(InputError, match="contour_error must be"), read_refiner(run.parent, 1):
        pass
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"not an \.npz"), read_refiner(run.parent, 1):
        pass


def test_what_is_cut_out_of_a_mesh_is_kept(run, refiner):
    """Else contours of the whole mesh would be looked for."""
    model, count = refiner.model, len(refiner.model.mesh.vertices)
    texture = np.full((4, 4, 4), 255, np.uint8)
    texture[:2, ..., 3] = 0
    cut = replace(
        model.mesh,
        uv=np.linspace(0, 1, 2 * count, dtype=np.float32).reshape(-1, 2),
        texture=texture,
        opacity=np.full(count, 2, np.float32),
    )
    shape = _shape(replace(model, mesh=cut)).mesh
    left = SimpleNamespace(**{**vars(refiner), "model": replace(model, mesh=shape)})
    leave_refiner(left, run.parent)
    with read_refiner(run.parent, 1) as kept:
        for name in ("uv", "texture", "opacity"):
            np.testing.assert_array_equal(getattr(kept.model.mesh, name), getattr(cut, name))
