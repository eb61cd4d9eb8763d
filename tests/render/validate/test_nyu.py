"""Hands in NYU's layout: every fault in joints and images is found, and nothing else is."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.dataset.hands import generate_hands
from render.draw.renderer import RenderConfig
from render.formats.nyu import (
    EVALUATED,
    read_depth,
    read_joints,
    write_depth,
    write_joints,
    xyz_from_uvd,
)
from render.formats.nyu_dataset import depth_path, read_joint_data, write_joint_data
from render.hand.scene import HandSceneConfig
from render.image_file import write_png
from render.sensor.config import SensorConfig
from render.validate.validate import validate
from tests.planted_faults import copy_stray, edit_json, remove

CONFIG = RenderConfig(hand="bundled", frames=4, format="nyu", split="test")


@pytest.fixture(scope="module", params=["perfect", "structured-light"])
def good(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("nyu") / "good"
    sensor = SensorConfig(depth=request.param)
    generate_hands(CONFIG, HandSceneConfig(), out, 0, 1, sensor)
    return out


@pytest.fixture
def split(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "bad")) / "test"


def seen(split: Path) -> Path:
    return depth_path(split, "depth", 2)


def drawn(split: Path) -> Path:
    return depth_path(split, "synthdepth", 2)


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:60])
    return path


def change_depth(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    write_depth(path, change(read_depth(path)))
    return path


def change_joints(split: Path, change: Callable[[np.ndarray], None]) -> Path:
    path = split / "joint_data.mat"
    uvd = read_joint_data(path)[0]
    change(uvd[0])
    write_joint_data(path, uvd)
    return path


def put(array: np.ndarray, place: tuple[int, int, int], value: float) -> None:
    array[place] = value


def swap_images(split: Path) -> Path:
    other = read_depth(depth_path(split, "synthdepth", 3))
    return change_depth(drawn(split), lambda _: other)


FAULTS: list[tuple[Callable[[Path], Path], str]] = [
    (lambda s: cut(seen(s)), "truncated|cannot be read"),
    (lambda s: cut(drawn(s)), "truncated|cannot be read"),
    (lambda s: remove(seen(s)), "no such file"),
    (lambda s: remove(drawn(s)), "no such file"),
    (lambda s: change_depth(seen(s), np.zeros_like), "no depth in any pixel"),
    (lambda s: change_depth(drawn(s), np.zeros_like), "no depth in any pixel"),
    (lambda s: change_depth(seen(s), lambda d: d[:400]), "are 640x480, this one is 640x400"),
    (lambda s: change_depth(seen(s), lambda d: np.full_like(d, 2.001)), "of the hand, as"),
    (lambda s: change_depth(drawn(s), lambda d: np.roll(d, 60, 1)), "not where .* joints are"),
    (swap_images, "not where .* of its joints are"),
    (lambda s: copy_stray(seen(s), "depth_1_0000009.png"), "joints of 4 frames only"),
    (lambda s: change_joints(s, lambda u: put(u, (1, EVALUATED[3], 2), np.nan)), "frame 2: ring"),
    (lambda s: change_joints(s, lambda u: put(u, (1, EVALUATED[3], 2), -5)), "frame 2: ring root"),
    (lambda s: cut(s / "joint_data.mat"), "MAT-file|truncated|cut off|holds"),
    (lambda s: edit_json(s / "generation.json", lambda c: c.pop("settings")), "no settings"),
    (lambda s: copy_stray(s / "joint_data.mat", ".joints_0000001.npy"), "not finished"),
]


@pytest.mark.parametrize(("plant", "message"), FAULTS)
def test_a_fault_is_named_by_its_file(split, plant, message):
    path = plant(split)
    found = validate(split.parent, None)
    assert path in {fault.path for fault in found}
    assert any(re.search(message, str(fault)) for fault in found), found
    assert {fault.path for fault in found} <= {path, drawn(split)}


def test_sound_hands_have_no_fault(good):
    result = CliRunner().invoke(main, ["validate", str(good)])
    assert result.output == f"{good}: test, 4 frames of hands: no fault\n" and not result.exit_code


def test_coordinates_that_do_not_follow_from_pixels_are_a_fault(split, monkeypatch):
    """As where a focal length was mistaken."""
    from render.formats import nyu_dataset

    def other(uvd: np.ndarray) -> np.ndarray:
        return xyz_from_uvd(uvd) * [1.1, 1, 1]

    uvd = read_joint_data(split / "joint_data.mat")[0]
    monkeypatch.setattr(nyu_dataset, "xyz_from_uvd", other)
    write_joint_data(split / "joint_data.mat", uvd)
    found = validate(split.parent, None)
    assert {fault.path for fault in found} == {split / "joint_data.mat"}
    assert all("joint_xyz is up to" in fault.message for fault in found)


def test_labels_as_text_must_be_those_of_the_mat_file(split):
    labels = split.parent / "nyu_test_groundtruth_label.txt"
    uvd = read_joint_data(split / "joint_data.mat")[0][0][:, EVALUATED]
    write_joints(labels, uvd)
    assert validate(split.parent, None) == []
    moved = read_joints(labels)
    moved[2, 5, 0] += 1
    write_joints(labels, moved)
    (fault,) = validate(split.parent, None)
    assert fault.path == labels and "line 3: differs from joint_data.mat by 1" in fault.message
    write_joints(labels, uvd[:3])
    (fault,) = validate(split.parent, None)
    assert fault.path == labels and "has 3 frames, joint_data.mat 4" in fault.message


def test_of_a_part_of_anothers_dataset_one_line_tells_what_is_missing(split):
    (split / "generation.json").unlink()
    for number in (2, 3, 4):
        depth_path(split, "depth", number).unlink()
        depth_path(split, "synthdepth", number).unlink()
    found = validate(split.parent, None)
    assert [fault.path for fault in found] == [seen(split), drawn(split)]
    assert all("nor of 2 more of the 4 frames" in fault.message for fault in found)


def test_an_image_of_another_kind_is_named(split):
    write_png(seen(split), np.zeros((480, 640), np.uint16))
    (fault,) = validate(split.parent, None)
    assert fault.path == seen(split) and "8 bits a channel" in fault.message
    assert json.loads((split / "generation.json").read_text())["settings"]["seed"] == 0
