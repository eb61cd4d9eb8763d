"""Images with JSON beside them as NVIDIA's DOPE is trained from (NDDS's format).

The readers: https://github.com/NVlabs/Deep_Object_Pose (common/utils.py). Lengths in centimetres,
OpenCV's camera axes, pixels as ours. The order of the box's corners is that of its `Cuboid3d`, by
which it solves for poses: so a trained network's pose is one of our object frame, moved to the
middle of the box.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render.camera import Camera
from render.errors import InputError
from render.formats.labels import Label, LabelledImage, ObjectClass, image_name
from render.json_file import write_text
from render.transforms import apply

log = logging.getLogger(__name__)

CROP = 400  # pixels: the side of the random crops that its trainer cuts
# Signs of x, y, z of each corner: right is +x, top is -y, front is +z.
ORDER = np.array(
    [
        [1, -1, 1], [-1, -1, 1], [-1, 1, 1], [1, 1, 1],
        [1, -1, -1], [-1, -1, -1], [-1, 1, -1], [1, 1, -1],
    ]
)  # fmt: skip


class DopeWriter:
    """`labels.Writer`: train/NAME.png and train/NAME.json, and the same of val."""

    needs_boxes = True
    needs_masks = False
    needs_surface = False
    suffixes: tuple[str, ...] = (".png",)

    def __init__(self, classes: Sequence[ObjectClass]) -> None:
        self.classes, self.small = classes, False

    def image_file(self, part: str, scene_id: int, im_id: int) -> str:
        return f"{part}/{image_name(scene_id, im_id)}"

    def add(self, root: Path, part: str, image: LabelledImage) -> None:
        K = image.camera.K
        if K[0, 1] != 0 or K[1, 0] != 0:
            raise InputError(f"{image.name}: its cam_K has a skew, which DOPE's format cannot say")
        intrinsics = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
        if min(image.camera.size) < CROP and not self.small:
            self.small = True
            log.warning(
                "%s: smaller than the %d pixels that DOPE's trainer crops", image.name, CROP
            )
        size = {"width": image.camera.width, "height": image.camera.height}
        objects = [dope_object(one, image.camera) for one in image.labels if _in_front(one, image)]
        record = {"camera_data": size | {"intrinsics": intrinsics}, "objects": objects}
        file = root / part / f"{Path(image.name).stem}.json"
        write_text(file, json.dumps(record, indent=1) + "\n")

    def finish(self, root: Path, parts: Sequence[str]) -> None:
        """Write what DOPE's config_pose.yaml must say of the objects."""
        lines = ["dimensions: # cm, along the mesh's x, y, z"]
        for one in self.classes:
            assert one.box is not None
            size_cm = np.round(100 * (one.box[1] - one.box[0]), 4).tolist()
            lines.append(f"  {json.dumps(one.name)}: {size_cm}")
        lines += ["class_ids:", *(f"  {json.dumps(c.name)}: {c.index + 1}" for c in self.classes)]
        write_text(root / "dope.yaml", "\n".join(lines) + "\n")


def _in_front(label: Label, image: LabelledImage) -> bool:
    """Whether all of the box is before the camera, as it must be to be projected."""
    if apply(label.annotation.cam_from_obj, cuboid(label.of))[:, 2].min() > 0:
        return True
    log.warning("%s: the box of %s reaches behind the camera; left out", image.name, label.of.name)
    return False


def dope_object(label: Label, camera: Camera) -> dict[str, Any]:
    """An object's record; its box is in front of the camera."""
    cam_from_obj, fract = label.annotation.cam_from_obj, label.annotation.visib_fract
    projected = camera.project(apply(cam_from_obj, cuboid(label.of)))
    return {
        "class": label.of.name,
        "visibility": 1.0 if fract is None else fract,
        "location": (100 * cam_from_obj[:3, 3]).tolist(),
        "quaternion_xyzw": Rotation.from_matrix(cam_from_obj[:3, :3]).as_quat().tolist(),
        "projected_cuboid": projected[:8].tolist(),
        "projected_cuboid_centroid": projected[8].tolist(),
    }


def cuboid(of: ObjectClass) -> np.ndarray:
    """The corners of an object's box in DOPE's order, and its centre: (9, 3) metres."""
    assert of.box is not None
    center, half = of.box.mean(axis=0), (of.box[1] - of.box[0]) / 2
    return np.vstack([center + ORDER * half, center])
