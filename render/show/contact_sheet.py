"""Contact sheets of datasets, for a person to look at."""

import colorsys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_records import read_records
from render.formats.nyu_dataset import SENSOR, SYNTHETIC, read_uvd
from render.formats.shard_reader import read_members, unpack
from render.formats.splits import BOP, NYU, SHARDS, find_splits, frame_numbers, shard_files
from render.frame import Annotation
from render.mesh.box import box_corners
from render.show.hand_frame import draw_hand
from render.show.overlay import Color, draw_box, draw_contour, draw_depth, label, sheet
from render.transforms import apply

COLUMNS = 6
TILE = 320  # width of a frame on the sheet, pixels
Tile = tuple[np.ndarray, np.ndarray | None]  # colours with a line above, and what is below: metres
Boxes = Mapping[int, np.ndarray]


def contact_sheet(dataset: Path, split: str | None, frames: int) -> np.ndarray:
    """Frames of a dataset, spread evenly over it: (H, W, 3) uint8.

    Of objects, as scenes or in shards, each is drawn with the 3D box and the contour of the visible
    mask of every annotated object, a colour an object id, and with its depth below it; of NYU's
    hands see `draw_hand`. What the dataset lacks is left out.

    Args:
        split: look at this split only; None looks at all.

    Raises:
        InputError: there is no such dataset or split, or a file of it is damaged.
    """
    kinds = find_splits(dataset, split)
    listed = [(name, f) for name, kind in kinds.items() for f in LISTS[kind](dataset / name)]
    if not listed:
        raise InputError(f"{dataset}: there is no frame in {', '.join(kinds)}")
    picked = [listed[i] for i in _evenly(len(listed), frames)]
    boxes = _boxes(dataset / "models" / "models_info.json")
    tiles: list[Tile] = []
    for name, kind in kinds.items():
        of_split = [frame for split_name, frame in picked if split_name == name]
        tiles += TILES[kind](dataset / name, of_split, boxes) if of_split else []

    rows = []
    for start in range(0, len(tiles), COLUMNS):
        part = tiles[start : start + COLUMNS]
        rows.append([tile for tile, _ in part])
        rows.append([_small(draw_depth(depth)) for _, depth in part if depth is not None])
    return sheet([row for row in rows if row])


def _object_tiles(split: Path, images: Sequence[Any], boxes: Boxes) -> list[Tile]:
    """Of a split in BOP's layout."""
    return [(_tile(image, boxes), image.read_depth()) for image in images]


def _shard_tiles(split: Path, frames: Sequence[Any], boxes: Boxes) -> list[Tile]:
    """Of a split of shards; only those that are asked for are unpacked."""
    tiles: list[Tile] = []
    for shard in dict.fromkeys(shard for shard, _ in frames):
        keys = {key for of_shard, key in frames if of_shard == shard}
        with TemporaryDirectory() as name:
            faults = unpack(shard, Path(name) / split.name, keys).faults
            if faults:
                raise InputError(f"{shard}, {': '.join(faults[0])}")
            try:
                images = read_split(Path(name), split.name, lens=True)
                tiles += _object_tiles(split, images, boxes)
            except InputError as error:
                scene = f"{Path(name) / split.name}/"
                raise InputError(f"{shard}: {str(error).replace(scene, '')}") from None
    return tiles


def _hand_tiles(split: Path, numbers: Sequence[Any], boxes: Boxes) -> list[Tile]:
    """Of a split in NYU's layout."""
    uvd, _ = read_uvd(split)
    drawn = [draw_hand(split, number, uvd) for number in numbers]
    names = (f"{split.name}/{number:07d}" for number in numbers)
    return [(label(_small(rgb), name), d) for name, (rgb, d) in zip(names, drawn, strict=True)]


def _list_shards(split: Path) -> list[Any]:
    """(shard, key) of every image."""
    keys = ((s, dict.fromkeys(m.key for m in read_members(s))) for s in shard_files(split))
    return [(shard, key) for shard, of_shard in keys for key in of_shard]


def _list_hands(split: Path) -> list[Any]:
    """The numbers of frames with any image."""
    return sorted({n for stream in (SENSOR, SYNTHETIC) for n in frame_numbers(split, stream)})


# How a split's frames are listed, and what draws some of them.
LISTS: Mapping[str, Callable[[Path], list[Any]]] = {
    BOP: lambda split: list(read_split(split.parent, split.name, lens=True)),
    SHARDS: _list_shards,
    NYU: _list_hands,
}
TILES: Mapping[str, Callable[[Path, Sequence[Any], Boxes], list[Tile]]] = {
    BOP: _object_tiles,
    SHARDS: _shard_tiles,
    NYU: _hand_tiles,
}


def _boxes(models_info: Path) -> dict[int, np.ndarray]:
    """Object id -> (2, 3) corners of its box, metres; empty where the dataset has no models."""
    if not models_info.is_file():
        return {}
    boxes = {}
    for obj_id, record in read_records(models_info).items():
        try:
            low, size = (
                np.array([record[f"{key}_{axis}"] for axis in "xyz"], np.float64) / 1000
                for key in ("min", "size")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{models_info}: object {obj_id} is damaged ({error})") from None
        boxes[obj_id] = np.stack([low, low + size])
    return boxes


def _tile(image: BopImage, boxes: Boxes) -> np.ndarray:
    rgb = image.read_rgb()
    for gt_id, annotation in enumerate(image.annotations):
        color = _color(annotation.obj_id)
        mask = image.read_mask(gt_id, visible=True)
        if mask is not None:
            rgb = draw_contour(rgb, mask, color, _thickness(rgb))
        corners = _corners(annotation, boxes, image.camera)
        if corners is not None:
            rgb = draw_box(rgb, corners, color)
    fractions = [a.visib_fract for a in image.annotations if a.visib_fract is not None]
    least = f"  visible {min(fractions):.0%} to {max(fractions):.0%}" if fractions else ""
    title = f"{image.scene_dir.parent.name}/{image.scene_id:06d}/{image.im_id:06d}{least}"
    return label(_small(rgb), title)


def _corners(annotation: Annotation, boxes: Boxes, camera: Camera) -> np.ndarray | None:
    """The object's box in the image, (8, 2) pixels; None if it is unknown or not all in front."""
    if annotation.obj_id not in boxes:
        return None
    corners = apply(annotation.cam_from_obj, box_corners(boxes[annotation.obj_id]))
    return camera.project(corners) if camera.before(corners).all() else None


def _color(obj_id: int) -> Color:
    """Neighbouring ids far apart on the colour wheel."""
    red, green, blue = colorsys.hsv_to_rgb(obj_id * 0.618 % 1, 0.85, 1.0)
    return int(255 * red), int(255 * green), int(255 * blue)


def _thickness(rgb: np.ndarray) -> int:
    """Of a line that is one pixel wide on the sheet."""
    return max(1, round(rgb.shape[1] / TILE))


def _small(rgb: np.ndarray) -> np.ndarray:
    """At most as wide as a tile."""
    height, width = rgb.shape[:2]
    if width <= TILE:
        return rgb
    size = TILE, max(1, round(height * TILE / width))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` indices, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int)).tolist()
