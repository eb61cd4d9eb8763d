"""Labelled images, made without a dataset, that the tests of several formats share."""

import cv2
import numpy as np

from render.formats.labels import Label, LabelledImage, ObjectClass
from render.frame import Annotation
from render.mesh.box import box_corners
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import CAMERA, cuboids

CLASSES = [ObjectClass(i, j, f"thing {j}", model.box) for i, (j, model) in
           enumerate(cuboids().items())]  # fmt: skip


def silhouette(points: np.ndarray) -> np.ndarray:
    """(H, W) bool: the convex hull of (n, 2) pixels."""
    mask = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask.view(bool)


def label(of: ObjectClass, cam_from_obj: np.ndarray, visib_fract: float = 1.0) -> Label:
    """A label whose mask is its box's silhouette, cut by the image."""
    mask = silhouette(CAMERA.project(apply(cam_from_obj, box_corners(of.box))))
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return Label(of, Annotation(of.obj_id, cam_from_obj, visib_fract), edges, mask)


def labelled_image(rng: np.random.Generator, name: str = "000002_000007.png") -> LabelledImage:
    """Both cuboids, and one of them once more, so near the left edge that it sticks out."""
    poses = [rigid(random_rotation(rng), [x, 0.02, 0.6]) for x in (0.05, 0.2)]
    poses.append(rigid(random_rotation(rng), [-0.30, 0.0, 0.6]))
    labels = [label(CLASSES[i], pose) for i, pose in zip((0, 1, 0), poses, strict=True)]
    return LabelledImage(name, 2, 7, CAMERA, tuple(labels))
