"""Labelled images on their way into another program's format, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.frame import Annotation
from render.json_file import read_json
from render.mesh.box import box_corners
from render.mesh.names import NAMES
from render.plain import LONGEST

Edges = tuple[float, float, float, float]  # left, top, right, bottom: pixel u covers [u, u + 1]
NAME = "obj_{:06d}"  # of an object that has none
CORNERS = tuple(
    f"{x}x_{y}y_{z}z" for x in ("min", "max") for y in ("min", "max") for z in ("min", "max")
)  # as `box_corners` orders them


@dataclass(frozen=True, eq=False)
class ObjectClass:
    """An object as other programs call it.

    index: from 0 without gaps. box: (2, 3) metres, object frame; None where no mesh says it.
    """

    index: int
    obj_id: int
    name: str
    box: np.ndarray | None = None

    @property
    def keypoints(self) -> np.ndarray:
        """The 8 corners of its box, as CORNERS names them, and its centre: (9, 3) metres."""
        assert self.box is not None
        return np.vstack([box_corners(self.box), self.box.mean(axis=0)])


@dataclass(frozen=True, eq=False)
class Label:
    """One object that is visible in an image.

    edges: of the visible part's box. mask: (H, W) bool, the visible part; None where the format
    needs none.
    """

    of: ObjectClass
    annotation: Annotation
    edges: Edges
    mask: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image, by its file in the new dataset, and what is labelled in it.

    file: relative to the dataset. coordinates: (H, W, 3) float32 metres, what is seen of the
    objects in their own frames; None where the format needs none. depth: (H, W) float32 metres,
    likewise, and where the dataset has none.
    """

    file: str
    scene_id: int
    im_id: int
    camera: Camera
    labels: tuple[Label, ...]
    coordinates: np.ndarray | None = None
    depth: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Of the file alone."""
        return Path(self.file).name


class Writer(Protocol):
    """Writes the labels of one format; images are copied by the caller.

    needs_boxes: of objects, from meshes. needs_masks: of visible parts. needs_surface: coordinates
    and depth of what is seen. suffixes: of image files that the format's readers take, small
    letters.
    """

    needs_boxes: bool
    needs_masks: bool
    needs_surface: bool
    suffixes: tuple[str, ...]

    def image_file(self, part: str, scene_id: int, im_id: int) -> str:
        """Where an image of a part, train or val, lies in the new dataset, without its suffix."""
        ...

    def add(self, root: Path, part: str, image: LabelledImage) -> None:
        """Write, or keep for `finish`, what is labelled in an image."""
        ...

    def finish(self, root: Path, parts: tuple[str, ...]) -> None:
        """Write what is of the whole."""
        ...


def image_name(scene_id: int, im_id: int) -> str:
    """Of an image in a folder that holds those of all scenes."""
    return f"{scene_id:06d}_{im_id:06d}"


def class_names(models: Path, obj_ids: list[int], known: Mapping[int, str]) -> dict[int, str]:
    """What each object is called: `name` of its record in models_info.json, else obj_NNNNNN.

    Args:
        known: names of those that have another without such a record, as names.json says.

    Raises:
        InputError: two objects share a name, or one is no plain text.
    """
    info = models / "models_info.json"
    records = read_json(info) if info.is_file() else {}
    names: dict[int, str] = {}
    files: dict[int, Path] = {}  # where a name stands
    for obj_id in obj_ids:
        record = records.get(str(obj_id))
        name = record.get("name") if isinstance(record, dict) else None
        if name is not None:
            files[obj_id] = info
        elif obj_id in known:
            files[obj_id], name = models / NAMES, known[obj_id]
        else:
            name = NAME.format(obj_id)
        where = f"{files.get(obj_id)}: the name of object {obj_id}"
        if not isinstance(name, str) or not name.strip().isprintable() or not name.strip():
            raise InputError(f"{where} must be a text of one line")
        if len(name) > LONGEST:
            raise InputError(f"{where} is longer than {LONGEST}")
        names[obj_id] = name.strip()
    for obj_id, name in names.items():
        twin = next(other for other in names if names[other].lower() == name.lower())
        if twin != obj_id:
            file = files.get(twin) or files[obj_id]
            raise InputError(f"{file}: objects {twin} and {obj_id} are both called {name}")
    return names
