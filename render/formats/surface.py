"""Normals and object coordinates on disk: 16-bit RGB PNGs, 0 0 0 where there is nothing to say.

normals/IIIIII.png: x, y, z of the unit normal in the camera frame (OpenCV axes), on the viewer's
side, each as 32768 + 32767 n: steps of 3e-5.

nocs/IIIIII.png: x, y, z of the point that is seen in the object's normalised frame, each as
65535 q, on the visible pixels of annotated objects. As in H. Wang et al., "Normalized object
coordinate space for category-level 6D object pose and size estimation", CVPR 2019, the middle of
the object's box is at 1/2 and the box's diagonal is 1 long: q = (p - middle) / diagonal + 1/2 of
the point p in the object's frame. `points_from_nocs` gives p back.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from render.frame import Frame
from render.image_file import read_rgb16


def normals_path(scene_dir: Path, im_id: int) -> Path:
    """Where an image's normals are, or should be."""
    return scene_dir / "normals" / f"{im_id:06d}.png"


def nocs_path(scene_dir: Path, im_id: int) -> Path:
    """Where an image's object coordinates are, or should be."""
    return scene_dir / "nocs" / f"{im_id:06d}.png"


def encode_normals(normals: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals, 0 where there is none -> (H, W, 3) uint16 as in the file."""
    encoded = np.rint(32767 * normals + 32768).astype(np.uint16)
    x, y, z = cv2.split(normals)
    encoded[(x == 0) & (y == 0) & (z == 0)] = 0
    return encoded


def read_normals(path: Path) -> np.ndarray:
    """A file of normals as (H, W, 3) float32, 0 where there is none.

    Raises:
        InputError: the file is missing, damaged, or not 16-bit RGB.
    """
    encoded = read_rgb16(path)
    there = encoded.any(axis=2, keepdims=True)
    return np.where(there, (encoded - np.float32(32768)) / np.float32(32767), np.float32(0))


def encode_nocs(frame: Frame, boxes: Mapping[int, np.ndarray]) -> np.ndarray:
    """The coordinates of a frame as (H, W, 3) uint16 as in the file.

    Args:
        frame: with coordinates and instance ids.
        boxes: each object's (2, 3) min and max corner, metres, by obj_id.
    """
    if frame.coordinates is None or frame.instance is None:
        raise ValueError("object coordinates are written with instance ids only")
    encoded = np.zeros(frame.coordinates.shape, np.uint16)
    for i, annotation in enumerate(frame.annotations):
        seen = frame.instance == i + 1
        nocs = nocs_from_points(frame.coordinates[seen], boxes[annotation.obj_id])
        # models_info.json may be a little off its mesh.
        encoded[seen] = np.rint(65535 * np.clip(nocs, 0, 1))
    return encoded


def read_nocs(path: Path) -> np.ndarray:
    """A file of object coordinates as (H, W, 3) float32 in 0..1, exactly 0 where there are none.

    Raises:
        InputError: the file is missing, damaged, or not 16-bit RGB.
    """
    return read_rgb16(path) / np.float32(65535)


def nocs_from_points(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Normalise (..., 3) points in an object's frame, metres.

    Args:
        box: (2, 3) its min and max corner, as `ObjectModel.box` and models_info.json have it.
    """
    return (points - box.mean(axis=0)) / np.linalg.norm(box[1] - box[0]) + 0.5


def points_from_nocs(nocs: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Undo `nocs_from_points`: (..., 3) in 0..1 -> points in the object's frame, metres."""
    return (nocs - 0.5) * np.linalg.norm(box[1] - box[0]) + box.mean(axis=0)
