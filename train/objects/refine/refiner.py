"""Render and compare: moves an estimated pose until the object's contour lies where colours end.

A network reads an object's corners from one small crop; what it is least sure of, how far away the
object is, its contour shows best. No network is trained for this: colours are counted in the
training frames.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.contour.colors import Colors
from render.contour.contour import contour_of, offsets
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.errors import InputError
from render.formats.bop import read_split
from render.frame import Box, Frame
from render.mesh.mesh import Mesh, ObjectModel, load_models
from render.scene.spec import Placed, SceneSpec, near_of, rows
from render.transforms import apply, rigid
from train.objects.crops import Pictured, cut, square_crop
from train.objects.data import DataConfig, ImageKey, Instance, load_instances
from train.objects.predict import Prediction
from train.objects.refine.colors import learn_colors
from train.objects.split import choose_images
from train.options import CropConfig

CROP = CropConfig(size=128, margin=1.5)  # around the estimate
REACHES = (14, 8, 5, 3)  # pixels of the crop that lines look each way, a round; later: the last
STEPS = 2  # of least squares a rendering
# One standard deviation of what an estimate may be off by: turn, radians, about three axes; to the
# right and down, of the diameter; away, of the distance. What the contour does not say stays.
UNSURE = np.array([*[np.radians(9)] * 3, 0.06, 0.06, 0.1])
ALIKE = 6  # neighbouring lines err alike: so many say as much as one that errs alone
# Pixels: a line that is so far off counts half (Cauchy's weight), for it may have found something
# else's edge.
HALF_TRUSTED = 1.5
CLEAR = 0.6  # visib_fract from which an instance tells where photographs show the rim


class Refiner:
    """Refines poses of one object.

    rim_px: how far outward of a drawn contour photographs show it, pixels of the crop: a lens
    spreads light, and a mesh is a little smaller or larger than what it was scanned from.
    contour_error: (6, 6) how far contours lead away from annotated poses, the mean of the motions'
    outer products; so far a contour is not trusted. Zero: wherever it leads.
    """

    def __init__(
        self,
        model: ObjectModel,
        renderer: Renderer,
        colors: Colors,
        rounds: int,
        rim_px: float = 0.0,
        contour_error: np.ndarray | None = None,
    ) -> None:
        """The renderer draws the model, with coordinates."""
        self.model, self.renderer, self.colors = model, renderer, colors
        self.rounds, self.rim_px = rounds, rim_px
        self.contour_error = np.zeros((6, 6)) if contour_error is None else contour_error
        self._middle = model.box.mean(axis=0)  # (3,)

    def refine(self, seen: Pictured, cam_from_obj: np.ndarray) -> np.ndarray:
        """The (4, 4) pose near an estimate that an image's colours fit best."""
        found = cam_from_obj
        for i in range(self.rounds):
            moved = self._round(seen, found, cam_from_obj, REACHES[min(i, len(REACHES) - 1)])
            if moved is None:
                break
            found = moved
        return found

    def refined(self, seen: Pictured, prediction: Prediction) -> Prediction:
        """A prediction with its pose refined; the rest of it is the network's."""
        pose = prediction.cam_from_obj
        if pose is None:
            return prediction
        return replace(prediction, cam_from_obj=self.refine(seen, pose))

    def calibrated(self, instances: Sequence[Instance]) -> "Refiner":
        """The refiner that has learnt from instances with known poses what contours are worth.

        With its `rim_px` they stay at their distance in the median: a rim that is wrong by a pixel
        moves all of them nearer, or all away; how far is measured with two rims, and is linear
        enough between them. How far they are moved nevertheless is its `contour_error`.
        """
        clear = [i for i in instances if (i.annotation.visib_fract or 0) >= CLEAR]
        if not clear:
            return self
        low, high = (float(np.median(self._moves(clear, px)[:, 5])) for px in (0.0, 1.0))
        rim_px = self.rim_px if high == low else float(np.clip(low / (low - high), -1, 2))
        moves = self._moves(clear, rim_px)
        return self._with(rim_px, moves.T @ moves / len(moves))

    def _with(self, rim_px: float, contour_error: np.ndarray | None = None) -> "Refiner":
        """The refiner with another rim, and no contour error but the one given."""
        return Refiner(self.model, self.renderer, self.colors, self.rounds, rim_px, contour_error)

    def _moves(self, instances: Sequence[Instance], rim_px: float) -> np.ndarray:
        """(n, 6) motions by which contours with such a rim lead away from true poses."""
        refiner = self._with(rim_px)
        poses = [i.annotation.cam_from_obj for i in instances]
        found = [refiner.refine(i, pose) for i, pose in zip(instances, poses, strict=True)]
        return np.array([self._motion(p, f) for p, f in zip(poses, found, strict=True)])

    def _round(
        self, seen: Pictured, found: np.ndarray, estimate: np.ndarray, reach: int
    ) -> np.ndarray | None:
        """Draw the object once and move it; None where it cannot be seen or drawn."""
        if not self._is_ahead(found):
            return None
        crop = square_crop(drawn_box(self.model, seen.camera, found), CROP)
        camera = seen.camera.crop(crop, CROP.size, CROP.size)
        frame = self._draw(camera, found)
        contour = contour_of(frame)
        if not len(contour.px):
            return None
        assert frame.instance is not None
        rgb = cut(seen, crop, CROP.size)
        said = self.colors.log_odds(rgb, frame.instance > 0)
        drawn_at, points = camera.project(apply(found, contour.points)), contour.points
        for _ in range(STEPS):
            moved_px = camera.project(apply(found, points)) - drawn_at
            offset, weight = offsets(said, contour.px + moved_px, contour.outward, reach, rgb)
            beyond = offset - self.rim_px  # (n,)
            weight = weight / (1 + (beyond / HALF_TRUSTED) ** 2) / ALIKE
            moves = self._jacobian(camera, found, points)  # (n, 2, 6)
            across = np.einsum("nij,ni->nj", moves, contour.outward)  # (n, 6) pixels outward
            weighted = weight[:, None] * across
            information, towards = weighted.T @ across, weighted.T @ beyond
            # (information^-1 + contour_error)^-1, also of what the contour says nothing of.
            trust = np.linalg.inv(np.eye(6) + information @ self.contour_error)
            motion = np.linalg.solve(
                trust @ information + np.diag(1 / UNSURE**2),
                trust @ towards - self._motion(estimate, found) / UNSURE**2,
            )
            found = self.moved(found, motion)
            if not self._is_ahead(found):
                return None
        return found

    def _is_ahead(self, cam_from_obj: np.ndarray) -> bool:
        """Whether all of the object is before the camera."""
        vertices = apply(cam_from_obj, self.model.mesh.vertices)
        return bool(np.isfinite(vertices).all() and vertices[:, 2].min() > 0)

    def _draw(self, camera: Camera, cam_from_obj: np.ndarray) -> Frame:
        placed = (Placed(self.model.obj_id, rows(cam_from_obj)),)
        spec = SceneSpec(rows(camera.K), camera.size, placed, near=near_of(placed))
        (frame,) = self.renderer.render([spec])
        return frame

    def _middle_at(self, cam_from_obj: np.ndarray) -> np.ndarray:
        """(3,) metres, camera frame."""
        middle: np.ndarray = cam_from_obj[:3, :3] @ self._middle + cam_from_obj[:3, 3]
        return middle

    # A motion is what UNSURE is of, see `moved`.

    def _jacobian(self, camera: Camera, cam_from_obj: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(n, 2, 6) pixels that points (n, 3) of the object move by a motion."""
        seen, middle = apply(cam_from_obj, points), self._middle_at(cam_from_obj)
        x, y, z = (seen - middle).T
        by_motion = np.zeros((len(points), 3, 6))  # metres
        by_motion[:, 0, 1], by_motion[:, 0, 2] = z, -y
        by_motion[:, 1, 0], by_motion[:, 1, 2] = -z, x
        by_motion[:, 2, 0], by_motion[:, 2, 1] = y, -x
        by_motion[:, 0, 3] = by_motion[:, 1, 4] = self.model.diameter
        by_motion[:, :, 5] = middle
        u, v = camera.project(seen).T
        by_point = (camera.K[None, :2] - np.stack([u, v], axis=1)[..., None] * camera.K[2]) / (
            seen[:, 2, None, None]
        )  # (n, 2, 3)
        return by_point @ by_motion

    def moved(self, cam_from_obj: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """A pose moved by a motion (6,): turns about three axes, radians; to the right and down, of
        the diameter; away, of the distance. The object turns about the middle of its box."""
        middle = self._middle_at(cam_from_obj)
        sideways = self.model.diameter * np.array([motion[3], motion[4], 0])
        rotation = cv2.Rodrigues(motion[:3])[0] @ cam_from_obj[:3, :3]
        moved_middle = middle * (1 + motion[5]) + sideways
        return rigid(rotation, moved_middle - rotation @ self._middle)

    def _motion(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The motion from a pose to another one."""
        turn = cv2.Rodrigues(end[:3, :3] @ start[:3, :3].T)[0][:, 0]
        before, after = self._middle_at(start), self._middle_at(end)
        away = after[2] / before[2] - 1
        sideways = (after - (1 + away) * before)[:2] / self.model.diameter
        return np.array([*turn, *sideways, away])


def drawn_box(model: ObjectModel, camera: Camera, cam_from_obj: np.ndarray) -> Box:
    """The box around where an object ahead of the camera is seen, hidden parts of it and those
    beyond the image as well."""
    px = camera.project(apply(cam_from_obj, model.mesh.vertices))
    low, high = px.min(axis=0), px.max(axis=0)
    return (*low.tolist(), *(high - low).tolist())


@contextmanager
def open_refiner(
    rounds: int,
    data: DataConfig,
    root: Path,
    obj_id: int,
    seed: int,
    among: Collection[ImageKey] | None = None,
) -> Iterator[Refiner | None]:
    """A refiner for an object that has learnt from a dataset's training frames.

    Args:
        rounds: `run.refine`. among: those of the training frames that it may see; None: all.

    Yields:
        None where that is 0.

    Raises:
        InputError: there are no training frames, or the object is not visible in them.
    """
    if not rounds:
        yield None
        return
    chosen = choose_images(data, root, "train", seed)
    keys = [key for key in chosen if among is None or key in among]
    images = read_split(root, data.split, keys)
    models = load_models([root / "models"])
    with closing(make_renderer(models, RenderConfig(exact=True))) as renderer:
        colors = learn_colors(images, obj_id, renderer)
    if colors is None:
        raise InputError(
            f"run.refine: no training frame of {root / data.split} shows"
            f" {models[obj_id].title}, whose colours are needed"
        )
    model = _shape(models[obj_id])
    with closing(make_renderer({obj_id: model}, RenderConfig(coordinates=True))) as renderer:
        refiner = Refiner(model, renderer, colors, rounds)
        yield refiner.calibrated(load_instances(images, model, min_visib=CLEAR))


def _shape(model: ObjectModel) -> ObjectModel:
    """The model without its colours: contours need none, but what cuts it out."""
    mesh = model.mesh
    bare = Mesh(
        mesh.vertices,
        mesh.faces,
        mesh.normals,
        np.full(mesh.vertices.shape, 255, np.uint8),
        opacity=mesh.opacity,
    )
    if mesh.opacity is not None and mesh.texture is not None:
        bare = replace(bare, uv=mesh.uv, texture=mesh.texture)
    return replace(model, mesh=bare)
