"""A scene in parts, which workers draw at the same time and the last of them joins.

Parts lie in a hidden folder beside their scene, each whole or not there at all. A scene is joined
of links to their files, so that it can be joined again by whoever finds it unfinished, and its
parts go when it is there.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.formats.bop_records import write_records
from render.formats.bop_writer import SceneRecords
from render.formats.webdataset import SHARD, pack_scene
from render.hand.guest import scene_hand_path
from render.json_file import read_json, write_text
from render.mesh.mesh import ObjectModel
from render.whole_file import sweep, whole_file, whole_folder

HIDDEN = ".parts-"
RECORDS = "records.json"
LEAST, MOST = 16, 100  # frames of a part, as far as there are so many
PIXELS = 1 << 22  # about as many a part has, so that beginning and ending it costs little


def part_size(frames: int, size: tuple[int, int]) -> int:
    """How many frames of so many, of (width, height), are drawn as one part.

    All workers shall have work, and progress shall be seen, whatever the scenes' size.
    """
    even = max(LEAST, min(MOST, PIXELS // (size[0] * size[1])))
    return min(even, max(1, -(-frames // 10)))


def cut(first: int, count: int, most: int, cameras: int = 1) -> Iterator[tuple[int, int]]:
    """(first, count) of the parts of so many frames.

    Args:
        cameras: that look at one settled scene, which no two parts share, unless it has more than
            MOST frames: then each of its parts settles it, so that all workers have work.
    """
    cameras = min(cameras, MOST)
    step, end = max(1, most // cameras) * cameras, first + count
    start = first
    while start < end:
        stop = min(end, start - first % cameras + step if start == first else start + step)
        yield start, stop - start
        start = stop


@dataclass(frozen=True)
class Scene:
    """A scene to make, a folder or a shard.

    folder: of the split. first, frames: its frame ids. most: of frames in a part. cameras: see
    `cut`.
    """

    folder: Path
    scene_id: int
    form: str
    first: int
    frames: int
    most: int
    cameras: int = 1

    @property
    def path(self) -> Path:
        """Where it will be."""
        form = "{:06d}" if self.form == "bop" else SHARD
        return self.folder / form.format(self.scene_id)

    @property
    def parts_folder(self) -> Path:
        return self.folder / f"{HIDDEN}{self.scene_id:06d}"

    def parts(self) -> list[Path]:
        """Where all its parts will be, in order."""
        firsts = (first for first, _ in cut(self.first, self.frames, self.most, self.cameras))
        return [self.part(first) for first in firsts]

    def part(self, first: int) -> Path:
        """Where the part from this frame id on will be."""
        return self.parts_folder / f"{first - self.first:06d}"

    def is_drawn(self) -> bool:
        """Whether all parts are there."""
        return all(part.is_dir() for part in self.parts())

    def join(self, models: Mapping[int, ObjectModel]) -> None:
        """Make the scene of its parts, unless another process has done so, or does it just now."""
        try:
            if self.form == "bop":
                with whole_folder(self.path) as folder:
                    join_parts(self.parts(), folder, models)
            else:
                with whole_file(self.path) as shard:
                    folder = shard.with_suffix("")
                    join_parts(self.parts(), folder, models)
                    pack_scene(folder, self.scene_id, shard)
        except Exception:
            if not self.path.exists():  # else parts were gone while they were read
                raise
        shutil.rmtree(self.parts_folder, ignore_errors=True)


def write_part_records(
    folder: Path, records: SceneRecords, specs: Sequence[Any], hands: Sequence[Any]
) -> None:
    """Write what the scene's JSON files shall say of a part's images: their records, specs as plain
    data, and records of hands, where there are any."""
    plain = {**records.plain(), "specs": specs, "hands": hands}
    write_text(folder / RECORDS, json.dumps(plain))


def join_parts(parts: Sequence[Path], folder: Path, models: Mapping[int, ObjectModel]) -> None:
    """Make a scene's folder of its parts, which stay as they are."""
    folder.mkdir(exist_ok=True)
    records = SceneRecords({}, models)
    specs: list[Any] = []
    hands: list[Any] = []
    for part in parts:
        plain = read_json(part / RECORDS)
        records.join(plain)
        specs += plain["specs"]
        hands += plain["hands"]
        for file in part.glob("*/*"):
            to = folder / file.relative_to(part)
            to.parent.mkdir(exist_ok=True)
            try:
                os.link(file, to)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without links
                shutil.copyfile(file, to)
    records.write(folder)
    write_records(folder / "scene_spec.json", dict(enumerate(specs)))
    if hands:
        write_records(scene_hand_path(folder), dict(enumerate(hands)))


def sweep_parts(folder: Path) -> None:
    """Clear away the parts in a split's folder whose scenes are there, and what dead workers left.

    Parts of scenes that are not there stay, to go on from.
    """
    for parts_folder in folder.glob(f"{HIDDEN}*"):
        name = re.fullmatch(rf"{re.escape(HIDDEN)}(\d{{6,}})", parts_folder.name)
        if name is None:
            continue  # not ours
        sweep(parts_folder)
        scene_id = int(name[1])
        paths = folder / f"{scene_id:06d}", folder / SHARD.format(scene_id)
        if any(path.exists() for path in paths):
            shutil.rmtree(parts_folder, ignore_errors=True)
        with suppress(OSError):  # it holds parts
            parts_folder.rmdir()
