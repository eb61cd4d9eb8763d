"""A calibration file -> its camera: BOP's camera.json, OpenCV's and ROS' YAML or XML."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop_records import refuse_distortion
from render.input_file import read_bytes
from render.json_file import parse_json
from render.plain import clipped, parse_float, parse_integer, shown

LARGEST_FILE = 1 << 20  # bytes; a calibration with a hundred views has less
# What begins a list or an object in JSON, YAML and XML. OpenCV's readers end the interpreter where
# some ten thousands lie within each other.
OPENERS = re.compile(r"[\[{]|-\s|<(?!/)")
MOST_OPENERS = 12_000
LARGEST = 1 << 16  # pixels, of a side
SUFFIXES = (".json", ".yaml", ".yml", ".xml")
# What programs call the same: OpenCV's samples of all ages, its functions' arguments, and ROS.
MATRICES = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "K", "M1", "intrinsic_matrix")
DISTORTIONS = (
    "distortion_coefficients",
    "Distortion_Coefficients",
    "distCoeffs",
    "dist_coeffs",
    "dist",
    "D",
    "D1",
)
WIDTHS, HEIGHTS = (
    ("image_width", "image_Width", "width"),
    ("image_height", "image_Height", "height"),
)
COEFFICIENTS = 5, 8, 12, 14  # of distortion, as OpenCV has them
PINHOLES = ("", "plumb_bob", "rational_polynomial", "none", "pinhole", "radtan")


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
        InputError: there is no such file, it is of another kind or damaged, it has no size, or its
            lens is of another model, such as a fisheye's.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: a camera is read from BOP's camera.json, or from OpenCV's YAML or XML"
        )
    content = read_bytes(path)
    if len(content) > LARGEST_FILE:
        raise InputError(f"{path}: more than {LARGEST_FILE >> 20} MiB; no calibration is so large")
    try:
        text = content.decode("utf-8-sig")
        record = _bop_record(text)
        found = _from_opencv(path, text) if record is None else _from_bop(path, record)
        camera, distortion = found[0], _lens(found[1])
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; a calibration was expected") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if camera.K[0, 1] or camera.K[1, 0] or camera.K[0, 0] <= 0 or camera.K[1, 1] <= 0:
        raise InputError(f"{path}: fx and fy must be positive, without skew: {camera.K.tolist()}")
    return camera, distortion


def _bop_record(text: str) -> dict[str, Any] | None:
    """The record of a camera.json; None if the text is something else."""
    try:
        record = parse_json(text.encode(), "")
    except InputError:
        return None
    return record if "fx" in record else None


def _from_bop(path: Path, record: dict[str, Any]) -> tuple[Camera, np.ndarray]:
    values = record.get("distortion", [])
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"distortion must be a list of numbers, got {shown(values)}")
    refuse_distortion({name: record[name] for name in record if name != "distortion"}, str(path))
    fx, fy, cx, cy = (parse_float(record, key, str(path)) for key in ("fx", "fy", "cx", "cy"))
    size = [parse_integer(record, key, str(path)) for key in ("width", "height")]
    camera = _camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), size)
    return camera, np.array(values, np.float64)


def _from_opencv(path: Path, text: str) -> tuple[Camera, np.ndarray]:
    if len(OPENERS.findall(text)) > MOST_OPENERS:
        raise InputError(f"{path}: more lists within lists than any calibration has")
    # ROS writes plain YAML, whose first line OpenCV misses.
    if path.suffix.lower() in (".yaml", ".yml") and not text.startswith("%YAML"):
        text = "%YAML:1.0\n---\n" + text
    flags = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
    try:
        storage = cv2.FileStorage(text, flags)
        matrix = _first(storage, MATRICES)
        size = [_first(storage, names) for names in (WIDTHS, HEIGHTS)]
        distortion = _first(storage, DISTORTIONS)
        model = storage.getNode("distortion_model")
        kind = model.string() if model.isString() else ""
    except (cv2.error, SystemError, RecursionError, OverflowError):
        raise InputError(f"{path}: is neither BOP's camera.json nor a file of OpenCV's") from None
    if len(matrix) != 9:
        raise InputError(f"{path}: has no 3x3 {MATRICES[0]}, nor BOP's fx, fy, cx, cy")
    if [len(side) for side in size] != [1, 1] or not all(side[0] % 1 == 0 for side in size):
        raise InputError(
            f"{path}: does not say {WIDTHS[0]} and {HEIGHTS[0]} of the images it is of"
        )
    if kind not in PINHOLES:
        raise InputError(
            f"{path}: has a lens distortion of another kind ({clipped(kind)}"
            f" {shown(distortion.tolist())}); undistort the images with what calibrated it"
        )
    return _camera(matrix.reshape(3, 3), [int(side[0]) for side in size]), distortion


def _lens(distortion: np.ndarray) -> np.ndarray:
    """Coefficients of OpenCV's, four of them as five; ValueError if there are other numbers."""
    if len(distortion) in (0, 4):
        distortion = np.concatenate([distortion, np.zeros(5 - len(distortion))])
    if len(distortion) not in COEFFICIENTS or not np.isfinite(distortion).all():
        raise ValueError(
            f"a lens has {', '.join(map(str, COEFFICIENTS))} coefficients of distortion, got"
            f" {shown(distortion.tolist())}"
        )
    return distortion


def _camera(K: np.ndarray, size: Sequence[int]) -> Camera:
    """A camera; ValueError if it is none, or has images of no size that is read here."""
    if not all(1 <= side <= LARGEST for side in size):
        raise ValueError(f"images of {shown(tuple(size))} pixels; sides are from 1 to {LARGEST}")
    return Camera(K, size[0], size[1])


def _first(storage: Any, names: Sequence[str]) -> np.ndarray:
    """The numbers of the first of these entries that there is, flat; empty if there is none."""
    for name in names:
        node = storage.getNode(name)
        if not node.empty():
            return np.array(list(_numbers(node)), np.float64)
    return np.empty(0)


def _numbers(node: Any):
    """All numbers of a matrix, a list (of lists), or one number."""
    if node.isMap():
        node = node.getNode("data")
    if node.isSeq():
        for i in range(node.size()):
            yield from _numbers(node.at(i))
    elif node.isInt() or node.isReal():
        yield node.real()
