"""BOP-webdataset shards, read: what render/formats/webdataset.py writes, as BOP scenes again."""

import json
import re
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from render.errors import InputError
from render.formats.coco import decode_rle
from render.formats.flow import FOLDERS
from render.formats.webdataset import RECORDS
from render.image_file import write_png

KEY = re.compile(r"(\d{6,9})_(\d{6,9})")
# Ending of a member -> folder of the scene that its bytes go to.
IMAGES = {
    **{f"{kind}{suffix}": kind for kind in ("rgb", "gray") for suffix in (".png", ".jpg", ".tif")},
    **{"depth.png": "depth", "depth.tif": "depth"},
    **{f"{kind}.png": kind for kind in ("normals", "nocs", *FOLDERS.values())},
}
MASKS = {"mask.json": "mask", "mask_visib.json": "mask_visib"}
LONGEST = 80  # characters of the name of what is none of an image's files
BLOCK = 512  # bytes; a tar file ends in two of zeros
Key = tuple[int, int]  # scene id, image id


@dataclass(frozen=True)
class Member:
    """A member of a shard: which image's, and which of its files."""

    name: str
    key: Key
    ending: str


@dataclass
class Unpacked:
    """What became of a shard.

    scenes: id -> its folder. members: file of one of them -> the member it came from. faults: a
    member's name, and what is wrong with it; a record that is damaged is in no scene.
    """

    scenes: dict[int, Path] = field(default_factory=dict)
    members: dict[Path, str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


def read_members(shard: Path) -> list[Member]:
    """The members of a shard that are of an image, in their order; the others are left out.

    Raises:
        InputError: it is missing, damaged or no tar file.
    """
    with _opened(shard) as tar:
        return [found for _, found in _entries(tar) if isinstance(found, Member)]


def unpack(shard: Path, split: Path, keys: Collection[Key] | None = None) -> Unpacked:
    """Write the images of a shard into a split's folder, as scenes.

    Args:
        keys: of those to unpack; None takes all.

    Raises:
        InputError: the shard is missing, damaged or no tar file.
    """
    found, seen, last = Unpacked(), set[str](), None
    closed: set[Key] = set()
    records: dict[Path, dict[int, Any]] = {}
    with _opened(shard) as tar:
        for info, member in _entries(tar):
            if isinstance(member, str):
                found.faults.append((ascii(info.name)[1:-1][:LONGEST], member))
            elif info.name in seen:
                found.faults.append((info.name, "is there twice"))
            elif keys is None or member.key in keys:
                if member.key != last and member.key in closed:
                    found.faults.append((info.name, "is not beside the image's other members"))
                scene_dir = split / f"{member.key[0]:06d}"
                found.scenes[member.key[0]] = scene_dir
                try:
                    _place(member, _content(tar, info), scene_dir, found, records)
                except InputError as error:
                    found.faults.append((info.name, str(error)))
                last = member.key
                closed.add(last)
            seen.add(info.name)
    for path, of_images in records.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(of_images))
    return found


@contextmanager
def _opened(shard: Path) -> Iterator[tarfile.TarFile]:
    if not shard.is_file():
        raise InputError(f"{shard}: no such file; a shard of a bop-webdataset was expected")
    try:
        with tarfile.open(shard, "r:") as tar:
            yield tar
            # What tarfile cannot read beyond the first member, it takes for the end.
            with shard.open("rb") as file:
                file.seek(tar.offset)
                end = file.read(2 * BLOCK)
        if end != bytes(2 * BLOCK):
            raise InputError(f"{shard}: a damaged tar file, or one that was cut off")
    except InputError:
        raise
    except Exception as error:  # tarfile raises many kinds for a damaged one
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{shard}: a damaged tar file, or none ({reason})") from None


def _entries(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, Member | str]]:
    """What a shard holds, and of each its image and ending, or why it is of none."""
    for info in tar:
        key, _, ending = info.name.partition(".")
        ids = KEY.fullmatch(key)
        if not info.isreg() or info.issparse():
            yield info, "is no plain file"
        elif ids is None or ending not in RECORDS.keys() | IMAGES.keys() | MASKS.keys():
            yield info, "is nothing of an image, as 000000_000000.rgb.png is"
        else:
            yield info, Member(info.name, (int(ids[1]), int(ids[2])), ending)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    assert file is not None  # of what is a plain file there is content
    return file.read()


def _place(
    member: Member,
    content: bytes,
    scene_dir: Path,
    found: Unpacked,
    records: dict[Path, dict[int, Any]],
) -> None:
    """Put a member where a scene has it; `records` gathers its JSON files."""
    im_id, ending = member.key[1], member.ending
    if ending in IMAGES:
        suffix = "." + ending.rpartition(".")[2]
        path = scene_dir / IMAGES[ending] / f"{im_id:06d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found.members[path] = member.name
        return
    record = _parse(content)
    if ending in RECORDS:
        records.setdefault(scene_dir / RECORDS[ending], {})[im_id] = record
        return
    if not isinstance(record, dict):
        raise InputError(f"expected a JSON object, gt id to mask, got a {type(record).__name__}")
    folder = scene_dir / MASKS[ending]
    folder.mkdir(parents=True, exist_ok=True)
    for gt_id, mask in record.items():
        if not re.fullmatch(r"\d{1,6}", gt_id):
            raise InputError(f"keys must be gt ids, got {gt_id[:40]!a}")
        path = folder / f"{im_id:06d}_{int(gt_id):06d}.png"
        found.members[path] = f"{member.name}, gt {int(gt_id)}"
        write_png(path, decode_rle(mask, f"gt {int(gt_id)}"))


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid JSON ({str(error)[:200]})") from None
