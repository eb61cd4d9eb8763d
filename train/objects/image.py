"""`predict` for objects: the pose in one image, drawn beside it."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_camera, read_split
from render.formats.bop_records import require_box
from render.frame import Box
from render.image_file import check_png, read_rgb, write_png
from render.mesh.box import box_corners
from render.show.overlay import draw_box
from render.transforms import apply
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.task import Asked
from train.objects.crops import Picture, square_crop, warp
from train.objects.predict import Prediction, predict
from train.objects.refine.file import read_refiner
from train.objects.refine.refiner import Refiner

log = logging.getLogger(__name__)


def predict_image(run: Path, image: Path, asked: Asked, out: Path | None, device: str) -> str:
    """`predict`: the object's pose in one image, drawn beside it and returned as a line of JSON.

    An image of a BOP scene brings its camera, and boxes of its own where none is given.

    Args:
        out: the overlay's file; IMAGE_pose.png in the working folder where None.

    Raises:
        InputError: there is no box or no camera, or they do not fit the image.
    """
    if asked.localiser is not None:
        raise InputError(f"--localiser belongs to networks for hands; {run} is for an object")
    overlay = out or Path(f"{image.stem}_pose.png")
    check_png(overlay)
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    rgb = read_rgb(image)
    size = rgb.shape[1], rgb.shape[0]
    scene = _scene_of(image)
    used_camera = _parse_camera(asked.camera, size)
    if used_camera is None and scene is not None:
        used_camera = _camera_in_scene(image, scene, size)
    used_camera = used_camera or checkpoint.object.camera
    if asked.box is not None:
        boxes = [_parse_box(asked.box, size)]
    else:
        boxes = _annotated_boxes(image, scene, checkpoint.object.obj_id)
    if used_camera is None or used_camera.size != size:
        raise InputError(
            f"{image} is {size[0]}x{size[1]} and its camera unknown: give --camera fx,fy,cx,cy"
        )

    with refiner_of(run, checkpoint, asked.as_read) as refiner:
        found = read_boxes(checkpoint, rgb, boxes, used_camera, torch_device, refiner)
        refined = refiner is not None
    lines = [json.dumps(_record(checkpoint.object.obj_id, one, refined)) for one in found]
    poses = [one.cam_from_obj for one in found]
    write_png(overlay, draw_poses(rgb, poses, checkpoint.object.box, used_camera))
    return "\n".join([*lines, f"overlay: {overlay}"])


def predict_boxes(
    checkpoint: Checkpoint,
    rgb: np.ndarray,
    boxes: Sequence[Box],
    camera: Camera,
    device: torch.device,
) -> list[np.ndarray | None]:
    """Read the object's pose, (4, 4) cam_from_obj in metres, in boxes of an image (H, W, 3)."""
    return [one.cam_from_obj for one in read_boxes(checkpoint, rgb, boxes, camera, device)]


@contextmanager
def refiner_of(run: Path, checkpoint: Checkpoint, as_read: bool) -> Iterator[Refiner | None]:
    """What refines a run's poses; None where nothing does, or poses are wanted as they are read."""
    if as_read:
        yield None
        return
    with read_refiner(run.resolve().parent, checkpoint.object.obj_id) as refiner:
        yield refiner


def read_boxes(
    checkpoint: Checkpoint,
    rgb: np.ndarray,
    boxes: Sequence[Box],
    camera: Camera,
    device: torch.device,
    refiner: Refiner | None = None,
) -> list[Prediction]:
    """Read the object's pose in boxes of an image (H, W, 3); refined, where something does it."""
    maps = [square_crop(box, checkpoint.crop) for box in boxes]
    size = checkpoint.crop.size
    crops = np.array([warp(rgb, m, size) for m in maps], np.uint8).reshape(-1, size, size, 3)
    found = predict(checkpoint, crops, maps, [camera] * len(maps), device)
    if refiner is None:
        return found
    return [refiner.refined(Picture(rgb, camera), one) for one in found]


def _record(obj_id: int, found: Prediction, refined: bool) -> dict[str, Any]:
    """What is printed of one box."""
    pose = found.cam_from_obj
    return {
        "obj_id": obj_id,
        "R": None if pose is None else pose[:3, :3].tolist(),
        "t_mm": None if pose is None else (1000 * pose[:3, 3]).tolist(),
        "confidence": round(found.confidence, 4),
        "refined": refined and pose is not None,
    }


def draw_poses(
    rgb: np.ndarray, poses: Sequence[np.ndarray | None], box: np.ndarray, camera: Camera
) -> np.ndarray:
    """Draw an object's box, as `ObjectInfo` has it, at each pose that was found."""
    for pose in poses:
        if pose is not None:
            rgb = draw_box(rgb, camera.project(apply(pose, box_corners(box))), (255, 70, 40), 2)
    return rgb


def visible_boxes(image: BopImage, obj_id: int) -> list[Box]:
    """Where an image's annotations say that an object is seen."""
    shown = [a.bbox_visib for a in image.annotations if a.obj_id == obj_id]
    return [box for box in shown if box is not None and box[2] > 0 and box[3] > 0]


def _scene_of(image: Path) -> Path | None:
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


def _annotated_boxes(image: Path, scene: Path | None, obj_id: int) -> list[Box]:
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


def _parse_box(text: str, size: tuple[int, int]) -> Box:
    x, y, width, height = _numbers(text, "--box", "x,y,width,height in pixels")
    if width <= 0 or height <= 0:
        raise InputError(f"--box {text}: width and height must be positive")
    require_box((x, y, width, height), size, "--box")
    return x, y, width, height


def _parse_camera(text: str | None, size: tuple[int, int]) -> Camera | None:
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
