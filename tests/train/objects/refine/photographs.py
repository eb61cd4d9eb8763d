"""Photographs of a cuboid whose colours are not those around it, and estimates of its pose."""

import numpy as np

from render.draw.rasterizer import Rasterizer
from render.frame import Frame
from render.scene.spec import Placed, SceneSpec, rows
from render.transforms import rigid, rodrigues
from tests.small_dataset import CAMERA, annotate, cuboid
from train.options import CropConfig

MODEL = cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.08))
OBJECT, AROUND, HIDING = (200, 160, 40), (40, 60, 120), (30, 120, 50)
FRAMES = 8
CROP = CropConfig(size=32)


def photograph(renderer: Rasterizer, cam_from_obj: np.ndarray, rng: np.random.Generator) -> Frame:
    """A yellowish object before something blueish, both a little uneven."""
    spec = SceneSpec(rows(CAMERA.K), CAMERA.size, (Placed(1, rows(cam_from_obj)),))
    (frame,) = renderer.render([spec])
    rgb = np.where(frame.instance[..., None] > 0, OBJECT, AROUND) + rng.normal(0, 8, (120, 160, 3))
    return Frame(CAMERA, (annotate(1, cam_from_obj, MODEL),), rgb=rgb.clip(0, 255).astype(np.uint8))


def off(cam_from_obj: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An estimate as a network gives it: 5 degrees and 6 % of the distance from the truth."""
    axis = rng.normal(size=3)
    turn = rodrigues(np.radians(5) * axis / np.linalg.norm(axis))
    t = cam_from_obj[:3, 3] * (1 + 0.06 * rng.choice([-1, 1])) + [*rng.normal(0, 0.004, 2), 0]
    return rigid(turn @ cam_from_obj[:3, :3], t)
