"""What another program must know to read an object's pose with an exported network."""

from typing import Any

import numpy as np

from render.mesh.box import box_corners
from train.learn.checkpoint import Checkpoint
from train.objects.crops import SHRINKS

CROP_STEPS = (
    "The object's box is x, y, width, height in pixels; pixel 0, 0 has its centre at 0, 0.",
    "zoom = size_px / (margin * max(width, height, 1)). The crop is not turned: an image position u"
    " is at zoom * (u - x - width / 2) + (size_px - 1) / 2 in it, and v likewise.",
    "The image is resampled so with linear interpolation; beyond its border it is mirrored without"
    " the border pixel being repeated (OpenCV's BORDER_REFLECT_101).",
    "Where zoom is below shrink_below, the crop is drawn at twice its size, where a position p is"
    " at 2 p + 0.5, and each 2 x 2 pixels are averaged (OpenCV's INTER_AREA), rounded to bytes.",
)
OUTPUT = (
    "x and y of each of object.points_m, in that order, relative to the crop's centre, in half"
    " sides of the crop: p = value * size_px / 2 + (size_px - 1) / 2 is its position in the crop;"
    " undo the crop for that in the image."
)
POSE = (
    "cam_from_obj by PnP from object.points_m and their positions in the image, with the whole"
    " image's camera: metres, OpenCV's axes (x right, y down, z forward). An image with lens"
    " distortion is undistorted first."
)


def about_object(checkpoint: Checkpoint) -> dict[str, Any]:
    """The part of an exported network's JSON that is of objects; see docs/formats.md."""
    target = checkpoint.object
    return {
        "input": {
            "channels": ["red", "green", "blue"],
            "from_bytes": {"divide_by": 128, "then_subtract": 1},
        },
        "output": {"values": OUTPUT},
        "crop": {
            "size_px": checkpoint.crop.size,
            "margin": checkpoint.crop.margin,
            "shrink_below": SHRINKS,
            "steps": list(CROP_STEPS),
        },
        "object": {
            "obj_id": target.obj_id,
            **target.names,
            "corners_m": box_corners(target.box).tolist(),
            "points_m": target.points.tolist(),
            "symmetries": _in_metres(target.symmetries),
        },
        "camera": None if target.camera is None else _camera(target.camera),
        "pose": POSE,
    }


def _camera(camera) -> dict[str, Any]:
    return {"K": camera.K.tolist(), "width": camera.width, "height": camera.height}


def _in_metres(symmetries: dict[str, Any] | None) -> dict[str, Any] | None:
    """The symmetries of models_info.json, whose lengths are mm; None where they are not known."""
    if symmetries is None:
        return None
    discrete = []
    for numbers in symmetries.get("symmetries_discrete", ()):
        obj_from_obj = np.array(numbers, np.float64).reshape(4, 4)
        obj_from_obj[:3, 3] /= 1000
        discrete.append(obj_from_obj.tolist())
    continuous = [
        {"axis": list(one["axis"]), "offset_m": (np.array(one["offset"]) / 1000).tolist()}
        for one in symmetries.get("symmetries_continuous", ())
    ]
    return {"discrete_obj_from_obj_m": discrete, "continuous": continuous}
