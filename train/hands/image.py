"""`predict` for hands: the joints in one depth image, drawn beside it."""

import json
import logging
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.nyu import BONES, CAMERA, JOINTS, read_depth
from render.image_file import check_png, image_size, write_png
from render.show.overlay import draw_skeleton
from render.whole_file import check_apart
from train.hands.crops import hand_frame
from train.hands.localiser import Localiser
from train.hands.predict import predict_joints
from train.hands.refine import HandRefiner, read_refiner
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.learn.pictures import PREDICTED
from train.learn.task import Asked

log = logging.getLogger(__name__)

SHOWN = 0.3  # metres before and behind the hand that are told apart in the picture


def predict_image(run: Path, image: Path, asked: Asked, out: Path | None, device: str) -> str:
    """Read the joints of the nearest hand in a depth PNG as NYU's, and draw them.

    Args:
        asked: a localiser; without one the crop is centred on the centre of mass.
        out: the overlay's file; IMAGE_pose.png in the working folder where None.

    Returns:
        A line of JSON, joints_cam_mm: name -> x, y, z in mm, camera frame, and whether they were
        refined.

    Raises:
        InputError: the image is unusable, or the network reads something else.
    """
    if asked.box is not None or asked.camera is not None:
        raise InputError(f"--box and --camera belong to objects; {run} is for hands")
    overlay = out or Path(f"{image.stem}_pose.png")
    check_png(overlay)
    check_apart(overlay, image)
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    names = [JOINTS[i] for i in checkpoint.hand.joints]
    localiser = Localiser.of_run(asked.localiser, torch_device)
    depth = read_sensor(image)
    (center,) = localiser.locate([depth])
    frame = hand_frame(0, depth, center, np.zeros((len(JOINTS), 3)), checkpoint.crop)
    read = predict_joints(checkpoint, [frame], torch_device)
    refiner = refiner_of(run, checkpoint, asked)
    if refiner is not None:
        read = refiner.refine(read, center[None], lambda _: depth)
    (joints,) = read
    mm = (1000 * joints).round(3).tolist()
    record = {
        "joints_cam_mm": dict(zip(names, mm, strict=True)),
        "refined": refiner is not None,
    }

    write_png(overlay, draw_hand(depth, center[2], joints))
    log.info("overlay: %s", overlay)
    return json.dumps(record)


def refiner_of(run: Path, checkpoint: Checkpoint, asked: Asked) -> HandRefiner | None:
    """What refines a run's joints; None where nothing does, or they are wanted as they are read."""
    is_whole = len(checkpoint.hand.joints) == len(JOINTS)
    return read_refiner(run.resolve().parent) if is_whole and not asked.as_read else None


def read_sensor(image: Path) -> np.ndarray:
    """(480, 640) metres; InputError where the image is unusable or of another size."""
    width, height = image_size(image)
    if (width, height) != CAMERA.size:
        raise InputError(f"{image}: must be 640x480 as NYU's images are, got {width}x{height}")
    return read_depth(image)


def draw_hand(depth: np.ndarray, z: float, joints: np.ndarray) -> np.ndarray:
    """Depth in grey, (480, 640, 3) uint8, and the skeleton read in it.

    Args:
        depth: (480, 640) metres. z: the depth that is mid-grey. joints: (j, 3) metres.
    """
    return draw_joints(gray_depth(depth, z), CAMERA.project(joints))


def gray_depth(depth: np.ndarray, z: float) -> np.ndarray:
    """(H, W) metres -> (H, W, 3) uint8, the brighter the nearer; z is mid-grey."""
    gray = np.clip((z + SHOWN - depth) / (2 * SHOWN), 0, 1) * (depth > 0)
    return np.repeat(np.round(255 * gray).astype(np.uint8)[..., None], 3, axis=2)


def draw_joints(picture: np.ndarray, joints: np.ndarray, thickness: int = 1) -> np.ndarray:
    """Draw the skeleton of joints (j, 2) in pixels, or the joints alone if they are not NYU's."""
    bones = BONES if len(joints) == len(JOINTS) else ()
    return draw_skeleton(picture, joints, bones, PREDICTED, thickness)
