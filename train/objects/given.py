"""Which camera and boxes a picture comes with: as a user gives them, or as files beside it say."""

import logging
from functools import cache
from pathlib import Path

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_camera, read_split
from render.formats.bop_records import require_box
from render.formats.exif import exif_camera
from render.frame import Box

log = logging.getLogger(__name__)


def visible_boxes(image: BopImage, obj_id: int) -> list[Box]:
    """Where an image's annotations say that an object is seen."""
    shown = [a.bbox_visib for a in image.annotations if a.obj_id == obj_id]
    return [box for box in shown if box is not None and box[2] > 0 and box[3] > 0]


def camera_of(image: Path, size: tuple[int, int], asked: str | None, own: Camera | None) -> Camera:
    """The camera of a picture of (width, height).

    As it is asked for; else that of the BOP scene that it stands in; else the network's, if its
    images had this size; else what EXIF says, which is said.

    Args:
        asked: "fx,fy,cx,cy". own: the camera of the frames that the network was trained on.

    Raises:
        InputError: none of these says it, or what is asked for cannot be.
    """
    used, scene = parse_camera(asked, size), scene_of(image)
    if used is None and scene is not None:
        used = _camera_in_scene(image, scene, size)
    used = used or own
    if used is None or used.size != size:
        found = exif_camera(image, size)
        if found is None:
            raise InputError(
                f"{image} is {size[0]}x{size[1]} and its camera unknown: give --camera fx,fy,cx,cy"
            )
        used, why = found
        _say_exif(image.parent, why, float(used.K[0, 0]), size)
    return used


@cache
def _say_exif(folder: Path, why: str, focal: float, size: tuple[int, int]) -> None:
    """Once for pictures of one folder and lens."""
    log.warning(
        "%s: camera from EXIF: %s, so fx = fy = %.0f px, the centre of %dx%d pixels, no distortion;"
        " --camera of a calibration is surer",
        folder, why, focal, *size,
    )  # fmt: skip


def scene_of(image: Path) -> Path | None:
    """The folder of the BOP scene that an image stands in; None where there is none."""
    scene = image.resolve().parent.parent
    in_scene = (scene / "scene_camera.json").is_file()
    return scene if in_scene and scene.name.isdecimal() and image.stem.isdecimal() else None


def _camera_in_scene(image: Path, scene: Path, size: tuple[int, int]) -> Camera:
    camera = read_camera(scene, int(image.stem), size)
    if not camera.looks_into_image:  # rendered with scene.off_axis it may be right
        log.warning(
            "%s: the principal point %g, %g of its scene_camera.json lies outside its %dx%d pixels;"
            " of an image that was resized the pose is wrong",
            image, *camera.K[:2, 2], *size,
        )  # fmt: skip
    return camera


def annotated_boxes(image: Path, scene: Path | None, obj_id: int) -> list[Box]:
    """The object's visible boxes by its scene's annotations; InputError says why there is none."""

    def refuse(why: str) -> InputError:
        return InputError(f"{image} {why}: give --box x,y,w,h")

    if scene is None:
        raise refuse("lies in no BOP scene that says where the object is")
    if not (scene / "scene_gt.json").is_file():
        raise refuse("lies in a BOP scene without scene_gt.json, which says where objects are")
    key = int(scene.name), int(image.stem)
    (found,) = read_split(scene.parent.parent, scene.parent.name, [key])
    boxes = visible_boxes(found, obj_id)
    if boxes:
        return boxes
    shown = [a for a in found.annotations if a.obj_id == obj_id]
    if any(a.bbox_visib is None for a in shown):
        raise refuse("shows the object, but no scene_gt_info.json says in which bbox_visib")
    if shown:
        raise refuse(f"shows nothing visible of object {obj_id}")
    others = ", ".join(map(str, sorted({a.obj_id for a in found.annotations}))) or "nothing"
    raise refuse(f"shows no object {obj_id}: what is annotated is {others}")


def parse_box(text: str, size: tuple[int, int]) -> Box:
    x, y, width, height = _numbers(text, "--box", "x,y,width,height in pixels")
    if width <= 0 or height <= 0:
        raise InputError(f"--box {text}: width and height must be positive")
    require_box((x, y, width, height), size, "--box")
    return x, y, width, height


def parse_camera(text: str | None, size: tuple[int, int]) -> Camera | None:
    if text is None:
        return None
    fx, fy, cx, cy = _numbers(text, "--camera", "fx,fy,cx,cy in pixels")
    if fx <= 0 or fy <= 0:
        raise InputError(f"--camera {text}: fx and fy must be positive")
    camera = Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), *size)
    if min(fx, fy) < 1 or not camera.looks_into_image:
        raise InputError(
            f"--camera {text}: not of a {size[0]}x{size[1]} image, in whose pixels fx and fy are at"
            " least 1 and cx, cy lie within it; give the intrinsics of this size, of a whole image"
        )
    return camera


def _numbers(text: str, flag: str, form: str) -> tuple[float, float, float, float]:
    try:
        a, b, c, d = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{flag} {text}: must be {form}") from None
    if not np.isfinite([a, b, c, d]).all():
        raise InputError(f"{flag} {text}: must be {form}, all finite")
    return a, b, c, d
