import json

import pytest
import torch

from render.errors import InputError
from tests.small_dataset import random_frames
from tests.train.objects.detect.test_checkpoint import detector_file
from tests.train.objects.test_predict import MODEL, save_run
from train.learn.checkpoint import Checkpoint
from train.objects.detect.beside import detector_beside, network_folder

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path, rng):
    """A run of one object with two networks."""
    frame, folder = random_frames(rng, {1: MODEL}, 1)[1], tmp_path / "run" / "obj_000001"
    folder.mkdir(parents=True)
    for method in ("synthetic", "mixed"):
        save_run(folder / method, frame, (30.0, 20.0, 90.0, 80.0))
    return folder.parent


def write_results(run, **corner_px):
    rows = {name: {"corner_px": px} for name, px in corner_px.items()}
    (run / "results.json").write_text(json.dumps({"objects": {"1": rows}}))


def test_a_run_reads_with_the_network_of_the_smallest_error(run):
    for named in (run, run / "obj_000001"):
        (run / "results.json").unlink(missing_ok=True)
        assert network_folder(named) == run / "obj_000001" / "mixed"
        # A refined row has no folder of its own, an untrained method none at all.
        write_results(run, synthetic=4.0, mixed=5.0, mapping=1.0, **{"mixed-refined": 2.0})
        assert network_folder(named) == run / "obj_000001" / "synthetic"
        write_results(run, synthetic=4.0, mixed=3.0)
        assert network_folder(named) == run / "obj_000001" / "mixed"


def test_a_network_is_itself_and_a_detector_is_none(run):
    mixed = run / "obj_000001" / "mixed"
    assert network_folder(mixed) == mixed
    assert network_folder(run / "nowhere") == run / "nowhere"
    (run / "obj_000001" / "detector").mkdir()
    detector = detector_file(run / "obj_000001" / "detector").parent
    assert network_folder(run) == mixed
    with pytest.raises(InputError, match="is a detector, which reads no pose"):
        network_folder(detector)


def test_of_a_run_of_several_objects_one_is_asked_for(run, rng):
    frame = random_frames(rng, {1: MODEL}, 1)[1]
    (run / "obj_000002").mkdir()
    save_run(run / "obj_000002" / "real", frame, (30.0, 20.0, 90.0, 80.0))
    with pytest.raises(InputError, match=r"2 objects; give \S+obj_000001 or \S+obj_000002$"):
        network_folder(run)
    assert network_folder(run / "obj_000002").name == "real"


def test_an_object_of_a_run_is_asked_for_by_its_name(run, rng):
    (run / "obj_000002").mkdir()
    save_run(run / "obj_000002" / "real", random_frames(rng, {1: MODEL}, 1)[1], (30, 20, 90, 80))
    (run / "results.json").write_text(json.dumps({"objects": {}, "names": {"2": "boat"}}))
    with pytest.raises(InputError, match=r"2 objects; give \S+run/obj_000001 or \S+run/boat$"):
        network_folder(run)
    for named in ("boat", "boat/real"):
        assert network_folder(run / named) == run / "obj_000002" / "real"
    assert network_folder(run / "boot") == run / "boot"  # which is then said not to be there


def test_a_detector_of_another_object_is_refused(run):
    mixed = run / "obj_000001" / "mixed"
    checkpoint = Checkpoint.load(mixed)
    assert detector_beside(checkpoint, mixed, CPU) is None
    (run / "obj_000001" / "detector").mkdir()
    detector_file(run / "obj_000001" / "detector")
    with pytest.raises(InputError, match=r"detector finds object 3, and \S+mixed reads object 1"):
        detector_beside(checkpoint, mixed, CPU)
