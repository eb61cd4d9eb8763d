"""How well a drawing of an object at a pose that was guessed agrees with the photograph."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from render.contour.contour import contour_of, offsets
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.frame import Frame
from render.mesh.mesh import ObjectModel
from render.scene.spec import Placed, SceneSpec, near_of, rows
from train.objects.crops import Pictured, cut, square_crop
from train.objects.refine.refiner import CROP, Refiner, drawn_box
from train.objects.twins.lighting import fit_lighting

REACH = 5  # pixels of the crop that lines across the contour look each way
NEAR = 1.5  # pixels of a line's offset that halve what it counts, about
RIM = np.ones((5, 5), np.uint8)  # two pixels, which the surface is not judged by
# What a pose is disturbed by to see whether another is as good: turns, radians; of the distance.
TURN, AWAY = np.radians(12), 0.06
FLOOR = 1e-3  # of an agreement


@dataclass(frozen=True, eq=False)
class Judge:
    """Draws an object where it may be, and compares.

    renderer: of the model with its colours; its frames have normals and coordinates. refiner: knows
    the object's colours and where photographs show its rim.
    """

    model: ObjectModel
    renderer: Renderer
    refiner: Refiner

    def distinction(self, seen: Pictured, cam_from_obj: np.ndarray) -> float:
        """How much better a pose agrees than the same pose, disturbed: the ratio to the mean of
        these. Agreement itself says more of a view, and of what is behind it, than of its pose.

        Args:
            cam_from_obj: a pose with all of the object before the camera.
        """
        around = [
            self._agreement(seen, self.refiner.moved(cam_from_obj, sign * motion))
            for motion in np.diag([TURN, TURN, TURN, 0.0, 0.0, AWAY])
            if motion.any()
            for sign in (1, -1)
        ]
        return self._agreement(seen, cam_from_obj) / (float(np.mean(around)) + FLOOR)

    def _agreement(self, seen: Pictured, cam_from_obj: np.ndarray) -> float:
        """From 0, for none, to about 1: that of the contour times that of the surface.

        A contour alone does not tell a side of an object from its back, nor a surface of one colour
        how far away it is.
        """
        crop = square_crop(drawn_box(self.model, seen.camera, cam_from_obj), CROP)
        camera = seen.camera.crop(crop, CROP.size, CROP.size)
        placed = (Placed(self.model.obj_id, rows(cam_from_obj)),)
        spec = SceneSpec(
            rows(camera.K), camera.size, placed, ambient=(1.0, 1.0, 1.0), near=near_of(placed)
        )
        (frame,) = self.renderer.render([spec])
        rgb = cut(seen, crop, CROP.size)
        return self._of_contour(rgb, frame) * self._of_surface(rgb, frame)

    def _of_contour(self, rgb: np.ndarray, frame: Frame) -> float:
        """How surely, and how near, lines across the contour see the object end there: 0..1."""
        assert frame.instance is not None
        contour = contour_of(frame)
        if not len(contour.px):
            return 0.0
        said = self.refiner.colors.log_odds(rgb, frame.instance > 0)
        offset, weight = offsets(said, contour.px, contour.outward, REACH)
        beyond = offset - self.refiner.rim_px
        return float((weight * np.exp(-((beyond / NEAR) ** 2))).mean())

    def _of_surface(self, rgb: np.ndarray, frame: Frame) -> float:
        """Correlation of colours with those of the mesh in the light that explains them best, mean
        over channels; 0 where there is none, or too little is seen."""
        assert frame.instance is not None and frame.rgb is not None and frame.normals is not None
        inner = cv2.erode((frame.instance > 0).astype(np.uint8), RIM).astype(bool)
        albedo, normals = frame.rgb[inner].astype(np.float64), frame.normals[inner]
        found = fit_lighting(rgb[inner], albedo, normals)
        if found is None:
            return 0.0
        ambient, light = found
        facing = np.maximum(normals @ np.array(light.vector), 0)[:, None]
        expected = albedo * (np.array(ambient) + np.array(light.color) * facing)  # (n, 3)
        return max(_correlation(expected, rgb[inner].astype(np.float64)), 0.0)


@contextmanager
def open_judge(model: ObjectModel, refiner: Refiner) -> Iterator[Judge]:
    """A judge of poses of a model that has its colours."""
    config = RenderConfig(exact=True, normals=True, coordinates=True)
    with closing(make_renderer({model.obj_id: model}, config)) as renderer:
        yield Judge(model, renderer, refiner)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of the columns of (n, c) values, the mean over those that vary in both."""
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    scale = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))  # (c,)
    varies = scale > 0
    if not varies.any():
        return 0.0
    return float(((one * other).sum(axis=0)[varies] / scale[varies]).mean())
