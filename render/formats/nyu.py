"""The NYU hand dataset's own formats: joints as lines of text, depth as colour PNG.

render/formats/nyu_dataset.py reads and writes its folders.

A joint is (u, v, d): its pixel and its depth z in millimetres. As (x, y, z) it is in millimetres in
NYU's camera frame: x right, y *up*, z forward, which is a left-handed frame.
"""

from pathlib import Path

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.image_file import read_rgb, write_png
from render.input_file import read_bytes
from render.json_file import write_text

# What published errors are computed with. The labels' own fx is 587.07: only with it are the wrist
# and palm of the test labels rigid to the last digit. So x comes out 0.16 % short.
CAMERA = Camera(np.array([[588.03, 0, 320], [0, 587.07, 240], [0, 0, 1]]), 640, 480)

# The evaluated joints, lines that join them to a skeleton, and their places among the 36 of
# joint_data.mat.
JOINTS = (
    *("pinky tip", "pinky root", "ring tip", "ring root", "middle tip", "middle root"),
    *("index tip", "index root", "thumb tip", "thumb R2", "thumb R1", "wrist 2", "wrist 1", "palm"),
)
BONES = (
    *((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (9, 10)),  # of the fingers
    *((1, 13), (3, 13), (5, 13), (7, 13), (10, 13), (11, 13), (12, 13)),  # of the palm
)
EVALUATED = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)

XYZ_FLIP = np.array([1.0, -1.0, 1.0])  # between NYU's y up and the camera's y down
LARGEST = 1e6  # px or mm; no joint is that far away, and a square of it is far from overflowing


def xyz_from_uvd(uvd: np.ndarray) -> np.ndarray:
    """Lift joints from the image: (..., 3) px, px, mm -> (..., 3) mm, y up."""
    uvd = np.asarray(uvd, np.float64)
    uv1 = np.concatenate([uvd[..., :2], np.ones_like(uvd[..., 2:])], axis=-1)
    return uv1 @ np.linalg.inv(CAMERA.K).T * uvd[..., 2:] * XYZ_FLIP


def uvd_from_xyz(xyz: np.ndarray) -> np.ndarray:
    """Project joints into the image: (..., 3) mm, y up -> (..., 3) px, px, mm."""
    xyz = np.asarray(xyz, np.float64)
    return np.concatenate([CAMERA.project(xyz * XYZ_FLIP), xyz[..., 2:]], axis=-1)


def joints_from_uvd(uvd: np.ndarray) -> np.ndarray:
    """Lift joints to the camera frame: (..., 3) px, px, mm -> (..., 3) metres, y down."""
    return xyz_from_uvd(uvd) * XYZ_FLIP / 1000


def uvd_from_joints(joints: np.ndarray) -> np.ndarray:
    """Undo `joints_from_uvd`: (..., 3) metres in the camera frame -> (..., 3) px, px, mm."""
    return uvd_from_xyz(1000 * np.asarray(joints, np.float64) * XYZ_FLIP)


def read_joints(path: Path) -> np.ndarray:
    """Read predictions or labels: a line a frame, 14 x (u v d) in the order of JOINTS.

    Returns:
        (frames, 14, 3) float64 uvd: px, px, mm.

    Raises:
        InputError: the file is missing or empty, or a line is malformed; says which and why.
    """
    try:
        lines = read_bytes(path).decode().rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error})") from None
    if not lines:
        raise InputError(f"{path}: holds no line; expected one a frame")
    rows = [_parse_line(line, f"{path}, line {i}") for i, line in enumerate(lines, start=1)]
    return np.array(rows).reshape(-1, len(JOINTS), 3)


def write_joints(path: Path, uvd: np.ndarray) -> None:
    """Write (frames, 14, 3) uvd as the released files are: %.3f, a space after every number.

    Raises:
        ValueError: uvd has another shape, or numbers that `read_joints` would refuse.
    """
    if uvd.ndim != 3 or uvd.shape[1:] != (len(JOINTS), 3):
        raise ValueError(f"uvd must be (frames, {len(JOINTS)}, 3), got {uvd.shape}")
    if not (np.abs(uvd) < LARGEST).all() or not (uvd[..., 2] >= 0.001).all():
        raise ValueError("uvd must be finite, below 1e6, with d at least 0.001 mm")
    frames = uvd.reshape(len(uvd), -1).tolist()
    write_text(path, "".join("".join(f"{x:.3f} " for x in frame) + "\n" for frame in frames))


def read_depth(path: Path) -> np.ndarray:
    """Read a depth PNG, 256 * green + blue in mm, as (H, W) float32 metres.

    The sensor's own images hold 2001 mm where nothing was measured, or nothing that near.

    Raises:
        InputError: the file is missing, truncated, no image of 8 bits a channel, or has red in it,
            as photographs do.
    """
    red, green, blue = np.moveaxis(read_rgb(path).astype(np.uint16), -1, 0)
    if red.any():
        raise InputError(
            f"{path}: a picture with red in it; NYU's depth is 256 * green + blue, in mm, without"
        )
    return ((256 * green + blue) / np.float32(1000)).astype(np.float32)


def write_depth(path: Path, depth: np.ndarray) -> None:
    """Write (H, W) depth in metres as NYU's PNG, rounded to whole mm, with red 0.

    Raises:
        ValueError: depth has another shape, is not finite, or is not in 0..65.535 m.
    """
    if depth.ndim != 2:
        raise ValueError(f"depth must be (H, W), got {depth.shape}")
    depth_mm = np.round(depth.astype(np.float64) * 1000)
    if not ((depth_mm >= 0) & (depth_mm <= 0xFFFF)).all():
        raise ValueError(f"depth must be in 0..65.535 m, got {depth.min()}..{depth.max()}")
    green, blue = np.divmod(depth_mm.astype(np.uint16), 256)
    write_png(path, np.stack([np.zeros_like(green), green, blue], axis=-1).astype(np.uint8))


def _parse_line(line: str, where: str) -> list[float]:
    """The numbers of one frame: u v d of each joint; InputError names the first fault."""
    fields = line.split()
    if len(fields) != 3 * len(JOINTS):
        of = f", u v d of {len(fields) // 3} joints" if fields and len(fields) % 3 == 0 else ""
        raise InputError(
            f"{where}: expected {3 * len(JOINTS)} numbers, u v d of {len(JOINTS)} joints,"
            f" got {len(fields)}{of}"
        )
    values = []
    for i, field in enumerate(fields):
        joint, axis = JOINTS[i // 3], "uvd"[i % 3]
        try:
            values.append(float(field))
        except ValueError:
            raise InputError(f"{where}: {axis} of {joint} is no number: {field!r}") from None
        if not abs(values[-1]) < LARGEST:  # so that nan is caught too
            raise InputError(f"{where}: {axis} of {joint} must be finite, below 1e6, got {field}")
        if axis == "d" and values[-1] <= 0:
            raise InputError(f"{where}: d of {joint} must be above 0 mm, got {field}")
    return values
