"""Which camera and boxes an image of a BOP scene brings, and what it says where it does not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from render.errors import InputError
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from tests.train.objects.test_predict import save_run
from train.learn.task import Asked
from train.objects.read.image import predict_image

BOX = (30.0, 20.0, 90.0, 80.0)
ASKED = "30,20,90,80"


@pytest.fixture
def frame(rng):
    return random_frames(rng, cuboids(), 1)[1]


@pytest.fixture
def root(tmp_path, frame):
    """A dataset whose image 1 of scene 2 shows objects 1 and 2."""
    return write_dataset(tmp_path / "data", cuboids(), {1: frame})


def image_of(root):
    return root / "test" / "000002" / "rgb" / "000001.png"


def test_a_scene_without_ground_truth_still_brings_its_camera(root, frame, tmp_path):
    """The test sets of BOP's challenges have none; the run's own camera is another one."""
    for name in ("scene_gt.json", "scene_gt_info.json"):
        (root / "test" / "000002" / name).unlink()
    other = replace(CAMERA, K=CAMERA.K * [[3], [3], [1]])
    run, out = save_run(tmp_path / "run", frame, BOX, other), tmp_path / "o.png"
    record = json.loads(
        predict_image(run, image_of(root), Asked(ASKED), out, "cpu").splitlines()[0]
    )
    pose = frame.annotations[0].cam_from_obj
    np.testing.assert_allclose(record["R"], pose[:3, :3], atol=1e-4)
    np.testing.assert_allclose(record["t_mm"], 1000 * pose[:3, 3], atol=0.1)
    with pytest.raises(InputError, match=r"000001\.png lies in a BOP scene without scene_gt\.json"):
        predict_image(run, image_of(root), Asked(), out, "cpu")

    (root / "camera.json").write_text('{"width": 160, "height": 120, "k1": 0.1}')
    with pytest.raises(InputError, match=r"camera\.json: k1 = 0\.1 is a lens distortion"):
        predict_image(run, image_of(root), Asked(ASKED), out, "cpu")
    (root / "camera.json").unlink()
    records = root / "test" / "000002" / "scene_camera.json"
    records.write_text(records.read_text().replace('"1"', '"4"'))
    with pytest.raises(InputError, match=r"scene_camera\.json: no image 1$"):
        predict_image(run, image_of(root), Asked(ASKED), out, "cpu")


def test_an_image_smaller_than_its_scenes_camera_is_told_of(root, frame, tmp_path, caplog):
    run, out = save_run(tmp_path / "run", frame, BOX), tmp_path / "o.png"
    predict_image(run, image_of(root), Asked(ASKED), out, "cpu")
    assert not caplog.records
    Image.open(image_of(root)).resize((80, 60)).save(image_of(root))
    predict_image(run, image_of(root), Asked("15,10,45,40"), out, "cpu")
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"{image_of(root)}: the principal point 80, 60 of its scene_camera.json lies outside its"
        " 80x60 pixels"
    )


def test_why_a_scene_brings_no_box_is_said(frame, tmp_path):
    run, out = save_run(tmp_path / "run", frame, BOX), tmp_path / "o.png"
    nothing = (-1, -1, -1, -1)
    for number, (annotations, why) in enumerate(
        [
            (frame.annotations[1:], "shows no object 1: what is annotated is 2: give --box"),
            ((), "shows no object 1: what is annotated is nothing: give --box"),
            (
                (replace(frame.annotations[0], bbox_visib=nothing, visib_fract=0.0),),
                "shows nothing visible of object 1: give --box",
            ),
            (
                (replace(frame.annotations[0], bbox_visib=None),),
                r"shows the object, but no scene_gt_info\.json says in which bbox_visib",
            ),
        ]
    ):
        changed = replace(frame, annotations=annotations)
        root = write_dataset(tmp_path / f"data{number}", cuboids(), {1: changed})
        with pytest.raises(InputError, match=rf"000001\.png {why}"):
            predict_image(run, image_of(root), Asked(), out, "cpu")
    assert not out.exists()


@pytest.mark.parametrize(
    "camera",
    ["900,900,639,359", "150,150,80,-3", "0.94,1.25,0.5,0.5", "4.2,4.2,80,60", "150,150,159.5,60"],
)
def test_a_camera_that_cannot_be_the_images_is_refused(root, frame, tmp_path, camera):
    """Of another size, or normalised; off the image's centre it may be."""
    run, out = save_run(tmp_path / "run", frame, BOX), tmp_path / "o.png"
    with pytest.raises(InputError, match=f"^--camera {camera}: not of a 160x120 image"):
        predict_image(run, image_of(root), Asked(ASKED, camera), out, "cpu")
    predict_image(run, image_of(root), Asked(ASKED, "150,150,159,-0.25"), out, "cpu")


def test_an_overlay_under_another_images_name_is_refused_before_the_run_is_read(root, tmp_path):
    for name in ("o.jpg", "overlays"):
        with pytest.raises(InputError, match=rf"{name}: pictures are written as \.png"):
            predict_image(tmp_path / "nowhere", image_of(root), Asked(), tmp_path / name, "cpu")
