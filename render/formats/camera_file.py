"""A calibration file -> its camera: BOP's camera.json, OpenCV's and ROS' YAML or XML."""

import re
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.lens_record import leaves, parse_distortion, spelled
from render.input_file import read_bytes
from render.json_file import DEEPEST, parse_json
from render.plain import numbers, parse_float, parse_integer, shown

LARGEST_FILE = 1 << 20  # bytes; a calibration with a hundred views has less
# What begins a list or an object in JSON, YAML and XML. OpenCV's readers end the interpreter where
# some ten thousands lie within each other.
OPENERS = re.compile(r"[\[{]|-\s|<(?!/)")
MOST_OPENERS = 12_000
LARGEST = 1 << 16  # pixels, of a side
SUFFIXES = (".json", ".yaml", ".yml", ".xml")
# What programs call the same: OpenCV's samples of all ages, its functions' arguments, and ROS; in
# lower case, without what stands between words.
MATRICES = ("cameramatrix", "k", "m1", "mtx", "intrinsicmatrix")
WIDTHS, HEIGHTS = (
    ("image_width", "image_Width", "width"),
    ("image_height", "image_Height", "height"),
)


def read_camera_file(path: Path) -> Camera:
    """The pinhole camera of a calibration file, with the size of the images it was made from.

    Raises:
        InputError: as `read_calibration`, or its camera has a lens distortion.
    """
    camera, distortion = read_calibration(path)
    if distortion.any():
        raise InputError(
            f"{path}: has a lens distortion ({shown(distortion.tolist())}), which"
            " rendered images have not; undistort the real images, cv2.undistort(image, K, D, None,"
            " newK), and write newK, which cv2.getOptimalNewCameraMatrix gives, here with zeros"
        )
    return camera


def read_calibration(path: Path) -> tuple[Camera, np.ndarray]:
    """A calibration file's camera, with the size of the images it was made from, and its lens.

    Returns:
        The camera without skew, and OpenCV's coefficients of distortion, (5,), (8,), (12,) or (14,)
        float64, zeros where there are none.

    Raises:
        InputError: there is no such file, it is of another kind or damaged, it has no size, its
            focal length is not in pixels, or its lens is of another model, such as a fisheye's.
    """
    if path.suffix.lower() not in SUFFIXES and path.exists():
        raise InputError(
            f"{path}: a camera is read from BOP's camera.json, or from OpenCV's YAML or XML"
        )
    content = read_bytes(path)
    if len(content) > LARGEST_FILE:
        raise InputError(f"{path}: more than {LARGEST_FILE >> 20} MiB; no calibration is so large")
    try:
        record = _record(path, content.decode("utf-8-sig"))
        camera = _camera(path, record)
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; a calibration was expected") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if camera.K[0, 1] or camera.K[1, 0] or camera.K[0, 0] <= 0 or camera.K[1, 1] <= 0:
        raise InputError(f"{path}: fx and fy must be positive, without skew: {camera.K.tolist()}")
    if camera.focal_fault:
        raise InputError(f"{path}: {camera.focal_fault}")
    return camera, parse_distortion(record, str(path))


def _record(path: Path, text: str) -> dict[str, Any]:
    """What a file says, as plain data."""
    try:
        return parse_json(text.encode(), "")
    except InputError:
        if len(OPENERS.findall(text)) > MOST_OPENERS:
            raise InputError(f"{path}: more lists within lists than any calibration has") from None
    # ROS writes plain YAML, whose first line OpenCV misses.
    if path.suffix.lower() in (".yaml", ".yml") and not text.startswith("%YAML"):
        text = "%YAML:1.0\n---\n" + text
    flags = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
    try:
        storage = cv2.FileStorage(text, flags)
        roots = takewhile(lambda root: root.isMap(), map(storage.root, count()))
        return dict(item for root in roots for item in _plain(root).items())
    except (cv2.error, SystemError, RecursionError, OverflowError):
        raise InputError(f"{path}: is neither BOP's camera.json nor a file of OpenCV's") from None


def _plain(node: Any, depth: int = 0) -> Any:
    """A node of OpenCV's as plain data; ValueError if it is too deep, or has a name twice."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists within each other")
    if node.isMap():
        there = list(node.keys())
        names = {name.strip("'\""): name for name in there}
        if len(names) < len(there):
            raise ValueError(f"a name is there twice in {shown(there)}")
        return {key: _plain(node.getNode(name), depth + 1) for key, name in names.items()}
    if node.isSeq():
        return [_plain(node.at(i), depth + 1) for i in range(node.size())]
    if node.isInt() or node.isReal():
        return node.real()
    return node.string() if node.isString() else None


def _camera(path: Path, record: dict[str, Any]) -> Camera:
    """The camera of a record; ValueError if it is none, or has images of no size that is read."""
    where = str(path)
    if "fx" in record:
        fx, fy, cx, cy = (parse_float(record, key, where) for key in ("fx", "fy", "cx", "cy"))
        skew = parse_float(record, "skew", where) if "skew" in record else 0
        K = np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]])
        size = [parse_integer(record, key, where) for key in ("width", "height")]
    else:
        K = _matrix(record, where)
        sides = [[key for key in names if key in record] for names in (WIDTHS, HEIGHTS)]
        if not all(sides):
            raise InputError(
                f"{path}: does not say {WIDTHS[0]} and {HEIGHTS[0]} of the images it is of"
            )
        size = [parse_integer(record, keys[0], where) for keys in sides]
    if not all(1 <= side <= LARGEST for side in size):
        raise ValueError(f"images of {shown(tuple(size))} pixels; sides are from 1 to {LARGEST}")
    return Camera(K, size[0], size[1])


def _matrix(record: dict[str, Any], where: str) -> np.ndarray:
    """The camera's matrix, (3, 3) float64, whichever of its names it has."""
    for name in MATRICES:
        for key, value in record.items():
            if spelled(key) == name and len(leaves(value)) == 9:
                return numbers({key: leaves(value)}, key, 9, where).reshape(3, 3)
    raise InputError(f"{where}: has no 3x3 camera_matrix, nor BOP's fx, fy, cx, cy")
