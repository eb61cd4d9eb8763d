"""Shards of a BOP-webdataset: unpacked one by one, and checked as the scenes that they hold."""

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from render.errors import InputError
from render.formats.shard_reader import IMAGES, MASKS, Unpacked, read_members, unpack
from render.formats.splits import shard_files
from render.formats.webdataset import RECORDS
from render.json_file import read_json
from render.validate.fault import Faults
from render.validate.scene import INFO, KINDS

KEYS = "key_to_shard.json"
KIND_OF = {**RECORDS, **IMAGES, **MASKS}
ENDINGS = {name: ending for ending, name in RECORDS.items()}
CheckScene = Callable[[Path, Sequence[str], Faults], None]


def check_shards(split: Path, check: CheckScene, faults: Faults) -> None:
    """Report every fault of a split's shards; each is named by its shard and member.

    Args:
        check: of a scene's folder, given what scenes of the split have.
    """
    shards = shard_files(split)
    present, _ = present_in_shards(shards)
    _check_numbers(shards, faults)
    _check_keys(split, shards, faults)
    for shard in shards:
        with tempfile.TemporaryDirectory() as name, faults.caught(shard):
            unpacked = unpack(shard, Path(name) / split.name)
            for member, message in unpacked.faults:
                faults.add(shard, f"{member}: {message}")
            for scene_id, scene in unpacked.scenes.items():
                found = Faults()
                check(scene, present, found)
                _hand_on(found, scene_id, scene, unpacked, shard, faults)


def present_in_shards(shards: Sequence[Path]) -> tuple[list[str], int]:
    """What any image of the shards has of KINDS and INFO, and how many images there are."""
    kinds, images = set(), 0
    for shard in shards:
        with suppress(InputError):  # which is reported where it is unpacked
            for member in read_members(shard):
                kinds.add(KIND_OF[member.ending])
                images += member.ending == "camera.json"
    kinds -= {"gray"} if "rgb" in kinds else set()
    return [kind for kind in (*KINDS, INFO) if kind in kinds], images


def _check_numbers(shards: Sequence[Path], faults: Faults) -> None:
    """Report shards that are missing between others."""
    names = {shard.name for shard in shards}
    numbers = [int(n[1]) for n in (re.fullmatch(r"shard-(\d+)\.tar", name) for name in names) if n]
    for number in range(max(numbers, default=-1)):
        name = f"shard-{number:06d}.tar"
        if name not in names:
            faults.add(shards[0].with_name(name), "no such file, but later ones are there")


def _check_keys(split: Path, shards: Sequence[Path], faults: Faults) -> None:
    """key_to_shard.json against the shards, if all can be read."""
    path = split / KEYS
    there: dict[str, int | None] = {}
    for shard in shards:
        number = re.fullmatch(r"shard-(\d+)", shard.stem)
        try:
            keys = {"{:06d}_{:06d}".format(*member.key) for member in read_members(shard)}
        except InputError:
            return
        there |= dict.fromkeys(keys, int(number[1]) if number else None)
    with faults.caught(path):
        said = read_json(path)
        for key in sorted(said.keys() | there.keys()):
            if said.get(key) != there.get(key):
                here = f"in shard {there[key]}" if key in there else "in no shard"
                raise InputError(
                    f"{ascii(key)[1:-1][:40]} is {here}, not in {ascii(said.get(key))[:40]}"
                )


def _hand_on(
    found: Faults, scene_id: int, scene: Path, unpacked: Unpacked, shard: Path, faults: Faults
) -> None:
    """Name the faults of an unpacked scene by its shard's members."""
    damaged = {member for member, _ in unpacked.faults}
    for fault in found.found:
        ending = ENDINGS.get(fault.path.name, fault.path.name)
        image = re.match(r"image (\d+)", fault.message)
        member = unpacked.members.get(fault.path)
        if member is None and image:
            member = f"{scene_id:06d}_{int(image[1]):06d}.{ending}"
        elif member is None and fault.path.suffix == ".json":
            member = f"{scene_id:06d}_*.{ending}"
        elif member is None:
            number, _, gt = fault.path.stem.partition("_")
            masks = {folder: ending for ending, folder in MASKS.items()}
            ending = masks.get(fault.path.parent.name, f"{fault.path.parent.name}.png")
            member = f"{scene_id:06d}_{number}.{ending}" + (f", gt {int(gt)}" if gt else "")
        if member.partition(",")[0] not in damaged:  # which has been reported
            message = fault.message.replace("no such file", "no such member")
            faults.add(shard, f"{member}: {message}".replace(f"{scene}/", ""))
