"""The folders of the NYU dataset. MATLAB's view of them is played by scipy.io.loadmat."""

import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from render.errors import InputError
from render.formats.nyu import (
    EVALUATED,
    JOINTS,
    joints_from_uvd,
    read_joints,
    uvd_from_joints,
    write_depth,
)
from render.formats.nyu_dataset import (
    SENSOR,
    SYNTHETIC,
    NyuFrame,
    depth_path,
    finish_split,
    read_joint_data,
    read_split,
    shard_frames,
    shard_path,
    write_joint_data,
    write_shard,
)
from render.formats.nyu_joints import NYU_JOINTS

COUNT = 5


def frames_of(rng, count: int = COUNT) -> list[NyuFrame]:
    """Frames of a few square millimetre steps, with all joints known."""
    frames = []
    for _ in range(count):
        depth, synthdepth = (
            np.kron(rng.integers(0, 2001, (6, 8)), np.ones((80, 80))) / 1000 for _ in range(2)
        )
        joints = rng.uniform([-0.2, -0.2, 0.5], [0.2, 0.2, 1.0], (36, 3))
        frames.append(NyuFrame(uvd_from_joints(joints), depth, synthdepth))
    return frames


@pytest.fixture
def frames(rng) -> list[NyuFrame]:
    return frames_of(rng)


@pytest.fixture
def root(tmp_path, frames) -> Path:
    write_shard(tmp_path / "train", 1, frames)
    finish_split(tmp_path / "train", COUNT)
    return tmp_path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def error_of(root: Path, split: str = "train", **which) -> str:
    with pytest.raises(InputError) as caught:
        read_split(root, split, **which)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_is_read(root, frames):
    for stream in (SENSOR, SYNTHETIC):
        split = read_split(root, "train", stream)
        assert split.numbers == (1, 2, 3, 4, 5)
        for i, frame in enumerate(frames):
            depth = frame.depth if stream == SENSOR else frame.synthdepth
            np.testing.assert_allclose(split.read_depth(i), depth, atol=1e-6)
            # Joints are kept as 32-bit uvd.
            expected = joints_from_uvd(frame.uvd[list(EVALUATED)])
            np.testing.assert_allclose(split.joints[i], expected, atol=1e-7)


def test_reading_and_writing_again_gives_the_same_bytes(root, tmp_path_factory):
    again = tmp_path_factory.mktemp("again") / "train"
    sensor, synthetic = (read_split(root, "train", stream) for stream in (SENSOR, SYNTHETIC))
    uvd = uvd_from_joints(joints_from_uvd(sensor.uvd))  # there and back rounds some to others
    assert (uvd != sensor.uvd).any()
    copies = [NyuFrame(uvd[i], sensor.read_depth(i), synthetic.read_depth(i)) for i in range(COUNT)]
    write_shard(again, 1, copies)
    finish_split(again, COUNT)
    assert files_of(again) == files_of(root / "train")


def test_shards_in_any_order_make_the_dataset_of_one(root, frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "train"
    for first, last in ((4, 5), (1, 1), (2, 3)):
        assert not shard_path(folder, first).exists()
        write_shard(folder, first, frames[first - 1 : last])
        assert shard_path(folder, first).exists()
    finish_split(folder, COUNT)
    assert files_of(folder) == files_of(root / "train")


@pytest.mark.parametrize("damage", [b"", b"hello", None])
def test_a_damaged_shard_is_refused_by_name_until_it_is_deleted(damage, frames, tmp_path):
    folder = tmp_path / "train"
    write_shard(folder, 1, frames)
    shard = shard_path(folder, 1)
    shard.write_bytes(shard.read_bytes()[:-8] if damage is None else damage)
    with pytest.raises(InputError) as caught:
        finish_split(folder, COUNT)
    assert str(caught.value).startswith(f"{shard}: ") and "delete it" in str(caught.value)
    assert shard_frames(folder, 1) == 0


def test_a_split_with_a_shard_missing_is_not_finished(frames, tmp_path):
    folder = tmp_path / "train"
    write_shard(folder, 1, frames[:2])
    write_shard(folder, 4, frames[3:])
    with pytest.raises(ValueError, match="a shard begins at frame 4, not 3"):
        finish_split(folder, COUNT)
    write_shard(folder, 3, frames[2:3])
    with pytest.raises(ValueError, match="shards end at frame 5, not 6"):
        finish_split(folder, 6)
    assert not (folder / "joint_data.mat").exists()
    finish_split(folder, COUNT)


def test_a_shard_that_fails_is_not_marked_as_whole(frames, tmp_path):
    def broken():
        yield frames[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 1, broken())
    assert not shard_path(tmp_path, 1).exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        depth_path(tmp_path, stream, 1).name for stream in (SENSOR, SYNTHETIC)
    }


def test_others_find_what_they_expect_in_joint_data(root, frames):
    """Cameras first, u v d and x y z (y up) in mm by the published camera, names in a cell."""
    content = loadmat(root / "train" / "joint_data.mat")
    assert [str(name[0]) for name in content["joint_names"][0]] == list(NYU_JOINTS)
    assert len(NYU_JOINTS) == 36 and NYU_JOINTS[27] == "TH_KNU2_B" and NYU_JOINTS[32] == "PALM_3"
    uvd, xyz = content["joint_uvd"], content["joint_xyz"]
    assert uvd.shape == xyz.shape == (1, COUNT, 36, 3)
    for i, frame in enumerate(frames):
        joints = joints_from_uvd(frame.uvd)
        np.testing.assert_allclose(xyz[0, i], 1000 * joints * [1, -1, 1], atol=1e-4)
        x, y, z = xyz[0, i].T
        expected = np.stack([320 + 588.03 * x / z, 240 - 587.07 * y / z, z], axis=1)
        np.testing.assert_allclose(uvd[0, i], expected, rtol=1e-9)


def test_joints_that_are_not_known_are_nan_and_the_evaluated_ones_are_read(frames, tmp_path):
    known = [NyuFrame(f.uvd[list(EVALUATED)], synthdepth=f.synthdepth) for f in frames]
    write_shard(tmp_path / "train", 1, known)
    finish_split(tmp_path / "train", COUNT)
    split = read_split(tmp_path, "train", SYNTHETIC)
    np.testing.assert_allclose(split.uvd[:, EVALUATED], [f.uvd for f in known], rtol=1e-7)
    unknown = np.setdiff1d(np.arange(36), EVALUATED)
    assert np.isnan(split.uvd[:, unknown]).all()
    assert np.isnan(
        loadmat(tmp_path / "train" / "joint_data.mat")["joint_xyz"][0][:, unknown]
    ).all()
    assert "depth_1_0000001.png: no such file" in error_of(tmp_path)


def test_joints_in_metres_and_in_the_image_say_the_same(rng):
    joints = rng.uniform([-0.3, -0.3, 0.3], [0.3, 0.3, 1.5], (20, 3))
    uvd = uvd_from_joints(joints)
    u, v = 320 + 588.03 * joints[:, 0] / joints[:, 2], 240 + 587.07 * joints[:, 1] / joints[:, 2]
    np.testing.assert_allclose(uvd, np.stack([u, v, 1000 * joints[:, 2]], axis=1), rtol=1e-12)
    np.testing.assert_allclose(joints_from_uvd(uvd), joints, atol=1e-13)


def test_only_camera_1_of_several_is_read(root, rng):
    uvd = np.abs(rng.normal(500, 50, (3, COUNT, 36, 3)))
    write_joint_data(root / "train" / "joint_data.mat", uvd)
    np.testing.assert_array_equal(read_split(root, "train").uvd, uvd[0].astype(np.float32))
    assert read_joint_data(root / "train" / "joint_data.mat")[0].shape == (3, COUNT, 36, 3)


def test_chosen_frames_are_read_by_their_numbers(root, frames):
    split = read_split(root, "train", numbers=[4, 2])
    np.testing.assert_allclose(split.read_depth(1), frames[1].depth, atol=1e-6)
    np.testing.assert_allclose(split.uvd[0], frames[3].uvd, rtol=1e-7)
    for number in (0, 6, -1):
        message = error_of(root, numbers=[1, number])
        assert f"joint_data.mat: no frame {number}; it has frames 1 to 5" in message


def test_images_without_joints_are_passed_over_and_counted_once(root, caplog):
    labels = root / "train" / "joint_data.mat"
    write_joint_data(labels, read_joint_data(labels)[0][:, :3])
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            assert read_split(root, "train").numbers == (1, 2, 3)
        read_split(root, "train", numbers=[2])  # what is asked for by number is no part of all
    said = f"{root / 'train'}: 2 of 5 depth images are passed over: {labels} has no joints of them"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_the_real_test_frame_has_its_joints_from_the_text_labels(nyu):
    split = read_split(nyu, "test", numbers=[1])
    labels = read_joints(nyu / "nyu_test_groundtruth_label.txt")
    np.testing.assert_array_equal(split.uvd[0, EVALUATED], labels[0])
    assert split.read_depth(0).shape == (480, 640)
    u, v, d = labels[0, JOINTS.index("palm")]
    behind = split.joints[0, -1, 2] - split.read_depth(0)[round(v), round(u)]
    assert 0.01 < behind < 0.04 and split.joints[0, -1, 2] == pytest.approx(d / 1000)


# What is wrong is named


def test_missing_frames_are_counted_and_the_first_is_named(root):
    for number in (2, 5):
        depth_path(root / "train", SENSOR, number).unlink()
    message = error_of(root)
    assert "depth_1_0000002.png: no such file" in message
    assert message.endswith("joints of 5 frames, 2 of them without depth image")
    assert read_split(root, "train", SYNTHETIC).numbers == (1, 2, 3, 4, 5)


def test_a_truncated_image_and_one_of_another_size_are_named(root, tmp_path_factory):
    split = read_split(root, "train")
    path = depth_path(root / "train", SENSOR, 3)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=r"depth_1_0000003\.png"):
        split.read_depth(2)
    write_small = tmp_path_factory.mktemp("small") / "a.png"
    write_depth(write_small, np.ones((120, 160)))
    shutil.copy(write_small, path)
    with pytest.raises(InputError, match=r"0000003\.png: NYU's images are 640x480, .* 160x120$"):
        split.read_depth(2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"joint_uvd": np.ones((1, 5, 36, 3))}, "holds no joint_xyz"),
        (
            {"joint_uvd": np.ones((5, 36, 3))},
            "cameras x frames x 36 x 3 real numbers, got 5 x 36 x 3",
        ),
        ({"joint_uvd": np.ones((1, 5, 14, 3))}, "got 1 x 5 x 14 x 3"),
        ({"joint_uvd": np.full((1, 5, 36, 3), 1j)}, "got 1 x 5 x 36 x 3 of another kind"),
        (
            {"joint_uvd": np.ones((1, 5, 36, 3)), "joint_xyz": np.ones((1, 4, 36, 3))},
            "must be of the same frames, at least one, got 5 and 4 by 1 and 1 cameras",
        ),
    ],
)
def test_joints_of_another_shape_are_refused(root, arrays, message):
    savemat(root / "train" / "joint_data.mat", arrays)
    assert re.search(rf"joint_data\.mat: .*{re.escape(message)}", error_of(root))


def test_a_damaged_joint_file_is_refused_wherever_it_is_cut(root):
    path = root / "train" / "joint_data.mat"
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:100], whole[:200], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert "joint_data.mat: " in error_of(root)
    path.unlink()
    assert "joint_data.mat: no such file" in error_of(root)


@pytest.mark.parametrize(("place", "value"), [(2, np.nan), (0, np.nan), (2, 0.0), (2, -700.0)])
def test_an_evaluated_joint_without_a_place_is_named(root, rng, place, value):
    uvd = np.abs(rng.normal(500, 50, (1, COUNT, 36, 3)))
    uvd[0, 2, EVALUATED[4], place] = value
    write_joint_data(root / "train" / "joint_data.mat", uvd)
    assert "joint_data.mat, frame 3: middle tip must be a finite u v d" in error_of(root)
    assert read_split(root, "train", numbers=[1, 2, 4]).numbers == (1, 2, 4)


def test_a_folder_that_is_none_of_nyus_is_named(tmp_path):
    assert error_of(tmp_path).endswith("no folder train; NYU's holds train and test")
    (tmp_path / "test").mkdir()
    assert error_of(tmp_path, "test").endswith("joint_data.mat: no such file")


def test_a_frame_that_does_not_fit_is_a_value_error(tmp_path, frames):
    for uvd in (np.zeros((21, 3)), np.zeros((14, 2))):
        with pytest.raises(ValueError, match=r"uvd must be \(36, 3\) or \(14, 3\)"):
            write_shard(tmp_path, 1, [NyuFrame(uvd)])
    with pytest.raises(ValueError, match=r"depth must be \(480, 640\)"):
        write_shard(tmp_path, 1, [NyuFrame(frames[0].uvd, np.ones((48, 64)))])
    with pytest.raises(ValueError, match=r"\(cameras, frames, 36, 3\)"):
        write_joint_data(tmp_path / "a.mat", np.ones((5, 36, 3)))
    assert not (tmp_path / "a.mat").exists()
