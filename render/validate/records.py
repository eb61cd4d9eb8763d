"""The JSON files of a BOP scene: every record checked, what is sound of it handed on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.formats.bop_records import (
    DISTORTION,
    FRACTION_SLACK,
    INFO_PARSERS,
    beyond,
    nearest_mm,
    parse_annotation,
    parse_camera,
    parse_depth_scale,
    parse_world,
    read_records,
)
from render.formats.bop_writer import NOTHING_VISIBLE
from render.formats.lens_record import refuse_distortion
from render.validate.fault import Faults

SCENE_FILES = ("scene_camera.json", "scene_gt.json", "scene_gt_info.json")
# A key is checked among sound ones, so that one fault of a record does not hide another.
SOUND_GT: Mapping[str, Any] = {
    "cam_R_m2c": [1, 0, 0, 0, 1, 0, 0, 0, 1],
    "cam_t_m2c": [0, 0, 1000],
    "obj_id": 1,
}
# Pixels between boxes drawn by different renderers: Occlusion-LINEMOD's are up to 1.6 off ours.
BOX_SLACK = 3


@dataclass(frozen=True, eq=False)
class InstanceRecord:
    """What is sound of an annotation; None, or no key of info, stands for what is not.

    cam_from_obj: (4, 4) metres. info: what scene_gt_info.json says.
    """

    obj_id: int | None
    cam_from_obj: np.ndarray | None
    info: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """What is sound of an image's records; None stands for what is not.

    camera: of an image of one pixel. depth_scale: mm. instances: index = BOP's gt id; None if
    scene_gt.json does not tell how many there are. cam_from_world: (4, 4) metres.
    """

    camera: Camera | None
    depth_scale: float | None
    instances: tuple[InstanceRecord, ...] | None
    cam_from_world: np.ndarray | None = None


def check_records(
    scene_dir: Path, present: Collection[str], faults: Faults
) -> dict[int, ImageRecord]:
    """Check a scene's JSON files.

    Args:
        present: what scenes of this split have: "depth", which needs a depth_scale, and
            "scene_gt_info.json", which is optional.

    Returns:
        Image id -> its record, of every image that any of the files names.
    """
    paths = [scene_dir / name for name in SCENE_FILES]
    has_depth, has_info = "depth" in present, SCENE_FILES[2] in present
    cameras, gts = (_read(path, faults) for path in paths[:2])
    infos = _read(paths[2], faults) if has_info else None
    im_ids = sorted({im_id for records in (cameras, gts, infos) for im_id in records or ()})
    for path, records in zip(paths, (cameras, gts, infos), strict=True):
        for im_id in im_ids:
            if records is not None and im_id not in records:
                faults.add(path, f"image {im_id} is missing, which another file of the scene has")

    checked = {}
    for im_id in im_ids:
        camera, depth_scale, world = None, None, None
        if cameras is not None and im_id in cameras:
            camera, depth_scale, world = _check_camera(
                paths[0], im_id, cameras[im_id], has_depth, faults
            )
        instances = None
        if gts is not None and im_id in gts:
            info = None if infos is None else infos.get(im_id)
            instances = _check_instances(scene_dir, im_id, gts[im_id], info, faults)
        checked[im_id] = ImageRecord(camera, depth_scale, instances, world)
    return checked


def _read(path: Path, faults: Faults) -> dict[int, Any] | None:
    """A scene's JSON file by image id; None if it is damaged."""
    with faults.caught(path):
        return read_records(path)
    return None


def _check_camera(
    path: Path, im_id: int, record: Any, has_depth: bool, faults: Faults
) -> tuple[Camera | None, float | None, np.ndarray | None]:
    """Camera, depth_scale and cam_from_world of a scene_camera.json record."""
    camera, depth_scale, world, where = None, None, None, f"image {im_id}"
    if not isinstance(record, dict):
        faults.add(path, f"{where}: expected a JSON object, got {record!r}")
        return None, None, None
    with faults.caught(path):
        world = parse_world(record, where)
    with faults.caught(path):
        refuse_distortion({k: v for k, v in record.items() if k != DISTORTION}, where)
    with faults.caught(path):
        camera = parse_camera(_only(record, "cam_K", DISTORTION), (1, 1), where, lens=True)
    with faults.caught(path):
        depth_scale = parse_depth_scale(record, where)
        if depth_scale is None and has_depth:
            faults.add(path, f"{where}: no depth_scale, but the scene has depth images")
    return camera, depth_scale, world


def _check_instances(
    scene_dir: Path, im_id: int, gt: Any, info: Any, faults: Faults
) -> tuple[InstanceRecord, ...] | None:
    """An image's annotations; info: its record in scene_gt_info.json, None if there is none."""
    gt_path, info_path = scene_dir / "scene_gt.json", scene_dir / "scene_gt_info.json"
    if not isinstance(gt, list):
        faults.add(gt_path, f"image {im_id}: expected a list, got {gt!r}")
        return None
    if info is not None and (not isinstance(info, list) or len(info) != len(gt)):
        expected = f"a list of {len(gt)}, as in scene_gt.json"
        got = f"one of {len(info)}" if isinstance(info, list) else repr(info)
        faults.add(info_path, f"image {im_id}: expected {expected}, got {got}")
        info = None

    instances, nearest = [], nearest_mm(scene_dir.parents[1])
    for gt_id, record in enumerate(gt):
        where = f"image {im_id}, gt {gt_id}"
        sound = _check_gt(gt_path, record, where, faults, nearest)
        measured = {} if info is None else _check_info(info_path, info[gt_id], where, faults)
        instances.append(InstanceRecord(*sound, measured))
    return tuple(instances)


def _check_gt(
    path: Path, record: Any, where: str, faults: Faults, nearest: float
) -> tuple[int | None, np.ndarray | None]:
    """obj_id and cam_from_obj of a scene_gt.json record."""
    if not isinstance(record, dict):
        faults.add(path, f"{where}: expected a JSON object, got {record!r}")
        return None, None
    sound = []
    for key in SOUND_GT:
        others = {other: value for other, value in SOUND_GT.items() if other != key}
        with faults.caught(path):
            parse_annotation({**others, **_only(record, key)}, where, nearest)
            sound.append(key)
    annotation = parse_annotation({**SOUND_GT, **_only(record, *sound)}, where, nearest)
    has_pose = {"cam_R_m2c", "cam_t_m2c"} <= set(sound)
    return (
        annotation.obj_id if "obj_id" in sound else None,
        annotation.cam_from_obj if has_pose else None,
    )


def _check_info(path: Path, record: Any, where: str, faults: Faults) -> dict[str, Any]:
    """The sound numbers of a scene_gt_info.json record."""
    if not isinstance(record, dict):
        faults.add(path, f"{where}: expected a JSON object, got {record!r}")
        return {}
    sound: dict[str, Any] = {}
    for key, parse in INFO_PARSERS.items():
        with faults.caught(path):
            sound |= {key: parse(record, key, where)} if key in record else {}

    if {"px_count_all", "px_count_visib", "visib_fract"} <= sound.keys():
        total, visible = sound["px_count_all"], sound["px_count_visib"]
        fraction = visible / total if total else 0.0
        if abs(sound["visib_fract"] - fraction) > FRACTION_SLACK:
            faults.add(
                path,
                f"{where}: visib_fract is {sound['visib_fract']:.4g}, but px_count_visib /"
                f" px_count_all is {visible} / {total} = {fraction:.4g}",
            )
    whole, seen = sound.get("bbox_obj", NOTHING_VISIBLE), sound.get("bbox_visib", NOTHING_VISIBLE)
    if NOTHING_VISIBLE not in (whole, seen) and beyond(seen, whole) > BOX_SLACK:
        faults.add(path, f"{where}: bbox_visib {list(seen)} leaves bbox_obj {list(whole)}")
        del sound["bbox_obj"]
    return sound


def _only(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: record[key] for key in keys if key in record}
