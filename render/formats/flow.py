"""Optical flow on disk, as KITTI's: 16-bit RGB PNGs of how far what a pixel shows moves.

flow_forward/IIIIII.png leads to the next image of a film, flow_backward/IIIIII.png to the one
before. Red is 64 u + 32768, green 64 v + 32768, blue 1; 0 0 0 where no flow is known: of the
background, of what is hidden or outside the other image, and in a film's last or first image.
cv2.imread(file, cv2.IMREAD_UNCHANGED) gives the channels in the order 1, v, u. The format: M. Menze
and A. Geiger, "Object scene flow for autonomous vehicles", CVPR 2015, and the devkit of
https://www.cvlibs.net/datasets/kitti/eval_scene_flow.php?benchmark=flow.
"""

from pathlib import Path

import numpy as np

from render.image_file import read_rgb16

STEPS = 64  # to a pixel
ZERO = 1 << 15
FOLDERS = {"forward": "flow_forward", "backward": "flow_backward"}


def flow_path(scene_dir: Path, im_id: int, way: str) -> Path:
    """Where an image's flow is, or should be; way: of FOLDERS."""
    return scene_dir / FOLDERS[way] / f"{im_id:06d}.png"


def encode_flow(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) pixels, NaN where unknown -> (H, W, 3) uint16 as in the file.

    What moves by 512 pixels or more is unknown there.
    """
    steps = np.rint(STEPS * flow + ZERO)
    with np.errstate(invalid="ignore"):
        known = ((steps >= 1) & (steps <= np.iinfo(np.uint16).max)).all(axis=2)
    encoded = np.zeros((*flow.shape[:2], 3), np.uint16)
    encoded[known, :2] = steps[known]
    encoded[known, 2] = 1
    return encoded


def read_flow(path: Path) -> np.ndarray:
    """A file of flow as (H, W, 2) float32 pixels, NaN where it is unknown.

    Raises:
        InputError: the file is missing, damaged, or not 16-bit RGB.
    """
    encoded = read_rgb16(path)
    flow = (encoded[..., :2].astype(np.float32) - ZERO) / STEPS
    flow[encoded[..., 2] == 0] = np.nan
    return flow
