from pathlib import Path

import pytest

from render.errors import InputError
from render.formats.splits import find_splits, frame_numbers


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_split_is_told_by_what_it_holds(tmp_path):
    touch(tmp_path, "a/000001/scene_gt.json", "b/shard-000000.tar", "c/joint_data.mat")
    touch(tmp_path, "d/depth_1_0000001.png", "models/obj_000001.ply", "camera.json")
    kinds = {"a": "bop", "b": "bop-webdataset", "c": "nyu", "d": "nyu"}
    assert find_splits(tmp_path) == kinds
    assert find_splits(tmp_path, "b") == {"b": "bop-webdataset"}
    with pytest.raises(InputError, match=r"no split 'x'; there are a, b, c, d$"):
        find_splits(tmp_path, "x")


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ((), "an empty folder"),
        (("cup.ply", "cup.png"), "a folder of meshes"),
        (("IMG_1.JPG",), "a folder of images"),
        (("checkpoint.pt", "log/x"), "a run's folder, of a network"),
        (("models_info.json", "obj_000001.ply"), "a folder of BOP's models"),
        (("shard-000000.tar",), "a split of a bop-webdataset; give the folder that it is in"),
        (("joint_data.mat",), "a split of an NYU dataset; give the folder that it is in"),
        (("000000/scene_gt.json",), "a split of a BOP dataset; give the folder that it is in"),
        (("scene_camera.json", "rgb/000000.png"), "a scene of a BOP dataset; give the folder"),
        (("generation.json",), "a dataset of which no scene is finished"),
        (("notes.txt", "a.doc"), "a folder of a.doc, notes.txt"),
    ],
)
def test_what_is_no_dataset_is_called_what_it_is(tmp_path, names, what):
    touch(tmp_path, *names)
    with pytest.raises(InputError) as caught:
        find_splits(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: no dataset") and what in str(caught.value)


def test_a_file_or_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_splits(tmp_path / "none")
    with pytest.raises(InputError, match="a file; the folder of a dataset was expected"):
        find_splits(touch(tmp_path, "x.tar") / "x.tar")


def test_frames_of_hands_are_those_of_camera_1(tmp_path):
    touch(tmp_path, "depth_1_0000002.png", "depth_1_0000001.png", "depth_2_0000001.png")
    touch(tmp_path, "depth_1_x.png", "synthdepth_1_0000007.png")
    assert frame_numbers(tmp_path, "depth") == [1, 2]
    assert frame_numbers(tmp_path, "synthdepth") == [7]
