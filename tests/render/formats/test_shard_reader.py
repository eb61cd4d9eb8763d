import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.coco import decode_rle, encode_rle
from render.formats.shard_reader import read_members, unpack
from render.image_file import read_mask
from render.scene.randomize import SceneConfig
from tests.tar_files import edit_tar, read_tar, write_tar

CONFIG = dict(frames=3, size=(80, 60), frames_per_scene=3, normals=True, coordinates=True)
SCENE = SceneConfig(layout="upright", objects_per_frame=(2, 2))


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[Path, Path]:
    """The same images as a shard and as a scene folder."""
    out = tmp_path_factory.mktemp("shards")
    for kind in ("bop", "bop-webdataset"):
        generate(RenderConfig(format=kind, **CONFIG), SCENE, out / kind, 0, 1)
    return out / "bop-webdataset/train/shard-000000.tar", out / "bop/train/000000"


@pytest.fixture
def shard(both, tmp_path) -> Path:
    path = tmp_path / "train" / "shard-000000.tar"
    path.parent.mkdir()
    path.write_bytes(both[0].read_bytes())
    return path


def test_an_unpacked_shard_is_the_scene_that_was_packed(both, tmp_path):
    shard, scene = both
    unpacked = unpack(shard, tmp_path / "train")
    assert unpacked.faults == [] and unpacked.scenes == {0: tmp_path / "train" / "000000"}
    for file in scene.rglob("*"):
        found = tmp_path / "train" / "000000" / file.relative_to(scene)
        if file.suffix == ".json" and file.name != "scene_gt_coco.json":
            assert json.loads(found.read_text()) == json.loads(file.read_text())
        elif file.parent.name in ("mask", "mask_visib"):
            np.testing.assert_array_equal(read_mask(found), read_mask(file))
        elif file.suffix == ".png":
            assert found.read_bytes() == file.read_bytes()


def test_only_the_images_asked_for_are_unpacked(both, tmp_path):
    unpack(both[0], tmp_path / "train", {(0, 1)})
    assert [p.name for p in (tmp_path / "train/000000/rgb").iterdir()] == ["000001.png"]
    assert list(json.loads((tmp_path / "train/000000/scene_gt.json").read_text())) == ["1"]


def test_run_lengths_are_undone(rng):
    for shape in ((1, 1), (3, 5), (20, 7)):
        for mask in (rng.random(shape) > 0.5, np.zeros(shape, bool), np.ones(shape, bool)):
            np.testing.assert_array_equal(decode_rle(encode_rle(mask), ""), mask)


@pytest.mark.parametrize(
    "record",
    [
        *(None, [], {}, {"size": [2, 2]}, {"size": [2, 2], "counts": [5]}),
        *({"size": [2, 2], "counts": [-1, 5]}, {"size": [2, 2], "counts": "04"}),
        *({"size": [2, 2], "counts": [4.0]}, {"size": [0, 0], "counts": [0]}),
        *({"size": [1 << 40, 1 << 40], "counts": [1 << 80]}, {"size": 4, "counts": [4]}),
        *({"size": [[2], 2], "counts": [4]}, {"size": [-2, -2], "counts": [4]}),
    ],
)
def test_run_lengths_of_no_mask_are_refused(record):
    with pytest.raises(InputError, match=r"gt 3: (size|counts) must be"):
        decode_rle(record, "gt 3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"000000_000000.gt.json": b"[" * 5000}), "not valid JSON"),
        (lambda m: m.update({"000000_000000.mask.json": b"[]"}), "expected a JSON object"),
        (lambda m: m.update({"000000_000000.mask.json": b'{"x": 1}'}), "keys must be gt ids"),
        (lambda m: m.update({"000000_000000.mask.json": b'{"0": 1}'}), "gt 0: size must be"),
        (lambda m: m.update({"000000_000000.jpg2": b""}), "is nothing of an image"),
        (lambda m: m.update({"../../000000_000000.rgb.png": b""}), "is nothing of an image"),
        (lambda m: m.update({"000000_000000.rgb.jpg": m["000000_000000.rgb.png"]}), "beside"),
    ],
)
def test_a_damaged_member_is_named_and_the_others_are_unpacked(shard, change, message):
    before = set(read_tar(shard))
    edit_tar(shard, change)
    unpacked = unpack(shard, shard.parent / "out")
    ((member, said),) = unpacked.faults
    assert message in said and member in {*read_tar(shard)}
    assert (shard.parent / "out/000000/rgb/000002.png").is_file()
    assert before <= set(read_tar(shard)) | {member}


def test_a_member_that_is_there_twice_is_named(shard):
    members = list(read_tar(shard).items())
    write_tar(shard, [*members, members[-1]])
    assert unpack(shard, shard.parent / "out").faults == [(members[-1][0], "is there twice")]


@pytest.mark.parametrize("kept", [0, 1, 511, 700, 5000, 20_000, -12_000])
def test_a_shard_that_was_cut_off_is_refused(shard, kept):
    shard.write_bytes(shard.read_bytes()[:kept])
    with pytest.raises(InputError, match=f"^{shard}: a damaged tar file"):
        unpack(shard, shard.parent / "out")


def test_a_header_that_is_damaged_is_not_taken_for_the_end(shard):
    """tarfile reads up to it, and says nothing."""
    with tarfile.open(shard) as tar:
        start = tar.getmembers()[12].offset
    content = bytearray(shard.read_bytes())
    content[start + 150] ^= 0xFF
    shard.write_bytes(content)
    for read in (read_members, lambda path: unpack(path, path.parent / "out")):
        with pytest.raises(InputError, match="a damaged tar file"):
            read(shard)


def test_what_is_no_plain_file_is_not_followed(shard, tmp_path):
    with tarfile.open(shard, "a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("000000_000003.rgb.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    faults = unpack(shard, tmp_path / "out").faults
    assert faults == [("000000_000003.rgb.png", "is no plain file")] * 3
    assert not (tmp_path / "out/000000/rgb/000003.png").exists()
