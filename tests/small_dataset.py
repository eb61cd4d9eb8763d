"""Objects and a BOP dataset of random pixels, made without OpenGL, that several tests share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.formats.bop_writer import write_scene
from render.frame import Annotation, Frame
from render.mesh.box import box_corners
from render.mesh.mesh import Mesh, ObjectModel, models_info_record, object_model, write_models
from render.transforms import apply, random_rotation, rigid

CAMERA = Camera(np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]]), 160, 120)
HALF_TURN = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
FACES = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5]]
FACES += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]


def cuboid(obj_id: int, low: Sequence[float], high: Sequence[float], **info) -> ObjectModel:
    """A cuboid between two corners, metres; info: what else its models_info.json says, mm."""
    corners = box_corners(np.array([low, high], np.float64)).astype(np.float32)
    mesh = Mesh(
        vertices=corners,
        faces=np.array(FACES, np.int32),
        normals=np.tile(np.array([0, 0, 1], np.float32), (8, 1)),
        colors=np.full((8, 3), 128, np.uint8),
    )
    return object_model(obj_id, mesh, models_info_record(mesh) | info, "cuboid")


def cuboids() -> dict[int, ObjectModel]:
    """Two cuboids whose origins lie off their centres; the second has a half turn about z."""
    return {
        1: cuboid(1, (-0.02, -0.03, 0.0), (0.06, 0.03, 0.05)),
        2: cuboid(2, (-0.03, -0.02, -0.01), (0.03, 0.02, 0.07), symmetries_discrete=[HALF_TURN]),
    }


def annotate(obj_id: int, cam_from_obj: np.ndarray, model: ObjectModel, **changes) -> Annotation:
    """A wholly visible object: its boxes are those of the projected corners."""
    pixels = CAMERA.project(apply(cam_from_obj, box_corners(model.box)))
    low, high = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
    box = (*low.tolist(), *(high - low).tolist())
    annotation = Annotation(obj_id, cam_from_obj, visib_fract=1.0, bbox_obj=box, bbox_visib=box)
    return replace(annotation, **changes)


def smooth_picture(rng: np.random.Generator) -> np.ndarray:
    """(120, 160, 3) uint8 of blurred noise with full contrast."""
    image = cv2.GaussianBlur(rng.normal(size=(CAMERA.height, CAMERA.width, 3)), (0, 0), 2)
    return (127.5 + 127.5 * np.clip(image / (2 * image.std()), -1, 1)).astype(np.uint8)


def random_frames(
    rng: np.random.Generator, models: Mapping[int, ObjectModel], count: int
) -> dict[int, Frame]:
    """Image id -> a picture of nothing, annotated with every object somewhere near the middle."""
    frames = {}
    for i in range(count):
        poses = {
            obj_id: rigid(random_rotation(rng), [*rng.uniform(-0.1, 0.1, 2), rng.uniform(0.5, 0.8)])
            for obj_id in models
        }
        annotations = tuple(annotate(j, pose, models[j]) for j, pose in poses.items())
        frames[3 * i + 1] = Frame(CAMERA, annotations, rgb=smooth_picture(rng))
    return frames


def write_dataset(
    root: Path, models: Mapping[int, ObjectModel], frames: Mapping[int, Frame], split: str = "test"
) -> Path:
    """Write frames as scene 2 of a split, with models and camera.json; returns root."""
    write_models(root / "models", models.values())
    (root / "camera.json").write_text(json.dumps({"width": CAMERA.width, "height": CAMERA.height}))
    write_scene(root / split / "000002", [(i, f, None) for i, f in frames.items()], None)
    return root
