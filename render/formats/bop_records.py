"""BOP's JSON records <-> cameras and annotations in metres, every number checked on the way in."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.distortion import MOST_DISTORTION
from render.errors import InputError
from render.formats.lens_record import refuse_distortion
from render.frame import Annotation, Box
from render.json_file import read_json, write_text
from render.plain import numbers, parse_float, parse_integer, shown
from render.transforms import rigid

# Nobody annotates an object 2 cm from the lens, unless the object is as small: so small a distance
# is one in metres.
NEAREST_MM = 20.0
# Norm of R^T R - I; Occlusion-LINEMOD's published poses are up to 0.016 away from rotations.
ROTATION_SLACK = 0.05
# Times an image's longer side: no object is seen so large, and beyond its border a crop is mirrored
# once for each.
LARGEST_BOX = 100
# As far may what is seen of an object lie outside its box, where masks come from images and boxes
# from poses: share of the box's longer side, and pixels of a small one.
FURTHEST_OUTSIDE, LEAST_OUTSIDE = 0.5, 10
FRACTION_SLACK = 1e-3  # of visib_fract, which some datasets round
NO_BOX = (-1, -1, -1, -1)  # BOP's box of what is not seen
MOST_DIGITS = 15  # of an id
DISTORTION = "cam_dist"  # of an image's camera: OpenCV's k1, k2, p1, p2, k3
EACH = f"{DISTORTION} of each image, in scene_camera.json"  # stands for it in camera.json


def read_records(path: Path) -> dict[int, Any]:
    """Read a scene's JSON file: image id -> what the file says of the image."""
    content = read_json(path)
    wrong = [key for key in content if not (key.isdecimal() and len(key) <= MOST_DIGITS)]
    if wrong:
        raise InputError(f"{path}: keys must be image ids, got {shown(wrong[0])}")
    records = {int(key): value for key, value in content.items()}
    if len(records) < len(content):
        raise InputError(f"{path}: an image id is there twice, with and without leading zeros")
    return records


def write_records(path: Path, records: Mapping[int, Any]) -> None:
    """Write a scene's JSON file, one image a line as BOP has it, whole or not at all.

    Raises:
        InputError: a number is NaN or infinite, which JSON has not.
    """
    try:
        dumps = {i: json.dumps(records[i], sort_keys=True, allow_nan=False) for i in records}
    except ValueError:
        raise InputError(f"{path}: not written, since a number in it is not finite") from None
    lines = [f'  "{i}": {dumps[i]}' for i in sorted(records)]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def parse_camera(record: Any, size: tuple[int, int], where: str, lens: bool = False) -> Camera:
    """The camera of a scene_camera.json record, for images of size (width, height).

    Args:
        lens: take one with a lens distortion, too, of the kind that is written.
    """
    _require_object(record, where)
    distortion = None
    if lens and DISTORTION in record:
        distortion = tuple(numbers(record, DISTORTION, 5, where).tolist())
        if max(map(abs, distortion)) > MOST_DISTORTION:
            raise InputError(f"{where}: {DISTORTION} = {shown(list(distortion))} is no lens'")
        record = {key: value for key, value in record.items() if key != DISTORTION}
    refuse_distortion(record, where)
    K = numbers(record, "cam_K", 9, where).reshape(3, 3)
    try:
        return Camera(K, *size, distortion if any(distortion or ()) else None)
    except ValueError as error:
        raise InputError(f"{where}: cam_K is no pinhole camera: {error}") from None


def parse_depth_scale(record: Mapping[str, Any], where: str) -> float | None:
    """The depth_scale of a scene_camera.json record; None where there is none."""
    if "depth_scale" not in record:
        return None
    scale = parse_float(record, "depth_scale", where)
    if scale <= 0:
        raise InputError(f"{where}: depth_scale must be positive, got {scale}")
    return scale


def nearest_mm(root: Path) -> float:
    """How far from the camera an object of a dataset is at least: below that t is in metres."""
    radii = [NEAREST_MM]
    for file in root.glob("models*/models_info.json"):
        with suppress(InputError):  # whoever reads the models says so
            for record in read_records(file).values():
                radii.append(parse_float(record, "diameter", str(file)) / 2)
    return max(min(radii), 0.0)


def parse_annotation(gt: Any, where: str, nearest: float = NEAREST_MM) -> Annotation:
    """An annotation from its record in scene_gt.json.

    Args:
        nearest: as `nearest_mm` gives it for the dataset.

    Raises:
        InputError: a record is malformed, the rotation is none, or the translation is not in mm.
    """
    _require_object(gt, where)
    R, t_mm = numbers(gt, "cam_R_m2c", 9, where), numbers(gt, "cam_t_m2c", 3, where)
    if np.linalg.norm(t_mm) < nearest:
        raise InputError(
            f"{where}: cam_t_m2c {t_mm.tolist()} is nearer than {nearest:g} mm;"
            " BOP has millimetres, these look like metres"
        )
    cam_from_obj = pose_from_mm(R.reshape(3, 3), t_mm, where)
    return Annotation(parse_integer(gt, "obj_id", where), cam_from_obj)


def parse_info(info: Any, where: str) -> dict[str, Any]:
    """What a record of scene_gt_info.json says of an annotation, by the names of its fields."""
    _require_object(info, where)
    return {key: parse(info, key, where) for key, parse in INFO_PARSERS.items() if key in info}


def parse_fraction(record: Mapping[str, Any], key: str, where: str) -> float:
    """A share of a whole, 0 to 1."""
    value = parse_float(record, key, where)
    if not -FRACTION_SLACK <= value <= 1 + FRACTION_SLACK:
        raise InputError(f"{where}: {key} must be a share from 0 to 1, got {value:.6g}")
    return value


def world_record(cam_from_world: np.ndarray) -> dict[str, Any]:
    """What scene_camera.json says of where a camera is in its scene, (4, 4) metres."""
    R, t_mm = pose_to_mm(cam_from_world)
    return {"cam_R_w2c": R.ravel().tolist(), "cam_t_w2c": t_mm.tolist()}


def parse_world(record: Mapping[str, Any], where: str) -> np.ndarray | None:
    """cam_from_world, (4, 4) metres, of a scene_camera.json record; None where it has none."""
    if "cam_R_w2c" not in record and "cam_t_w2c" not in record:
        return None
    R, t_mm = numbers(record, "cam_R_w2c", 9, where), numbers(record, "cam_t_w2c", 3, where)
    return pose_from_mm(R.reshape(3, 3), t_mm, where)


def gt_record(annotation: Annotation) -> dict[str, Any]:
    """The annotation's record in scene_gt.json."""
    R, t_mm = pose_to_mm(annotation.cam_from_obj)
    return {
        "cam_R_m2c": R.ravel().tolist(),
        "cam_t_m2c": t_mm.tolist(),
        "obj_id": annotation.obj_id,
    }


def info_record(annotation: Annotation) -> dict[str, Any]:
    """The annotation's record in scene_gt_info.json: what is known of it, {} if nothing is."""
    record = {key: getattr(annotation, key) for key in INFO_PARSERS}
    return {key: value for key, value in record.items() if value is not None}


def pose_from_mm(R: np.ndarray, t_mm: np.ndarray, where: str) -> np.ndarray:
    """A (4, 4) pose in metres from a (3, 3) rotation and (3,) millimetres.

    R is kept as it stands, so that writing gives back what was read. Further than ROTATION_SLACK
    from a rotation, or a reflection, is an InputError.
    """
    error = float(np.linalg.norm(R.T @ R - np.eye(3)))
    if error > ROTATION_SLACK or np.linalg.det(R) < 0:
        what = "a reflection" if error <= ROTATION_SLACK else f"|R^T R - I| is {error:.2g}"
        raise InputError(f"{where}: R is not a rotation ({what}): {R.ravel().tolist()}")
    return rigid(R, t_mm / 1000)


def pose_to_mm(cam_from_obj: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) rotation and (3,) translation in mm of a (4, 4) pose in metres.

    Of the doubles that are the same in metres, the one of at most nine decimals is taken if there
    is one: that is the number which stood in the file.
    """
    t = cam_from_obj[:3, 3]
    t_mm = np.round(t * 1000, 9)
    return cam_from_obj[:3, :3], np.where(t_mm / 1000 == t, t_mm, t * 1000)


def parse_box(record: Mapping[str, Any], key: str, where: str) -> Box:
    """A box of four numbers; whole ones stay integers, as BOP writes them."""
    values = numbers(record, key, 4, where).tolist()
    x, y, width, height = (int(v) if v.is_integer() else v for v in values)
    return x, y, width, height


def require_box(box: Box, size: tuple[int, int], name: str) -> None:
    """Raise InputError unless a box shows a part of an image of size (width, height).

    Args:
        name: what the message calls the box.
    """
    x, y, width, height = box
    given, most = f"{name} [{', '.join(f'{v:.10g}' for v in box)}]", LARGEST_BOX * max(size)
    if width < 0 or height < 0:
        raise InputError(f"{given} has a negative width or height; a box is x, y, width, height")
    if 0 < max(width, height) < 1:
        raise InputError(
            f"{given} is smaller than a pixel; a box is x, y, width, height in pixels, not in"
            " shares of the image"
        )
    if max(width, height) > most:
        raise InputError(
            f"{given} is larger than {most} pixels, {LARGEST_BOX} times its image of"
            f" {size[0]}x{size[1]}; a box is x, y, width, height in pixels"
        )
    # BOP's width is max - min: 0 for what is one pixel wide.
    if x + max(width, 1) <= 0 or y + max(height, 1) <= 0 or x >= size[0] or y >= size[1]:
        raise InputError(f"{given} lies outside its image of {size[0]}x{size[1]} pixels")


def require_boxes(annotation: Annotation, size: tuple[int, int], where: str) -> None:
    """`require_box` of an annotation's boxes, of which one is about within the other.

    The whole object's may lie outside the image as long as none of the object is visible.
    """
    visib, whole = annotation.bbox_visib, annotation.bbox_obj
    if visib is not None and visib != NO_BOX:
        require_box(visib, size, f"{where}: bbox_visib")
    if whole is not None and whole != NO_BOX:
        if visib == NO_BOX:
            whole = (0, 0, *whole[2:])
        require_box(whole, size, f"{where}: bbox_obj")
    if visib is None or whole is None or NO_BOX in (visib, whole):
        return
    if beyond(visib, whole) > max(FURTHEST_OUTSIDE * max(whole[2:]), LEAST_OUTSIDE):
        raise InputError(
            f"{where}: bbox_visib {list(visib)} lies outside bbox_obj {list(whole)}, whose part it"
            " is; a box is x, y, width, height in pixels"
        )


def beyond(box: Box, other: Box) -> float:
    """How far, in pixels, a box reaches beyond another; 0 or less if it lies inside."""
    (x, y, width, height), (left, top, other_width, other_height) = box, other
    right, bottom = left + other_width, top + other_height
    return max(left - x, top - y, x + width - right, y + height - bottom)


def _require_object(record: Any, where: str) -> None:
    if not isinstance(record, dict):
        raise InputError(f"{where}: expected a JSON object, got {shown(record)}")


INFO_PARSERS: Mapping[str, Callable[[Mapping[str, Any], str, str], Any]] = {
    "bbox_obj": parse_box,
    "bbox_visib": parse_box,
    "px_count_all": parse_integer,
    "px_count_valid": parse_integer,
    "px_count_visib": parse_integer,
    "visib_fract": parse_fraction,
}
