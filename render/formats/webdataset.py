"""BOP scenes <-> BOP-webdataset shards: all of an image in consecutive members of a tar file.

The format: bop_toolkit_lib/dataset/bop_webdataset.py of https://github.com/thodan/bop_toolkit.
"""

import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from render.errors import InputError
from render.formats.bop_files import depth_path, mask_path, rgb_path
from render.formats.bop_records import read_records
from render.formats.coco import encode_rle
from render.formats.flow import FOLDERS, flow_path
from render.formats.surface import nocs_path, normals_path
from render.image_file import read_mask
from render.json_file import write_text
from render.plain import clipped, shown

SHARD = "shard-{:06d}.tar"
TAR_END = 1024  # bytes, zero, that end a tar file
KEY = re.compile(r"\d{6,}_\d{6,}")
RECORDS = {
    "camera.json": "scene_camera.json",
    "gt.json": "scene_gt.json",
    "gt_info.json": "scene_gt_info.json",
    "points.json": "scene_gt_points.json",
    "spec.json": "scene_spec.json",
}


def pack_scene(scene_dir: Path, scene_id: int, shard: Path) -> None:
    """Write a BOP scene as a shard; the same scene gives the same bytes.

    Args:
        scene_id: the images' keys are SSSSSS_IIIIII, of this and their image id.
        shard: the tar file to make.

    Raises:
        InputError: an image or a record of the scene is missing or damaged.
    """
    from webdataset import TarWriter  # imported here: it looks for torch

    # Owner and time are the same for all, so that a shard depends on what is in it only.
    with shard.open("wb") as file, TarWriter(file, encoder=False, mtime=0) as writer:
        for im_id, members in _samples(scene_dir):
            writer.write({"__key__": f"{scene_id:06d}_{im_id:06d}", **members})
    descriptor = os.open(shard, os.O_RDONLY)
    os.fsync(descriptor)  # a power cut must not leave a complete shard of nothing
    os.close(descriptor)


def write_key_to_shard(folder: Path, count: int) -> None:
    """Write key_to_shard.json, which says for every image's key in which of `count` shards it is.

    While not all of them are there, it is not written.

    Raises:
        InputError: a shard is cut off or damaged.
    """
    if not all((folder / SHARD.format(i)).exists() for i in range(count)):
        return
    shards: dict[str, int] = {}
    for i in range(count):
        shards |= {key: i for key in read_keys(folder / SHARD.format(i))}
    write_text(folder / "key_to_shard.json", json.dumps(shards) + "\n")


def read_keys(shard: Path) -> list[str]:
    """The keys of a shard's images, in order.

    Raises:
        InputError: it is missing, cut off or damaged, or holds none.
    """
    if not shard.is_file():
        raise InputError(f"{shard}: no such file")
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            names = [member.name for member in tar if member.isreg()]
            file.seek(-TAR_END, os.SEEK_END)
            ends = file.read() == bytes(TAR_END)
    # tarfile raises nearly anything for what is damaged.
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise _damaged(shard, clipped(error)) from None
    if not ends:
        raise _damaged(shard, "it is cut off")
    keys = list(dict.fromkeys(name.partition(".")[0] for name in names))
    wrong = [key for key in keys if not KEY.fullmatch(key)]
    if wrong or not keys:
        raise _damaged(shard, f"{shown(wrong[0])} is no image's key" if wrong else "it is empty")
    return keys


def _damaged(shard: Path, reason: str) -> InputError:
    advice = "delete it, and the same `render` command makes it again"
    return InputError(f"{shard}: no shard of images, or damaged ({reason}); {advice}")


def _samples(scene_dir: Path) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Image id and the image's members of the tar file: ending -> content."""
    records = {
        ending: read_records(scene_dir / name)
        for ending, name in RECORDS.items()
        if (scene_dir / name).is_file()
    }
    for im_id in sorted(records["camera.json"]):
        members = {
            ending: json.dumps(of_image[im_id], sort_keys=True).encode()
            for ending, of_image in records.items()
        }
        for ending, path in (
            ("rgb", rgb_path(scene_dir, im_id)),
            ("depth", depth_path(scene_dir, im_id)),
            ("normals", normals_path(scene_dir, im_id)),
            ("nocs", nocs_path(scene_dir, im_id)),
            *((FOLDERS[way], flow_path(scene_dir, im_id, way)) for way in FOLDERS),
        ):
            if path.parent.is_dir():
                members[ending + path.suffix] = path.read_bytes()
        count = len(records["gt.json"][im_id])
        for ending, visible in (("mask.json", False), ("mask_visib.json", True)):
            paths = [mask_path(scene_dir, im_id, gt_id, visible) for gt_id in range(count)]
            if paths and paths[0].parent.is_dir():
                masks = {gt_id: encode_rle(read_mask(path)) for gt_id, path in enumerate(paths)}
                members[ending] = json.dumps(masks).encode()
        yield im_id, members
