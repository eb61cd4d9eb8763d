"""COCO's annotations of a split, and a share of the frames in a split of their own."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.formats.coco_split import split_file, write_split
from render.image_file import read_mask
from render.json_file import read_json
from render.mesh.mesh import write_models
from tests.render.formats.coco_reader import precision_of_itself, read_coco
from tests.small_dataset import cuboids

MADE = ["--size", "64x48", "--workers", "1", "--set", "render.frames_per_scene=3"]


def render(out, models, *arguments):
    words = ["render", "--objects", models, *MADE, "--out", out, *arguments]
    return CliRunner().invoke(main, list(map(str, words)))


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Ten frames, eight of them in train: three scenes and one."""
    folder = tmp_path_factory.mktemp("coco")
    write_models(folder / "models", cuboids().values())
    (folder / "models" / "names.json").write_text('{"1": "cup", "2": "plate"}')
    result = render(folder / "out", folder / "models", "--frames", 10, "--val", 0.2)
    assert result.exit_code == 0, result.output
    assert "10 frames, 2 of them in val" in result.output
    return folder


def test_a_split_has_one_file_whose_images_have_names_and_ids_of_their_own(made):
    shown = {}
    for split, frames in (("train", 8), ("val", 2)):
        coco = read_coco(split_file(made / "out", split))
        names = {image["file_name"] for image in coco.imgs.values()}
        assert len(names) == len(coco.imgs) == frames
        assert [(i, c["name"]) for i, c in coco.cats.items()] == [(1, "cup"), (2, "plate")]
        shown[split] = {(made / "out" / name).read_bytes() for name in names}
        for kind in ("bbox", "segm"):
            assert precision_of_itself(coco, kind) == pytest.approx(1, abs=1e-9)
    assert len(shown["train"] | shown["val"]) == 10


def test_each_annotation_is_of_its_image_and_object(made):
    out = made / "out"
    coco = read_coco(split_file(out, "train"))
    files = {i: Path(image["file_name"]) for i, image in coco.imgs.items()}
    assert list(coco.anns) == list(range(1, len(coco.anns) + 1))
    count = 0
    for im_id, file in files.items():
        scene, number = out / file.parents[1], int(file.stem)
        gts = read_json(scene / "scene_gt.json")[str(number)]
        mine = coco.imgToAnns[im_id]
        masks = [
            read_mask(scene / "mask_visib" / f"{number:06d}_{i:06d}.png") for i in range(len(gts))
        ]
        seen = [i for i, mask in enumerate(masks) if mask.any()]
        assert [a["category_id"] for a in mine] == [gts[i]["obj_id"] for i in seen]
        for i, annotation in zip(seen, mine, strict=True):
            np.testing.assert_array_equal(coco.annToMask(annotation), masks[i])
        count += len(mine)
    assert count == len(coco.anns) > 8


def test_the_frames_to_train_on_are_those_of_a_dataset_without_val(made, tmp_path):
    assert render(tmp_path / "eight", made / "models", "--frames", 8).exit_code == 0
    assert files_of(tmp_path / "eight" / "train") == files_of(made / "out" / "train")
    assert render(tmp_path / "ten", made / "models", "--frames", 10).exit_code == 0
    last = tmp_path / "ten" / "train" / "000003" / "rgb" / "000000.png"  # frame 9
    assert last.read_bytes() == (made / "out/val/000000/rgb/000001.png").read_bytes()


def test_machines_that_share_the_work_leave_the_same(made, tmp_path):
    for part in ("2/2", "1/2"):
        result = render(
            tmp_path / "out", made / "models", "--frames", 10, "--val", 0.2, "--shard", part
        )
        assert result.exit_code == 0, result.output
        assert split_file(tmp_path / "out", "train").exists() == (part == "1/2")
    assert files_of(tmp_path / "out") == files_of(made / "out")


def test_what_is_there_stays(made):
    file = split_file(made / "out", "val")
    before = file.read_bytes()
    file.write_text(json.dumps({"mine": 1}))
    write_split(made / "out", "val")
    assert read_json(file) == {"mine": 1}
    file.unlink()
    write_split(made / "out", "val")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--frames", 4, "--val", 0.1], "render.val: 0.1 of 4 frames is none"),
        (["--frames", 4, "--split", "../out"], "render.split: '../out' is no name of a folder"),
        (["--frames", 4, "--split", "a/b"], "render.split: 'a/b' is no name of a folder"),
        (["--frames", 4, "--split", ""], "render.split: '' is no name of a folder"),
        (["--frames", 4, "--split", "."], "render.split: '.' is no name of a folder"),
        (["--frames", 4, "--split", "models"], "render.split: 'models' is no name of a folder"),
        (["--frames", 4, "--split", "annotations"], "'annotations' is no name of a folder"),
        (["--frames", 10, "--val", 0.2, "--split", "val"], "render.split is val, too"),
        (["--val", 1], "at most 0.9"),
    ],
)
def test_a_share_that_cannot_be_is_refused(made, tmp_path, arguments, line):
    result = render(tmp_path / "out", made / "models", *arguments)
    assert result.exit_code in (1, 2) and line in result.output
    assert not (tmp_path / "out").exists()


def test_training_leaves_val_alone(made):
    from train.objects.data import load_synthetic

    keys = {instance.window.tobytes() for instance in load_synthetic(made / "out", cuboids()[1], 0)}
    only_val = made / "out" / "generation.json"
    record = json.loads(only_val.read_text())
    kept = record["settings"]["render"].pop("val")
    only_val.write_text(json.dumps(record))
    everything = {i.window.tobytes() for i in load_synthetic(made / "out", cuboids()[1], 0)}
    record["settings"]["render"]["val"] = kept
    only_val.write_text(json.dumps(record))
    assert keys < everything
