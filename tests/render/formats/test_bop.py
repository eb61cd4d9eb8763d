import json
import shutil

import numpy as np
import pytest
from PIL import Image

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split, require_objects
from render.formats.bop_records import pose_to_mm, write_records
from render.formats.bop_writer import DEPTH_SCALE, measure, write_camera_json, write_scene
from render.frame import Annotation, Frame
from render.image_file import read_gray16, read_rgb
from render.transforms import random_rotation, rigid

CAMERA = Camera(np.array([[50.5, 0, 19.25], [0, 51, 14.5], [0, 0, 1]]), 40, 30)
SCENE_FILES = ("scene_camera.json", "scene_gt.json", "scene_gt_info.json")


def make_frame(rng):
    """A frame with every modality, and its silhouettes on the canvas: two overlapping blocks."""
    poses = [rigid(random_rotation(rng), rng.uniform(0.3, 0.9, 3)) for _ in range(2)]
    canvas = np.zeros((2, 90, 120), bool)
    canvas[0, 20:50, 50:70] = True  # its upper part lies outside the image
    canvas[1, 45:60, 60:75] = True
    instance = np.zeros((30, 40), np.uint8)
    instance[0:20, 10:30] = 1
    instance[15:30, 20:35] = 2
    depth = np.where(instance > 0, rng.uniform(0.2, 6.0, (30, 40)), 0).astype(np.float32)
    frame = Frame(
        camera=CAMERA,
        annotations=tuple(Annotation(i + 3, pose) for i, pose in enumerate(poses)),
        rgb=rng.integers(0, 256, (30, 40, 3), dtype=np.uint8),
        depth=depth,
        instance=instance,
    )
    return measure(frame, canvas), canvas


@pytest.fixture
def dataset(tmp_path, rng):
    """A dataset of one scene with images 4 and 11, every modality present."""
    root = tmp_path / "made"
    frames = [(im_id, *make_frame(rng)) for im_id in (4, 11)]
    write_scene(root / "train" / "000007", frames)
    write_camera_json(root, CAMERA)
    return root


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def read_back(image):
    """The frame of a BopImage, and its silhouettes."""
    masks = [image.read_mask(i, visible=True) for i in range(len(image.annotations))]
    instance = np.zeros((image.camera.height, image.camera.width), np.uint8)
    for i, mask in enumerate(masks):
        instance[mask] = i + 1
    silhouettes = [image.read_mask(i, visible=False) for i in range(len(image.annotations))]
    rgb, depth = image.read_rgb(), image.read_depth()
    frame = Frame(image.camera, image.annotations, rgb, depth, instance)
    return frame, np.stack(silhouettes)


def test_reading_then_writing_lmo_is_a_fixed_point(lmo, tmp_path):
    images = read_split(lmo, "test")
    source = lmo / "test" / "000002"
    frames = [
        (im.im_id, Frame(im.camera, im.annotations, im.read_rgb() if i < 3 else None), None)
        for i, im in enumerate(images)
    ]
    write_scene(
        tmp_path, frames, images[0].depth_scale, {im.im_id: im.camera_record for im in images}
    )
    for name in SCENE_FILES:
        assert json.loads((tmp_path / name).read_text()) == json.loads((source / name).read_text())
    written = sorted((tmp_path / "rgb").iterdir())
    assert len(written) == 3
    for path in written:
        np.testing.assert_array_equal(read_rgb(path), read_rgb(source / "rgb" / path.name))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rgb", *SCENE_FILES]


def test_lmo_has_no_depth_and_no_masks_and_that_is_no_error(lmo):
    image = read_split(lmo, "test", [(2, 27)])[0]
    assert image.read_depth() is None
    assert image.read_mask(0, visible=True) is None
    assert image.read_mask(0, visible=False) is None
    assert image.read_rgb().shape == (480, 640, 3)


def test_writing_what_was_read_gives_the_same_bytes(dataset, tmp_path):
    images = read_split(dataset, "train")
    write_scene(tmp_path / "again", [(image.im_id, *read_back(image)) for image in images])
    files = sorted(p for p in (dataset / "train" / "000007").rglob("*") if p.is_file())
    assert len(files) == 4 + 2 * (1 + 1 + 2 + 2)  # JSON; rgb, depth, mask, mask_visib
    for path in files:
        copy = tmp_path / "again" / path.relative_to(dataset / "train" / "000007")
        assert copy.read_bytes() == path.read_bytes()


def test_other_keys_of_a_camera_record_survive(dataset, tmp_path):
    scene = dataset / "train" / "000007"
    extra = {"view_level": 2, "cam_R_w2c": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
    edit(scene / "scene_camera.json", lambda c: c["4"].update(extra))
    images = read_split(dataset, "train")
    records = {image.im_id: image.camera_record for image in images}
    assert records == {4: extra, 11: {}}
    frames = [(image.im_id, *read_back(image)) for image in images]
    write_scene(tmp_path / "again", frames, camera_records=records)
    written = (tmp_path / "again" / "scene_camera.json").read_text()
    assert json.loads(written) == json.loads((scene / "scene_camera.json").read_text())


def test_files_are_in_millimetres_and_frames_in_metres(dataset):
    frame, _ = make_frame(np.random.default_rng(0))  # as the dataset's first
    image = read_split(dataset, "train", [(7, 4)])[0]
    record = json.loads((image.scene_dir / "scene_gt.json").read_text())["4"][1]
    t = image.annotations[1].cam_from_obj[:3, 3]
    np.testing.assert_allclose(record["cam_t_m2c"], 1000 * t, rtol=1e-12)
    np.testing.assert_allclose(t, frame.annotations[1].cam_from_obj[:3, 3], rtol=0, atol=1e-12)
    stored = read_gray16(image.scene_dir / "depth" / "000004.png")
    np.testing.assert_allclose(image.read_depth(), stored * DEPTH_SCALE / 1000, rtol=1e-6)
    half_a_step = 0.0000505
    np.testing.assert_allclose(image.read_depth(), frame.depth, rtol=0, atol=half_a_step)


def test_millimetres_come_back_to_the_last_bit(rng):
    # Nine decimals is more than any BOP file of real images has.
    for t_mm in np.round(rng.uniform(-2000, 2000, (2000, 3)), 9):
        cam_from_obj = rigid(np.eye(3), t_mm / 1000)
        np.testing.assert_array_equal(pose_to_mm(cam_from_obj)[1], t_mm)


def test_measuring_counts_what_lies_outside_the_image(rng):
    frame, canvas = make_frame(rng)
    first, second = frame.annotations
    # On the canvas the image starts at (40, 30): the first block is 20 wide, 30 high, ten rows of
    # it above the image; the second hides 5 x 10 of its pixels.
    assert first.bbox_obj == (10, -10, 19, 29)
    assert first.bbox_visib == (10, 0, 19, 19)
    assert (first.px_count_all, first.px_count_visib) == (600, 350)
    assert first.px_count_valid == 400
    assert first.visib_fract == 350 / 600
    assert second.bbox_obj == second.bbox_visib == (20, 15, 14, 14)
    assert second.visib_fract == 1.0
    assert canvas.sum() == first.px_count_all + second.px_count_all


def test_what_is_hidden_altogether_has_boxes_of_minus_one(rng):
    frame, canvas = make_frame(rng)
    hidden = Frame(CAMERA, frame.annotations, instance=np.full((30, 40), 2, np.uint8))
    first = measure(hidden, canvas).annotations[0]
    assert first.bbox_obj == first.bbox_visib == (-1, -1, -1, -1)
    assert (first.visib_fract, first.px_count_visib, first.px_count_all) == (0, 0, 600)
    assert first.px_count_valid is None


def test_what_a_frame_lacks_is_not_written(tmp_path):
    annotation = Annotation(1, rigid(np.eye(3), [0, 0, 1]))
    write_scene(tmp_path, [(0, Frame(CAMERA, (annotation,)), None)], depth_scale=None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scene_camera.json", "scene_gt.json"]
    assert "depth_scale" not in json.loads((tmp_path / "scene_camera.json").read_text())["0"]


def test_a_scene_that_was_interrupted_has_no_scene_camera(tmp_path, rng):
    def frames():
        yield (0, *make_frame(rng))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scene(tmp_path, frames())
    assert not list(tmp_path.glob("*.json"))


def test_a_depth_beyond_16_bits_is_refused(tmp_path):
    frame = Frame(CAMERA, depth=np.full((30, 40), 66000, np.float32))
    with pytest.raises(InputError, match=r"image 5: a depth of 66000\.00 m"):
        write_scene(tmp_path, [(5, frame, None)])


def test_camera_json_is_as_lmo_has_it(lmo, tmp_path):
    image = read_split(lmo, "test", [(2, 3)])[0]
    write_camera_json(tmp_path, image.camera, depth_scale=1.0)
    written = json.loads((tmp_path / "camera.json").read_text())
    assert written == json.loads((lmo / "camera.json").read_text())


def test_images_are_sorted_and_can_be_chosen(dataset):
    keys = [(image.scene_id, image.im_id) for image in read_split(dataset, "train")]
    assert keys == [(7, 4), (7, 11)]
    (chosen,) = read_split(dataset, "train", [(7, 11)])
    assert chosen.im_id == 11
    with pytest.raises(InputError, match="no image 5 in scene 7"):
        read_split(dataset, "train", [(7, 11), (7, 5)])


def test_an_image_is_missed_only_when_it_is_read(dataset):
    scene = dataset / "train" / "000007"
    for folder in ("rgb", "depth", "mask_visib"):
        for path in (scene / folder).iterdir():
            path.unlink()
    image = read_split(dataset, "train")[0]
    assert image.camera.size == (40, 30)  # camera.json knows it
    for read in (image.read_rgb, image.read_depth, lambda: image.read_mask(0, visible=True)):
        with pytest.raises(InputError, match=r"000004.*\.png: no such file"):
            read()


def test_a_jpeg_or_a_grey_image_serves_where_there_is_no_png(dataset):
    scene = dataset / "train" / "000007"
    image = read_split(dataset, "train")[0]
    Image.fromarray(image.read_rgb()).save(scene / "rgb" / "000004.jpg")
    (scene / "rgb" / "000004.png").unlink()
    assert image.rgb_path == scene / "rgb" / "000004.jpg"
    shutil.rmtree(scene / "rgb")
    (scene / "gray").mkdir()
    Image.new("L", (40, 30), 9).save(scene / "gray" / "000004.png")
    assert (image.read_rgb() == 9).all()


def test_an_image_of_another_size_than_its_camera_is_refused(dataset):
    image = read_split(dataset, "train")[0]
    Image.new("I;16", (41, 30)).save(image.scene_dir / "depth" / "000004.png")
    with pytest.raises(InputError, match=r"000004\.png has 41x30 pixels, its camera 40x30"):
        image.read_depth()


def test_missing_folders_are_named_with_what_there_is(dataset, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        read_split(tmp_path / "nowhere", "test")
    with pytest.raises(InputError, match="no split 'test'; there are train"):
        read_split(dataset, "test")
    (dataset / "val").mkdir()
    with pytest.raises(InputError, match="val: no scene folders"):
        read_split(dataset, "val")


def test_an_object_that_no_image_shows_is_named_with_those_there_are(dataset):
    images = read_split(dataset, "train")
    require_objects(images, [3, 4])
    with pytest.raises(InputError, match=r"object 9.*\[3, 4\]"):
        require_objects(images, [3, 9])
    (dataset / "models").mkdir(exist_ok=True)
    (dataset / "models" / "names.json").write_text('{"4": "cup", "9": "boat"}')
    with pytest.raises(InputError, match=r"no image shows boat; there are \[3, cup\]"):
        require_objects(images, [3, 9])


@pytest.mark.parametrize("name", SCENE_FILES[:2])
def test_a_missing_scene_file_is_named(dataset, name):
    (dataset / "train" / "000007" / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        read_split(dataset, "train")


@pytest.mark.parametrize("text", ["{broken", "[1]", '{"a": []}'])
@pytest.mark.parametrize("name", SCENE_FILES)
def test_a_scene_file_that_is_no_map_of_image_ids_is_named(dataset, name, text):
    (dataset / "train" / "000007" / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_split(dataset, "train")


FAULTS = {
    "metres": ("scene_gt.json", "cam_t_m2c", [0.1, 0.0, 0.9], "look like metres"),
    "shear": ("scene_gt.json", "cam_R_m2c", [1, 0.1, 0, 0, 1, 0, 0, 0, 1], "not a rotation"),
    "mirror": ("scene_gt.json", "cam_R_m2c", [1, 0, 0, 0, 1, 0, 0, 0, -1], "a reflection"),
    "no number": ("scene_gt.json", "cam_t_m2c", [0, None, 900], "3 finite numbers"),
    "not finite": ("scene_gt.json", "cam_t_m2c", [0, float("nan"), 900], "3 finite numbers"),
    "half an id": ("scene_gt.json", "obj_id", 1.5, "whole number"),
    "short box": ("scene_gt_info.json", "bbox_visib", [1, 2, 3], "4 finite numbers"),
    "percent": ("scene_gt_info.json", "visib_fract", 99.1, "a share from 0 to 1, got 99.1"),
    "negative share": ("scene_gt_info.json", "visib_fract", -1, "a share from 0 to 1, got -1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_annotation_is_named_by_file_image_and_key(dataset, fault):
    name, key, value, message = FAULTS[fault]
    edit(dataset / "train" / "000007" / name, lambda c: c["11"][1].update({key: value}))
    with pytest.raises(InputError, match=rf"{name}, image 11, gt 1: .*{message}"):
        read_split(dataset, "train")


@pytest.mark.parametrize(
    "record",
    [
        {"cam_K": [1, 2, 3]},
        {"cam_K": [0] * 9},
        {"cam_K": [500, 0, 320, 0, 500, 240, 0, 0, 2]},
        {"depth_scale": -1},
        {"k1": 0.2},
    ],
)
def test_a_faulty_camera_is_named_by_file_and_image(dataset, record):
    edit(dataset / "train" / "000007" / "scene_camera.json", lambda c: c["11"].update(record))
    with pytest.raises(InputError, match=r"scene_camera\.json, image 11.*" + next(iter(record))):
        read_split(dataset, "train")


def test_a_lens_distortion_is_refused_and_one_of_zero_is_none(dataset):
    edit(dataset / "camera.json", lambda c: c.update({"k1": 0, "distortion": [0.0, 0.0]}))
    read_split(dataset, "train")
    edit(dataset / "camera.json", lambda c: c.update({"p2": 1e-4}))
    with pytest.raises(InputError, match=r"camera\.json: p2 = 0\.0001 is a lens distortion"):
        read_split(dataset, "train")


def test_without_scene_gt_info_nothing_is_known_of_visibility(dataset):
    (dataset / "train" / "000007" / "scene_gt_info.json").unlink()
    annotation = read_split(dataset, "train")[0].annotations[0]
    assert annotation.visib_fract is None
    assert annotation.bbox_visib is None


def test_depth_too_far_for_16_bits_is_written_in_coarser_steps(tmp_path):
    near, far = np.full((2, 30, 40), 0.5, np.float32)
    far[0, 0] = 7.3216
    images = [(i, Frame(CAMERA, depth=depth), None) for i, depth in enumerate((near, far))]
    write_scene(tmp_path / "train" / "000000", images)
    read = read_split(tmp_path, "train")
    assert [image.depth_scale for image in read] == [0.1, 1.0]
    np.testing.assert_allclose(read[1].read_depth()[0, 0], 7.322, rtol=1e-6)
    np.testing.assert_allclose(read[0].read_depth(), near, rtol=1e-6)


def test_a_number_that_is_not_finite_is_never_written(tmp_path):
    with pytest.raises(InputError, match=r"scene_gt\.json: not written, .* not finite"):
        write_records(tmp_path / "scene_gt.json", {0: [{"cam_t_m2c": [0.0, float("nan"), 1.0]}]})
    assert not list(tmp_path.iterdir())
