import re
import shutil

import cv2
import numpy as np
import pytest

from render.errors import InputError
from render.formats.nyu import (
    CAMERA,
    JOINTS,
    read_depth,
    read_joints,
    uvd_from_xyz,
    write_depth,
    write_joints,
    xyz_from_uvd,
)
from render.image_file import write_png

LINE = " ".join(["100.5", "200.25", "750"] * 14)
SUBJECT_1 = slice(0, 2440)


def frames_of(rng, count):
    """(count, 14, 3) uvd that need no more than three decimals."""
    return rng.integers([1, 1, 300_000], [640_000, 480_000, 1_500_000], (count, 14, 3)) / 1000


def line_with(place, number):
    numbers = LINE.split()
    numbers[place] = number
    return " ".join(numbers)


def test_joints_lie_where_the_datasets_formula_puts_them():
    """u = 320 + 588.03 x / z and v = 240 - 587.07 y / z: up is positive y."""
    x, y, z = 30.0, 50.0, 800.0
    uvd = [320 + x * 588.03 / z, 240 - y * 587.07 / z, z]
    np.testing.assert_allclose(uvd_from_xyz(np.array([x, y, z])), uvd, rtol=1e-14)
    np.testing.assert_allclose(xyz_from_uvd(np.array(uvd)), [x, y, z], rtol=1e-13)


@pytest.mark.parametrize("shape", [(3,), (14, 3), (5, 14, 3), (0, 14, 3)])
def test_lifting_and_projecting_undo_each_other(rng, shape):
    xyz = rng.uniform([-400, -400, 300], [400, 400, 1500], shape)
    np.testing.assert_allclose(xyz_from_uvd(uvd_from_xyz(xyz)), xyz, atol=1e-10)
    uvd = rng.uniform([-50, -50, 300], [690, 530, 1500], shape)
    np.testing.assert_allclose(uvd_from_xyz(xyz_from_uvd(uvd)), uvd, atol=1e-10)


def test_lifted_joints_agree_with_the_camera_of_the_rasteriser(rng):
    depth = rng.uniform(0.3, 1.5, (480, 640))
    u, v = 123, 45
    x, y, z = xyz_from_uvd(np.array([u, v, 1000 * depth[v, u]]))
    np.testing.assert_allclose([x, -y, z], 1000 * CAMERA.unproject(depth)[v, u], rtol=1e-12)


def test_lifted_labels_show_a_rigid_wrist_and_palm(nyu):
    """With x by the labels' own fx they are rigid to the last digit of the file.

    True only with the right fy, image centre and order of joints. With the published fx they are
    rigid to 0.11 mm.
    """
    uvd = read_joints(nyu / "nyu_test_groundtruth_label.txt")[SUBJECT_1]
    wrist_2, wrist_1, palm = (JOINTS.index(name) for name in ("wrist 2", "wrist 1", "palm"))
    for fx, slack in ((587.07, 0.004), (588.03, 0.11)):
        xyz = xyz_from_uvd(uvd) * [588.03 / fx, 1, 1]
        for a, b in ((palm, wrist_1), (palm, wrist_2), (wrist_1, wrist_2)):
            length = np.linalg.norm(xyz[:, a] - xyz[:, b], axis=1)
            assert np.abs(length - np.median(length)).max() < slack
            assert abs(np.median(length) - (35.3 if palm not in (a, b) else 81.3)) < 0.1


def test_the_names_are_those_of_the_joints_by_the_lengths_of_the_fingers(nyu):
    """Lengths measured of the labels' first subject; wrist 2 is the one on the pinky's side."""
    xyz = xyz_from_uvd(read_joints(nyu / "nyu_test_groundtruth_label.txt")[SUBJECT_1])

    def distance(a, b):
        return np.linalg.norm(xyz[:, JOINTS.index(a)] - xyz[:, JOINTS.index(b)], axis=1)

    lengths = {"pinky": 42.8, "ring": 50.0, "middle": 56.5, "index": 50.9}
    for finger, length in lengths.items():
        assert abs(distance(f"{finger} tip", f"{finger} root").mean() - length) < 0.1
        assert distance("palm", f"{finger} tip").max() > distance("palm", f"{finger} root").max()
    thumb = [distance(f"thumb {joint}", "palm").mean() for joint in ("tip", "R2", "R1")]
    assert thumb == sorted(thumb, reverse=True)
    assert abs(distance("thumb tip", "thumb R2").mean() - 24.6) < 0.1
    assert (distance("wrist 2", "pinky root") < distance("wrist 1", "pinky root")).mean() > 0.95


def test_joints_come_back_as_they_were_written(tmp_path, rng):
    uvd = frames_of(rng, 40)
    write_joints(tmp_path / "a.txt", uvd)
    np.testing.assert_array_equal(read_joints(tmp_path / "a.txt"), uvd)


def test_the_released_files_are_written_back_byte_for_byte(nyu, tmp_path):
    files = sorted(nyu.glob("*.txt"))
    assert len(files) == 3
    for file in files:
        uvd = read_joints(file)
        assert uvd.shape == (8252, 14, 3)
        write_joints(tmp_path / file.name, uvd)
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("end", ["", "\n", " \n", "\r\n", "\n\n \n"])
def test_how_a_file_ends_makes_no_frame_more_or_less(tmp_path, end):
    (tmp_path / "a.txt").write_bytes(f"{LINE}\n{LINE}{end}".encode())
    assert read_joints(tmp_path / "a.txt").shape == (2, 14, 3)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("", "expected 42 numbers, u v d of 14 joints, got 0"),
        (LINE.rsplit(" ", 1)[0], "expected 42 numbers, u v d of 14 joints, got 41"),
        (LINE + " 1 2 3", "got 45, u v d of 15 joints"),
        (" ".join(["1 2 3"] * 36), "got 108, u v d of 36 joints"),
        (LINE.replace(" ", ","), "got 1"),
        (line_with(0, "u"), "u of pinky tip is no number: 'u'"),
        (line_with(16, "nan"), "v of middle root must be finite, below 1e6, got nan"),
        (line_with(40, "-inf"), "v of palm must be finite, below 1e6, got -inf"),
        (line_with(40, "1e400"), "v of palm must be finite, below 1e6, got 1e400"),
        (line_with(39, "1e300"), "u of palm must be finite, below 1e6, got 1e300"),
        (line_with(41, "0.000"), "d of palm must be above 0 mm, got 0.000"),
        (line_with(5, "-750"), "d of pinky root must be above 0 mm, got -750"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, broken, message):
    (tmp_path / "a.txt").write_text("\n".join([LINE, LINE, broken, LINE]))
    with pytest.raises(InputError, match=rf"a\.txt, line 3: .*{re.escape(message)}$") as caught:
        read_joints(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "holds no line"), (b" \n\n", "holds no line"), (b"\xff\xfe\x00", "not a text file")],
)
def test_a_file_without_joints_is_named(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.txt: {message}"):
        read_joints(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        read_joints(tmp_path / "none.txt")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6, 0.0, -1.0, 0.0004])
def test_nothing_is_written_that_could_not_be_read(tmp_path, rng, value):
    uvd = frames_of(rng, 3)
    uvd[1, 13, 2] = value
    with pytest.raises(ValueError, match="uvd must be finite"):
        write_joints(tmp_path / "a.txt", uvd)
    with pytest.raises(ValueError, match=r"uvd must be \(frames, 14, 3\)"):
        write_joints(tmp_path / "a.txt", uvd[:, :13])
    assert not list(tmp_path.iterdir())


def test_every_depth_that_a_png_can_hold_comes_back(tmp_path):
    depth = (np.arange(1 << 16, dtype=np.float32) / 1000).reshape(256, 256)
    write_depth(tmp_path / "a.png", depth)
    again = read_depth(tmp_path / "a.png")
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, depth)

    blue, green, red = np.moveaxis(cv2.imread(str(tmp_path / "a.png")).astype(int), -1, 0)
    np.testing.assert_array_equal(256 * green + blue, np.arange(1 << 16).reshape(256, 256))
    assert not red.any()


def test_a_photograph_is_not_taken_for_depth(tmp_path, rng):
    write_png(tmp_path / "photo.png", rng.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"photo\.png: a picture with red in it; NYU's depth is"):
        read_depth(tmp_path / "photo.png")


def test_depth_is_rounded_to_the_nearest_millimetre(tmp_path):
    write_depth(tmp_path / "a.png", np.array([[0.7504, 0.7506, 0, 0.0004]]))
    np.testing.assert_array_equal(read_depth(tmp_path / "a.png"), np.float32([[0.75, 0.751, 0, 0]]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 65.536])
def test_depth_that_a_png_cannot_hold_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match=r"0\.\.65\.535 m"):
        write_depth(tmp_path / "a.png", np.array([[1, value]]))
    with pytest.raises(ValueError, match=r"depth must be \(H, W\)"):
        write_depth(tmp_path / "a.png", np.ones((2, 2, 3)))
    assert not list(tmp_path.iterdir())


def test_the_real_depth_frame_is_written_back_pixel_for_pixel(nyu, tmp_path):
    file = nyu / "test" / "depth_1_0000001.png"
    write_depth(tmp_path / "a.png", read_depth(file))
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), cv2.imread(str(file)))


def test_the_labelled_joints_lie_just_under_the_surface_that_the_sensor_saw(nyu):
    depth_mm = 1000 * read_depth(nyu / "test" / "depth_1_0000001.png").astype(np.float64)
    assert depth_mm.shape == (CAMERA.height, CAMERA.width)
    uvd = read_joints(nyu / "nyu_test_groundtruth_label.txt")[0]
    u, v = np.round(uvd[:, :2]).astype(int).T
    under = uvd[:, 2] - depth_mm[v, u]
    assert (under > 0).all() and (under < 35).all()

    palm_u, palm_v, palm_d = uvd[JOINTS.index("palm")]
    u, v = round(palm_u), round(palm_v)
    around = depth_mm[v - 10 : v + 11, u - 10 : u + 11]
    assert np.ptp(around) < 15 and 15 < palm_d - np.median(around) < 35


def test_a_depth_file_that_is_none_is_named(nyu, tmp_path):
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        read_depth(tmp_path / "none.png")
    shutil.copy(nyu / "test" / "depth_1_0000001.png", tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").chmod(0o600)
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.png"):
        read_depth(tmp_path / "cut.png")
