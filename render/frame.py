"""Frame and Annotation: what every stage hands on."""

from dataclasses import dataclass

import numpy as np

from render.camera import Camera

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object instance in one image.

    Boxes and counts follow BOP's scene_gt_info (a box is x, y, max-min, max-min in pixels); they
    are None where the dataset does not give them.
    """

    obj_id: int
    cam_from_obj: np.ndarray  # (4, 4) float64, metres
    visib_fract: float | None = None
    bbox_obj: Box | None = None
    bbox_visib: Box | None = None
    px_count_all: int | None = None
    px_count_valid: int | None = None
    px_count_visib: int | None = None
    joints: np.ndarray | None = None  # (j, 3) metres, camera frame; hands only


@dataclass(frozen=True, eq=False)
class Frame:
    """One image with everything known about it; what is absent is None.

    rgb: (H, W, 3) uint8. depth: (H, W) float32 metres, 0 where nothing was seen. instance: (H, W)
    uint8, 0 for background and i + 1 for annotations[i], so visible masks partition the image.

    normals: (H, W, 3) float32, the unit normal that the surface is shaded with, on the viewer's
    side, camera frame. coordinates: (H, W, 3) float32, the point of the mesh that is seen, in the
    object's frame, metres (before a spec's stretch). Both are 0 where nothing was drawn, and hold
    un-annotated objects too.

    flow_forward, flow_backward: (H, W, 2) pixels to where what is seen is in a film's next frame,
    and in the one before; NaN where it is unknown.

    drawn_depth: (H, W) float32 metres, what there is, where `depth` is what a depth camera makes
    of it.
    """

    camera: Camera
    annotations: tuple[Annotation, ...] = ()
    rgb: np.ndarray | None = None
    depth: np.ndarray | None = None
    instance: np.ndarray | None = None
    normals: np.ndarray | None = None
    coordinates: np.ndarray | None = None
    drawn_depth: np.ndarray | None = None
    flow_forward: np.ndarray | None = None
    flow_backward: np.ndarray | None = None
