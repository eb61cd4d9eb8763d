"""Checkpoint and crops -> corners -> poses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.frame import Box
from render.image_file import read_rgb, write_png
from render.mesh.box import box_corners
from render.show.overlay import draw_box
from render.transforms import apply, rigid
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.objects.crops import from_crop, normalize, square_crop, warp


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was read from one crop.

    corners: (8, 2) box corners in the full image, pixels, as the network gave them.
    cam_from_obj: (4, 4) pose from PnP, metres, or None where PnP found none.
    side: the crop's side in pixels of the full image.
    """

    corners: np.ndarray
    cam_from_obj: np.ndarray | None
    side: float


def predict_corners(
    checkpoint: Checkpoint, crops: np.ndarray, device: torch.device, batch: int = 256
) -> np.ndarray:
    """Run the network on real images: (n, size, size, 3) uint8 -> (n, 8, 2) in half crop sides."""
    net = checkpoint.net.to(device).eval()
    corners = []
    with torch.inference_mode():
        for first in range(0, len(crops), batch):
            images = torch.from_numpy(normalize(crops[first : first + batch]))  # (b, size, size, 3)
            images = images.permute(0, 3, 1, 2).to(device)  # (b, 3, size, size)
            corners.append(net(images).float().cpu().numpy().reshape(-1, 8, 2))
    return np.concatenate(corners).astype(np.float64) if corners else np.zeros((0, 8, 2))


def predict(
    checkpoint: Checkpoint,
    crops: np.ndarray,
    crops_from_image: Sequence[np.ndarray],
    cameras: Sequence[Camera],
    device: torch.device,
) -> list[Prediction]:
    """Read poses from crops.

    Args:
        crops: (n, size, size, 3) uint8.
        crops_from_image: n affine maps (2, 3) that the crops were made with.
        cameras: n cameras of the full images.
    """
    size = checkpoint.crop.size
    predictions = []
    for corners, crop_from_image, camera in zip(
        predict_corners(checkpoint, crops, device), crops_from_image, cameras, strict=True
    ):
        in_image = from_crop(corners, crop_from_image, size)
        side = size / float(np.sqrt(abs(np.linalg.det(crop_from_image[:, :2]))))
        pose = solve_pose(in_image, box_corners(checkpoint.object.box), camera)
        predictions.append(Prediction(in_image, pose, side))
    return predictions


def solve_pose(pixels: np.ndarray, points: np.ndarray, camera: Camera) -> np.ndarray | None:
    """Perspective-n-point: the pose under which points are seen at pixels, by least squares.

    SQPnP (Terzakis and Lourakis, ECCV 2020) refined by Levenberg-Marquardt on the pixels.

    Args:
        pixels: (n, 2), full image. points: (n, 3) metres, object frame.

    Returns:
        (4, 4) cam_from_obj, or None where no pose in front of the camera fits.
    """
    if not np.isfinite(pixels).all():
        return None
    try:
        found, rotvec, t = cv2.solvePnP(points, pixels, camera.K, None, flags=cv2.SOLVEPNP_SQPNP)
        if not found:
            return None
        rotvec, t = cv2.solvePnPRefineLM(points, pixels, camera.K, None, rotvec, t)
    except cv2.error:
        return None
    if not (np.isfinite(rotvec).all() and np.isfinite(t).all()):
        return None
    cam_from_obj = rigid(cv2.Rodrigues(rotvec)[0], t[:, 0])
    return cam_from_obj if apply(cam_from_obj, points)[:, 2].min() > 0 else None


def predict_image(
    run: Path, image: Path, box: str | None, camera: str | None, out: Path | None, device: str
) -> str:
    """`predict`: the object's pose in one image, drawn beside it and returned as a line of JSON.

    An image of a BOP scene brings its camera, and boxes of its own where none is given.

    Args:
        box: "x,y,width,height" in pixels. camera: "fx,fy,cx,cy".
        out: the overlay's file; IMAGE_pose.png in the working folder where None.

    Raises:
        InputError: there is no box or no camera, or they do not fit the image.
    """
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    rgb = read_rgb(image)
    size = rgb.shape[1], rgb.shape[0]
    found_camera, boxes = _from_scene(image, checkpoint.object.obj_id)
    boxes = [_parse_box(box, size)] if box is not None else boxes
    used_camera = _parse_camera(camera, size) or found_camera or checkpoint.object.camera
    if not boxes:
        raise InputError(f"{image} lies in no BOP scene that shows the object: give --box x,y,w,h")
    if used_camera is None or used_camera.size != size:
        raise InputError(
            f"{image} is {size[0]}x{size[1]} and its camera unknown: give --camera fx,fy,cx,cy"
        )

    lines, poses = [], predict_boxes(checkpoint, rgb, boxes, used_camera, torch_device)
    for pose in poses:
        record: dict = {"obj_id": checkpoint.object.obj_id, "R": None, "t_mm": None}
        if pose is not None:
            record |= {"R": pose[:3, :3].tolist(), "t_mm": (1000 * pose[:3, 3]).tolist()}
        lines.append(json.dumps(record))
    overlay = out or Path(f"{image.stem}_pose.png")
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
    maps = [square_crop(box, checkpoint.crop) for box in boxes]
    size = checkpoint.crop.size
    crops = np.array([warp(rgb, m, size) for m in maps], np.uint8).reshape(-1, size, size, 3)
    found = predict(checkpoint, crops, maps, [camera] * len(maps), device)
    return [one.cam_from_obj for one in found]


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


def _from_scene(image: Path, obj_id: int) -> tuple[Camera | None, list[Box]]:
    """The camera and the object's visible boxes, if the image stands in a BOP scene."""
    scene = image.resolve().parent.parent
    in_scene = (scene / "scene_camera.json").is_file()
    if not (in_scene and scene.name.isdecimal() and image.stem.isdecimal()):
        return None, []
    key = (int(scene.name), int(image.stem))
    (found,) = read_split(scene.parent.parent, scene.parent.name, [key])
    return found.camera, visible_boxes(found, obj_id)


def _parse_box(text: str, size: tuple[int, int]) -> Box:
    x, y, width, height = _numbers(text, "--box", "x,y,width,height in pixels")
    if width <= 0 or height <= 0:
        raise InputError(f"--box {text}: width and height must be positive")
    if x + width <= 0 or y + height <= 0 or x >= size[0] or y >= size[1]:
        raise InputError(f"--box {text} lies outside the image of {size[0]}x{size[1]} pixels")
    return x, y, width, height


def _parse_camera(text: str | None, size: tuple[int, int]) -> Camera | None:
    if text is None:
        return None
    fx, fy, cx, cy = _numbers(text, "--camera", "fx,fy,cx,cy in pixels")
    if fx <= 0 or fy <= 0:
        raise InputError(f"--camera {text}: fx and fy must be positive")
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), *size)


def _numbers(text: str, flag: str, form: str) -> tuple[float, float, float, float]:
    try:
        a, b, c, d = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{flag} {text}: must be {form}") from None
    if not np.isfinite([a, b, c, d]).all():
        raise InputError(f"{flag} {text}: must be {form}, all finite")
    return a, b, c, d
