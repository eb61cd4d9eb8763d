import io
import json
import subprocess
import sys
import tarfile

import cv2
import numpy as np
import pytest
import webdataset

from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import write_scene
from render.formats.webdataset import pack_scene, read_keys, write_key_to_shard
from tests.render.formats.coco_reader import decode_rle
from tests.render.formats.test_bop import make_frame


@pytest.fixture
def scene(tmp_path, rng):
    """A BOP scene 7 with images 4 and 11, every modality present."""
    folder = tmp_path / "made" / "train" / "000007"
    write_scene(folder, [(im_id, *make_frame(rng)) for im_id in (4, 11)])
    return folder


def samples(shard):
    """Key -> ending -> bytes, in the order of the file, read as bop_webdataset.py does."""
    found = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            key, ending = member.name.split(".", 1)
            found.setdefault(key, {})[ending] = tar.extractfile(member).read()
    return found


def test_a_shard_says_all_that_the_scene_does(scene, tmp_path):
    shard = tmp_path / "shard-000000.tar"
    pack_scene(scene, 7, shard)
    images = {
        f"{im.scene_id:06d}_{im.im_id:06d}": im for im in read_split(tmp_path / "made", "train")
    }
    found = samples(shard)
    assert list(found) == list(images)
    for key, image in images.items():
        members, im_id = found[key], str(image.im_id)
        for ending, name in (
            ("camera", "scene_camera"),
            ("gt", "scene_gt"),
            ("gt_info", "scene_gt_info"),
        ):
            record = json.loads((scene / f"{name}.json").read_text())[im_id]
            assert json.loads(members[f"{ending}.json"]) == record
        rgb = cv2.imdecode(np.frombuffer(members["rgb.png"], np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(rgb[..., ::-1], image.read_rgb())
        assert members["depth.png"] == (scene / "depth" / f"{image.im_id:06d}.png").read_bytes()
        for ending, visible in (("mask.json", False), ("mask_visib.json", True)):
            for gt_id, rle in json.load(io.BytesIO(members[ending])).items():
                np.testing.assert_array_equal(
                    decode_rle(rle), image.read_mask(int(gt_id), visible=visible)
                )


def test_a_shard_holds_normals_and_object_coordinates_where_the_scene_does(scene, tmp_path):
    for name in ("normals", "nocs"):
        (scene / name).mkdir()
        for im_id in (4, 11):
            (scene / name / f"{im_id:06d}.png").write_bytes(f"{name} {im_id}".encode())
    pack_scene(scene, 7, tmp_path / "a.tar")
    for key, members in samples(tmp_path / "a.tar").items():
        im_id = int(key.split("_")[1])
        assert members["normals.png"] == f"normals {im_id}".encode()
        assert members["nocs.png"] == f"nocs {im_id}".encode()


def test_the_same_scene_gives_the_same_bytes(scene, tmp_path):
    for name in ("a.tar", "b.tar"):
        pack_scene(scene, 7, tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_webdataset_reads_a_shard_sample_by_sample(scene, tmp_path):
    shard = tmp_path / "shard-000000.tar"
    pack_scene(scene, 7, shard)
    found = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [sample["__key__"] for sample in found] == ["000007_000004", "000007_000011"]
    assert json.loads(found[0]["gt.json"])[0]["obj_id"] == 3


def test_key_to_shard_names_the_shard_of_every_image(scene, tmp_path):
    for number in (0, 1):
        write_key_to_shard(tmp_path, 2)  # not while a shard is missing
        assert not (tmp_path / "key_to_shard.json").exists()
        pack_scene(scene, number, tmp_path / f"shard-{number:06d}.tar")
    write_key_to_shard(tmp_path, 2)
    assert json.loads((tmp_path / "key_to_shard.json").read_text()) == {
        "000000_000004": 0,
        "000000_000011": 0,
        "000001_000004": 1,
        "000001_000011": 1,
    }


def test_a_missing_mask_is_named(scene, tmp_path):
    missing = scene / "mask" / "000011_000001.png"
    missing.unlink()
    with pytest.raises(InputError, match=f"{missing}: no such file"):
        pack_scene(scene, 7, tmp_path / "shard-000000.tar")


def test_importing_the_module_loads_neither_webdataset_nor_torch():
    loaded = "{'webdataset', 'torch'} & set(sys.modules)"
    code = f"import sys, render.formats.webdataset; sys.exit(bool({loaded}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("left", [0, 100, 512, 1536, 20_000, -1024, -10_240])
def test_a_shard_that_is_cut_off_is_refused_by_name(left, scene, tmp_path):
    shard = tmp_path / "shard-000000.tar"
    pack_scene(scene, 7, shard)
    content = shard.read_bytes().rstrip(b"\0") + bytes(1536)
    shard.write_bytes(content[:left] if left >= 0 else content[: len(content) + left])
    with pytest.raises(InputError) as caught:
        write_key_to_shard(tmp_path, 1)
    message = str(caught.value)
    assert message.startswith(f"{shard}: no shard of images, or damaged (")
    assert "delete it, and the same `render` command makes it again" in message
    assert "\n" not in message and not (tmp_path / "key_to_shard.json").exists()


def test_a_damaged_shard_is_read_or_refused(scene, tmp_path, rng):
    shard, refused = tmp_path / "shard-000000.tar", 0
    pack_scene(scene, 7, shard)
    content, keys = shard.read_bytes(), read_keys(shard)
    assert keys == ["000007_000004", "000007_000011"]
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(600, size=rng.integers(1, 4)):  # headers and what follows
            damaged[place] = rng.integers(256)
        shard.write_bytes(damaged)
        try:
            assert read_keys(shard)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{shard}: ") and "\n" not in str(error)
    assert refused > 100
