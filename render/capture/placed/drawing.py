"""An object drawn into the frames of a film, in windows around it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from render.camera import Camera
from render.capture.views import BoardView
from render.draw.renderer import RenderConfig, Renderer, make_renderer
from render.frame import Frame
from render.mesh.mesh import ObjectModel
from render.scene.spec import Light, Placed, SceneSpec, near_of, rows
from render.transforms import apply

MARGIN = 1.5  # side of a window over the longer side of what it is around
LARGEST_SCALE = 1.5  # a window shows a pixel of its frame no larger
# What colours are compared with: light from everywhere, and some from the camera.
AMBIENT, LIGHTS = (0.6,) * 3, (Light("directional", (0.0, 0.0, -1.0), (0.4,) * 3),)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a frame around the object, and the object drawn for it at an assumed pose.

    camera: of the window. scale: window pixels of a frame's pixel. rgb: (S, S, 3) uint8, the film.
    within: (S, S) bool, where the frame is and not what lies beyond its border. cam_from_board: of
    the frame. frame: the object drawn, with instance ids and coordinates.
    """

    camera: Camera
    scale: float
    rgb: np.ndarray
    within: np.ndarray
    cam_from_board: np.ndarray
    frame: Frame

    @property
    def mask(self) -> np.ndarray:
        """(S, S) bool, where the object is drawn."""
        assert self.frame.instance is not None
        mask: np.ndarray = self.frame.instance > 0
        return mask


class Drawer:
    """Draws one object."""

    def __init__(self, model: ObjectModel, renderer: Renderer) -> None:
        """The renderer draws the model, with coordinates."""
        self.model, self._renderer = model, renderer
        self._vertices = model.mesh.vertices.astype(np.float64)

    def windows(
        self, views: Sequence[BoardView], board_from_obj: np.ndarray, size: int
    ) -> list[Window]:
        """The object drawn in windows of the views that show it; the others are left out.

        Args:
            size: side of a window, pixels.
        """
        found = []
        for view in views:
            cam_from_obj = view.cam_from_board @ board_from_obj
            placed = self._window_of(view, cam_from_obj, size)
            if placed is not None:
                found.append((view, *placed, self.spec(placed[0], cam_from_obj)))
        frames = self._renderer.render([spec for *_, spec in found])
        return [
            Window(
                camera=camera,
                scale=float(window_from_image[0, 0]),
                rgb=_cut(view.rgb, window_from_image, size),
                within=_within(view.camera.size, window_from_image, size),
                cam_from_board=view.cam_from_board,
                frame=frame,
            )
            for (view, camera, window_from_image, _), frame in zip(found, frames, strict=True)
        ]

    def draw(self, windows: Sequence[Window], board_from_obj: np.ndarray) -> list[Frame]:
        """The object at another pose in the same windows."""
        specs = [self.spec(w.camera, w.cam_from_board @ board_from_obj) for w in windows]
        return self._renderer.render(specs)

    def masks(self, windows: Sequence[Window], board_from_obj: np.ndarray) -> list[np.ndarray]:
        """As `draw`, (S, S) bool each."""
        return [
            f.instance > 0 for f in self.draw(windows, board_from_obj) if f.instance is not None
        ]

    def placed(self, board_from_obj: np.ndarray) -> np.ndarray:
        """(n, 3) the mesh's vertices on the board."""
        return apply(board_from_obj, self._vertices)

    def spec(self, camera: Camera, cam_from_obj: np.ndarray) -> SceneSpec:
        """The object alone, under even light."""
        placed = (Placed(self.model.obj_id, rows(cam_from_obj)),)
        return SceneSpec(rows(camera.K), camera.size, placed, AMBIENT, LIGHTS, near=near_of(placed))

    def alone(self, specs: Sequence[SceneSpec]) -> list[Frame]:
        """Frames of what `spec` gave."""
        return self._renderer.render(specs)

    def frames(self, views: Sequence[BoardView], board_from_obj: np.ndarray) -> list[Frame]:
        """The object drawn in whole frames."""
        specs = [self.spec(v.camera, v.cam_from_board @ board_from_obj) for v in views]
        return self._renderer.render(specs)

    def full_mask(self, view: BoardView, board_from_obj: np.ndarray) -> np.ndarray:
        """(1, 3H, 3W) bool, the whole silhouette on `measure`'s canvas."""
        spec = self.spec(view.camera, view.cam_from_board @ board_from_obj)
        return self._renderer.full_masks(spec, canvas=3)

    def _window_of(
        self, view: BoardView, cam_from_obj: np.ndarray, size: int
    ) -> tuple[Camera, np.ndarray] | None:
        """The camera of a window, and window_from_image (2, 3); None where nothing is seen."""
        seen = apply(cam_from_obj, self._vertices)
        if seen[:, 2].min() <= 0:
            return None
        px = view.camera.project(seen)
        low, high = px.min(axis=0), px.max(axis=0)
        if (high < 0).any() or (low > np.array(view.camera.size) - 1).any():
            return None
        scale = min(size / (MARGIN * float((high - low).max())), LARGEST_SCALE)
        shift = (size - 1) / 2 - scale * (low + high) / 2
        window_from_image = np.column_stack([scale * np.eye(2), shift])
        return view.camera.crop(window_from_image, size, size), window_from_image


@contextmanager
def open_drawer(model: ObjectModel) -> Iterator[Drawer]:
    """A drawer of one object's exact mesh."""
    renderer = make_renderer({model.obj_id: model}, RenderConfig(coordinates=True, exact=True))
    try:
        yield Drawer(model, renderer)
    finally:
        renderer.close()


def _cut(rgb: np.ndarray, window_from_image: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) uint8; each of its pixels is the mean of what it covers."""
    scale = window_from_image[0, 0]
    if scale < 0.5:  # linear interpolation would jump over pixels: shrink by a whole number first
        n = int(1 / scale)
        height, width = (side // n for side in rgb.shape[:2])
        rgb = cv2.resize(
            rgb[: height * n, : width * n], (width, height), None, 0, 0, cv2.INTER_AREA
        )
        # The centre of the first pixel was at (n - 1) / 2 of the image.
        shift = window_from_image[:, 2] + scale * (n - 1) / 2
        window_from_image = np.column_stack([n * window_from_image[:, :2], shift])
    return cv2.warpAffine(rgb, window_from_image, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _within(size: tuple[int, int], window_from_image: np.ndarray, side: int) -> np.ndarray:
    """(side, side) bool, where a window shows its frame of (width, height)."""
    low, high = (
        window_from_image[:, :2] @ np.array(corner) + window_from_image[:, 2]
        for corner in ((0, 0), np.array(size) - 1)
    )
    at = np.arange(side)
    columns, rows_ = ((at >= low[i]) & (at <= high[i]) for i in (0, 1))
    within: np.ndarray = rows_[:, None] & columns[None]
    return within
