"""What a user gives with a picture, and which boxes the files beside it say."""

from pathlib import Path

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_records import require_box
from render.frame import Box
from render.mesh.names import read_names
from train.learn.targets import ObjectInfo


def visible_boxes(image: BopImage, obj_id: int) -> list[Box]:
    """Where an image's annotations say that an object is seen."""
    shown = [a.bbox_visib for a in image.annotations if a.obj_id == obj_id]
    return [box for box in shown if box is not None and box[2] > 0 and box[3] > 0]


def scene_of(image: Path) -> Path | None:
    """The folder of the BOP scene that an image stands in; None where there is none."""
    scene = image.resolve().parent.parent
    in_scene = (scene / "scene_camera.json").is_file()
    return scene if in_scene and scene.name.isdecimal() and image.stem.isdecimal() else None


def annotated_boxes(image: Path, scene: Path | None, target: ObjectInfo) -> list[Box]:
    """The object's visible boxes by its scene's annotations; InputError says why there is none."""

    def refuse(why: str) -> InputError:
        return InputError(f"{image} {why}: give --box x,y,w,h")

    if scene is None:
        raise refuse("lies in no BOP scene that says where the object is")
    if not (scene / "scene_gt.json").is_file():
        raise refuse("lies in a BOP scene without scene_gt.json, which says where objects are")
    key = int(scene.name), int(image.stem)
    (found,) = read_split(scene.parent.parent, scene.parent.name, [key], labelled=False)
    boxes = visible_boxes(found, target.obj_id)
    if boxes:
        return boxes
    shown = [a for a in found.annotations if a.obj_id == target.obj_id]
    if any(a.bbox_visib is None for a in shown):
        raise refuse("shows the object, but no scene_gt_info.json says in which bbox_visib")
    if shown:
        raise refuse(f"shows nothing visible of {target.title}")
    names = read_names(scene.parent.parent / "models")
    ids = sorted({a.obj_id for a in found.annotations})
    others = ", ".join(names.get(i) or str(i) for i in ids) or "nothing"
    raise refuse(f"shows no {target.title}: what is annotated is {others}")


def parse_box(text: str, size: tuple[int, int]) -> Box:
    x, y, width, height = _numbers(text, "--box", "x,y,width,height in pixels")
    if width <= 0 or height <= 0:
        raise InputError(f"--box {text}: width and height must be positive")
    require_box((x, y, width, height), size, "--box")
    return x, y, width, height


def calibration_file(text: str) -> Path | None:
    """The file that --camera names, None where it has numbers; InputError if there is none."""
    if Path(text).is_file():
        return Path(text)
    try:
        _ = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--camera {text}: no such file; give fx,fy,cx,cy in pixels, or a calibration's file"
        ) from None
    return None


def parse_camera(text: str | None, size: tuple[int, int]) -> Camera | None:
    if text is None:
        return None
    form = "fx,fy,cx,cy in pixels, or the file of a calibration"
    fx, fy, cx, cy = _numbers(text, "--camera", form)
    if fx <= 0 or fy <= 0:
        raise InputError(f"--camera {text}: fx and fy must be positive")
    camera = Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), *size)
    fault = camera.focal_fault or ("" if camera.looks_into_image else "cx, cy lie outside it")
    if fault:
        raise InputError(
            f"--camera {text}: not of a {size[0]}x{size[1]} image: {fault}; give the intrinsics of"
            " this size, of a whole image"
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
