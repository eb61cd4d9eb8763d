import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from render.camera import Camera
from render.errors import InputError
from render.image_file import read_rgb
from render.mesh.box import box_corners
from render.show.overlay import draw_box
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import CAMERA, cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.learn.networks import PoseNet, build
from train.learn.targets import ObjectInfo
from train.learn.task import Asked
from train.objects.crops import square_crop, to_crop, training_crop
from train.objects.predict import agreement, predict, predict_points, solve_pose
from train.objects.read.image import predict_image
from train.options import CropConfig

MODEL = cuboids()[1]
POINTS = box_corners(MODEL.box)
LMO = Camera(np.array([[572.4114, 0, 325.2611], [0, 573.57043, 242.04899], [0, 0, 1]]), 640, 480)
CROP = CropConfig(size=32)
# EXIF's orientation -> what turns an upright picture into what is stored under it.
UNDONE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def random_poses(rng, count: int) -> list[np.ndarray]:
    return [
        rigid(random_rotation(rng), [*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.4, 1.5)])
        for _ in range(count)
    ]


def reprojection(pose: np.ndarray, pixels: np.ndarray) -> float:
    return float(((LMO.project(apply(pose, POINTS)) - pixels) ** 2).sum())


def checkpoint_of(net: PoseNet, camera: Camera | None = None) -> Checkpoint:
    target = ObjectInfo(1, MODEL.box, camera)
    return Checkpoint(net, "small", CROP, target, "real", 1, settings={"steps": 1}, optimizer={})


def net_that_answers(corners: np.ndarray) -> PoseNet:
    """A network that says (8, 2) corners, in half crop sides, of every image."""
    net = build("small", CROP.size, with_mapping=False)
    with torch.no_grad():
        net.predict.weight.zero_()
        net.predict.bias.copy_(torch.from_numpy(corners.reshape(16)))
    return net


# Corners -> pose


def test_exact_projections_give_back_the_pose(rng):
    for pose in random_poses(rng, 50):
        found = solve_pose(LMO.project(apply(pose, POINTS)), POINTS, LMO)
        np.testing.assert_allclose(found, pose, atol=1e-6)


def test_of_noisy_projections_no_pose_nearby_explains_more(rng):
    """The pose found is a least-squares one: better than the truth, and than any small step."""
    for pose in random_poses(rng, 20):
        pixels = LMO.project(apply(pose, POINTS)) + rng.normal(size=(8, 2))
        found = solve_pose(pixels, POINTS, LMO)
        least = reprojection(found, pixels)
        assert least <= reprojection(pose, pixels)
        for step in np.vstack([np.eye(6), -np.eye(6)]) * 1e-4:
            turn = np.eye(3) + np.array(
                [[0, -step[2], step[1]], [step[2], 0, -step[0]], [-step[1], step[0], 0]]
            )
            moved = rigid(turn @ found[:3, :3], found[:3, 3] + step[3:])
            assert reprojection(moved, pixels) > least - 1e-4


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((8, 2), np.nan),
        np.full((8, 2), np.inf),
        np.full((8, 2), 300.0),
        np.full((8, 2), 1e300),
    ],
    ids=["nan", "inf", "all in one point", "huge"],
)
def test_corners_that_no_pose_explains_give_none(pixels):
    assert solve_pose(pixels, POINTS, LMO) is None


def test_a_pose_never_reaches_behind_the_camera(rng):
    """Whatever an untrained network says: none is an honest answer, the camera's back is not."""
    found = [
        solve_pose(rng.normal(size=(8, 2)) * 10.0 ** rng.uniform(0, 5), POINTS, LMO)
        for _ in range(200)
    ]
    poses = [pose for pose in found if pose is not None]
    assert 0 < len(poses) < len(found)
    for pose in poses:
        assert apply(pose, POINTS)[:, 2].min() > 0
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)


# Crops -> poses


def test_corners_come_back_from_a_turned_crop_to_the_image_and_the_pose(rng):
    for pose in random_poses(rng, 3):
        pixels = LMO.project(apply(pose, POINTS))
        crop_from_image = training_crop(rng, (100, 90, 150, 120), CROP)
        checkpoint = checkpoint_of(net_that_answers(to_crop(pixels, crop_from_image, CROP.size)))
        crops = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
        for found in predict(checkpoint, crops, [crop_from_image] * 2, [LMO] * 2, "cpu"):
            # The network's answer is float32.
            np.testing.assert_allclose(found.corners, pixels, atol=1e-4)
            np.testing.assert_allclose(found.cam_from_obj, pose, atol=1e-4)
            assert found.side == pytest.approx(32 / np.sqrt(np.linalg.det(crop_from_image[:, :2])))


def test_confidence_is_the_nearer_to_one_the_better_the_corners_fit_a_pose(rng):
    pose = rigid(random_rotation(rng), [0.02, -0.03, 0.9])
    pixels, side = LMO.project(apply(pose, POINTS)), 200.0
    assert agreement(pixels, pixels, side) == 1
    # Everywhere a twentieth of the crop's side away from the pose's corners.
    assert agreement(pixels + [6, 8], pixels, side) == pytest.approx(0.5)

    crop_from_image = square_crop((200, 100, 200, 200), CROP)
    crops, noise, before = np.zeros((1, 32, 32, 3), np.uint8), rng.normal(size=(8, 2)), 1.1
    for scale in (0, 1, 3, 9):
        corners = to_crop(pixels + scale * noise, crop_from_image, CROP.size)
        net = net_that_answers(corners)
        (found,) = predict(checkpoint_of(net), crops, [crop_from_image], [LMO], "cpu")
        shown = LMO.project(apply(found.cam_from_obj, POINTS))
        assert found.confidence == agreement(found.corners, shown, found.side) < before
        before = found.confidence


def test_real_images_pass_through_the_mapping(rng):
    net = build("small", CROP.size, with_mapping=True).eval()
    with torch.no_grad():
        for block in net.mapping:
            block.second.bias.fill_(0.5)
    crops = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    images = torch.from_numpy(crops.astype(np.float32) / 128 - 1).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = net.predict(net.extract(images) + 1.0)
    corners = predict_points(checkpoint_of(net), crops, torch.device("cpu"))
    np.testing.assert_allclose(corners.reshape(3, 16), expected, atol=1e-5)


def test_corners_do_not_depend_on_how_many_images_are_read_at_once(rng):
    checkpoint = checkpoint_of(build("small", CROP.size, with_mapping=True))
    crops = rng.integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    whole = predict_points(checkpoint, crops, torch.device("cpu"))
    parts = predict_points(checkpoint, crops, torch.device("cpu"), batch=2)
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    assert predict_points(checkpoint, crops[:0], torch.device("cpu")).shape == (0, 8, 2)


# The command


@pytest.fixture
def frame(rng):
    return random_frames(rng, cuboids(), 1)[1]


@pytest.fixture
def root(tmp_path, frame) -> Path:
    """A dataset whose image 1 shows object 1."""
    return write_dataset(tmp_path / "data", cuboids(), {1: frame})


def save_run(folder: Path, frame, box, camera=None) -> Path:
    """A run whose network answers with the true corners in the crop around a box."""
    truth = CAMERA.project(apply(frame.annotations[0].cam_from_obj, POINTS))
    corners = to_crop(truth, square_crop(box, CROP), CROP.size)
    folder.mkdir()
    checkpoint_of(net_that_answers(corners), camera).save(folder / "checkpoint.pt")
    return folder


def read_pose(text: str) -> np.ndarray:
    record = json.loads(text.splitlines()[0])
    assert record["obj_id"] == 1
    return rigid(record["R"], np.array(record["t_mm"]) / 1000)


def test_a_bop_frame_brings_its_camera_and_box(root, frame, tmp_path, caplog):
    truth = frame.annotations[0].cam_from_obj
    run = save_run(tmp_path / "run", frame, frame.annotations[0].bbox_visib)
    image, out = root / "test" / "000002" / "rgb" / "000001.png", tmp_path / "overlay.png"
    with caplog.at_level("INFO"):
        text = predict_image(run, image, Asked(), out, "cpu")
    np.testing.assert_allclose(read_pose(text), truth, atol=1e-4)
    assert len(text.splitlines()) == 1 and caplog.messages == [f"overlay: {out}"]

    corners = CAMERA.project(apply(read_pose(text), POINTS))
    np.testing.assert_array_equal(read_rgb(out), draw_box(frame.rgb, corners, (255, 70, 40), 2))


@pytest.mark.parametrize("from_run", [True, False])
def test_a_lone_image_needs_a_box_and_a_camera(root, frame, tmp_path, from_run, monkeypatch):
    """The camera is the one given, or that of the real frames the run was trained on."""
    image, box = tmp_path / "photo.png", (30.0, 20.0, 90.0, 80.0)
    image.write_bytes((root / "test" / "000002" / "rgb" / "000001.png").read_bytes())
    run = save_run(tmp_path / "run", frame, box, CAMERA if from_run else None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="give --box x,y,w,h"):
        predict_image(run, image, Asked(), None, "cpu")

    camera = None if from_run else "150,150,80,60"
    if not from_run:
        with pytest.raises(InputError, match="is 160x120 and its camera unknown: give --camera"):
            predict_image(run, image, Asked("30,20,90,80"), None, "cpu")
    text = predict_image(run, image, Asked("30,20,90,80", camera), None, "cpu")
    np.testing.assert_allclose(read_pose(text), frame.annotations[0].cam_from_obj, atol=1e-4)
    assert (tmp_path / "photo_pose.png").is_file()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_read_as_its_exif_orientation_shows_it(root, frame, tmp_path, orientation):
    """The same pixels, stored as each of EXIF's orientations has them, give pose and overlay."""
    upright = Image.open(root / "test" / "000002" / "rgb" / "000001.png")
    stored = upright if orientation == 1 else upright.transpose(UNDONE[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    run, out = (
        save_run(tmp_path / "run", frame, (30.0, 20.0, 90.0, 80.0), CAMERA),
        tmp_path / "o.png",
    )
    text = predict_image(run, tmp_path / "photo.png", Asked("30,20,90,80"), out, "cpu")
    np.testing.assert_allclose(read_pose(text), frame.annotations[0].cam_from_obj, atol=1e-4)
    corners = CAMERA.project(apply(read_pose(text), POINTS))
    np.testing.assert_array_equal(read_rgb(out), draw_box(frame.rgb, corners, (255, 70, 40), 2))


def test_an_image_in_a_folder_that_is_no_bop_scene_is_a_lone_image(root, frame, tmp_path):
    (root / "test" / "000002").rename(root / "test" / "kitchen")
    run = save_run(tmp_path / "run", frame, (30.0, 20.0, 90.0, 80.0), CAMERA)
    image = root / "test" / "kitchen" / "rgb" / "000001.png"
    with pytest.raises(InputError, match="give --box"):
        predict_image(run, image, Asked(), None, "cpu")


def test_a_camera_of_another_size_is_not_guessed(root, frame, tmp_path):
    run = save_run(tmp_path / "run", frame, (30.0, 20.0, 90.0, 80.0), LMO)
    image = tmp_path / "photo.png"
    image.write_bytes((root / "test" / "000002" / "rgb" / "000001.png").read_bytes())
    with pytest.raises(InputError, match="is 160x120 and its camera unknown: give --camera"):
        predict_image(run, image, Asked("30,20,90,80"), None, "cpu")


def test_no_pose_is_said_and_nothing_is_drawn(root, frame, tmp_path):
    run = save_run(tmp_path / "run", frame, frame.annotations[0].bbox_visib)
    checkpoint = Checkpoint.load(run)
    with torch.no_grad():
        checkpoint.net.predict.bias.fill_(float("nan"))
    checkpoint.save(run / "checkpoint.pt")
    image, out = root / "test" / "000002" / "rgb" / "000001.png", tmp_path / "overlay.png"
    text = predict_image(run, image, Asked(), out, "cpu")
    record = {"obj_id": 1, "R": None, "t_mm": None, "confidence": 0, "refined": False}
    place = {"box": list(frame.annotations[0].bbox_visib), "score": None}
    assert json.loads(text.splitlines()[0]) == record | place
    np.testing.assert_array_equal(read_rgb(out), frame.rgb)


@pytest.mark.parametrize(
    ("box", "camera", "what"),
    [
        ("160,10,20,20", None, "--box [160, 10, 20, 20] lies outside its image of 160x120"),
        ("-30,10,20,20", None, "--box [-30, 10, 20, 20] lies outside its image"),
        ("1,1,2147483648,9", None, "--box [1, 1, 2147483648, 9] is larger than 16000"),
        ("10,10,0,20", None, "--box 10,10,0,20: width and height must be positive"),
        ("1,2,3", None, "--box 1,2,3: must be x,y,width,height in pixels"),
        ("1,2,3,nan", None, "--box 1,2,3,nan: must be x,y,width,height in pixels, all finite"),
        ("10,10,20,20", "100,0,80,60", "--camera 100,0,80,60: fx and fy must be positive"),
        ("10,10,20,20", "100", "--camera 100: must be fx,fy,cx,cy in pixels"),
    ],
)
def test_a_wrong_box_or_camera_is_named(root, frame, tmp_path, box, camera, what):
    run = save_run(tmp_path / "run", frame, (30.0, 20.0, 90.0, 80.0))
    image, out = root / "test" / "000002" / "rgb" / "000001.png", tmp_path / "overlay.png"
    with pytest.raises(InputError) as caught:
        predict_image(run, image, Asked(box, camera), out, "cpu")
    assert str(caught.value).startswith(what) and not out.exists()
