"""BOP's estimation targets: which objects are to be found in which test images, and how often."""

from pathlib import Path

from render.errors import InputError
from render.formats.bop_records import parse_integer
from render.json_file import read_json

TARGETS = "test_targets_bop19.json"  # beside the splits of a dataset
Targets = dict[tuple[int, int, int], int]  # scene id, image id, object id -> instances to be found


def read_targets(path: Path) -> Targets:
    """Read a list of objects with scene_id, im_id, obj_id and inst_count.

    Raises:
        InputError: the file is missing or malformed, or names one target twice; the message names
            the entry.
    """
    targets: Targets = {}
    for i, entry in enumerate(read_json(path, list)):
        where = f"{path}, entry {i}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: expected a JSON object, got {entry!r}")
        scene_id, im_id, obj_id, count = (
            parse_integer(entry, key, where)
            for key in ("scene_id", "im_id", "obj_id", "inst_count")
        )
        if count < 1:
            raise InputError(f"{where}: inst_count must be 1 or more, got {count}")
        if targets.setdefault((scene_id, im_id, obj_id), count) != count:
            raise InputError(
                f"{where}: object {obj_id} in image {im_id} of scene {scene_id} has another"
                " inst_count further up"
            )
    if not targets:
        raise InputError(f"{path}: names no target")
    return targets
