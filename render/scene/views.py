"""Sides that objects are seen from, as annotated frames show them."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from render.errors import InputError
from render.formats.bop_records import parse_annotation, read_records
from render.mesh.mesh import ObjectModel
from render.transforms import apply


def read_views(path: Path, models: dict[int, ObjectModel]) -> dict[int, np.ndarray]:
    """The sides that a file of poses shows of each object.

    Args:
        path: a scene_gt.json as BOP has it.
        models: the objects that are wanted; all must be in the file.

    Returns:
        obj_id -> (n, 3, 3) rotations, camera from object, as the object would show that side with
        the middle of its box on the optical axis.

    Raises:
        InputError: the file is missing or damaged, or lacks an object.
    """
    sides: dict[int, list[np.ndarray]] = {obj_id: [] for obj_id in models}
    for im_id, records in read_records(path).items():
        for gt_id, record in enumerate(records if isinstance(records, list) else [records]):
            found = parse_annotation(record, f"{path}, image {im_id}, annotation {gt_id}")
            if found.obj_id in sides:
                sides[found.obj_id].append(_side(found.cam_from_obj, models[found.obj_id]))
    for obj_id, rotations in sides.items():
        if not rotations:
            raise InputError(f"scene.views: {path} has no pose of object {obj_id}")
    return {obj_id: np.stack(rotations) for obj_id, rotations in sides.items()}


def near_view(views: np.ndarray, most_deg: float, rng: np.random.Generator) -> np.ndarray:
    """A (3, 3) rotation within so many degrees of one of (n, 3, 3), about evenly among them."""
    axis = rng.normal(size=3)
    # Small turns by a vector that is even in a ball are even among rotations.
    angle = np.radians(most_deg) * np.cbrt(rng.random())
    turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
    return turn.as_matrix() @ views[rng.integers(len(views))]


def _side(cam_from_obj: np.ndarray, model: ObjectModel) -> np.ndarray:
    """(3, 3) of a pose, turned so that the ray to the middle of its box is the optical axis."""
    (middle,) = apply(cam_from_obj, model.box.mean(axis=0)[None])
    ray = middle / np.linalg.norm(middle)
    turn, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [ray])
    return turn.as_matrix() @ cam_from_obj[:3, :3]
