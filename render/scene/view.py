"""The camera of the frames: the default one, a person's own, and what it is pointed at."""

import logging

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.scene.layout import DEFAULT_INTRINSICS, FULL_SIZE, LayoutConfig

log = logging.getLogger(__name__)


def frame_size(layout: str, size: tuple[int, int] | None, given: Camera | None) -> tuple[int, int]:
    """(width, height) of the frames: as asked for, else the camera's own, else the default."""
    if size is not None:
        return size
    return FULL_SIZE if given is None or layout == "crop" else given.size


def scene_camera(
    config: LayoutConfig, size: tuple[int, int], given: Camera | None = None
) -> Camera:
    """The camera of the whole image: of the frames, or of what crops are taken from.

    Args:
        size: of the frames.
        given: a person's own camera with the size that it is of, from a file.

    Raises:
        InputError: the camera does not fit the size, is there twice, or its principal point is
            outside the image though nobody asked for that.
    """
    whole = size if config.layout != "crop" else FULL_SIZE if given is None else given.size
    if given is None:
        camera, named = _configured(config, whole), "scene.intrinsics"
    else:
        if config.intrinsics is not None:
            raise InputError("scene.intrinsics: --camera gives them, too; leave out one of the two")
        camera, named = _resized(given, whole), "--camera"
    _check_principal_point(camera, named, config.off_axis)
    return camera


def old_camera(config: LayoutConfig, size: tuple[int, int]) -> Camera:
    """The camera that datasets have which do not say theirs: that of a 640x480 image, scaled with
    the width."""
    scale = 1.0 if config.layout == "crop" else size[0] / FULL_SIZE[0]
    fx, fy, cx, cy = config.intrinsics or DEFAULT_INTRINSICS
    # Pixel centres at integers: the image's corner is at -0.5, and scales about there.
    center = (np.array([cx, cy]) + 0.5) * scale - 0.5
    K = np.array([[fx * scale, 0, center[0]], [0, fy * scale, center[1]], [0, 0, 1]])
    return Camera(K, *(FULL_SIZE if config.layout == "crop" else size))


def _configured(config: LayoutConfig, whole: tuple[int, int]) -> Camera:
    if config.intrinsics is not None:
        fx, fy, cx, cy = config.intrinsics
        camera = Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), *whole)
        if camera.focal_fault:
            raise InputError(f"scene.intrinsics: {camera.focal_fault}")
        return camera
    camera = old_camera(config, whole)
    # With the width its field of view is kept; and in the height its place in the middle.
    K = camera.K.copy()
    K[1, 2] -= (FULL_SIZE[1] * whole[0] / FULL_SIZE[0] - whole[1]) / 2  # none at 4:3
    return Camera(K, *whole)


def _resized(given: Camera, size: tuple[int, int]) -> Camera:
    """A camera for its images in another size, said aloud; the same one for its own size."""
    if size == given.size:
        return given
    (width, height), scale = size, size[0] / given.width
    if abs(given.height * scale - height) > 0.5:
        fitting = max(1, round(given.height * scale))
        raise InputError(
            f"--camera: is of {given.width}x{given.height} images, and {width}x{height} has another"
            f" shape; give --size {width}x{fitting}, or the camera of the images as they are cut"
        )
    log.info(
        "--camera: of %dx%d images, scaled by %.4g for frames of %dx%d",
        *given.size, scale, width, height,
    )  # fmt: skip
    # Pixel centres at integers: the image's corner is at -0.5, and scales about there.
    shift = np.full((2, 1), (scale - 1) / 2)
    return given.crop(np.hstack([np.eye(2) * scale, shift]), width, height)


def _check_principal_point(camera: Camera, named: str, allowed: bool) -> None:
    cx, cy = camera.K[:2, 2]
    if not (camera.looks_into_image or allowed):
        raise InputError(
            f"{named}: the principal point {cx:g}, {cy:g} lies outside the {camera.width}x"
            f"{camera.height} image; give the intrinsics that belong to this size, or, if they do,"
            " --set scene.off_axis=true"
        )
