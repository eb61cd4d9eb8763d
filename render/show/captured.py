"""A film of captured frames with the object's pose drawn in, to see at a glance that it fits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from render.formats.bop import BopImage, read_split
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.show.overlay import draw_box, draw_contour, label
from render.show.video import write_video
from render.transforms import apply

BOX, CONTOUR = (255, 170, 0), (0, 230, 90)
FPS = 6
LONGEST = 1280  # of a picture's sides, pixels; larger frames are shown smaller


def write_overlay(dataset: Path, split: str, scene: int, file: Path) -> int:
    """Write an MP4 of a scene's frames with contours of visible masks and 3D boxes.

    Returns:
        The number of frames.

    Raises:
        InputError: the dataset cannot be read, or the film not be written.
    """
    images = [image for image in read_split(dataset, split) if image.scene_id == scene]
    models = load_models([dataset / "models"])
    return write_video(file, _pictures(images, models), FPS)


def _pictures(images: list[BopImage], models: dict[int, ObjectModel]) -> Iterator[np.ndarray]:
    for image in images:
        rgb = image.read_rgb()
        thickness = max(1, round(max(rgb.shape) / 800))
        for gt_id, annotation in enumerate(image.annotations):
            mask = image.read_mask(gt_id, visible=True)
            if mask is not None:
                rgb = draw_contour(rgb, mask, CONTOUR, thickness)
            corners = apply(annotation.cam_from_obj, box_corners(models[annotation.obj_id].box))
            if corners[:, 2].min() > 0:
                rgb = draw_box(rgb, image.camera.project(corners), BOX, thickness)
        step = -(-max(rgb.shape) // LONGEST)
        yield label(np.ascontiguousarray(rgb[::step, ::step]), f"frame {image.im_id}")
