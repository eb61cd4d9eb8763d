import json

import cv2
import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop_writer import write_camera_json
from render.formats.camera_file import read_camera_file

K = np.array([[900.5, 0, 639.25], [0, 899.75, 359.5], [0, 0, 1]])
ROS = """image_width: 1280
image_height: 720
camera_name: left
camera_matrix:
  rows: 3
  cols: 3
  data: [900.5, 0, 639.25, 0, 899.75, 359.5, 0, 0, 1]
distortion_model: MODEL
distortion_coefficients:
  rows: 1
  cols: 5
  data: [DIST, 0, 0, 0, 0]
"""


def opencv_file(path, names=("camera_matrix", "distortion_coefficients"), **entries):
    content = dict(zip(names, (K, np.zeros(5)), strict=True))
    content |= {"image_width": 1280, "image_height": 720, **entries}
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in content.items():
        if value is not None:
            storage.write(name, value)
    storage.release()
    return path


@pytest.mark.parametrize("name", ["c.yaml", "c.yml", "c.xml", "c.json"])
@pytest.mark.parametrize(
    "names", [("camera_matrix", "distortion_coefficients"), ("K", "D"), ("cameraMatrix", "dist")]
)
def test_what_opencv_writes_is_read(tmp_path, name, names):
    camera = read_camera_file(opencv_file(tmp_path / name, names))
    np.testing.assert_array_equal(camera.K, K)
    assert camera.size == (1280, 720)


def test_what_ros_writes_is_read(tmp_path):
    file = tmp_path / "ost.yaml"
    file.write_text(ROS.replace("MODEL", "plumb_bob").replace("DIST", "0.0"))
    camera = read_camera_file(file)
    np.testing.assert_array_equal(camera.K, K)
    assert camera.size == (1280, 720)


def test_bops_camera_json_is_read(tmp_path):
    camera = read_camera_file(opencv_file(tmp_path / "c.yaml"))
    write_camera_json(tmp_path, camera)
    again = read_camera_file(tmp_path / "camera.json")
    np.testing.assert_array_equal(again.K, K)
    assert again.size == camera.size


def test_a_lens_distortion_is_refused_with_what_to_do(tmp_path):
    bent = np.array([0.1, 0, 0, 0, 0])
    file = opencv_file(tmp_path / "c.yaml", distortion_coefficients=bent)
    with pytest.raises(InputError, match=r"c\.yaml: has a lens distortion .*cv2\.undistort"):
        read_camera_file(file)
    for model, value in (("plumb_bob", "-0.2"), ("equidistant", "0.0")):
        (tmp_path / "ros.yaml").write_text(ROS.replace("MODEL", model).replace("DIST", value))
        with pytest.raises(InputError, match=r"ros\.yaml: has a lens distortion"):
            read_camera_file(tmp_path / "ros.yaml")
    record = {"fx": 9, "fy": 9, "cx": 3, "cy": 3, "width": 8, "height": 8, "k1": 0.1}
    (tmp_path / "camera.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"camera\.json: has a lens distortion \(\[0\.1, 0\.0"):
        read_camera_file(tmp_path / "camera.json")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("c.txt", "900 900 320 240", "a camera is read from"),
        ("c.yaml", "garbage: [", "neither BOP's camera.json nor"),
        ("c.yaml", "", "neither BOP's|has no 3x3"),
        ("c.yaml", "a: 1\n", "has no 3x3 camera_matrix"),
        ("c.json", "[1, 2", "neither BOP's|has no 3x3"),
        ("c.json", '{"fx": 1, "fy": 1, "cx": 0, "cy": 0}', "width is missing"),
        ("c.json", '{"fx": NaN, "fy": 1, "cx": 0, "cy": 0}', "fx must be 1 finite"),
        ("c.json", '{"fx": 0, "fy": 1, "cx": 0, "cy": 0, "width": 1, "height": 1}', "invertible"),
        ("c.json", '{"fx": -5, "fy": 5, "cx": 0, "cy": 0, "width": 1, "height": 1}', "positive"),
    ],
)
def test_what_is_no_camera_is_refused_by_name(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}: .*({fault})"):
        read_camera_file(tmp_path / name)


def test_a_camera_without_the_size_of_its_images_or_with_skew_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not say image_width"):
        read_camera_file(opencv_file(tmp_path / "c.yaml", image_width=None))
    skewed = K + np.array([[0, 2.0, 0], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(InputError, match="without skew"):
        read_camera_file(opencv_file(tmp_path / "s.yaml", camera_matrix=skewed))
    for name in ("no-file.yaml", "no-file"):
        with pytest.raises(InputError, match=rf"{name}: no such file"):
            read_camera_file(tmp_path / name)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"fx": 4.25, "fy": 4.25}, r"fx = 4\.25 is 0\.00332 of the image's width, .* in pixels"),
        ({"fy": 0.00425}, r"fy = 0\.00425 is 5\.9e-06 of the image's height"),
        ({"fx": 0.9, "fy": 1.25, "cx": 0.5, "cy": 0.5}, r"fx = 0\.9 is .*neither in millim"),
        ({"fx": 2e6, "fy": 2e6}, r"fx = 2e\+06 is 1\.56e\+03 of the image's width"),
        ({"fy": 4500}, r"fx = 900 and fy = 4500: none is more than 3 times the other"),
        ({"fx": 4500}, r"fx = 4500 and fy = 900: none is more than 3 times the other"),
        ({"skew": 0.4}, "without skew"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_focal_lengths_of_no_camera_are_refused(tmp_path, changed, fault, named):
    record = {"fx": 900, "fy": 900, "cx": 640, "cy": 360, "skew": 0, **changed}
    fx, fy, cx, cy, skew = record.values()
    matrix = record if named else {"K": [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]}
    (tmp_path / "c.json").write_text(json.dumps({**matrix, "width": 1280, "height": 720}))
    with pytest.raises(InputError, match=rf"c\.json: .*{fault}"):
        read_camera_file(tmp_path / "c.json")


def test_a_camera_may_look_beside_its_image_and_have_pixels_twice_as_high(tmp_path):
    """As crops' cameras do, and those of anamorphic lenses; an angle of 150 degrees is seen."""
    record = {"fx": 170, "fy": 340, "cx": -900, "cy": 9999, "width": 1280, "height": 720}
    (tmp_path / "c.json").write_text(json.dumps(record))
    assert read_camera_file(tmp_path / "c.json").K.tolist() == [
        [170, 0, -900],
        [0, 340, 9999],
        [0, 0, 1],
    ]


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_text("width: 8\nwidth: 9\n")
    with pytest.raises(InputError, match=r"c\.yaml: a name is there twice"):
        read_camera_file(tmp_path / "c.yaml")


DEEP = {
    "lists.yaml": "%YAML:1.0\n---\nK: " + "[" * 200_000,
    "dashes.yaml": "%YAML:1.0\n---\nK:\n " + "- " * 200_000 + "1",
    "nested.yaml": "%YAML:1.0\n---\nK: " + "[" * 5_000 + "1" + "]" * 5_000,
    "objects.json": '{"K":' * 100_000,
    "lists.json": '{"fx": ' + "[" * 100_000,
    "closed.xml": "<opencv_storage>" + "<a>" * 50_000 + "</a>" * 50_000 + "</opencv_storage>",
    "long.yaml": "K: " + "9" * 100_000,
    "long.json": '{"fx": ' + "9" * 400 + ', "fy": 1, "cx": 1, "cy": 1, "width": 9, "height": 9}',
    "large.json": '{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "width": 1e9, "height": 9}',
    "nan.json": '{"fx": NaN, "fy": 1, "cx": 1, "cy": 1, "width": 9, "height": 9}',
}


@pytest.mark.parametrize("name", DEEP)
def test_hostile_files_are_refused_in_one_line_that_names_them(tmp_path, name):
    file = tmp_path / name
    file.write_text(DEEP[name])
    with pytest.raises(InputError) as caught:
        read_camera_file(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and "\n" not in message and len(message) < 400


@pytest.mark.parametrize("suffix", [".yaml", ".xml", ".json"])
def test_a_damaged_file_is_read_or_refused(tmp_path, rng, suffix):
    file, read = opencv_file(tmp_path / f"c{suffix}"), 0
    content = file.read_bytes()
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(len(damaged), size=rng.integers(1, 4)):
            damaged[place] = rng.choice(list(b'[]{}:-<>/!,.0e9\n aN"\\\0\xff'))
        if rng.random() < 0.2:
            del damaged[rng.integers(len(damaged)) :]
        file.write_bytes(damaged)
        try:
            camera = read_camera_file(file)
            read += 1
            assert np.isfinite(camera.K).all() and min(camera.size) > 0
        except InputError as error:
            assert str(error).startswith(f"{file}: ") and len(str(error).splitlines()) == 1
    assert 0 < read < 300
