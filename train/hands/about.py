"""What another program must know to read a hand's joints with an exported network."""

from typing import Any

from render.formats.nyu import CAMERA, JOINTS
from train.hands.predict import NEAREST
from train.learn.checkpoint import Checkpoint

CROP_STEPS = (
    "center, x y z in metres in the camera's frame, is where the hand is: from a localiser, which"
    " is a network of this kind with the one joint palm, or the hand's centre of mass.",
    "half = cube_mm / 2000 metres, small_cube_mm for small hands. zoom = size_px * z / (2 * half *"
    " f) with z of center and f the camera's fx for columns, fy for rows.",
    "Pixel c of the crop takes the depth of the image's nearest pixel: column rint(u + (c -"
    " (size_px - 1) / 2) / zoom) with u, v the projection of center; rows likewise. Depth is in"
    " whole millimetres; nothing is interpolated.",
    "Its value is (depth - z) / half, at least -1 and at most 1; 1 where nothing was seen and"
    " beyond the image.",
)


def about_hand(checkpoint: Checkpoint) -> dict[str, Any]:
    """The part of an exported network's JSON that is of hands; see docs/formats.md."""
    crop = checkpoint.crop
    return {
        "input": {"channels": ["depth"]},
        "output": {
            "values": "x, y, z of each of joints, in that order: joint = center + half * value with"
            " values beyond -2 and 2 cut off; metres, OpenCV's axes (x right, y down, z forward);"
            f" z at least {NEAREST:g}."
        },
        "crop": {
            "size_px": crop.size,
            "cube_mm": crop.cube_mm,
            "small_cube_mm": crop.small_cube_mm,
            "steps": list(CROP_STEPS),
        },
        "joints": [JOINTS[i] for i in checkpoint.hand.joints],
        "camera": {"K": CAMERA.K.tolist(), "width": CAMERA.width, "height": CAMERA.height},
    }
