"""Whose camera took a picture, and the picture without its lens's distortion."""

import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from render.camera import Camera
from render.capture.lens import Lens, Straightener, read_lens
from render.errors import InputError
from render.formats.bop import read_camera
from render.formats.exif import exif_camera
from render.frame import Box
from render.whole_file import write_whole
from train.objects.read.given import calibration_file, parse_camera, scene_of

log = logging.getLogger(__name__)

LENS = "lens.json"  # beside a scene that `capture` made; in the folder of an object of a run


def leave_lens(scenes: Iterable[Path], folder: Path) -> None:
    """Keep the lens of the first of a dataset's scenes that has one; or see that none is there."""
    for scene in scenes:
        if (scene / LENS).is_file():
            write_whole(folder / LENS, (scene / LENS).read_bytes())
            return
    (folder / LENS).unlink(missing_ok=True)


class Eye:
    """Takes pictures as they come to those of a known pinhole camera.

    The camera of a picture is what is asked for; else that of the BOP scene that it stands in; else
    the lens that took the frames which the network was trained on, or their camera, if the picture
    has their size; else what EXIF says, which is said.
    """

    def __init__(self, asked: str | None, kept: Path | None, own: Camera | None) -> None:
        """
        Args:
            asked: "fx,fy,cx,cy", or a calibration's file. kept: the lens of the frames that the
                network was trained on, if it is known. own: the camera of those, undistorted.

        Raises:
            InputError: a calibration cannot be used.
        """
        self._asked, self._own = asked, own
        file = None if asked is None else calibration_file(asked)
        self._lens = None if file is None else read_lens(file)
        self._kept = kept if kept is not None and kept.is_file() else None
        self._kept_lens = None if self._kept is None else read_lens(self._kept)
        self._straight: dict[tuple[str, tuple[int, int]], tuple[Lens, Straightener]] = {}

    def see(
        self, rgb: np.ndarray, name: str, file: Path | None = None, box: Box | None = None
    ) -> tuple[np.ndarray, Camera, Box | None]:
        """A picture without distortion, (H, W, 3), its camera, and where a box of it is there.

        Args:
            name: of the picture, for messages. file: where it is a file of its own.

        Raises:
            InputError: nothing says its camera, or what is asked for cannot be.
        """
        size = rgb.shape[1], rgb.shape[0]
        if self._lens is not None:
            return self._straightened(self._lens, str(self._asked), rgb, box)
        camera = parse_camera(self._asked, size)
        scene = None if file is None else scene_of(file)
        if camera is None and file is not None and scene is not None:
            camera = _camera_in_scene(file, scene, size)
        if camera is None and self._kept_lens is not None and self._kept_lens.size == size:
            _say_lens(self._kept)
            return self._straightened(self._kept_lens, str(self._kept), rgb, box)
        if camera is None and self._own is not None and self._own.size == size:
            camera = self._own
        if camera is None and file is not None:
            camera = _camera_of_exif(file, size)
        if camera is None:
            raise InputError(
                f"{name} is {size[0]}x{size[1]} and its camera unknown: give --camera fx,fy,cx,cy,"
                " or a calibration's file"
            )
        return rgb, camera, box

    def _straightened(
        self, lens: Lens, where: str, rgb: np.ndarray, box: Box | None
    ) -> tuple[np.ndarray, Camera, Box | None]:
        key = where, (rgb.shape[1], rgb.shape[0])
        if key not in self._straight:
            fitting = lens.scaled(key[1], where)
            self._straight[key] = fitting, Straightener(fitting)
        fitting, straightener = self._straight[key]
        moved = None if box is None else _moved(box, fitting, straightener.camera)
        return straightener(rgb), straightener.camera, moved


def _moved(box: Box, lens: Lens, straight: Camera) -> Box:
    """The box around where a box's corners are without distortion."""
    x, y, width, height = box
    corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]], float)
    there = cv2.undistortPoints(corners[:, None], lens.K, lens.distortion, P=straight.K)[:, 0]
    low, high = there.min(axis=0), there.max(axis=0)
    return (*low.tolist(), *(high - low).tolist())


def _camera_in_scene(image: Path, scene: Path, size: tuple[int, int]) -> Camera:
    camera = read_camera(scene, int(image.stem), size)
    if not camera.looks_into_image:  # rendered with scene.off_axis it may be right
        log.warning(
            "%s: the principal point %g, %g of its scene_camera.json lies outside its %dx%d pixels;"
            " of an image that was resized the pose is wrong",
            image, *camera.K[:2, 2], *size,
        )  # fmt: skip
    return camera


def _camera_of_exif(image: Path, size: tuple[int, int]) -> Camera | None:
    found = exif_camera(image, size)
    if found is None:
        return None
    camera, why = found
    _say_exif(image.parent, why, float(camera.K[0, 0]), size)
    return camera


@cache
def _say_exif(folder: Path, why: str, focal: float, size: tuple[int, int]) -> None:
    """Once for pictures of one folder and lens."""
    log.warning(
        "%s: camera from EXIF: %s, so fx = fy = %.0f px, the centre of %dx%d pixels, no distortion;"
        " --camera of a calibration is surer",
        folder, why, focal, *size,
    )  # fmt: skip


@cache
def _say_lens(file: Path | None) -> None:
    log.info(
        "pictures of this size are taken for those of the lens that was calibrated when the"
        " network's frames were captured (%s), and straightened; --camera says otherwise",
        file,
    )
