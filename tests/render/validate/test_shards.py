import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.scene.randomize import SceneConfig
from render.validate.validate import survey, validate
from tests.planted_faults import edit_json
from tests.tar_files import Members, edit_tar

CONFIG = RenderConfig(
    frames=5, size=(80, 60), frames_per_scene=3, format="bop-webdataset", normals=True,
    coordinates=True,
)  # fmt: skip
SCENE = SceneConfig(layout="upright", objects_per_frame=(2, 2), distance=(0.4, 0.6))
KEY = "000000_000001"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "good"
    generate(CONFIG, SCENE, out, 0, 1)
    return out


@pytest.fixture
def dataset(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "bad"))


def test_sound_shards_have_no_fault(good):
    assert validate(good, None) == []
    result = CliRunner().invoke(main, ["validate", str(good)])
    assert result.output == f"{good}: train, 5 images in 2 shards: no fault\n"
    assert survey(good, "train", render=False).endswith("2 shards; poses not drawn")


def move_pose(members: Members) -> None:
    records = json.loads(members[f"{KEY}.gt.json"])
    records[0]["cam_t_m2c"][0] += 60
    members[f"{KEY}.gt.json"] = json.dumps(records).encode()


def other_run(members: Members) -> None:
    masks = json.loads(members[f"{KEY}.mask_visib.json"])
    masks["0"]["counts"][0] -= 1
    masks["0"]["counts"][1] += 1
    members[f"{KEY}.mask_visib.json"] = json.dumps(masks).encode()


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (lambda m: m.update({f"{KEY}.rgb.png": b"\x89PNG"}), [f"{KEY}.rgb.png: not an image"]),
        (lambda m: m.pop(f"{KEY}.nocs.png"), [f"{KEY}.nocs.png: no such member"]),
        (lambda m: m.pop(f"{KEY}.rgb.png"), [f"{KEY}.rgb.png: no such member"]),
        (lambda m: m.update({f"{KEY}.normals.png": m[f"{KEY}.normals.png"][:60]}),
         [f"{KEY}.normals.png: "]),
        (lambda m: m.update({f"{KEY}.camera.json": b"{"}), [f"{KEY}.camera.json: not valid JSON"]),
        (lambda m: m.pop(f"{KEY}.gt.json"), [f"{KEY}.gt.json: image 1 is missing"]),
        (lambda m: m.pop(f"{KEY}.mask.json"),
         [f"{KEY}.mask.json, gt {i}: no such member" for i in (0, 1)]),
        (other_run, [f"{KEY}.gt_info.json: image 1, gt 0: px_count_visib", "outside"]),
        (move_pose, [f"{KEY}.gt.json: image 1, gt 0: IoU"]),
        (lambda m: m.update({"note.txt": b"x"}), ["note.txt: is nothing of an image"]),
        (lambda m: m.update({"\x1b[2J.txt": b"x"}), [r"\x1b[2J.txt: is nothing of an image"]),
        (lambda m: m.update({f"{KEY}.points.json": b'[{"x": NaN}, {}]'}),
         ["000000_*.points.json: holds NaN, which is no number of JSON's"]),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_shard_and_member(dataset, change, messages):
    shard = edit_tar(dataset / "train" / "shard-000000.tar", change)
    found = validate(dataset, None)
    assert {fault.path for fault in found} == {shard}
    assert all(any(m in fault.message for m in messages) for fault in found), found
    assert len(found) <= len(messages)


def test_a_shard_that_was_cut_off_is_named_and_the_others_are_checked(dataset):
    first, second = sorted((dataset / "train").glob("*.tar"))
    first.write_bytes(first.read_bytes()[:9000])
    edit_tar(second, lambda m: m.pop("000001_000001.depth.png"))
    assert [fault.path for fault in validate(dataset, None)] == [first, second]
    assert CliRunner().invoke(main, ["validate", str(dataset)]).exit_code == 1


def test_keys_and_numbers_of_shards_are_checked(dataset):
    keys = edit_json(dataset / "train" / "key_to_shard.json", lambda c: c.update({KEY: 1}))
    (fault,) = validate(dataset, None)
    assert fault.path == keys and fault.message == f"{KEY} is in shard 0, not in 1"

    keys.unlink()
    (fault,) = validate(dataset, None)
    assert fault.path == keys and fault.message.startswith("no such file")

    shutil.copy(dataset / "train/shard-000001.tar", dataset / "train/shard-000003.tar")
    missing = dataset / "train" / "shard-000002.tar"
    assert missing in {fault.path for fault in validate(dataset, None)}
