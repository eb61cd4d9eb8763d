"""Where the corners of an object's box and its named keypoints are seen in an image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop_records import numbers
from render.frame import Annotation
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.transforms import apply


def keypoints(model: ObjectModel) -> dict[str, np.ndarray]:
    """The object's named points, (3,) metres each, in its own frame.

    They are those of its record in models_info.json: "keypoints": {"name": [x, y, z]}, mm. BOP has
    no such entry; its readers pass over it.

    Raises:
        InputError: the entry is malformed.
    """
    named = model.info.get("keypoints", {})
    where = f"models_info.json of {model.source}, keypoints"
    if not isinstance(named, dict):
        raise InputError(f"{where}: expected names with [x, y, z] in mm, got {named!r}")
    return {name: numbers(named, name, 3, where) / 1000 for name in named}


def points_records(
    annotations: Sequence[Annotation], models: Mapping[int, ObjectModel], camera: Camera
) -> list[dict[str, Any]]:
    """Records of scene_gt_points.json for one image, one an annotation.

    Returns:
        box_corners: [u, v] of the box's 8 corners, in the order of `box_corners`; keypoints: name
        -> [u, v]. Pixels, outside the image too; null for a point that is not before the camera,
        or farther out than its lens shows.
    """
    records = []
    for annotation in annotations:
        model = models[annotation.obj_id]
        named = keypoints(model)
        points = np.concatenate([box_corners(model.box), *(p[None] for p in named.values())])
        pixels = _project(apply(annotation.cam_from_obj, points), camera)
        records.append(
            {"box_corners": pixels[:8], "keypoints": dict(zip(named, pixels[8:], strict=True))}
        )
    return records


def _project(points: np.ndarray, camera: Camera) -> list[list[float] | None]:
    """[u, v] of (n, 3) points in the camera frame, to a thousandth of a pixel."""
    before = camera.before(points)
    pixels = iter(np.round(camera.project(points[before]), 3).tolist())
    return [next(pixels) if seen else None for seen in before]
