"""Which images are trained and tested on, and files that say so."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.errors import InputError
from render.formats.bop import read_split
from render.scene.randomize import SceneConfig
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.objects.data import DataConfig
from train.objects.seen import marks_of, parts_by_sight
from train.objects.split import choose_images, write_split
from train.objects.twins.pair import PairConfig, pair


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Images 1, 4, 7, ..., 28 of objects 1 and 2, of which 1 shows the first alone."""
    frames = random_frames(np.random.default_rng(0), cuboids(), 10)
    frames[1] = replace(frames[1], annotations=frames[1].annotations[:1])
    return write_dataset(tmp_path_factory.mktemp("split") / "small", cuboids(), frames)


def test_the_split_parts_the_images_that_show_an_object(root):
    config = DataConfig(objects=(2,), train_fraction=0.3)
    train, test = (choose_images(config, root, part, 5) for part in ("train", "test"))
    assert len(train) == round(0.3 * 9) and train == sorted(train) and test == sorted(test)
    assert sorted(train + test) == [(2, i) for i in range(4, 29, 3)]
    assert choose_images(config, root, "train", 5) == train
    assert any(choose_images(config, root, "train", seed) != train for seed in range(4))


SETTLED = {"layout": "pile", "cameras": 9}


def made_by_render(root: Path, folder: Path, scene: dict) -> Path:
    """A copy that says of itself that scene folders have 100 frames each, and of what scenes."""
    copy = Path(shutil.copytree(root, folder / "made"))
    settings = {"render": {"frames_per_scene": 100}, "scene": scene}
    (copy / "generation.json").write_text(json.dumps({"settings": settings}))
    return copy


@pytest.mark.parametrize("seed", range(3))
def test_frames_of_one_settled_scene_are_in_one_part(root, tmp_path, seed):
    """Images 1, 4, ..., 28 of folder 2 are frames 201, ..., 228: of scenes 22 (to 206) to 25."""
    made = made_by_render(root, tmp_path, SETTLED)
    scenes = [[(2, 1), (2, 4)], [(2, i) for i in (7, 10, 13)], [(2, i) for i in (16, 19, 22)]]
    scenes.append([(2, 25), (2, 28)])
    config = DataConfig(train_fraction=0.5)
    train, test = (choose_images(config, made, part, seed) for part in ("train", "test"))
    assert sorted(train + test) == [key for scene in scenes for key in scene]
    assert sum(scene[0] in train for scene in scenes) == 2
    assert all(len({key in train for key in scene}) == 1 for scene in scenes)
    folds = replace(config, folds=2, fold=0)
    kept, held = (choose_images(folds, made, part, seed) for part in ("train", "test"))
    assert sorted(kept + held) == train
    assert {tuple(kept), tuple(held)} <= {tuple(scene) for scene in scenes}
    with pytest.raises(InputError, match=r"^data\.folds: .* show 2 settled scenes"):
        choose_images(replace(config, folds=3), made, "train", seed)


def test_one_settled_scene_alone_is_not_trained_and_tested_on(root, tmp_path):
    made = made_by_render(root, tmp_path, SETTLED | {"cameras": 100})
    with pytest.raises(InputError, match=r"no image to test on: .*settled scene .* stay together"):
        choose_images(DataConfig(train_fraction=0.3), made, "test", 0)


def test_a_network_that_saw_one_frame_of_a_settled_scene_is_tested_on_none_of_it(root, tmp_path):
    seen = marks_of(read_split(root, "test", [(2, 10)]))
    rest = [(2, i) for i in range(1, 29, 3)]
    for scene, known in ((SETTLED, [(2, 7), (2, 10), (2, 13)]), ({}, [(2, 10)])):
        (tmp_path / str(len(known))).mkdir()
        made = made_by_render(root, tmp_path / str(len(known)), scene)
        parts = parts_by_sight(DataConfig(), made, 1, seen)
        assert parts == {"train": known, "test": [key for key in rest if key not in known]}


@pytest.mark.parametrize("scene", [{}, {"layout": "pile"}, {"layout": "crop"}])
def test_datasets_whose_frames_share_no_scene_are_parted_as_those_of_others(root, tmp_path, scene):
    made, config = made_by_render(root, tmp_path, scene), DataConfig(train_fraction=0.4)
    for part in ("train", "test"):
        assert choose_images(config, made, part, 3) == choose_images(config, root, part, 3)


def test_folds_part_the_training_images_and_leave_the_test_images_alone(root):
    config = DataConfig(train_fraction=0.7)
    train, test = (choose_images(config, root, part, 0) for part in ("train", "test"))
    held_out = []
    for fold in range(3):
        part = replace(config, folds=3, fold=fold)
        fold_train, fold_test = (choose_images(part, root, name, 0) for name in ("train", "test"))
        assert sorted(fold_train + fold_test) == train
        assert not set(fold_train + fold_test) & set(test)
        held_out += fold_test
    assert sorted(held_out) == train


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (3, 3), (3, -1)])
def test_a_fold_that_is_not_there_is_refused(root, folds, fold):
    with pytest.raises(InputError, match=r"data\.fold must be below data\.folds"):
        choose_images(DataConfig(folds=folds, fold=fold), root, "train", 0)


def test_a_written_split_is_read_back(root, tmp_path):
    config = DataConfig(objects=(2,), train_fraction=0.4)
    write_split(config, root, 3, tmp_path / "split.json")
    again = replace(config, split_file=str(tmp_path / "split.json"))
    for part in ("train", "test"):
        assert choose_images(again, root, part, 99) == choose_images(config, root, part, 3)


def test_a_split_file_is_found_beside_the_dataset(root):
    (root / "mine.json").write_text(json.dumps({"train": [[2, 4]], "test": [[2, 7], [2, 10]]}))
    config = DataConfig(split_file="mine.json")
    assert choose_images(config, root, "test", 0) == [(2, 7), (2, 10)]


@pytest.mark.parametrize(
    "text",
    [
        "[[2, 4]]",
        '{"train": [[2, 4]]}',
        '{"train": [4], "test": []}',
        "{",
        '{"train": 1, "test": 2}',
        '{"train": [[1e999, 2]], "test": []}',
        '{"train": [[NaN, 2]], "test": []}',
        '{"train": [[-1, 2]], "test": []}',
        '{"train": [[1, 2, 3]], "test": []}',
        f'{{"train": [[1, {"9" * 400}]], "test": []}}',
        '{"train": ' + "[" * 5000,
    ],
)
def test_a_damaged_split_file_is_named_with_what_it_must_hold(root, tmp_path, text):
    file = tmp_path / "split.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"split\.json: .* lists of \[scene, image\] under"):
        choose_images(DataConfig(split_file=str(file)), root, "train", 0)


def test_a_missing_split_file_is_named(root):
    with pytest.raises(InputError, match=r"data\.split_file: .*none\.json: no such file"):
        choose_images(DataConfig(split_file="none.json"), root, "train", 0)


def test_an_image_is_not_both_trained_and_tested_on(tmp_path):
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": [[0, 1], [0, 2]], "test": [[0, 3], [0, 2]]}))
    line = r"split\.json has 1 images under train and under test, such as \[0, 2\]"
    for part in ("train", "test"):
        with pytest.raises(InputError, match=line):
            choose_images(DataConfig(split_file=str(file)), tmp_path, part, 0)


def test_a_share_of_0_trains_on_nothing_and_tests_on_all(root, tmp_path):
    """Any other share trains on one image at least."""
    config = DataConfig(objects=(2,), train_fraction=0)
    assert choose_images(config, root, "test", 5) == [(2, i) for i in range(4, 29, 3)]
    with pytest.raises(InputError, match=r"^no image to train on: data\.train_fraction is 0 of 9$"):
        choose_images(config, root, "train", 5)
    with pytest.raises(InputError, match="no image to train on"):
        pair(PairConfig(), SceneConfig(), replace(config, dataset=str(root)), tmp_path / "twins", 5)
    assert not (tmp_path / "twins").exists()
    assert len(choose_images(replace(config, train_fraction=0.001), root, "train", 5)) == 1
    for share in (0.99, 1):
        with pytest.raises(InputError, match=rf"no image to test on: .* is {share} of 9$"):
            choose_images(replace(config, train_fraction=share), root, "test", 5)
    write_split(config, root, 5, tmp_path / "split.json")
    assert json.loads((tmp_path / "split.json").read_text())["train"] == []


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_split_file_without_images_of_a_part_says_so(root, tmp_path, part):
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": [[2, 1]], "test": [[2, 4]], part: []}))
    config = DataConfig(split_file=str(file))
    with pytest.raises(
        InputError, match=rf"no image to {part} on: .*\.json names none under {part}"
    ):
        choose_images(config, root, part, 0)
    (other,) = {"train", "test"} - {part}
    assert len(choose_images(config, root, other, 0)) == 1
