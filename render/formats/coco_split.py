"""COCO annotations of a whole split, as detectors' trainers take them: one file, names unique.

annotations/instances_SPLIT.json of a dataset's folder, which is the folder of the images, too; made
of the scenes' own scene_gt_coco.json.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from render.formats.coco import COCO
from render.formats.splits import scene_dirs
from render.json_file import read_json
from render.whole_file import whole_file

FOLDER = "annotations"
IMAGES = 1000  # that a scene has at most: an image's id is this times its scene's, and its own


def split_file(root: Path, split: str) -> Path:
    """Where the annotations of a split are."""
    return root / FOLDER / f"instances_{split}.json"


def write_split(root: Path, split: str) -> None:
    """Join the annotations of a split's scenes; what is there already stays.

    Args:
        root: of a dataset that `render` made, whose scenes are all there.

    Raises:
        InputError: a scene's annotations are damaged.
    """
    file, scenes = split_file(root, split), scene_dirs(root / split)
    if file.exists() or not all((scene / COCO).is_file() for scene in scenes):
        return
    file.parent.mkdir(exist_ok=True)
    categories = {c["id"]: c for scene in scenes for c in read_json(scene / COCO)["categories"]}
    parts = {
        "categories": iter([categories[i] for i in sorted(categories)]),
        "images": _images(scenes),
        "annotations": _annotations(scenes),
    }
    with whole_file(file) as partial, partial.open("w") as written:
        written.write('{"info": {}, "licenses": []')
        for name, records in parts.items():
            written.write(f',\n"{name}": [')
            for number, record in enumerate(records):
                written.write((",\n" if number else "\n") + json.dumps(record))
            written.write("\n]")
        written.write("}\n")


def _images(scenes: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for scene in scenes:
        for record in read_json(scene / COCO)["images"]:
            name = f"{scene.parent.name}/{scene.name}/{record['file_name']}"
            yield {**record, "id": _image_id(scene, record["id"]), "file_name": name}


def _annotations(scenes: Sequence[Path]) -> Iterator[dict[str, Any]]:
    number = 0
    for scene in scenes:
        for record in read_json(scene / COCO)["annotations"]:
            number += 1
            yield {**record, "id": number, "image_id": _image_id(scene, record["image_id"])}


def _image_id(scene: Path, im_id: int) -> int:
    return IMAGES * int(scene.name) + im_id
